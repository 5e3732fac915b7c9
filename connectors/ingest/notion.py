"""Notion: pages and databases below those that are named.

Notion says when a page was edited to the minute, so that time is a version only once its minute is over by
Notion's own clock; until then a page is read to tell. A database shows rows, and values that other pages
decide: it has no version. Nor has a page that shows blocks of another (a synced block).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, MutableSequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import UUID

from unstructured_ingest.data_types.file_data import (
    FileData,
    FileDataSourceMetadata,
    SourceIdentifiers,
)
from unstructured_ingest.processes.connectors.notion.connector import (
    NotionDownloaderConfig,
    NotionIndexerConfig,
)

from connectors.base import DocumentChanging, DocumentVanished, Entry, SourceUnavailable, shortened
from connectors.ingest.failures import NotAnAnswer, meaning, status_of
from connectors.ingest.names import identifier, named
from connectors.ingest.notion_api import Connection, Downloader
from connectors.ingest.service import Had, Record, Service, downloaded
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Client, Patience

Kind = Literal["pages", "databases"]
KINDS: tuple[Kind, ...] = ("pages", "databases")
#: Its minute, and another for clocks that differ among its servers.
_SETTLED = timedelta(minutes=2)
_ATTEMPTS = 3
_PAGE = 100
_DEEPEST = 100


@dataclass(slots=True)
class _Inside:
    """What the blocks of a page, at any depth, lead to."""

    pages: list[str] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    borrowed: bool = False
    """Some are those of another page."""


class Notion(Service):
    title: ClassVar[str] = "Notion"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        config = NotionIndexerConfig(**{"recursive": True, **blocks["indexer_config"]})
        self._recursive = config.recursive
        self._roots: dict[Kind, list[str]] = {
            "pages": [_uuid(given) for given in config.page_ids or []],
            "databases": [_uuid(given) for given in config.database_ids or []],
        }
        if not any(self._roots.values()):
            raise SourceUnavailable(
                "Notion needs page_ids or database_ids: the pages and databases that are listed, with what "
                "is below them."
            )
        self._http = Client(patience)
        self._connection = Connection(access_config=blocks["access_config"])
        self._connection._http = self._http

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with self._connection.get_client() as api:
            answer = api.request(path, method, **options)
        if not isinstance(answer, dict):
            raise NotAnAnswer("it answered with something that is no object")
        return answer

    def _all(self, method: str, path: str) -> Iterator[dict[str, Any]]:
        """What all pages of an answer hold."""
        cursor: str | None = None
        while True:
            given: dict[str, Any] = {"page_size": _PAGE, **({"start_cursor": cursor} if cursor else {})}
            answer = self._ask(method, path, **{"body" if method == "POST" else "query": given})
            found = answer.get("results")
            if not isinstance(found, list):
                raise NotAnAnswer("it answered with something that is no list")
            yield from found
            if not answer.get("has_more"):
                return
            before, cursor = cursor, answer.get("next_cursor")
            if not cursor or cursor == before:
                raise NotAnAnswer("it says that there is more, and not where")

    def identity(self) -> str:
        me = self._ask("GET", "users/me")
        bot = me.get("bot") or {}
        return f"notion {bot.get('workspace_id') or me['id']}"

    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        waiting = [(kind, number) for kind in KINDS for number in self._roots[kind]]
        seen, roots = set(waiting), len(waiting)
        for position, (kind, number) in enumerate(waiting):
            try:
                about, settled = self._about(kind, number)
                if _gone(about):
                    continue
                inside = self._inside(kind, number)
                yield self._record(kind, about, settled, inside)
                if self._recursive:
                    below: list[tuple[Kind, str]] = [("pages", page) for page in inside.pages]
                    below += [("databases", database) for database in inside.databases]
                    fresh = [one for one in dict.fromkeys(below) if one not in seen]
                    seen.update(fresh)
                    waiting += fresh
            except Exception as error:
                if status_of(error) == 401 or (position == 0 and roots == 1):
                    raise
                errors.append(f"{kind}/{number} cannot be listed: {meaning(error)}.")

    def _about(self, kind: Kind, number: str) -> tuple[dict[str, Any], bool]:
        """What Notion says of a page or database, and whether one more edit would have been given another
        time."""
        about = self._ask("GET", f"{kind}/{number}")
        now, edited = self._http.answered_at, datetime.fromisoformat(about["last_edited_time"])
        return about, now is not None and now - edited >= _SETTLED

    def _inside(self, kind: Kind, number: str) -> _Inside:
        inside = _Inside()
        if kind == "databases":
            if self._recursive:
                inside.pages = [
                    row["id"]
                    for row in self._all("POST", f"databases/{number}/query")
                    if row.get("object") == "page" and not _gone(row)
                ]
            return inside
        waiting = [number]
        for parent in waiting:
            for block in self._all("GET", f"blocks/{parent}/children"):
                kind_of_block = block.get("type")
                if kind_of_block == "child_page":
                    inside.pages.append(block["id"])
                elif kind_of_block == "child_database":
                    inside.databases.append(block["id"])
                else:
                    synced = block.get("synced_block") or {}
                    inside.borrowed |= bool(synced.get("synced_from"))
                    if block.get("has_children"):
                        waiting.append(block["id"])
        return inside

    def _record(self, kind: Kind, about: dict[str, Any], settled: bool, inside: _Inside) -> Record:
        number, edited, title = about["id"], about["last_edited_time"], _title(about)
        tells = kind == "pages" and settled and not inside.borrowed
        entry = Entry(
            uri=f"{kind}/{named(title, number.replace('-', ''))}",
            token=edited if tells else None,
            size=None,
            modified_at=nanoseconds(edited),
            native_id=number,
            properties={name: said for name, said in (("title", title), ("url", about.get("url"))) if said},
            format="text/html",
        )
        key = "page_id" if kind == "pages" else "database_id"
        file = FileData(
            identifier=number,
            connector_type="notion",
            source_identifiers=SourceIdentifiers(filename=f"{number}.html", fullpath=f"{number}.html"),
            metadata=FileDataSourceMetadata(record_locator={key: number}),
            additional_metadata={"borrowed": inside.borrowed},
        )
        return Record(entry, file)

    def record(self, uri: str) -> Record | None:
        return self._found(uri, self._below_a_root)

    def listed(self, uri: str) -> Record | None:
        return self._found(uri, lambda kind, about: True)

    def _found(self, uri: str, belongs: Callable[[Kind, dict[str, Any]], bool]) -> Record | None:
        kind = next((kind for kind in KINDS if uri.startswith(f"{kind}/")), None)
        try:
            number = _uuid(identifier(uri) or "")
        except ValueError:
            return None
        if kind is None:
            return None
        try:
            about, settled = self._about(kind, number)
        except Exception as error:
            if status_of(error) in (400, 404):
                return None
            raise
        if _gone(about) or not belongs(kind, about):
            return None
        return self._record(kind, about, settled, self._inside(kind, number))

    def _below_a_root(self, kind: Kind, about: dict[str, Any]) -> bool:
        """Whether a listing would come to it. A page that was moved elsewhere still exists."""
        at: str = kind
        for _ in range(_DEEPEST):
            if at in self._roots and about["id"] in self._roots[at]:
                return True
            if not self._recursive:
                return False
            parent = about.get("parent") or {}
            above = parent.get("type")
            if above not in ("page_id", "database_id", "block_id"):
                return False
            at = {"page_id": "pages", "database_id": "databases", "block_id": "blocks"}[above]
            about = self._ask("GET", f"{at}/{parent[above]}")
            if _gone(about):
                return False
        return False

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        """A page is many answers. Its version tells whether they belong together; where there is none, two
        readings that are equal do."""
        downloader = Downloader(
            connection_config=self._connection,
            download_config=NotionDownloaderConfig(download_dir=folder),
        )
        uri, kind = record.entry.uri, KINDS[record.entry.uri.startswith("databases/")]
        before, earlier = record.entry, ""
        for _ in range(_ATTEMPTS):
            path = downloaded(downloader, record.file, folder)[1]
            about, settled = self._about(kind, record.file.identifier)
            inside = _Inside(borrowed=record.file.additional_metadata["borrowed"])
            now = self._record(kind, about, settled, inside).entry
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if _gone(about) or now.uri != uri:
                raise DocumentVanished(f"{shortened(uri)!r} is in the trash, or has another name.")
            if now.modified_at == before.modified_at and ((before.token and now.token) or digest == earlier):
                return Had(now, path)
            before, earlier = now, digest
        raise DocumentChanging(f"{shortened(uri)!r} changed during each of {_ATTEMPTS} attempts to read it.")

    def close(self) -> None:
        self._http.close()


def _gone(about: dict[str, Any]) -> bool:
    """Whether it is in the trash."""
    return bool(about.get("in_trash") or about.get("archived"))


def _uuid(given: str) -> str:
    return str(UUID(str(given).strip()))


def _title(about: dict[str, Any]) -> str:
    """The title of a page or a database, as plain text."""
    parts = about.get("title")
    if parts is None:
        properties = about.get("properties") or {}
        parts = next((p.get("title") for p in properties.values() if p.get("type") == "title"), None)
    return "".join(part.get("plain_text", "") for part in parts or [])
