"""The cost of an edit, in chunks that have to be embedded again; counted by real syncs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from benchmarks.corpus import Corpus, at_top, in_middle
from benchmarks.measure import Bench, Row
from benchmarks.workplace import configure, sync, workspace
from index.workspace import Workspace

#: Of a paragraph in the text without headings.
WORDS = 40


def inserted(bench: Bench) -> Iterator[Row]:
    """A new paragraph of the usual length at the top, and one in the middle, of real documents."""
    documents = bench.corpus.some(bench.scale.edits)
    prose, words = bench.corpus.prose(seed=2), bench.corpus.paragraph_words
    costs: dict[str, float] = {}
    with bench.folder() as folder, workspace(configure(folder)) as knowledge_base:
        root = folder / "documents"
        original = Corpus("original", documents)
        for place, insert in (("at the top", at_top), ("in the middle", in_middle)):
            original.write(root)
            sync(knowledge_base)
            for name, text in documents.items():
                _write(root / name, insert(text, prose.paragraph(words)))
            costs[place] = _embedded(knowledge_base) / len(documents)
    yield Row(
        f"a paragraph inserted in {len(documents)} real documents: chunks embedded per edit",
        mean(costs.values()),
        "",
        1.1,
        "≤",
        ", ".join(f"{cost:.2f} {place}" for place, cost in costs.items())
        + f"; {words} words, the median here",
    )


def without_headings(bench: Bench) -> Iterator[Row]:
    """A paragraph inserted at many places of a long text without a heading, a sync for each."""
    scale, prose = bench.scale, bench.corpus.prose(seed=3)
    text = [prose.paragraph(WORDS - 20 + 7 * number % 40) for number in range(scale.paragraphs)]
    # From the last to the first, so that no insertion moves the next one's place.
    places = [len(text) * number // scale.edits for number in reversed(range(scale.edits))]
    costs = []
    with bench.folder() as folder, workspace(configure(folder)) as knowledge_base:
        path = folder / "documents" / "long.md"
        path.parent.mkdir()
        _write(path, "\n\n".join(text))
        sync(knowledge_base)
        for place in places:
            text.insert(place, prose.paragraph(WORDS))
            _write(path, "\n\n".join(text))
            costs.append(_embedded(knowledge_base))
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
    with bench.folder() as folder, workspace(configure(folder)) as knowledge_base:
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


def _embedded(knowledge_base: Workspace) -> int:
    chunks: dict[str, int] = sync(knowledge_base).json()["chunks"]
    return chunks["embedded"]
