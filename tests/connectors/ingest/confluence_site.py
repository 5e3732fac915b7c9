"""Confluence Cloud as its REST API v2 shows it.

Shapes and paging follow developer.atlassian.com/cloud/confluence/rest/v2: "Get spaces" (``GET /spaces``),
"Get pages" (``GET /pages?space-id=``), "Get page by id" (``GET /pages/{id}?body-format=view``); the next page
is the address in ``_links.next``, below ``/wiki``. Authentication is Basic, with an API token.
"""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import Any

from tests.connectors.ingest.loopback import Answer, Request, Site

HOST = "acme.atlassian.net"
USER, TOKEN = "bot@acme.example", "ATATT3xFfGF0-confluence-api-token"


@dataclass(slots=True)
class Page:
    id: str
    space: str
    title: str
    body: str
    number: int = 1
    status: str = "current"
    edited: int = 0
    """Minutes after the epoch of the stand-in."""


class ConfluenceSite(Site):
    hosts = (HOST,)

    def __init__(self) -> None:
        super().__init__()
        self.spaces: dict[str, str] = {"65601": "KB"}
        """{id: key}"""
        self.pages: dict[str, Page] = {}
        self.page_size = 4
        self.token = TOKEN
        self.revoke_after: int | None = None
        """Requests that are still answered before the token is revoked."""
        self._ids = itertools.count(98305)
        self._minutes = itertools.count(1)

    def put(self, title: str, body: str, space: str = "65601") -> Page:
        page = Page(str(next(self._ids)), space, title, body, edited=next(self._minutes))
        self.pages[page.id] = page
        return page

    def edit(self, page: Page, body: str | None = None, title: str | None = None) -> None:
        page.body = page.body if body is None else body
        page.title = page.title if title is None else title
        page.number += 1
        page.edited = next(self._minutes)

    def answer(self, request: Request) -> Answer:
        if self.revoke_after is not None:
            self.revoke_after -= 1
            if self.revoke_after < 0:
                self.token = ""
        given = base64.b64encode(f"{USER}:{self.token}".encode()).decode()
        if not self.token or request.headers.get("authorization") != f"Basic {given}":
            return Answer(401, {"code": 401, "message": "Unauthorized"})
        path = request.path.removeprefix("/wiki/api/v2/")
        if path == "spaces":
            wanted = request.query.get("keys", "").split(",") if "keys" in request.query else None
            found = [
                self._space(number)
                for number, key in sorted(self.spaces.items())
                if wanted is None or key in wanted
            ]
            return self._listed("spaces", found, request)
        if path == "pages":
            found = [
                self._page(page)
                for page in sorted(self.pages.values(), key=lambda page: int(page.id))
                if page.space == request.query.get("space-id") and page.status in ("current", "archived")
            ]
            return self._listed("pages", found, request)
        page = self.pages.get(path.removeprefix("pages/"))
        if page is None or page.status == "deleted":
            said = {"status": 404, "code": "NOT_FOUND", "title": "Not Found", "detail": None}
            return Answer(404, {"errors": [said]})
        return Answer(200, self._page(page, body=request.query.get("body-format") == "view"))

    def _listed(self, name: str, found: list[dict[str, Any]], request: Request) -> Answer:
        """A cursor names the last identifier that was told, so that what changes meanwhile moves nothing."""
        after = int(request.query.get("cursor", "0"))
        rest = [one for one in found if int(one["id"]) > after]
        size = min(int(request.query.get("limit", "25")), self.page_size)
        told, links = rest[:size], {"base": f"https://{HOST}/wiki"}
        if len(rest) > size:
            asked = "&".join(f"{key}={value}" for key, value in request.query.items() if key != "cursor")
            links["next"] = f"/wiki/api/v2/{name}?{asked}&cursor={told[-1]['id']}"
        return Answer(200, {"results": told, "_links": links})

    def _space(self, number: str) -> dict[str, Any]:
        key = self.spaces[number]
        return {"id": number, "key": key, "name": f"Space {key}", "type": "global", "status": "current"}

    def _page(self, page: Page, *, body: bool = False) -> dict[str, Any]:
        day, minute = divmod(page.edited, 1440)
        edited = f"2026-03-{1 + day:02}T{minute // 60:02}:{minute % 60:02}:07.251Z"
        about: dict[str, Any] = {
            "id": page.id,
            "status": page.status,
            "title": page.title,
            "spaceId": page.space,
            "parentId": None,
            "authorId": "5b10ac8d82e05b22cc7d4ef5",
            "createdAt": "2026-03-01T09:00:00.000Z",
            "version": {"number": page.number, "message": "", "minorEdit": False, "createdAt": edited},
            "_links": {"webui": f"/spaces/{self.spaces[page.space]}/pages/{page.id}"},
        }
        if body:
            about["body"] = {"view": {"representation": "view", "value": page.body}}
        return about
