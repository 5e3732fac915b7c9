"""How much is done at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done at once. Tests hand in smaller ones."""

    batch_documents: int = 64
    """Documents of one batch: enough to fill the model's batches and to share the cost of its commits, few
    enough to finish soon after Ctrl-C."""
    batch_points: int = 2000
    """Points of one transaction, a single large document apart: they bound the memory of a run."""
    read_points: int = 500
    """Points that are read from the store, or copied to it, in one call."""
    page_points: int = 2000
    """Points that a verification reads while it holds the store once, and rows that it reads at once."""
