"""One listing of a site: every page that is asked for, and which of them are documents.

Pages are asked for by their distance from the start pages; those that were documents before and that no link
leads to any more come last, and so does every page of a sitemap that no link leads to. All that is found is
in tables of a database, so that a site of any size is listed in the same memory.

A document leaves the listing only when its own server says so: it answers 410; or, in two listings in a
row, 404, a permanent redirect to another document, that it is another document (canonical), or that it wants
to be in no index. In every other case it stays as it was read last: an error, a page to log in, a page that
is none, a rule of robots.txt.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, MutableSequence

from connectors.base import DocumentError, DocumentForbidden, Entry, SourceUnavailable, Unlisted, shortened
from connectors.patterns import PathFilter
from connectors.web.aliases import Fate, fates
from connectors.web.client import Client
from connectors.web.look import Kind, Look, Looker
from connectors.web.memory import Memory, Row
from connectors.web.settings import WebSettings
from connectors.web.site import Site
from connectors.web.sitemaps import pages as pages_of

#: Listings in a row in which a page has to be missing before it is gone.
MISSES = 2
#: A page that was missing in so many is not asked for any more, unless a link leads to it.
_FORGOTTEN = 10
#: Pages in a row that fail before a host is left alone.
_FAILURES_MAX = 5
_ERRORS_MAX = 50
_COMMIT = 200

_SEEN = """CREATE TEMP TABLE seen (
    uri TEXT PRIMARY KEY, depth INTEGER, changed TEXT, named INTEGER, asked INTEGER DEFAULT 0,
    outcome TEXT DEFAULT '', target TEXT)"""
_NEXT = "SELECT uri, depth, named FROM seen WHERE asked = 0 ORDER BY depth, changed DESC LIMIT 1"
#: Outcomes: `document` (as in memory), `bare` (it exists and may not be read), `canonical` and `moved` (it is
#: `target`, if that is a document), `absent`, and "" for what is no document.
_LISTED = ("document", "bare")


class Crawl:
    """A listing in the making; `run` asks, then `entries` has the result."""

    def __init__(
        self,
        settings: WebSettings,
        site: Site,
        client: Client,
        looker: Looker,
        memory: Memory,
        filter: PathFilter,
        errors: MutableSequence[str],
        unlisted: MutableSequence[Unlisted],
        keep: Callable[[str, bytes], None],
    ) -> None:
        """`keep` is given the uri and the bytes of each page that was downloaded."""
        self._settings, self._site, self._client, self._looker = settings, site, client, looker
        self._memory, self._filter = memory, filter
        self._errors, self._unlisted = errors, unlisted
        self._more_errors = 0
        self._failures: Counter[str] = Counter()
        self._left: set[str] = set()
        """Hosts that are not asked any more."""
        self._asked = self._beyond = 0
        self._db = memory.db
        self._keep = keep

    # ── Asking ────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        self._db.execute("DROP TABLE IF EXISTS temp.seen")
        self._db.execute(_SEEN)
        self._db.execute("CREATE INDEX temp.waiting ON seen (asked, depth, changed DESC)")
        last = self._settings.depth + 1
        self._add(((uri, 0, "") for uri in self._starts()), named=True)
        sitemaps: list[str] = []
        mapped = pages_of(self._client, self._site, self._settings.sitemaps, sitemaps)
        self._add(((uri, last, changed) for uri, changed in mapped), named=True)
        for trouble in sitemaps:
            self._error(trouble)
        self._db.execute(
            "INSERT OR IGNORE INTO seen (uri, depth, changed, named) SELECT uri, ?, '', 0 FROM page "
            "WHERE listed OR misses",
            (last,),
        )
        (known,) = self._db.execute("SELECT count(*) FROM page WHERE listed").fetchone()
        while (found := self._db.execute(_NEXT).fetchone()) is not None:
            uri, depth, named = found
            self._db.execute("UPDATE seen SET asked = 1 WHERE uri = ?", (uri,))
            row = self._memory.get(uri)
            if depth and not self._walks(uri):
                # The filters may have changed since it was a document.
                continue
            if row is None or not row.listed:
                if depth and known + self._asked >= self._settings.pages:
                    self._leave_out(uri)
                    continue
                self._asked += 1
            self._ask(uri, depth, bool(named), row)
            if (self._client.requests % _COMMIT) == 0:
                self._db.commit()
        self._resolve()
        self._close()

    def _starts(self) -> list[str]:
        return [uri for url in self._settings.start if (uri := self._site.uri(url)) is not None]

    def _add(self, found: Iterator[tuple[str, int, str]], *, named: bool = False) -> None:
        self._db.executemany(
            "INSERT INTO seen (uri, depth, changed, named) VALUES (?, ?, ?, ?) ON CONFLICT (uri) DO UPDATE "
            "SET depth = min(depth, excluded.depth), named = max(named, excluded.named) WHERE asked = 0",
            ((uri, depth, changed, int(named)) for uri, depth, changed in found),
        )

    def _walks(self, uri: str) -> bool:
        """Whether a page may be asked for: `exclude` keeps it out, with all behind it; `include` does not."""
        return not self._filter.exclude.match(uri) and self._filter.covers(uri)

    def _leave_out(self, uri: str) -> None:
        if not self._beyond:
            reason = (
                f"It and others were found after {self._settings.pages:,} pages, the limit of `pages`: they "
                "are not listed. Raise it, or exclude what need not be there."
            )
            self._unlisted.append(Unlisted(uri, "too-many-pages", reason))
        self._beyond += 1

    def _ask(self, uri: str, depth: int, named: bool, row: Row | None) -> None:
        host = uri.partition("/")[0]
        if host in self._left:
            self._stay(uri, row)
            return
        try:
            found = self._looker.look(uri, row, trusted=depth == 0)
        except DocumentForbidden as error:
            if depth == 0:
                self._error(f"The start page {shortened(uri)!r} cannot be read: {error}")
            self._stay(uri, row)
        except SourceUnavailable as error:
            self._leave(host, str(error))
            self._stay(uri, row)
        except DocumentError as error:
            self._failures[host] += 1
            self._error(str(error))
            self._stay(uri, row)
        else:
            self._failures[host] = self._failures[host] + 1 if found.kind is Kind.FORBIDDEN else 0
            self._take(uri, depth, named, row, found)
        if self._failures[host] >= _FAILURES_MAX and host not in self._left:
            self._leave(host, f"{_FAILURES_MAX} of its pages could not be read one after the other.")

    def _take(self, uri: str, depth: int, named: bool, row: Row | None, found: Look) -> None:
        """Note what an answer means for this page."""
        match found.kind:
            case Kind.DOCUMENT | Kind.UNCHANGED:
                assert found.row is not None
                # A page that was missing or was another one is counted until it is itself again.
                missed = row.misses if row is not None and found.row.canonical else 0
                new = found.row._replace(misses=missed, listed=row.listed if row is not None else 0)
                if new != row:
                    self._memory.put(new)
                if found.clean is not None:
                    self._keep(uri, found.clean)
                if new.canonical is None:
                    self._outcome(uri, "document")
                else:
                    self._outcome(uri, "canonical", new.canonical)
                    self._add(iter([(new.canonical, depth, "")]))
                self._follow(new, depth)
            case Kind.MOVED if found.target is not None:
                self._outcome(uri, "moved" if found.permanent else "stays", found.target)
                self._add(iter([(found.target, depth, "")]))
            case Kind.GONE:
                self._miss(uri, row, MISSES)
            case Kind.MISSING:
                self._miss(uri, row)
            case Kind.NOINDEX:
                assert found.row is not None
                if row is None or not (row.listed or row.misses):
                    self._memory.put(found.row._replace(noindex=1))
                self._miss(uri, row)
                self._follow(found.row, depth)
            case Kind.FORBIDDEN if found.status in (401, 407):
                if named or (row is not None and row.listed):
                    self._error(
                        f"{shortened(uri)!r} answers {found.status}; give `headers` that let it be read."
                    )
                self._stay(uri, row)
            case Kind.FORBIDDEN if named or (row is not None and row.listed):
                self._outcome(uri, "bare")
            case _:
                self._stay(uri, row)
        if depth == 0 and found.kind in (Kind.MISSING, Kind.GONE, Kind.FORBIDDEN, Kind.LOGIN):
            self._error(
                f"The start page {shortened(uri)!r} {found.kind.value}; without it, pages may be missing."
            )
        elif depth == 0 and found.kind is Kind.MOVED and found.target is None:
            self._error(
                f"The start page {shortened(uri)!r} redirects to a host that is none of this source's."
            )
        elif found.kind is Kind.LOGIN and row is not None and row.listed:
            self._error(f"{shortened(uri)!r} answers with a log-in page; give `headers` that let it be read.")

    def _follow(self, row: Row, depth: int) -> None:
        if depth < self._settings.depth:
            self._add((uri, depth + 1, "") for uri in json.loads(row.links))

    # ── Outcomes ──────────────────────────────────────────────────────────────────────────────────────

    def _outcome(self, uri: str, outcome: str, target: str | None = None) -> None:
        self._db.execute("UPDATE seen SET outcome = ?, target = ? WHERE uri = ?", (outcome, target, uri))

    def _stay(self, uri: str, row: Row | None) -> None:
        """A document stays as it was read last; what was none stays none."""
        if row is not None and row.listed:
            self._outcome(uri, "document")

    def _miss(self, uri: str, row: Row | None, count: int = 1) -> None:
        """The page is not there, or does not want to be; it is gone once that was so often enough."""
        if row is None or not (row.listed or row.misses):
            return
        missed = max(row.misses + 1, count)
        self._memory.put(row._replace(misses=missed))
        if missed < MISSES:
            self._stay(uri, row)

    def _resolve(self) -> None:
        """Decide about pages that say they are another one."""
        for uri, fate in fates(self._memory, self._filter.takes):
            self._outcome(uri, "document" if fate is Fate.ITSELF else "")
            if fate in (Fate.ANOTHER, Fate.RENAMED):
                # The same text under another address has moved: index and reviews follow it at once.
                self._miss(uri, self._memory.get(uri), MISSES if fate is Fate.RENAMED else 1)

    def _close(self) -> None:
        """Note which pages are documents, and forget those that have long been gone."""
        takes = self._filter.takes
        self._db.create_function("takes", 1, takes, deterministic=True)
        self._db.execute(
            "UPDATE page SET listed = EXISTS (SELECT 1 FROM seen WHERE seen.uri = page.uri "
            "AND outcome IN ('document', 'bare') AND takes(seen.uri))"
        )
        self._db.execute("DELETE FROM page WHERE misses >= ? AND NOT listed", (_FORGOTTEN,))
        # What no link leads to any more, and is no document, need not be remembered.
        self._db.execute(
            "DELETE FROM page WHERE NOT listed AND NOT misses AND uri NOT IN (SELECT uri FROM seen)"
        )
        if self._more_errors:
            self._errors.append(f"{self._more_errors:,} more pages could not be read.")
        self._db.commit()

    def entries(self) -> Iterator[Entry]:
        """The documents that were found, in no order."""
        found = self._db.execute("SELECT uri, outcome FROM seen WHERE outcome IN (?, ?)", _LISTED)
        while rows := found.fetchmany(_COMMIT):
            for uri, outcome in rows:
                if self._filter.takes(uri):
                    row = self._memory.get(uri) if outcome == "document" else None
                    yield row.entry if row is not None else Row(uri, format="text/html").entry

    # ── Errors ────────────────────────────────────────────────────────────────────────────────────────

    def _error(self, sentence: str) -> None:
        if sentence in self._errors:
            return
        if len(self._errors) < _ERRORS_MAX:
            self._errors.append(sentence)
        else:
            self._more_errors += 1

    def _leave(self, host: str, why: str) -> None:
        """Ask this host for nothing more in this listing."""
        self._left.add(host)
        self._errors.append(f"The host {host!r} was left alone: {why}")
