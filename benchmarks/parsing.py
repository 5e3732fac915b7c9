"""Parsing: PDF text against the pure Python reader that most pipelines use, two children against one, and the
many small documents that each cost little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import Bench, Row, best, seconds
from benchmarks.workplace import configure, sync, workspace
from index.model import Parsed
from index.outcome import RunReport
from index.parse import Parser
from tests.documents import pdf

LINES, WORDS = 42, 12
#: Different texts of the small documents, and the bytes of each at least.
TEXTS, SMALL_BYTES = 50, 1000


def pdf_text(bench: Bench) -> Iterator[Row]:
    """Pages per second of a long PDF that has text."""
    from pdfminer.high_level import extract_text

    pages = bench.scale.pages
    with bench.folder() as folder, Parser() as parser:
        path = _book(bench, folder / "book.pdf", range(1, pages + 1))
        parser.warm()
        texts: list[str] = []

        def ours() -> None:
            parsed = parser.parse(path, path.suffix, timeout_seconds=600)
            if not isinstance(parsed, Parsed):
                raise RuntimeError(f"The book to be measured was not read: {parsed.reason}")
            texts.append(parsed.text)

        before = best(bench.scale.long_rounds, ours)
        theirs = seconds(lambda: texts.append(extract_text(path)))
        mine = min(*before, *best(bench.scale.long_rounds, ours))
    read = {"".join(text.split()) for text in texts}
    if any(len(text) < 0.9 * max(map(len, read)) for text in read):
        raise RuntimeError("The two did not read the same text.")
    yield Row(
        f"text of a PDF of {pages} pages, against pdfminer.six",
        theirs / mine,
        "×",
        10,
        "≥",
        f"{pages / mine:.0f} and {pages / theirs:.0f} pages/s",
    )


def two_children(bench: Bench) -> Iterator[Row]:
    """The same pages as several PDFs, read by two children and by one."""
    pages, books = bench.scale.pages, bench.scale.books
    with bench.folder() as folder, Parser(children_max=1) as one, Parser(children_max=2) as two:
        bounds = [pages * number // books for number in range(books + 1)]
        paths = [
            _book(bench, folder / f"{first}.pdf", range(first + 1, last + 1))
            for first, last in pairwise(bounds)
        ]

        def read(parser: Parser) -> None:
            for found in [parser.submit(path, path.suffix, timeout_seconds=600) for path in paths]:
                if not isinstance(parsed := found.result(), Parsed):
                    raise RuntimeError(f"A book to be measured was not read: {parsed.reason}")

        # Their imports are not measured.
        read(one)
        read(two)
        single, double = best(bench.scale.rounds, lambda: read(one), lambda: read(two))
    yield Row(
        f"text of {pages} pages in {books} PDFs, two children against one",
        single / double,
        "×",
        1.6,
        "≥",
        f"{pages / double:.0f} and {pages / single:.0f} pages/s",
    )


def small(bench: Bench) -> Iterator[Row]:
    """Documents per second of a sync of many small files whose texts the index has already."""
    count = bench.scale.small
    with bench.folder() as folder:
        texts = [_page(bench, number) for number in range(TEXTS)]
        _write(folder / "documents" / "known", texts, len(texts))
        path = configure(folder)
        with workspace(path) as knowledge_base:
            sync(knowledge_base)
        _write(folder / "documents" / "new", texts, count)
        with workspace(path) as knowledge_base:
            (took,) = best(1, lambda: _nothing_embedded(sync(knowledge_base)))
    yield Row(
        f"sync of {count:,} Markdown files of 1 KB with {TEXTS} known texts, documents per second",
        count / took,
        "",
        250,
        "≥",
        f"{took:.0f} s",
    )


def _nothing_embedded(report: RunReport) -> None:
    if report.json()["chunks"]["embedded"]:
        raise RuntimeError(f"The texts were not known: {report.json()}")


def _page(bench: Bench, number: int) -> str:
    prose, text = bench.corpus.prose(seed=number), f"# Page {number}\n"
    while len(text) < SMALL_BYTES:
        text += f"\n{prose.paragraph(30)}\n"
    return text


def _write(folder: Path, texts: Sequence[str], count: int) -> None:
    for number in range(count):
        path = folder / f"{number // 100:03}" / f"{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[number % len(texts)], encoding="utf-8")


def _book(bench: Bench, path: Path, pages: range) -> Path:
    """Pages of a heading and full lines."""
    prose = bench.corpus.prose(seed=pages.start)

    def page(number: int) -> list[tuple[float, str]]:
        lines = [(10.0, " ".join(prose.words(WORDS))) for _ in range(LINES)]
        return [(16.0, f"Section {number}"), (8.0, ""), *lines]

    return pdf(path, [page(number) for number in pages])
