"""Errors for programs, and mistakes that are refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.audit.report import FILES, page_of
from index.errors import FreshkbError, code_of
from tests import forks
from tests.commands import CommandLine, environment, process
from tests.knowledge import Knowledge


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


def error(freshkb: CommandLine, *arguments: str, code: int) -> tuple[str, str]:
    """(code, message) of the error that the command ends with."""
    done = freshkb(*arguments, "--json", code=code)
    assert done.stdout == ""
    told = json.loads(done.stderr.splitlines()[-1])
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message"}
    return told["error"]["code"], told["error"]["message"]


# ── With --json ───────────────────────────────────────────────────────────────────────────────────────


def test_an_error_is_json_too_and_its_code_says_which(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nLeave.\n")
    assert error(freshkb, "search", "leave", code=1) == (
        "store_error",
        "There is no index yet. Make one with: freshkb sync",
    )
    freshkb("sync")
    assert error(freshkb, "show", "b.md", code=2)[0] == "config_error"
    assert error(freshkb, "sync", "--approve", "nonsense", code=4)[0] == "plan_changed"
    with kb.workspace() as workspace, workspace.ledger.writer("docs", "freshkb watch"):
        code, message = error(freshkb, "sync", code=4)
        assert code == "locked"
        assert "is being written by" in message
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    kb.config()
    assert error(freshkb, "plan", code=4)[0] == "model_changed"
    (kb.home / "freshkb.yaml").write_text("version: 2\n")
    assert error(freshkb, "status", code=2)[0] == "config_error"


def test_a_wrong_call_is_an_error_of_its_own(freshkb: CommandLine) -> None:
    for wrong in (
        ["sync", "--bogus"],
        ["search"],
        ["search", "x", "-k", "none"],
        ["verify", "--sample", "9"],
    ):
        code, message = error(freshkb, *wrong, code=2)
        assert code == "usage"
        assert message
        assert "\n" not in message
    assert error(freshkb, "snyc", code=2)[0] == "usage"
    # An argument after `--` is no option.
    assert "Error: " in freshkb("show", "--", "--json", code=2).stderr


def test_an_error_of_a_real_process_is_the_last_line_of_its_stderr(tmp_path: Path) -> None:
    done = forks.run(
        process("status", "--json"), cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "config_error"


def test_what_nobody_expected_is_told_too(freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("index.health.status.status", fail)
    assert error(freshkb, "status", code=1) == ("internal_error", "ZeroDivisionError: by zero")
    with pytest.raises(ZeroDivisionError):
        freshkb("status")


def test_every_error_has_a_code_of_its_own_and_the_docs_name_it() -> None:
    kinds: list[type[FreshkbError]] = [FreshkbError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = [code_of(kind("words")) for kind in kinds[1:]]
    assert len(set(codes)) == len(codes)
    docs = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [code for code in codes if f"`{code}`" not in docs] == []


# ── The state folder ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "root"),
    [("docs", "docs"), (".", "docs"), ("docs/../docs", "docs"), ("link", "docs"), ("docs", "docs/deeper")],
)
def test_a_state_folder_that_is_or_contains_a_root_is_refused(
    freshkb: CommandLine, kb: Knowledge, state: str, root: str
) -> None:
    kb.write("deeper/a.md", "# A\n")
    (kb.home / "link").symlink_to(kb.docs)
    kb.settings["state_dir"] = state
    kb.source["root"] = f"./{root}"
    (kb.home / "freshkb.yaml").write_text(json.dumps(kb.settings))
    before = sorted(kb.home.rglob("*"))
    for command in (["config", "check"], ["sync"], ["status"]):
        said = freshkb(*command, code=2).stderr
        assert "state_dir" in said
        assert "the root of source 'docs'" in said
    assert sorted(kb.home.rglob("*")) == before


def test_a_state_folder_inside_a_root_is_left_out_of_it(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nLeave.\n")
    kb.settings["state_dir"] = "docs/state"
    kb.config()
    freshkb("sync")
    assert [row["uri"] for row in freshkb.json("ls")] == ["a.md"]


# ── Reports ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [*sorted(FILES), page_of("")])
def test_an_audit_replaces_only_what_it_wrote(freshkb: CommandLine, kb: Knowledge, name: str) -> None:
    kb.write("a.md", "# A\n\nLeave.\n")
    freshkb("sync")
    out = kb.home / "out"
    freshkb("audit", "--out", "out")
    freshkb("audit", "--out", "out")
    kept = set(out.rglob("*"))
    (out / name).write_text("<html>mine</html>")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    said = freshkb("audit", "--out", "out", code=2).stderr
    assert f"{name} was not written by freshkb" in said
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (out / name).unlink()
    (out / name).symlink_to("nowhere")
    assert f"{name} was not written by freshkb" in freshkb("audit", "--out", "out", code=2).stderr
    (out / name).unlink()
    freshkb("audit", "--out", "out")
    assert set(out.rglob("*")) == kept
