"""What stays when documents are erased: a piece that stands in it is no trace of them.

A short name may be any word, and stands where nobody would look for a document: in the ledger's schema, in
the name of a file, across the end of one value and the beginning of the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from index.batched import batched
from index.erase.traces import Traces
from index.model import Point
from index.purge.scan import Scan
from index.signed import key as keys
from index.workspace import Workspace

#: Files and folders of the state folder that have nothing of a document in them.
_WITHOUT = frozenset({"locks", "services", "receipts", keys.NAME})
#: Points and rows that are read at once.
_PAGE = 1000


def is_ours(workspace: Workspace, path: Path) -> bool:
    """Whether this is a file that freshkb has made, under a name that is of no document."""
    folder = workspace.config.state_dir
    if not path.is_relative_to(folder):
        return True
    return path in workspace.ledger.files or path.relative_to(folder).parts[0] in {"index", *_WITHOUT}


def staying(workspace: Workspace, traces: Traces, held: Mapping[Path, Collection[str]]) -> set[str]:
    """Those of the found pieces, {file: names of its pieces}, that stand in what stays: in payloads of
    points, in the ledger, in the names of our files, or, of names, in files that have nothing of a document
    in them. All of it is read for that."""
    names, folder = set[str]().union(*held.values()), workspace.config.state_dir
    search = Scan([trace for trace in traces.pieces() if trace.name in names])
    found = _in_points(workspace, search) | _in_ledger(workspace, search)
    for path in held:
        if is_ours(workspace, path) and path.is_relative_to(folder):
            within = path.relative_to(folder)
            found |= search.within(os.fsencode(within))
            if within.parts[0] in _WITHOUT:
                # Words of ours. A text or a vector would be a leak there as anywhere.
                found |= {name for name in held[path] if name.startswith("names:")}
    return {name for name in found if not name.startswith("ids:")}


def _in_points(workspace: Workspace, search: Scan) -> set[str]:
    found: set[str] = set()
    collection = workspace.ledger.collections.current()
    first: str | None = None
    while collection is not None:
        with workspace.store.session(collection.name) as session:
            page: list[Point] = []
            for point in session.scroll(vectors=False, page=_PAGE, first=first):
                page.append(point)
                if len(page) == _PAGE:
                    break
        found |= search.within(b"\n".join(_written(point.payload) for point in page))
        if len(page) < _PAGE:
            break
        first = page[-1].id
    return found


def _written(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")


def _in_ledger(workspace: Workspace, search: Scan) -> set[str]:
    if workspace.ledger.files:
        copy = workspace.scratch / "ledger.db"
        try:
            workspace.ledger.copy_rows(copy)
            return search.file(copy)
        finally:
            copy.unlink(missing_ok=True)
    found: set[str] = set()
    with workspace.ledger.snapshot() as snapshot:
        for table in snapshot.tables():
            for rows in batched(table.rows, _PAGE):
                texts = "\n".join(str(v) for row in rows for v in row if isinstance(v, str))
                found |= search.within(texts.encode("utf-8", "surrogatepass"))
    return found
