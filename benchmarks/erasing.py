"""An erasure in a large index, from the order to the receipt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from benchmarks.measure import Bench, Row, seconds
from benchmarks.searching import large_index
from index.erase.carry_out import ErasureReport, carry_out
from index.erase.place import place
from index.erase.target import Target
from index.purge.scan import files
from index.run import Run


def erased(bench: Bench) -> Iterator[Row]:
    """One document from the middle of a large index: found in its files, erased, purged, found no more, and
    certified."""
    with large_index(bench) as knowledge_base:
        documents = [document.document_id for document in knowledge_base.ledger.documents.find()]
        target = Target([documents[len(documents) // 2]])
        done: list[ErasureReport] = []
        # What the making of the index has left to be written would wait on the disk before the erasure's.
        os.sync()

        def erase() -> None:
            order = place(knowledge_base, target, "Asked.")
            done.append(carry_out(Run(knowledge_base, "erase"), order.order_id))

        took = seconds(erase)
        knowledge_base.store.close()
        state = knowledge_base.config.state_dir
        size = sum(path.stat().st_blocks * 512 for path in files(state))
    report = done[0]
    before = re.findall(r"before, ([\d, ]+) of them", " ".join(place.evidence for place in report.places))
    if not report.done or 0 in map(int, ", ".join(before).split(", ")):
        raise RuntimeError(f"The erasure to be measured is not right: {report.json()}")
    yield Row(
        f"erasure of a document in an index of {bench.scale.chunks:,} chunks",
        took,
        " s",
        5,
        "≤",
        f"{report.order.chunks:,} chunks; all files ({size / 1e6:,.0f} MB) searched before and after",
    )
