"""The ways in which somebody may alter an index behind freshkb's back.

Each is made directly: SQL on the ledger's file, the store's session, the source's files. It says what it
concerns, so that a test can ask whether exactly that was found.
"""

from __future__ import annotations

from tests.promises import alter_chunks, alter_documents, alter_points, alter_sources
from tests.promises.alteration import ALIKE, KINDS, Alteration

#: Importing them registers what they make.
MODULES = (alter_points, alter_chunks, alter_documents, alter_sources)

__all__ = ["ALIKE", "KINDS", "MODULES", "Alteration"]
