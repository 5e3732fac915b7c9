"""PDF: tables whose cells have rules around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from index.parse.formats import BY_SUFFIX
from tests import documents
from tests.readers import parse

Words = Sequence[tuple[float, float, str]]
"""Left, baseline, text."""


def tables(path: Path) -> list[str]:
    return [element.text for element in parse(path, BY_SUFFIX[".pdf"]).elements if element.kind == "Table"]


def said(words: Words) -> str:
    return "".join(f"BT /F1 10 Tf {left} {base} Td ({text}) Tj ET\n" for left, base, text in words)


def grid(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Lines across and down, drawn as one path."""
    across = "".join(f"{xs[0]} {y} m {xs[-1]} {y} l\n" for y in ys)
    down = "".join(f"{x} {ys[0]} m {x} {ys[-1]} l\n" for x in xs)
    return f"0.5 w {across}{down}S\n"


def boxes(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A coloured box for each cell, without lines."""
    cells = [
        f".9 g {left + 0.5} {low + 0.5} {right - left - 1} {high - low - 1} re f\n"
        for left, right in pairwise(xs)
        for high, low in pairwise(ys)
    ]
    return "".join(cells) + "0 g\n"


CLOSE = [
    (62, 690, "Plan"), (88, 690, "Seats"),
    (62, 670, "12"), (86, 670, "34"),
    (62, 650, "56 7"), (86, 650, "8"),
]  # fmt: skip
XS, YS = (60, 85, 120), (703, 683, 663, 643)


def test_cells_that_stand_close_are_parted_by_rules(tmp_path: Path) -> None:
    wanted = ["Plan | Seats\n12 | 34\n56 7 | 8"]
    for name, drawn in (("lines", grid(XS, YS)), ("boxes", boxes(XS, YS))):
        assert tables(documents.drawn_pdf(tmp_path / f"{name}.pdf", drawn + said(CLOSE))) == wanted
    # One string over both cells.
    whole = [(62, 690, "Plan  Seats"), (62, 670, "12     34"), (62, 650, "56 7   8")]
    path = documents.drawn_pdf(tmp_path / "whole.pdf", grid(XS, YS) + said(whole))
    assert tables(path) == wanted
    assert tables(documents.drawn_pdf(tmp_path / "none.pdf", said(CLOSE))) == []


def test_rules_in_a_form_and_on_a_turned_page_part_cells(tmp_path: Path) -> None:
    # The form is drawn at twice its size, and moved.
    half = grid([x / 2 for x in XS], [(y - 100) / 2 for y in YS])
    form = ("/Type/XObject/Subtype/Form/BBox[0 0 612 792]", half.encode())
    content = "q 2 0 0 2 0 100 cm /X1 Do Q\n" + said(CLOSE)
    path = documents.drawn_pdf(tmp_path / "a.pdf", content, objects=[form], resources="/XObject<</X1 1 0 R>>")
    assert tables(path) == ["Plan | Seats\n12 | 34\n56 7 | 8"]
    turned = "q 0 1 -1 0 792 0 cm " + grid(XS, YS) + said(CLOSE) + "Q"
    path = documents.drawn_pdf(tmp_path / "b.pdf", turned, attributes="/MediaBox[0 0 792 612]/Rotate 90")
    assert tables(path) == ["Plan | Seats\n12 | 34\n56 7 | 8"]


def test_a_cell_of_several_lines_is_one(tmp_path: Path) -> None:
    words = [
        (62, 690, "Plan"), (152, 690, "What it holds"),
        (62, 670, "Basic"), (152, 670, "Up to five seats and a"),
        (152, 658, "shared mailbox that never"), (152, 646, "sleeps"),
        (62, 626, "A plan with a"), (62, 614, "long name"), (152, 626, "Nothing"),
    ]  # fmt: skip
    rows = (703, 683, 639, 607)
    path = documents.drawn_pdf(tmp_path / "a.pdf", grid((60, 150, 280), rows) + said(words))
    wanted = (
        "Plan | What it holds\n"
        "Basic | Up to five seats and a shared mailbox that never sleeps\n"
        "A plan with a long name | Nothing"
    )
    assert tables(path) == [wanted]


def test_rows_of_numbers_without_rules_between_them_are_rows(tmp_path: Path) -> None:
    words = [
        (62, 690, "Age"), (152, 690, "First"), (252, 690, "Second"),
        *((62, 670 - 14 * n, f"{n} years") for n in range(4)),
        *((152, 670 - 14 * n, str(100 + n)) for n in range(4)),
        *((252, 670 - 14 * n, str(200 + n)) for n in range(4)),
    ]  # fmt: skip
    path = documents.drawn_pdf(tmp_path / "a.pdf", grid((60, 150, 250, 350), (703, 683, 610)) + said(words))
    rows = ["Age | First | Second", *(f"{n} years | {100 + n} | {200 + n}" for n in range(4))]
    assert tables(path) == ["\n".join(rows)]


def test_a_merged_cell_leaves_the_others_empty(tmp_path: Path) -> None:
    words = [
        (62, 690, "Plan"), (190, 690, "Price of a seat"),
        (152, 670, "Month"), (252, 670, "Year"),
        (62, 650, "Basic"), (152, 650, "10"), (252, 650, "100"),
    ]  # fmt: skip
    # No rule below "Plan", and none between the two columns below "Price of a seat".
    drawn = (
        "60 703 m 350 703 l 150 683 m 350 683 l 60 663 m 350 663 l 60 643 m 350 643 l "
        "60 703 m 60 643 l 150 703 m 150 643 l 250 683 m 250 643 l 350 703 m 350 643 l S\n"
    )
    path = documents.drawn_pdf(tmp_path / "a.pdf", drawn + said(words))
    assert tables(path) == ["Plan | Price of a seat\n | Month | Year\nBasic | 10 | 100"]


def test_a_frame_and_a_page_laid_out_in_boxes_are_no_tables(tmp_path: Path) -> None:
    prose = [(64, 680 - 12 * n, "A sentence of some words that goes on and on") for n in range(5)]
    frame = documents.drawn_pdf(tmp_path / "a.pdf", grid((60, 400), (703, 600)) + said(prose))
    assert tables(frame) == []
    long = [(x, 690 - 8 * n, "A sentence of some words that goes on") for x in (64, 334) for n in range(70)]
    laid = documents.drawn_pdf(tmp_path / "b.pdf", grid((60, 330, 600), (703, 400, 100)) + said(long))
    assert tables(laid) == []
    words = [(64, 690, "One label"), (500, 110, "Another")]
    chart = documents.drawn_pdf(
        tmp_path / "c.pdf", grid(range(60, 600, 20), range(703, 100, -20)) + said(words)
    )
    assert tables(chart) == []
