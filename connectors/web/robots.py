"""robots.txt: what a host lets be asked for, and how often (RFC 9309)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import DocumentError
from connectors.extras import extra
from connectors.web.client import AGENT, Answer, Client
from connectors.web.site import Address, Site, parse

if TYPE_CHECKING:
    from protego import Protego

#: Bytes of a robots.txt that are read; the standard asks for 500 KiB.
_SIZE_MAX = 512 * 1024
_REDIRECTS_MAX = 5
#: Seconds; a longer Crawl-delay would make a listing last for days.
DELAY_MAX = 60.0


class Robots:
    """The rules of each host, asked for once until `forget`."""

    def __init__(self, client: Client, site: Site, source: str) -> None:
        self._client, self._site, self._source = client, site, source
        self._rules: dict[str, Protego | DocumentError] = {}

    def forget(self) -> None:
        self._rules.clear()

    def allows(self, address: Address) -> bool:
        """Raises DocumentError when the rules cannot be had now, for then nothing may be asked for;
        SourceUnavailable when the host cannot be reached."""
        rules = self._rules.get(address.host)
        if rules is None:
            try:
                rules = self._read(address)
            except DocumentError as error:
                rules = DocumentError(f"{error} Without its robots.txt nothing else of it is asked for.")
            self._rules[address.host] = rules
        if isinstance(rules, DocumentError):
            raise rules
        return rules.can_fetch(address.url, AGENT)

    def _read(self, page: Address) -> Protego:
        with extra("web", self._source):
            from protego import Protego
        address: Address | None = page._replace(path="/robots.txt", query="")
        text = ""
        for _ in range(_REDIRECTS_MAX):
            if address is None or address.host not in self._site.schemes:
                break
            found = self._client.get(address, _text_of)
            if not isinstance(found, _Moved):
                text = found
                break
            moved = parse(found, address.url)
            if moved is not None and moved.host == address.host and moved.scheme != address.scheme:
                self._site.upgrade(moved.host)
            address = moved
        rules = Protego.parse(text)
        if delay := rules.crawl_delay(AGENT):
            self._client.delays[page.host] = min(float(delay), DELAY_MAX)
        return rules


class _Moved(str):
    """Where a redirect leads."""


def _text_of(answer: Answer) -> str:
    if answer.status in (301, 302, 303, 307, 308):
        return _Moved(answer.headers.get("location", ""))
    if answer.status >= 500:
        raise DocumentError(f"{answer.url} answers {answer.status}.")
    if answer.status != 200:
        # A host without rules allows everything.
        return ""
    found = bytearray()
    for block in answer.blocks():
        found += block
        if len(found) > _SIZE_MAX:
            break
    whole = bytes(found)
    if len(whole) > _SIZE_MAX:
        # A line that was cut is left out: half a path would forbid too much, or too little.
        whole = whole[:_SIZE_MAX].rpartition(b"\n")[0]
    return whole.decode("utf-8-sig", "replace")
