"""The example knowledge base is complete, small and regenerable, and the demo keeps what it promises."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from connectors.base import Patterns
from index.config import load
from tests import forks
from tests.commands import environment, process

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
HANDBOOK = EXAMPLES / "handbook"
DOCUMENTS = sorted(path for path in HANDBOOK.rglob("*") if path.is_file())
URIS = [path.relative_to(HANDBOOK).as_posix() for path in DOCUMENTS]

FORMATS = {
    *("md", "txt", "html", "pdf", "docx", "pptx", "xlsx", "csv", "tsv"),
    *("eml", "msg", "epub", "odt", "rtf", "rst", "org", "xml", "json"),
}


def test_there_is_an_example_of_every_format() -> None:
    assert {path.suffix[1:] for path in DOCUMENTS} == FORMATS
    assert 30 <= len(DOCUMENTS) <= 40


def test_examples_are_small() -> None:
    assert max(path.stat().st_size for path in DOCUMENTS) < 32_000


def test_some_examples_are_not_utf_8() -> None:
    whistleblowing = (HANDBOOK / "policies/whistleblowing.txt").read_bytes()
    assert whistleblowing.startswith((b"\xff\xfe", b"\xfe\xff"))
    assert "Käthe Østergård" in whistleblowing.decode("utf-16")
    for name in ("archive/moving-to-the-fish-hall.txt", "operations/spare-parts.csv"):
        data = (HANDBOOK / name).read_bytes()
        with pytest.raises(UnicodeDecodeError):
            data.decode("utf-8")
        assert "€" in data.decode("cp1252")


def test_markdown_examples_name_title_owner_and_review() -> None:
    for path in DOCUMENTS:
        if path.suffix == ".md":
            front = yaml.safe_load(path.read_text(encoding="utf-8").split("---")[1])
            assert set(front) == {"title", "owner", "last_reviewed"}, path
            assert re.fullmatch(r"(user|group):[a-z]+", front["owner"])


def test_every_rule_of_the_configuration_matches_a_document() -> None:
    rules = load(EXAMPLES / "freshkb.yaml", {}, EXAMPLES).sources[0].rules
    assert rules
    for rule in rules:
        assert any(Patterns((rule.match,)).match(uri) for uri in URIS), rule.match


def test_binary_examples_are_what_their_originals_say(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "make_binaries.py", tmp_path], check=True, timeout=60)
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == sum(path.is_file() for path in (EXAMPLES / "originals").rglob("*"))
    for path in written:
        assert contents(path) == contents(HANDBOOK / path.relative_to(tmp_path)), path.name


def contents(path: Path) -> object:
    """The file's bytes; of an archive the members' bytes, since compressors differ between machines."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return [(item.filename, item.date_time, archive.read(item)) for item in archive.infolist()]


#: Only the precision of the model is found out by loading it.
PRECISION = "index.embed.embedder.resolve_dtype = lambda setting, identity: 'float32'"


def short_demo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The demo in this process. Its commands are forks with a stand-in for the model, apart from one: that
    is the program that is installed."""
    demo = runpy.run_path(str(EXAMPLES / "demo.py"))
    installed: list[str] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        program, *arguments = command
        assert Path(program).name == "freshkb"
        if arguments[0] == "plan":
            installed.append(program)
            return subprocess.run(command, **options)
        return forks.run(process(*arguments, more=PRECISION), **{**options, "env": environment()})

    main: Callable[[], int] = demo["main"]
    monkeypatch.setitem(main.__globals__, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
    monkeypatch.setattr(sys, "argv", ["demo.py", str(folder)])
    code = main()
    assert len(installed) == 1
    return code


@pytest.mark.timeout(300)
def test_the_demo_starts_afresh_and_shows_what_it_promises(
    tmp_path: Path, soak: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    (folder / "handbook").mkdir(parents=True)
    (folder / "MADE-BY-THE-DEMO").touch()
    (folder / "handbook" / "left-by-the-last-demo.md").write_text("# Left over\n")
    if soak:
        code = subprocess.run([sys.executable, EXAMPLES / "demo.py", folder], timeout=290).returncode
    else:
        code = short_demo(folder, monkeypatch)
    printed, complained = capfd.readouterr()
    assert code == 0, printed + complained
    assert f"all {len(DOCUMENTS)} documents were added" in printed
    for report in ("report.html", "report.md", "report.csv", "freshness.json"):
        assert (folder / "report" / report).stat().st_size > 0


def test_the_demo_empties_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    kept = tmp_path / "precious.txt"
    kept.write_text("mine")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py", tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "is not an earlier demo" in done.stderr
    assert kept.read_text() == "mine"
