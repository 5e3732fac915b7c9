"""Foreign text that is shown to people."""

from __future__ import annotations

import pytest

from index.printable import printable, printable_line, storable


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u00ad",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u2060",
        "\ufeff",
        "\U000e0041",
    ],
)
def test_what_commands_deceives_or_hides_is_shown_as_its_escape(character: str) -> None:
    shown = printable(f"a{character}b")
    assert shown.isascii() and shown.startswith("a\\") and shown.endswith("b")


def test_words_of_any_script_stay_as_they_are() -> None:
    text = "Größe, 出張規程, سفر, 🎉\tx\ny"
    assert printable(text) == text
    assert printable_line(text) == "Größe, 出張規程, سفر, 🎉\\tx\\ny"


def test_what_no_database_holds_is_replaced() -> None:
    assert storable("a\0b\ud800c") == "a\ufffdb\ufffdc"
    assert storable("Größe, 🎉\x1b") == "Größe, 🎉\x1b"
