"""The commands of docs/erasure.md, in their order, do what the page says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli.app import application
from tests.commands import CommandLine
from tests.knowledge import Knowledge

pytestmark = pytest.mark.usefixtures("scanned_here")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "erasure.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, flags=re.M)
ORDER = "E-7K3QM9X"

NAMES = ["Erika Mustermann", "erika.mustermann@example.com"]


@pytest.fixture
def home(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> Path:
    freshkb = CommandLine(kb, monkeypatch)
    kb.write("letters/1.md", "# Letter\n\nDear Ms ERIKA\nMustermann, thank you.\n")
    kb.write("list.csv", "name,mail\nMustermann,erika.mustermann@example.com\n")
    kb.write("erika-mustermann.md", "# Page\n\nOf nobody.\n")
    kb.write("stays.md", "# Stays\n\nMustermann, Max.\n")
    freshkb("sync")
    (kb.home / "names.txt").write_text("\n".join(NAMES))
    return kb.home


class Shell:
    """Runs lines as a shell does: redirections, and the order's id in the place of the page's."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, line: str, code: int = 0) -> Result:
        line = line.replace(ORDER, self.order())
        words = shlex.split(line)
        given, into = "", None
        if "<" in words:
            given = (self.home / words[at + 1]).read_text() if (at := words.index("<")) else ""
            del words[at : at + 2]
        if ">" in words:
            into = self.home / words[(at := words.index(">")) + 1]
            del words[at : at + 2]
        assert words[0] == "freshkb", line
        done = CliRunner().invoke(
            application(words[1]), words[1:], input=given, catch_exceptions=False, prog_name="freshkb"
        )
        assert done.exit_code == code, (line, done.output)
        if into is not None:
            into.write_text(done.stdout)
        return done

    def order(self) -> str:
        receipts = list((self.home / ".freshkb" / "receipts").glob("E-*.json"))
        return receipts[0].stem if receipts else ORDER


def test_the_request_is_carried_out_as_the_page_says(home: Path, kb: Knowledge) -> None:
    shell = Shell(home)
    section = PAGE[PAGE.index("## A request under") :]
    lines = re.findall(r"^\$ (freshkb .*)$", section, flags=re.M)
    find, export, holds, dry, erase, again, listed, show, key, verify = lines
    assert "3 documents found." in shell(find).stdout
    shell(export)
    texts = "".join(path.read_text() for path in (home / "access").iterdir() if path.is_file())
    assert "thank you" in texts and "Max" not in texts
    shell(holds)
    assert "To be erased: 3 documents" in shell(dry).output
    assert len(kb.documents()) == 4
    shown = shell(erase)
    assert (
        re.search(r"Order E-\w+ is carried out: 3 documents", shown.stdout) and "Not covered:" in shown.stdout
    )
    assert "Nothing found." in shell(again).stdout
    assert shell.order() in shell(listed).stdout
    shell(show)
    shell(key)
    proved = shell(verify).stdout
    assert all(uri in proved for uri in ("letters/1.md", "list.csv", "erika-mustermann.md"))
    assert json.loads((home / "reveal.json").read_text())["reason"] == "Request of 2 March, Art. 17"
    assert set(kb.documents()) == {"stays.md"}
    kb.write("later.md", "# Later\n\nErika Mustermann again.\n")
    shell("freshkb sync", code=3)
    assert "Nothing found." in shell(find).stdout
    # Taken back, they come again.
    (lift,) = (line for line in COMMANDS if "--lift" in line)
    shell(lift)
    shell("freshkb sync")
    assert "4 documents found." in shell(find).stdout


def test_the_orders_of_receipts_are_carried_out_again_after_a_restore(home: Path, kb: Knowledge) -> None:
    shell = Shell(home)
    before = home / "before"
    shutil.copytree(home / ".freshkb", before)
    shell("freshkb erase list.csv --reason Asked. --yes")
    shutil.copytree(home / ".freshkb" / "receipts", home / "receipts")
    # The key is in no backup: its own copy is put back.
    (home / ".freshkb" / "signing.pem").rename(before / "signing.pem")
    shutil.rmtree(home / ".freshkb")
    before.rename(home / ".freshkb")
    assert "list.csv" in kb.documents()
    (replay,) = (line for line in COMMANDS if "--replay" in line)
    found = " ".join(str(path) for path in (home / "receipts").glob("*.json"))
    shell(replay.replace("receipts/*.json", found))
    assert "list.csv" not in kb.documents()


def test_each_command_of_the_page_is_tried_here() -> None:
    tried = re.findall(r"^\$ (freshkb .*)$", PAGE[PAGE.index("## A request under") :], flags=re.M)
    others = [line for line in COMMANDS if line not in tried and line.startswith("freshkb ")]
    assert [line.split()[2] for line in others] == ["--lift", "--replay"]
    assert [line for line in COMMANDS if not line.startswith("freshkb ")] == [
        "rm -r names.txt access reveal.json"
    ]
