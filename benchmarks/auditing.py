"""The freshness audit of a large knowledge base: verdicts, and the checks that read passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks import synthetic
from benchmarks.measure import Bench, Row, best, seconds
from benchmarks.searching import CHUNKS_PER_DOCUMENT, large_index
from benchmarks.workplace import SOURCE, workspace, write_configuration
from index.audit import report
from index.audit.audit import base_of, judge
from index.audit.passages import passages
from index.audit.result import Audit
from index.freshness.checks import links, numbers, repeats
from index.freshness.checks.base import Base, Passages, SourceState, Subject, base
from index.freshness.extract import anchor_hash
from index.freshness.finding import VERDICT_CODES, Finding
from index.model import digest
from index.records import Document, Extract
from index.uncollected import uncollected
from index.workspace import Workspace

#: One document in so many repeats another.
REPEATED = 100
#: Owners of the documents of a report.
OWNERS = 200

#: Links of a document; the first of one document in so many leads nowhere.
LINKS, DEAD = 10, 50


def verdicts(bench: Bench) -> Iterator[Row]:
    """Verdicts of documents on record, their rows read from the ledger."""
    count = bench.scale.files
    with bench.folder() as folder:
        path = write_configuration(folder, {"type": synthetic.TYPE, "documents": count})
        with workspace(path) as knowledge_base:
            synthetic.record_all(knowledge_base, SOURCE)
            found: list[Audit] = []
            with uncollected():  # As `audit_of` does.
                (took,) = best(
                    bench.scale.long_rounds,
                    lambda: found.append(judge(_base(knowledge_base), codes=VERDICT_CODES)),
                )
    if len(found[-1].results) != count:
        raise RuntimeError(f"Of {count} documents {len(found[-1].results)} have a verdict.")
    yield Row(
        f"verdicts for {count:,} documents",
        took,
        " s",
        3,
        "≤",
        "rows read from the ledger, judged, sorted and summed up by owner",
    )


def reported(bench: Bench) -> Iterator[Row]:
    """All files of the report on as many documents."""
    count = bench.scale.files
    with bench.folder() as folder:
        path = write_configuration(folder, {"type": synthetic.TYPE, "documents": count})
        with workspace(path) as knowledge_base:
            synthetic.record_all(knowledge_base, SOURCE)
            documents = (
                replace(document, chunk_count=1, properties={"owner": f"user:{number % OWNERS:03}"})
                for number, document in enumerate(knowledge_base.ledger.documents.find())
            )
            audit = judge(_base(knowledge_base, documents))
        took = seconds(lambda: report.write(audit, folder / "report"))
        size = sum(file.stat().st_size for file in (folder / "report").rglob("*.*"))
    yield Row(
        f"report of {count:,} documents",
        took,
        " s",
        5,
        "≤",
        f"{size / 1e6:,.0f} MB in {OWNERS + 6} files; each document is stale",
    )


def linked(bench: Bench) -> Iterator[Row]:
    """Dead links among documents whose links and anchors are on record: each links to some after it, one of
    some leads nowhere."""
    count = bench.scale.files // 10
    with bench.folder() as folder:
        path = write_configuration(folder, {"type": synthetic.TYPE, "documents": count})
        with workspace(path) as knowledge_base:
            synthetic.record_all(knowledge_base, SOURCE)
            now = knowledge_base.now()
            seen = _base(knowledge_base)
            records = [replace(one, listed_at=now) for one in knowledge_base.ledger.sources.all()]
        subjects = [
            replace(subject, extract=_linking(seen.subjects, number))
            for number, subject in enumerate(seen.subjects)
        ]
        states = [SourceState(record.source, record=record) for record in records]
        found: list[list[Finding]] = []
        took = seconds(lambda: found.append(list(links.find(base(now, subjects, states)))))
    dead = len(range(0, count, DEAD))
    if len(found[0]) != dead:
        raise RuntimeError(f"Of {dead} dead links {len(found[0])} were found.")
    yield Row(
        f"links of {count:,} documents",
        took,
        " s",
        10,
        "≤",
        f"{LINKS} links and {LINKS} anchors each; {dead:,} lead nowhere",
    )


def _linking(subjects: Sequence[Subject], number: int) -> Extract:
    """What extraction keeps of a document with links to those after it."""
    targets = [
        f"/{subjects[(number + step) % len(subjects)].document.uri}#section-{step}"
        for step in range(1, LINKS + 1)
    ]
    if number % DEAD == 0:
        targets[0] = f"/department-000/gone-{number}.md"
    anchors = [anchor_hash(f"section-{step}") for step in range(1, LINKS + 1)]
    rows = [(target, line) for line, target in enumerate(targets, 1)]
    return Extract(subjects[number].document.document_id, rows, anchors)


def texts(bench: Bench) -> Iterator[Row]:
    """The checks that read passages, in an index with some documents that repeat others."""
    with large_index(bench) as knowledge_base:
        read: list[Passages] = []
        reading = seconds(lambda: read.append(passages(knowledge_base)))
        altered, planted = _repeating(read[0])
        # Made documents are named like a series, whose members repeat each other on purpose.
        documents = (
            replace(document, title="", uri=f"{digest(document.uri)[:12]}.md")
            for document in knowledge_base.ledger.documents.find()
        )
        seen = _base(knowledge_base, documents, altered)
        found: list[list[Finding]] = []
        repeating = seconds(lambda: found.append(list(repeats.find(seen))))
        disagreeing = seconds(lambda: found.append(list(numbers.find(seen))))
    if len(found[0]) != planted:
        raise RuntimeError(f"Of {planted} documents that repeat others {len(found[0])} were found.")
    yield Row(
        f"near-repeats of {bench.scale.chunks:,} chunks",
        reading + repeating,
        " s",
        120,
        "≤",
        f"{reading:.1f} s to read texts and vectors; {planted:,} documents repeat another",
    )
    yield Row(
        f"numbers that disagree in {bench.scale.chunks:,} chunks",
        disagreeing,
        " s",
        detail="of the passages that were read before",
    )


def _base(
    knowledge_base: Workspace, documents: Iterable[Document] | None = None, texts: Passages | None = None
) -> Base:
    return base_of(
        knowledge_base.ledger.documents.find() if documents is None else documents,
        {source.id: source for source in knowledge_base.config.sources},
        knowledge_base.now(),
        reviews=knowledge_base.ledger.reviews.of(),
        passages=lambda: texts or Passages(),
    )


def _repeating(texts: Passages) -> tuple[Passages, int]:
    """The passages with some documents that repeat the one before them, each with other words at its end, and
    how many do so."""
    assert texts.vectors is not None
    altered, vectors, noise = list(texts.all), texts.vectors.copy(), np.random.default_rng(6)
    size = CHUNKS_PER_DOCUMENT
    repeated = range(0, len(altered) - size, REPEATED * size)
    for first in repeated:
        for row in range(first, first + size):
            words = altered[row].text.split(" ")
            text = " ".join([*words[:-4], *altered[row + size].text.split(" ")[-4:]])
            altered[row + size] = replace(
                altered[row + size], text=text, heading_path=altered[row].heading_path
            )
            near = vectors[row] + 0.2 * vectors.shape[1] ** -0.5 * noise.standard_normal(vectors.shape[1])
            vectors[row + size] = near / np.linalg.norm(near)
    return Passages(altered, vectors), len(repeated)
