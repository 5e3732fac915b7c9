"""How much is done at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done at once. Tests hand in smaller ones."""

    batch_documents: int = 32
    """Enough to fill the model's batches, few enough to finish soon after Ctrl-C."""
    batch_points: int = 2000
    """Of one transaction, a single large document apart: bounds the memory of a run."""
    read_points: int = 500
    """Read from the store, or written to it, in one call."""
    page_points: int = 2000
    """Read while a verification holds the store once; the rows that it reads at once."""
