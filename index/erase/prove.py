"""Every place is purged, and all files are searched again for the traces of an order."""

from __future__ import annotations

from index.erase import traces as tracing
from index.erase.kept import clear_scratch, is_report, remove_reports
from index.erase.traces import Traces
from index.purge.purge import Place, purge_places
from index.run import Run
from index.workspace import Workspace


def prove(run: Run, traces: Traces | None) -> tuple[list[Place], str]:
    """Purge every place, and search all files again. Returns the places, and why it is no proof; "" when it
    is."""
    workspace = run.workspace
    purged = purge_places(run)
    if purged.outcome != "done":
        why = " ".join(purged.errors) or "The purge was interrupted."
        return list(purged.places), why
    scratch = clear_scratch(workspace)
    held = tracing.search(workspace, traces) if traces else {}
    reports = remove_reports(workspace, held)
    held = {path: names for path, names in held.items() if not is_report(workspace, path)}
    if traces is not None and held:
        names = set().union(*held.values())
        stay = tracing.staying(workspace, traces, names)
        held = {path: left for path, found in held.items() if (left := found - stay)}
    places = [_place(workspace, place, traces) for place in purged.places]
    places += [reports, scratch, _log_place()]
    if not held:
        return places, ""
    shown = ", ".join(sorted(path.name for path in held)[:5])
    count = "A file" if len(held) == 1 else f"{len(held):,} files"
    return places, (
        f"{count} of {workspace.config.state_dir} may hold a piece of what was erased: {shown}. Remove what "
        "is no part of the index, and run: freshkb erase"
    )


def _place(workspace: Workspace, place: Place, traces: Traces | None) -> Place:
    """The place with what the search of its files has shown."""
    if place.place == "store":
        seen = workspace.store.kind == "edge"
        said = f"The points were deleted by id and read back absent by id and by document. {place.evidence}"
    else:
        seen = bool(workspace.ledger.files)
        said = (
            "Rows of the documents were deleted, with reviews, plans and what records of runs said of them; "
            f"keyed hashes stay. {place.evidence}"
        )
    return Place(place.place, place.claim, f"{said} {_searched(place.place, traces)}" if seen else said)


def _searched(place: str, traces: Traces | None) -> str:
    if traces is None:
        return "Its files were not searched: the order was interrupted, and its traces were lost."
    control = traces.control or {}
    kinds = ("texts", "vectors", "ids") if place == "store" else ("names",)
    nouns = {"texts": "texts", "vectors": "vectors", "ids": "ids", "names": "paths and titles"}
    looked = ", ".join(f"{traces.owners(kind):,} {nouns[kind]}" for kind in kinds)
    found = ", ".join(f"{control.get(kind, 0):,}" for kind in kinds)
    return (
        f"All files of the state folder were searched for pieces of {looked}: before, {found} of them were "
        "found; afterwards none, but for pieces that documents which stay have, too."
    )


def _log_place() -> Place:
    said = (
        "Entries of the log have keyed hashes in the places of the documents' ids; records of runs have ids "
        "and counts."
    )
    return Place("log", "purged", said)
