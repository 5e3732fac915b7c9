"""Every place is purged, and all files are searched again for the traces of an order."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from index.erase import traces as tracing
from index.erase.kept import (
    caches_of_user,
    clear_scratch,
    clear_source_caches,
    remove_reports,
)
from index.erase.staying import is_ours, staying
from index.erase.traces import Traces
from index.purge import apart
from index.purge.purge import SOURCE_CACHES, Place, purge_places
from index.run import Run
from index.store.base import Claim
from index.workspace import Workspace


def prove(run: Run, traces: Traces | None) -> tuple[list[Place], str]:
    """Purge every place, and search all files again. Returns the places, and why it is no proof; "" when it
    is."""
    workspace = run.workspace
    with ExitStack() as started:
        scan = started.enter_context(apart.scanner()) if traces else None
        purged = purge_places(run)
        if purged.outcome != "done":
            why = " ".join(purged.errors) or "The purge was interrupted."
            return list(purged.places), why
        reports, scratch = remove_reports(workspace), clear_scratch(workspace)
        try:
            sources = clear_source_caches(workspace)
        except OSError as error:
            return list(purged.places), f"{error.filename} cannot be removed: {error.strerror}."
        caches = caches_of_user()
        held = tracing.search(workspace, traces, scan, caches) if traces and scan else {}
    if traces is not None and held:
        stay = staying(workspace, traces, held)
        held = {path: left for path, found in held.items() if (left := found - stay)}
    rewritten = [place for place in purged.places if place.place != SOURCE_CACHES]
    places = [_place(workspace, place, traces, held) for place in rewritten]
    places += [reports, scratch, sources, *map(_cache_place, caches if traces else ()), _log_place()]
    if not held:
        return places, ""
    return places, _why(workspace, held)


def _why(workspace: Workspace, held: Collection[Path]) -> str:
    """Why pieces in these files are no proof, and what to do."""
    others = [path for path in held if not is_ours(workspace, path)]
    shown = ", ".join(sorted(path.name for path in others or held)[:5])
    count = "A file" if len(others or held) == 1 else f"{len(others or held):,} files"
    said = f"{count} of {workspace.config.state_dir} may hold a piece of what was erased: {shown}."
    if others:
        return f"{said} Remove what is no part of the index, and run: freshkb erase"
    return f"{said} The next erase, purge or sync writes store and ledger anew, and searches again."


def _place(workspace: Workspace, place: Place, traces: Traces | None, held: Collection[Path]) -> Place:
    """The place with what the search of its files has shown; `held` are those with a piece."""
    ledger = workspace.ledger.files
    if place.place == "store":
        index = workspace.config.state_dir / "index"
        seen, left = workspace.store.kind == "edge", any(path.is_relative_to(index) for path in held)
        said = f"The points were deleted by id and read back absent by id and by document. {place.evidence}"
    else:
        seen, left = bool(ledger), any(path in ledger for path in held)
        said = (
            "Rows of the documents were deleted, with reviews, plans and what records of runs said of them; "
            f"keyed hashes stay. {place.evidence}"
        )
    claim: Claim = "unretrievable" if left else place.claim
    evidence = f"{said} {_searched(place.place, traces, left)}" if seen else said
    return Place(place.place, claim, evidence, left)


def _searched(place: str, traces: Traces | None, left: bool) -> str:
    if traces is None:
        return "Its files were not searched: the order was interrupted, and its traces were lost."
    control = traces.control or {}
    kinds = ("texts", "vectors", "ids") if place == "store" else ("names",)
    nouns = {"texts": "texts", "vectors": "vectors", "ids": "ids", "names": "paths and titles"}
    looked = ", ".join(f"{traces.owners(kind):,} {nouns[kind]}" for kind in kinds)
    found = ", ".join(f"{control.get(kind, 0):,}" for kind in kinds)
    now = "some" if left else "none, but for pieces that what stays has, too"
    return (
        f"All files of the state folder were searched for pieces of {looked}: before, {found} of them were "
        f"found; afterwards {now}."
    )


def _cache_place(folder: Path) -> Place:
    said = (
        f"Converted models lie in {folder}, and no text. Its files were searched, too: none has a piece of a "
        "text, a vector or an id."
    )
    return Place("caches", "purged", said)


def _log_place() -> Place:
    said = (
        "Entries of the log have keyed hashes in the places of the documents' ids; records of runs have ids "
        "and counts."
    )
    return Place("log", "purged", said)
