"""The routes of the owners' page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from flows.ui.access import Forbidden, Gate, Visitor
from flows.ui.board import Board, Row, Said
from flows.ui.pages import STYLE, page
from index.errors import ConfigError, FreshkbError, Locked
from index.signed.link import BadLink

#: Bytes of a form; its longest field has 2,000 characters.
_FORM_MAX = 64 << 10

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

#: What a page says after an answer, by the answer; nothing of an address is printed.
_SAID = {
    "review": "Recorded as reviewed today.",
    "snooze": "Recorded: you are not asked again before that date.",
    "reassign": "Recorded: somebody else is asked from now on.",
    "retire": "Recorded: its removal is asked for.",
    "withdraw": "Taken back.",
}


class OwnersPage:
    def __init__(
        self, board: Board, gate: Gate, base: str, person_of: Callable[[str], str | None], root: str = ""
    ) -> None:
        """`person_of` gives the name of a person by the keyed hash in a signed link; `root` is the path below
        which browsers find the page."""
        self._board = board
        self._gate = gate
        self._base = base
        self._person_of = person_of
        self._root = root

    def application(self) -> Starlette:
        # A proxy may leave the root in what it asks for, or take it away.
        root = unquote(self._root)
        alone = [Route(root, self._guarded(self._list))] if root else []
        return Starlette(
            routes=alone + [route for at in dict.fromkeys((root, "")) for route in self._routes(at)]
        )

    def _routes(self, at: str) -> list[Route]:
        return [
            Route(f"{at}/", self._guarded(self._list)),
            Route(f"{at}/style.css", _style),
            Route(f"{at}/documents/{{document_id}}", self._guarded(self._document)),
            Route(f"{at}/documents/{{document_id}}", self._guarded(self._answer), methods=["POST"]),
            Route(f"{at}/a/{{token}}", self._guarded(self._by_link)),
            Route(f"{at}/a/{{token}}", self._guarded(self._answer_by_link), methods=["POST"]),
        ]

    # ── Pages ─────────────────────────────────────────────────────────────────────────────────────────

    def _list(self, request: Request, form: dict[str, str]) -> Response:
        visitor = self._visitor(request)
        chosen = request.query_params.get("owner") or None
        rows = self._board.rows(visitor, chosen)
        owners: list[tuple[str, int]] = []
        if visitor.everything:
            every = rows if chosen is None else self._board.rows(visitor)
            owners = _asking_by_owner(every)
        asking = [row for row in rows if row.asks]
        heading = chosen or ("All documents" if visitor.everything else "My documents")
        return self._page(
            "list",
            visitor,
            heading=heading,
            asking=asking,
            others=[row for row in rows if not row.asks],
            total=len(rows),
            owners=owners,
            chosen=chosen,
            said=_SAID.get(request.query_params.get("said", ""), ""),
        )

    def _document(self, request: Request, form: dict[str, str]) -> Response:
        visitor, document_id = self._visitor(request), request.path_params["document_id"]
        return self._shown(visitor, document_id, f"/documents/{quote(document_id)}", said=_said(request))

    def _answer(self, request: Request, form: dict[str, str]) -> Response:
        visitor, document_id = self._visitor(request), request.path_params["document_id"]
        self._gate.require_own_form(request.headers, visitor, form.get("form", ""))
        return self._responded(visitor, document_id, f"/documents/{quote(document_id)}", form)

    def _by_link(self, request: Request, form: dict[str, str]) -> Response:
        visitor, action = self._bearer(request)
        assert visitor.grant is not None
        if visitor.grant.document_id:
            return self._shown(visitor, visitor.grant.document_id, action, said=_said(request))
        chosen = request.query_params.get("document", "")
        if chosen:
            return self._shown(visitor, chosen, f"{action}?document={quote(chosen)}", said=_said(request))
        rows = self._board.rows(visitor)
        return self._page(
            "list",
            visitor,
            heading="My documents",
            asking=[row for row in rows if row.asks],
            others=[row for row in rows if not row.asks],
            total=len(rows),
            owners=[],
            chosen=None,
            said=_said(request),
            link=f"{action}?document=",
        )

    def _answer_by_link(self, request: Request, form: dict[str, str]) -> Response:
        visitor, action = self._bearer(request)
        assert visitor.grant is not None
        document_id = visitor.grant.document_id or request.query_params.get("document", "")
        self._gate.require_own_form(request.headers, visitor, form.get("form", ""))
        if not visitor.grant.document_id:
            action = f"{action}?document={quote(document_id)}"
        return self._responded(visitor, document_id, action, form)

    # ── Their parts ───────────────────────────────────────────────────────────────────────────────────

    def _visitor(self, request: Request) -> Visitor:
        peer = request.client.host if request.client else ""
        return self._gate.visitor(peer, request.headers)

    def _bearer(self, request: Request) -> tuple[Visitor, str]:
        """The person of a signed link, and the link's path below the root."""
        token = request.path_params["token"]
        grant = self._gate.bearer(token, request.headers, self._board.workspace.now())
        name = self._person_of(grant.person)
        if name is None:
            raise BadLink("The person of this link is not known here any more.")
        return Visitor(name, grant=grant), f"/a/{quote(token)}"

    def _shown(
        self, visitor: Visitor, document_id: str, action: str, *, said: str = "", error: str = ""
    ) -> Response:
        row = self._board.row(visitor, document_id)
        if row is None:
            raise Forbidden("This document is not here any more, or somebody else answers for it.")
        today = self._board.workspace.now().date()
        result = row.result
        return self._page(
            "document",
            visitor,
            status=409 if error else 200,
            row=row,
            action=action,
            form=visitor.form_token(self._gate.secret),
            owners=self._board.owners(),
            said=said,
            error=error,
            today=today.isoformat(),
            tomorrow=(today + timedelta(days=1)).isoformat(),
            month=(today + timedelta(days=30)).isoformat(),
            writes=result.uri.lower().endswith((".md", ".markdown", ".mdx")),
        )

    def _responded(self, visitor: Visitor, document_id: str, action: str, form: dict[str, str]) -> Response:
        row = self._board.row(visitor, document_id)
        document = self._board.workspace.ledger.documents.get(document_id) if row is not None else None
        if row is None or document is None:
            raise Forbidden("This document is not here any more, or somebody else answers for it.")
        kind = form.get("kind", "")
        said = Said(kind, form.get("note", ""), form.get("until", ""), form.get("owner", ""))
        try:
            self._board.respond(visitor, document, said)
        except Locked:
            busy = "The index is being brought up to date just now. Nothing was recorded: try again shortly."
            return self._shown(visitor, document_id, action, error=busy)
        except ConfigError as error:
            return self._shown(visitor, document_id, action, error=str(error))
        done, where = kind.partition("-")[0], action
        if self._board.row(visitor, document_id) is None:
            # It is somebody else's now.
            if visitor.grant is not None and visitor.grant.document_id:
                return self._message(200, "Thank you", _SAID[done])
            where = "/" if visitor.grant is None else action.partition("?")[0]
        mark = "&" if "?" in where else "?"
        return RedirectResponse(f"{self._root}{where}{mark}said={done}", status_code=303)

    def _page(self, template: str, visitor: Visitor | None, *, status: int = 200, **values: Any) -> Response:
        shared = {"base": self._base, "root": self._root, "visitor": visitor, "link": "/documents/"}
        text = page(template, **shared | values)
        return HTMLResponse(text, status, _HEADERS)

    def _message(self, status: int, heading: str, text: str) -> Response:
        return self._page("message", None, status=status, heading=heading, text=text, back="")

    def _guarded(self, handler: Callable[[Request, dict[str, str]], Response]) -> Callable[..., Any]:
        """The handler in a thread, with the fields of its form; refusals become pages."""

        async def handle(request: Request) -> Response:
            try:
                form = await _form(request) if request.method == "POST" else {}
                return await run_in_threadpool(handler, request, form)
            except Forbidden as error:
                return self._message(403, "Not here", str(error))
            except BadLink as error:
                return self._message(410, "This link does not open", str(error))
            except FreshkbError as error:
                return self._message(503, "Not now", str(error))

        return handle


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_MAX:
            raise Forbidden(f"This form is longer than {_FORM_MAX >> 10} KB. Nothing was recorded.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def _style(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={**_HEADERS, "Cache-Control": "max-age=3600"})


def _said(request: Request) -> str:
    return _SAID.get(request.query_params.get("said", ""), "")


def _asking_by_owner(rows: list[Row]) -> list[tuple[str, int]]:
    """Owners with the number of their documents that ask for them, the most asked first."""
    counts: dict[str, int] = {}
    for row in rows:
        for owner in row.result.owners:
            counts[owner] = counts.get(owner, 0) + row.asks
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
