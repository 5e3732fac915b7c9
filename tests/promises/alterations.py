"""The ways in which an index may be altered behind freshkb's back.

Each is made directly: SQL on the ledger's file, the store's session, the source's files. It names its
subject, so that a test can ask whether exactly that was found.
"""

from __future__ import annotations

from tests.promises import alter_chunks, alter_documents, alter_points, alter_sources
from tests.promises.alteration import KINDS, Alteration

#: Importing them registers what they make.
MODULES = (alter_points, alter_chunks, alter_documents, alter_sources)

#: One of each kind of alteration: the short form takes these through the whole product. The defects that the
#: others leave are rows of the tables in `tests.index.verify.test_checks`.
SHORT = (
    # Points: lost, added, altered, with and without a source that gives them again; vectors altered.
    "point_removed", "point_doubled", "text_changed_that_no_source_gives", "metadata_changed-owner",
    "dense_vector_changed",
    # Rows of chunks: of another document, lost with their points.
    "chunk_row_of_another_document", "chunks_lost_from_ledger_and_store",
    # Rows of documents: lost with their chunks, altered, gone, unreadable; people's decisions.
    "document_known_by_its_points_only", "document_row_changed-title",
    "document_state_changed-erased", "row_made_unreadable", "hold_lost",
    # Begun and not ended.
    "intent_left", "entry_left",
    # The index as a whole.
    "collection_row_lost", "collection_row_changed-dtype", "store_lost",
    "ledger_of_another_store", "old_ledger",
    # Sources.
    "file_edited_and_disguised", "file_removed",
)  # fmt: skip

__all__ = ["KINDS", "MODULES", "SHORT", "Alteration"]
