"""A SharePoint site as Microsoft Graph shows it, and the token endpoint of its tenant.

Shapes follow learn.microsoft.com/graph/api: "Get a site" by path, "Get Drive", "List children of a driveItem"
(paged by ``@odata.nextLink`` with a ``$skiptoken``), "Get a DriveItem" by id and by path, "Download driveItem
content" (a 302 to an address that carries its own token and wants no other). `parentReference.path` is
percent-encoded, and paths are found without regard to case, as there. The token endpoint follows "OAuth 2.0
client credentials flow".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

from tests.connectors.ingest.loopback import Answer, Request, Site

TENANT, CLIENT, SECRET = "contoso.onmicrosoft.com", "0a1b2c3d-app", "Q~8aH-graph-client-secret.value"
HOST = "contoso.sharepoint.com"
SITE = f"https://{HOST}/sites/kb"
SITE_ID = f"{HOST},2C712604-1370-44E7-A1F5-426573FDA80A,2D2244C3-251A-49EA-93A8-39E1C3A060FE"
DRIVE = "b!t18F8ybsHUq1z3LTz8xvZqP8zaSWjkFNhsME-Fepo75dTf9vQKfeRblBZjoSQrd7"
LOGIN, GRAPH = "login.microsoftonline.com", "graph.microsoft.com"


@dataclass(slots=True)
class Item:
    id: str
    name: str
    parent: str
    data: bytes | None
    """None: it is a folder."""
    number: int = 1
    minute: int = 0


class GraphSite(Site):
    hosts = (LOGIN, GRAPH, HOST)

    def __init__(self) -> None:
        super().__init__()
        self.page_size = 3
        self.secret = SECRET
        self.tokens = {"graph-token-1"}
        self.forbidden: set[str] = set()
        """Identifiers of items whose contents are refused."""
        self.concealed: set[str] = set()
        """Identifiers of folders that are not listed."""
        self.changing: set[str] = set()
        self.revoke_after: int | None = None
        self._ids = itertools.count(1)
        self._minutes = itertools.count(1)
        self.items: dict[str, Item] = {"01ROOT": Item("01ROOT", "root", "", None)}

    # ── What is in it ─────────────────────────────────────────────────────────────────────────────────

    def put(self, path: str, data: bytes) -> Item:
        *folders, name = path.split("/")
        parent = "01ROOT"
        for folder in folders:
            found = self._child(parent, folder)
            parent = (found or self._new(folder, parent, None)).id
        item = self._child(parent, name)
        if item is None:
            return self._new(name, parent, data)
        item.data = data
        self._changed(item)
        return item

    def find(self, path: str) -> Item | None:
        at: Item | None = self.items["01ROOT"]
        for name in path.strip("/").split("/") if path.strip("/") else ():
            at = self._child(at.id, name) if at is not None else None
        return at

    def remove(self, path: str) -> None:
        item = self.find(path)
        assert item is not None
        del self.items[item.id]
        if not any(other.parent == item.parent for other in self.items.values()) and item.parent != "01ROOT":
            del self.items[item.parent]

    def rename(self, old: str, new: str) -> None:
        item = self.find(old)
        assert item is not None
        blank = self.put(new, b"")
        item.name, item.parent = blank.name, blank.parent
        del self.items[blank.id]
        self._changed(item)

    def _new(self, name: str, parent: str, data: bytes | None) -> Item:
        item = Item(f"01{next(self._ids):030}", name, parent, data, minute=next(self._minutes))
        self.items[item.id] = item
        return item

    def _changed(self, item: Item) -> None:
        item.number += 1
        item.minute = next(self._minutes)

    def _child(self, parent: str, name: str) -> Item | None:
        inside = self._children(parent)
        return next((item for item in inside if item.name.lower() == name.lower()), None)

    def _children(self, parent: str) -> Iterator[Item]:
        return (item for item in list(self.items.values()) if item.parent == parent)

    # ── What it answers ───────────────────────────────────────────────────────────────────────────────

    def answer(self, request: Request) -> Answer:
        if request.host == LOGIN:
            return self._login(request)
        if request.host == HOST:
            return Answer(200, self.items[request.query["tempauth"]].data or b"")
        if self.revoke_after is not None:
            self.revoke_after -= 1
            if self.revoke_after < 0:
                self.tokens = set()
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "InvalidAuthenticationToken")
        return self._graph(request.path.removeprefix("/v1.0/"), request)

    def _login(self, request: Request) -> Answer:
        base = f"https://{LOGIN}/{TENANT}"
        if request.path.endswith("/openid-configuration"):
            return Answer(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                },
            )
        if request.path == "/common/discovery/instance":
            about = {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}
            endpoint = f"{base}/v2.0/.well-known/openid-configuration"
            return Answer(200, {"tenant_discovery_endpoint": endpoint, "metadata": [about]})
        given = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if not self.tokens or given.get("client_secret") != self.secret or given.get("client_id") != CLIENT:
            why = "AADSTS7000215: Invalid client secret provided."
            said = {"error": "invalid_client", "error_description": why, "error_codes": [7000215]}
            return Answer(401, said)
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": min(self.tokens)})

    def _graph(self, path: str, request: Request) -> Answer:
        if path == f"sites/{HOST}:/sites/kb":
            return Answer(200, {"id": SITE_ID, "name": "kb", "webUrl": SITE})
        drive = {"id": DRIVE, "name": "Documents", "driveType": "documentLibrary"}
        if path in (f"sites/{SITE_ID}/drive", f"sites/{HOST}:/sites/kb:/drive", f"drives/{DRIVE}"):
            return Answer(200, drive)
        if path in (f"sites/{SITE_ID}/drives", f"sites/{HOST}:/sites/kb:/drives"):
            return Answer(200, {"value": [drive]})
        found = re.fullmatch(
            r"(?:(?:sites/[^/]+/)?drives/[^/]+|sites/[^/]+/drive)/(?:root|items/([^/:]+))"
            r"(?::?/(children|content)|:/(.+?):?(?:/(content|children))?/?)?",
            path,
        )
        if found is None:
            return _error(400, "invalidRequest")
        item = self.items.get(found[1] or "01ROOT")
        if item is not None and found[3]:
            at = item
            for name in found[3].split("/"):
                below = self._child(at.id, name)
                if below is None:
                    return _error(404, "itemNotFound")
                at = below
            item = at
        if item is None:
            return _error(404, "itemNotFound")
        what = found[2] or found[4]
        if what == "children":
            return self._listed(item, request)
        if what == "content":
            if item.id in self.forbidden:
                return _error(403, "accessDenied")
            if item.id in self.changing:
                self._changed(item)
            return Answer(302, None, {"Location": f"https://{HOST}/download.aspx?tempauth={item.id}"})
        return Answer(200, self.about(item))

    def _listed(self, folder: Item, request: Request) -> Answer:
        if folder.id in self.concealed:
            return _error(403, "accessDenied")
        inside = sorted(self._children(folder.id), key=lambda item: item.id)
        after = request.query.get("$skiptoken", "")
        rest = [item for item in inside if item.id > after]
        told = rest[: self.page_size]
        answer: dict[str, Any] = {"value": [self.about(item) for item in told]}
        if len(rest) > len(told):
            base = f"https://{GRAPH}/v1.0/drives/{DRIVE}/items/{folder.id}/children"
            answer["@odata.nextLink"] = f"{base}?$skiptoken={told[-1].id}"
        return Answer(200, answer)

    def about(self, item: Item) -> dict[str, Any]:
        path, above = "", item
        while above.parent:
            above = self.items[above.parent]
            path = f"/{quote(above.name)}{path}" if above.parent else path
        at = f"2026-03-01T{item.minute // 60 % 24:02}:{item.minute % 60:02}:11Z"
        said: dict[str, Any] = {
            "id": item.id,
            "name": item.name,
            "eTag": f'"{{{item.id}}},{item.number}"',
            "cTag": f'"c:{{{item.id}}},{item.number}"',
            "size": len(item.data or b""),
            "createdDateTime": "2026-03-01T08:00:00Z",
            "lastModifiedDateTime": at,
            "webUrl": f"{SITE}/Shared%20Documents{path}/{quote(item.name)}",
            "parentReference": {
                "driveId": DRIVE,
                "driveType": "documentLibrary",
                "id": item.parent,
                "path": f"/drives/{DRIVE}/root:{path}",
            },
        }
        if item.data is None:
            said["folder"] = {"childCount": len(list(self._children(item.id)))}
        else:
            said["file"] = {"mimeType": "application/octet-stream"}
        return said


def _error(status: int, code: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": code, "innerError": {"request-id": "r1"}}})
