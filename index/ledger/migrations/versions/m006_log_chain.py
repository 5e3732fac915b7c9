"""Nothing: a place for the chain of the log."""

from __future__ import annotations

revision = "m006"
down_revision = "m005"


def upgrade() -> None: ...
