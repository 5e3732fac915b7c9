"""Files of the state folder that may name a document, besides the store and the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from connectors.base import forget
from index.disk.cache import user_cache
from index.disk.scratch import clear
from index.purge.purge import SOURCE_CACHES, Place
from index.workspace import Workspace


def is_report(workspace: Workspace, path: Path) -> bool:
    """Whether this is a report of an earlier audit, which the next one writes anew."""
    return path.is_relative_to(workspace.config.reports)


def remove_reports(workspace: Workspace, held: Iterable[Path]) -> Place:
    """Remove those of these files that are reports. Mails encode their texts, so that nobody can tell whom
    they name: all that a dry run has left are removed."""
    gone = [path for path in held if is_report(workspace, path)]
    for path in (*gone, *workspace.config.digests.glob("*")):
        path.unlink(missing_ok=True)
    if not gone:
        said = "No report in the state folder names an erased document."
    else:
        count = "A report that named" if len(gone) == 1 else f"{len(gone):,} reports that named"
        said = f"{count} an erased document: removed; the next audit writes them anew."
    return Place("reports", "purged", f"{said} Reports that were written to other folders are not covered.")


def caches_of_user() -> list[Path]:
    """The folder of freshkb in the user's cache, if there is one."""
    try:
        folder = user_cache()
    except RuntimeError:
        return []
    return [folder] if folder.exists() else []


def clear_scratch(workspace: Workspace) -> Place:
    """Remove the folders of dead processes."""
    clear(workspace.scratches)
    said = "Folders that killed runs had left were removed; those of living ones end with them."
    return Place("scratch", "purged", said)


def clear_source_caches(workspace: Workspace) -> Place:
    """Remove what connectors keep of their sources and can get again. Raises OSError."""
    gone = [folder.name for folder in sorted(workspace.config.caches.glob("*")) if forget(folder)]
    kept = f"What was kept of {', '.join(gone)} was removed" if gone else "Nothing was kept of the sources"
    return Place(SOURCE_CACHES, "purged", f"{kept}; a sync gets again what it needs.")
