"""`freshkb find`: its phrases, its answer and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import CommandLine
from tests.copies import written
from tests.knowledge import Knowledge


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    command = CommandLine(kb, monkeypatch)
    kb.write("pay/anna.md", "# Pay\n\nThe raise of Anna Björk.\n")
    kb.write("b.md", "Another page.\n")
    command("sync")
    return command


def test_the_documents_are_listed_for_people_and_programs(freshkb: CommandLine) -> None:
    (found,) = freshkb.json("find", "--exact", "anna  BJORK", "nobody")
    assert (found["source"], found["uri"], found["passages"]) == ("docs", "pay/anna.md", 1)
    assert set(found) >= {"document_id", "source", "uri", "passages"}
    said = freshkb("find", "--exact", "anna bjork").stdout
    assert "docs:pay/anna.md: 1 passage" in said
    assert "1 document found." in said
    assert freshkb("find", "--exact", "nobody").stdout == "Nothing found.\n"


def test_phrases_come_from_standard_input(freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from flows.cli.app import application

    given = CliRunner().invoke(application("find"), ["find", "--exact", "-"], input="nobody\n\nAnna Björk\n")
    assert given.exit_code == 0
    assert "pay/anna.md" in given.stdout
    none = CliRunner().invoke(application("find"), ["find", "--exact", "-"], input="\n")
    assert none.exit_code == 2
    assert "holds no phrase" in none.output


def test_the_answer_is_written_to_a_folder_outside_the_sources(freshkb: CommandLine, tmp_path: Path) -> None:
    freshkb("find", "--exact", "Anna", "--export", str(tmp_path / "answer"))
    assert len(list((tmp_path / "answer").iterdir())) == 2
    inside = freshkb("find", "--exact", "Anna", "--export", str(freshkb.kb.docs / "answer"), code=2)
    assert "lies in source 'docs'" in inside.output
    again = freshkb("find", "--exact", "Anna", "--export", str(tmp_path / "answer"), code=2)
    assert "no empty folder" in again.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Anna"], "--exact"),
        (["--exact", "…"], "at least one letter or digit"),
        (["--exact", "Anna", "--source", "nowhere"], "nowhere"),
    ],
)
def test_wrong_questions_are_refused(arguments: list[str], said: str, freshkb: CommandLine) -> None:
    assert said in freshkb("find", *arguments, code=2).output


def test_neither_phrase_nor_answer_is_in_any_file_afterwards(freshkb: CommandLine) -> None:
    freshkb("find", "--exact", "Anna Björk", "whimbrel", "-v")
    state = freshkb.kb.home / ".freshkb"
    files = [path for path in state.rglob("*") if path.is_file()]
    assert not [path for path in files if any(b"whimbrel" in part for part in written(path))]
