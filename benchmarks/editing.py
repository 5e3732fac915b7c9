"""What an edit costs, in chunks that have to be embedded again; counted by real syncs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from benchmarks.corpus import Corpus, at_top, in_middle
from benchmarks.measure import Bench, Row
from benchmarks.workplace import configure, mirror, sync
from index.mirror import Mirror

PARAGRAPH_WORDS = 40


def inserted(bench: Bench) -> Iterator[Row]:
    """A paragraph inserted at the top and in the middle of real documents."""
    documents = dict(list(bench.corpus.documents.items())[: bench.scale.edits])
    prose = bench.corpus.prose(seed=2)
    costs: dict[str, list[int]] = {"at the top": [], "in the middle": []}
    with bench.folder() as folder, mirror(configure(folder)) as knowledge_base:
        root = folder / "documents"
        Corpus("edited", documents).write(root)
        sync(knowledge_base)
        for place, insert in zip(costs, (at_top, in_middle), strict=True):
            for name, text in documents.items():
                _write(root / name, insert(text, prose.paragraph(PARAGRAPH_WORDS)))
                costs[place].append(_embedded(knowledge_base))
                # Back to what it was, so that both edits are made to the same text.
                _write(root / name, text)
                sync(knowledge_base)
    every = [cost for found in costs.values() for cost in found]
    yield Row(
        f"a paragraph inserted in {len(documents)} real documents: chunks embedded per edit",
        mean(every),
        "",
        1.1,
        "≤",
        ", ".join(f"{mean(found):.2f} {place}" for place, found in costs.items()) + f"; at most {max(every)}",
    )


def without_headings(bench: Bench) -> Iterator[Row]:
    """A paragraph inserted at many places of a long text without a heading, one after the other."""
    scale, prose = bench.scale, bench.corpus.prose(seed=3)
    text = [prose.paragraph(20 + 7 * number % 60) for number in range(scale.paragraphs)]
    costs = []
    with bench.folder() as folder, mirror(configure(folder)) as knowledge_base:
        path = folder / "documents" / "long.md"
        path.parent.mkdir()
        _write(path, "\n\n".join(text))
        sync(knowledge_base)
        for number in range(scale.edits):
            # Backwards, so that the places lie evenly in the first text.
            place = len(text) * (scale.edits - number - 1) // scale.edits
            changed = [*text[:place], prose.paragraph(PARAGRAPH_WORDS), *text[place:]]
            _write(path, "\n\n".join(changed))
            costs.append(_embedded(knowledge_base))
            _write(path, "\n\n".join(text))
            sync(knowledge_base)
    yield Row(
        f"the same in a text of {scale.paragraphs} paragraphs without a heading, {scale.edits} places",
        mean(costs),
        "",
        2,
        "≤",
        f"at most {max(costs)}",
    )


def renamed(bench: Bench) -> Iterator[Row]:
    """Documents that get other names in another folder."""
    names = list(bench.corpus.documents)[: bench.scale.renamed]
    with bench.folder() as folder, mirror(configure(folder)) as knowledge_base:
        root = folder / "documents"
        bench.corpus.write(root)
        sync(knowledge_base)
        (root / "renamed").mkdir()
        for number, name in enumerate(names):
            (root / name).rename(root / "renamed" / f"{number}.md")
        report = sync(knowledge_base)
    moved = sum(source.json()["moved"] for source in report.sources)
    if moved != len(names):
        raise RuntimeError(f"{len(names)} files were renamed, and {moved} documents moved.")
    chunks = report.json()["chunks"]
    yield Row(
        f"{len(names)} renamed files: chunks embedded",
        chunks["embedded"],
        "",
        0,
        "≤",
        f"{chunks['reused']} chunks kept their vectors; {report.seconds:.1f} s",
    )


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _embedded(knowledge_base: Mirror) -> int:
    chunks: dict[str, int] = sync(knowledge_base).json()["chunks"]
    return chunks["embedded"]
