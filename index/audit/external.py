"""External addresses that documents link to: each is asked once a day at most, and is gone after three days.

The record has hashes of addresses, and the days on which they were gone. An answer that is neither "there"
nor "gone" (forbidden, too many requests, a server's error, none in time) says nothing, and ends the row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from index.audit.reach import GONE, status_of
from index.freshness.checks.links import GONE_DAYS
from index.ledger import LinkCheck

if TYPE_CHECKING:
    from index.ledger import Ledger

#: Hosts that are asked at a time, each for one address after the other.
HOSTS_MAX = 8
#: Seconds after which the rest is left for the next audit.
SECONDS_MAX = 600.0


def gone(
    ledger: Ledger, urls: Collection[str], now: datetime, ask: Callable[[str], int] = status_of
) -> Callable[[str], Sequence[str]]:
    """The days on which each of these addresses was found gone, one after the other. Those that were not
    asked today are asked, where the ledger can be written. `ask` gives the status of an address, 0 for no
    answer."""
    keys = ledger.tombstones.keys()
    hashes = {url: keys.url(url) for url in urls}
    known = ledger.extracts.checks(hashes.values())
    if ledger.writable:
        due = [url for url, key in hashes.items() if key not in known or not _is_today(known[key], now)]
        answers = dict(_answers(due, ask))
        found = [checked(known.get(hashes[u]), hashes[u], status, now) for u, status in answers.items()]
        ledger.extracts.record_checks(found, hashes.values())
        known |= {check.url_hash: check for check in found}
    return lambda url: known[hashes[url]].gone_days if hashes.get(url) in known else ()


def checked(before: LinkCheck | None, url_hash: str, status: int, now: datetime) -> LinkCheck:
    """The record of an address after this answer."""
    days = list(before.gone_days) if before is not None else []
    days = [*days, now.date().isoformat()][-GONE_DAYS:] if status in GONE else []
    return LinkCheck(url_hash, now, status, days)


def _is_today(check: LinkCheck, now: datetime) -> bool:
    return check.checked_at.date() == now.date()


def _answers(urls: Sequence[str], ask: Callable[[str], int]) -> Iterator[tuple[str, int]]:
    hosts: dict[str, list[str]] = {}
    for url in sorted(urls):
        hosts.setdefault(urlsplit(url).netloc, []).append(url)
    end = time.monotonic() + SECONDS_MAX

    def of_host(own: Sequence[str]) -> Mapping[str, int]:
        return {url: ask(url) for url in own if time.monotonic() < end}

    with ThreadPoolExecutor(HOSTS_MAX) as pool:
        for found in pool.map(of_host, hosts.values()):
            yield from found.items()
