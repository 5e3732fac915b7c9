"""Notion as its API, version 2022-06-28, shows it.

Shapes and paging follow developers.notion.com/reference: "Retrieve a page", "Retrieve a database", "Query a
database", "Retrieve block children" (``has_more``, ``next_cursor``), "Retrieve a block", "Retrieve your
token's bot user". `last_edited_time` is rounded down to the minute, as there. What is in the trash still
answers, with ``in_trash``.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.connectors.ingest.loopback import Answer, Request, Site

HOST = "api.notion.com"
KEY = "ntn_4815162342-notion-integration-token"
START = datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC)
_BOT = {"object": "user", "id": "e79a0b74-3aba-4149-9f74-0bb5791a6ee6"}


def number(count: int) -> str:
    return str(UUID(int=0x59833787_2CF9_4FDF_8782_000000000000 + count))


ROOT = number(1)


@dataclass(slots=True)
class Thing:
    """A page, a database or a block."""

    id: str
    kind: str
    """``page``, ``database``, or the type of a block."""
    parent: dict[str, Any]
    text: str
    """Title of a page or database; text of a block."""
    edited: datetime
    inside: list[str] = field(default_factory=list)
    """Identifiers of the blocks in it, or of the rows of a database."""
    trashed: bool = False
    synced_from: str | None = None


class NotionSite(Site):
    hosts = (HOST,)

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        """By its own clock, which the test moves."""
        self.clock = lambda: self.now
        self.key = KEY
        self.page_size = 3
        self.things: dict[str, Thing] = {}
        self.concealed: set[str] = set()
        """Identifiers that the integration may not see."""
        self.revoke_after: int | None = None
        self._ids = itertools.count(1)
        self.root = self._new("page", {"type": "workspace", "workspace": True}, "Handbook")

    # ── What is in it ─────────────────────────────────────────────────────────────────────────────────

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def page(self, title: str, text: str, below: Thing | None = None) -> Thing:
        """A new page in another: in a page, in a block of one, or a row of a database."""
        above = below or self.root
        kind = {"page": "page_id", "database": "database_id"}.get(above.kind, "block_id")
        page = self._new("page", {"type": kind, kind: above.id}, title)
        above.inside.append(page.id)
        self._touch(above)
        self.block(page, text)
        return page

    def database(self, title: str, below: Thing | None = None) -> Thing:
        above = below or self.root
        made = self._new("database", {"type": "page_id", "page_id": above.id}, title)
        above.inside.append(made.id)
        self._touch(above)
        return made

    def block(self, page: Thing, text: str, kind: str = "paragraph") -> Thing:
        above = "page_id" if page.kind == "page" else "block_id"
        made = self._new(kind, {"type": above, above: page.id}, text)
        page.inside.append(made.id)
        self._touch(page)
        return made

    def edit(self, page: Thing, text: str | None = None, title: str | None = None) -> None:
        page.text = page.text if title is None else title
        if text is not None:
            first = next(self.things[one] for one in page.inside if self.things[one].kind == "paragraph")
            first.text = text
            self._touch(first)
        self._touch(page)

    def trash(self, thing: Thing) -> None:
        """It goes to the trash, with all that is in it, and its page shows it no more."""
        for above in self.things.values():
            if thing.id in above.inside:
                above.inside.remove(thing.id)
                self._touch(above)
        waiting = [thing.id]
        while waiting:
            gone = self.things[waiting.pop()]
            gone.trashed = True
            waiting += gone.inside

    def _new(self, kind: str, parent: dict[str, Any], text: str) -> Thing:
        thing = Thing(number(next(self._ids)), kind, parent, text, self.now)
        self.things[thing.id] = thing
        return thing

    def _touch(self, thing: Thing) -> None:
        thing.edited = self.now

    # ── What it answers ───────────────────────────────────────────────────────────────────────────────

    def answer(self, request: Request) -> Answer:
        if self.revoke_after is not None:
            self.revoke_after -= 1
            if self.revoke_after < 0:
                self.key = ""
        if not self.key or request.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "unauthorized")
        assert request.headers["notion-version"] == "2022-06-28"
        _, _, kind, *rest = request.path.split("/")
        if (kind, rest) == ("users", ["me"]):
            bot = {
                "owner": {"type": "workspace", "workspace": True},
                "workspace_name": "Acme",
                "workspace_id": "b1946ac9-2491-4b5c-8a5d-7f3e7c1d0001",
            }
            return Answer(200, {**_BOT, "type": "bot", "name": "freshkb", "bot": bot})
        thing = self.things.get(rest[0])
        wanted = {"pages": ("page",), "databases": ("database",)}.get(kind)
        if thing is None or thing.id in self.concealed or (wanted and thing.kind not in wanted):
            return _error(404, "object_not_found")
        if rest[1:] == ["query"]:
            return self._listed(thing, json.loads(request.body or b"{}"), self.about)
        if rest[1:] == ["children"]:
            return self._listed(thing, request.query, self.as_block)
        return Answer(200, self.as_block(thing) if kind == "blocks" else self.about(thing))

    def _listed(self, thing: Thing, asked: dict[str, Any], shown: Any) -> Answer:
        at = thing.inside.index(asked["start_cursor"]) if asked.get("start_cursor") else 0
        size = min(int(asked.get("page_size", 100)), self.page_size)
        rest = thing.inside[at:]
        more = rest[size] if len(rest) > size else None
        results = [shown(self.things[one]) for one in rest[:size]]
        return Answer(
            200, {"object": "list", "results": results, "has_more": more is not None, "next_cursor": more}
        )

    def _dates(self, thing: Thing) -> dict[str, Any]:
        minute = thing.edited.replace(second=0, microsecond=0)
        return {
            "id": thing.id,
            "created_time": "2026-03-01T08:00:00.000Z",
            "last_edited_time": minute.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "created_by": _BOT,
            "last_edited_by": _BOT,
            "parent": thing.parent,
            "archived": thing.trashed,
            "in_trash": thing.trashed,
        }

    def about(self, thing: Thing) -> dict[str, Any]:
        title = [_rich(thing.text)]
        flat = thing.id.replace("-", "")
        said = {
            **self._dates(thing),
            "object": thing.kind,
            "icon": None,
            "cover": None,
            "url": f"https://www.notion.so/{flat}",
            "public_url": None,
            "properties": {"title": {"id": "title", "type": "title", "title": title}},
        }
        if thing.kind == "database":
            schema = {"Name": {"id": "title", "name": "Name", "type": "title", "title": {}}}
            said |= {"title": title, "description": [], "is_inline": False, "properties": schema}
        elif thing.parent["type"] == "database_id":
            said["properties"] = {"Name": {"id": "title", "type": "title", "title": title}}
        return said

    def as_block(self, thing: Thing) -> dict[str, Any]:
        kind = {"page": "child_page", "database": "child_database"}.get(thing.kind, thing.kind)
        inside: dict[str, Any] = {"rich_text": [_rich(thing.text)], "color": "default"}
        if kind in ("child_page", "child_database"):
            inside = {"title": thing.text}
        elif kind == "synced_block":
            origin = thing.synced_from
            inside = {"synced_from": {"type": "block_id", "block_id": origin} if origin else None}
        return {
            **self._dates(thing),
            "object": "block",
            "type": kind,
            "has_children": bool(thing.inside),
            kind: inside,
        }


def _rich(text: str) -> dict[str, Any]:
    plain = {"bold": False, "italic": False, "strikethrough": False, "underline": False, "code": False}
    return {
        "type": "text",
        "text": {"content": text, "link": None},
        "annotations": {**plain, "color": "default"},
        "plain_text": text,
        "href": None,
    }


def _error(status: int, code: str) -> Answer:
    return Answer(status, {"object": "error", "status": status, "code": code, "message": code})
