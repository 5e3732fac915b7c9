"""Files of the state folder that may name a document, besides the store and the ledger."""

from __future__ import annotations

from pathlib import Path

from connectors.base import forget
from index.disk.cache import user_cache
from index.disk.scratch import clear
from index.purge.purge import SOURCE_CACHES, Place
from index.purge.scan import files
from index.workspace import Workspace


def remove_reports(workspace: Workspace) -> Place:
    """Remove all that audits and dry runs of mails have left in the state folder. They escape, encode and
    shorten names, so that nobody can tell whom they name. Raises OSError."""
    gone = list(files(workspace.config.reports))
    for path in gone:
        path.unlink(missing_ok=True)
    count = "One file" if len(gone) == 1 else f"{len(gone):,} files"
    said = f"{count} of reports were removed, whatever they named" if gone else "No report was there"
    others = "Reports that were written to other folders are not covered."
    return Place("reports", "purged", f"{said}; the next audit writes them anew. {others}")


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
