"""PDF text: our parser, its child process warm, against the pure Python one that most pipelines use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Bench, Row, best, seconds
from index.model import Parsed
from index.parse import Parser
from tests.documents import pdf

LINES, WORDS = 42, 12


def pdf_text(bench: Bench) -> Iterator[Row]:
    """Pages per second of a long PDF that has text."""
    from pdfminer.high_level import extract_text

    pages = bench.scale.pages
    with bench.folder() as folder, Parser() as parser:
        path = _book(bench, folder / "book.pdf", pages)
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


def _book(bench: Bench, path: Path, pages: int) -> Path:
    """Pages of a heading and full lines."""
    prose = bench.corpus.prose(seed=1)

    def page(number: int) -> list[tuple[float, str]]:
        lines = [(10.0, " ".join(prose.words(WORDS))) for _ in range(LINES)]
        return [(16.0, f"Section {number}"), (8.0, ""), *lines]

    return pdf(path, [page(number) for number in range(1, pages + 1)])
