"""`freshkb log`: what people see, what an auditor gets, and what is found."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from index.ledger import LogAction, LogEntry
from tests.commands import CommandLine
from tests.knowledge import Knowledge

DOCS = Path(__file__).resolve().parents[2] / "docs" / "log.md"


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    (kb.home / "anchors").mkdir()
    kb.settings["log"] = {"anchors": ["file:anchors/kb"]}
    found = CommandLine(kb, monkeypatch)
    for name in ("a", "b", "c"):
        kb.write(f"{name}.md", f"# {name}\n\nText of {name}.\n")
    found("sync")
    return found


def execute(kb: Knowledge, *statements: str) -> None:
    with closing(sqlite3.connect(kb.home / ".freshkb" / "ledger.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_the_newest_entries_are_shown_with_the_names_of_today(freshkb: CommandLine, kb: Knowledge) -> None:
    (kb.docs / "b.md").rename(kb.docs / "renamed.md")
    freshkb("sync")
    shown = freshkb("log", "show", "-n", "3").stdout.splitlines()
    assert len(shown) == 3 and "moved" in shown[0] and "docs:renamed.md" in shown[0]
    assert "b.md" not in freshkb("log", "show").stdout
    found = freshkb.json("log", "show")
    assert [entry["seq"] for entry in found] == list(range(len(found), 0, -1))
    assert found[0]["document"] == "docs:renamed.md" and found[0]["action"] == "moved"
    # Of collections, plans and holds the subject itself is shown.
    assert found[-1]["action"] == "collection-made" and found[-1]["document"] is None


def test_a_sound_log_verifies_and_an_altered_one_does_not(freshkb: CommandLine, kb: Knowledge) -> None:
    found = freshkb.json("log", "verify")
    assert found == {"ok": True, "entries": found["entries"], "problems": []} and found["entries"] > 3
    assert "no problem" in freshkb("log", "verify").stdout
    execute(kb, "UPDATE log SET action = 'deleted' WHERE sequence = 3")
    found = freshkb.json("log", "verify", code=1)
    assert not found["ok"] and found["problems"][0]["seq"] == 3
    assert set(found["problems"][0]) == {"seq", "problem"}
    said = freshkb("log", "verify", code=1).stdout
    assert "  3: this entry, or the one before it, is not what was logged" in said and "2 problems." in said


def test_a_checkpoint_is_printed_and_written_to_the_anchors_now(freshkb: CommandLine, kb: Knowledge) -> None:
    with kb.workspace() as workspace:
        workspace.ledger.log.append([LogEntry(kb.clock(), LogAction.REVIEWED, "docs", "x")])
    note = freshkb("log", "checkpoint").stdout
    assert (kb.home / "anchors" / "kb").read_text().endswith(f"\n{note}")
    found = freshkb.json("log", "checkpoint")
    assert found["checkpoint"] == note and note.split("\n")[:2] == [found["origin"], str(found["size"])]
    assert len(found["root"]) == 64
    shutil.rmtree(kb.home / "anchors")
    with kb.workspace() as workspace:
        workspace.ledger.log.append([LogEntry(kb.clock(), LogAction.REVIEWED, "docs", "x")])
    failed = freshkb("log", "checkpoint", code=1)
    assert failed.stdout.startswith("freshkb/") and "anchors/kb cannot be used" in failed.stderr


def exported(freshkb: CommandLine, kb: Knowledge) -> tuple[Path, Path, Path]:
    """(export, checkpoint, public key)"""
    paths = kb.home / "log.jsonl", kb.home / "checkpoint", kb.home / "public.pem"
    paths[0].write_text(freshkb("log", "export").stdout)
    paths[1].write_text(freshkb("log", "checkpoint").stdout)
    derive = "openssl pkey -in .freshkb/signing.pem -pubout -out public.pem"
    subprocess.run(derive.split(), cwd=kb.home, check=True)
    return paths


def test_an_export_is_checked_without_configuration_and_state(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, checkpoint, public = map(str, exported(freshkb, kb))
    lines = Path(export).read_text().splitlines(keepends=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert freshkb.json("log", "verify", export)["entries"] == len(lines)
    assert freshkb.json("log", "verify", export, "--checkpoint", checkpoint, "--key", public)["ok"]
    Path(export).write_text("".join(lines[:-1]))
    assert freshkb.json("log", "verify", export)["ok"], "a chain does not see its end cut off"
    found = freshkb.json("log", "verify", export, "--checkpoint", checkpoint, "--key", public, code=1)
    assert [problem["seq"] for problem in found["problems"]] == [len(lines)]
    Path(export).write_text("".join([*lines[:2], lines[2].replace("docs", "dogs"), *lines[3:]]))
    assert freshkb.json("log", "verify", export, code=1)["problems"][0]["seq"] == 3
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "other.pem"], check=True)
    Path(export).write_text("".join(lines))
    found = freshkb.json("log", "verify", export, "--checkpoint", checkpoint, "--key", "other.pem", code=1)
    assert "is not signed by this log's key" in found["problems"][0]["problem"]


def test_a_wrong_call_says_what_is_right(freshkb: CommandLine, kb: Knowledge) -> None:
    export, checkpoint, public = map(str, exported(freshkb, kb))
    assert "needs the key" in freshkb("log", "verify", export, "--checkpoint", checkpoint, code=2).stderr
    assert "belongs to an export" in freshkb("log", "verify", "--checkpoint", checkpoint, code=2).stderr
    assert "gone.pem cannot be read" in freshkb("log", "verify", "--key", "gone.pem", code=1).stderr
    assert "cannot be used" in freshkb("log", "verify", "gone.jsonl", code=1).stderr
    Path("strange.jsonl").write_text(f"{'[' * 100_000}\n{json.dumps({'seq': 1, 'hash': ''})}\n")
    assert "line 1 is no entry" in freshkb("log", "verify", "strange.jsonl", code=1).stdout
    Path("strange").write_bytes(b"\xff\xfe\0")
    asked = ("log", "verify", export, "--checkpoint", "strange", "--key", public)
    assert "no signed note" in freshkb(*asked, code=1).stderr
    error = freshkb("log", "verify", "--key", "gone.pem", "--json", code=1).stderr
    assert json.loads(error.splitlines()[-1])["error"]["code"] == "signature_error"
    assert "verify" in freshkb("log", "--help").stdout


def test_the_shell_alone_checks_an_export_and_a_checkpoint(freshkb: CommandLine, kb: Knowledge) -> None:
    """With the lines of the documentation."""
    exported(freshkb, kb)
    chain, signature = re.findall(r"^```sh\n(.*?)^```$", DOCS.read_text(), flags=re.M | re.S)[-2:]

    def ran(script: str) -> str:
        shell = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(shell, cwd=kb.home, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert ran(chain) == "" and "Signature Verified Successfully" in ran(signature)
    export = kb.home / "log.jsonl"
    lines = export.read_text().splitlines(keepends=True)
    export.write_text("".join([*lines[:2], lines[2].replace("docs", "dogs"), *lines[3:]]))
    assert re.findall(r'altered: .*"seq":(\d+)', ran(chain)) == ["3"]
    checkpoint = kb.home / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n", "\n1", 1))
    assert "Signature Verified Successfully" not in ran(signature)


def test_no_line_of_an_export_holds_anything_of_the_corpus(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of random words in every text, path, title, owner, note and reason, after every kind of change."""
    (kb.home / "anchors").mkdir()
    kb.settings["log"] = {"anchors": ["file:anchors/kb"]}
    freshkb, random_ = CommandLine(kb, monkeypatch), random.Random(7)
    words: list[str] = []

    def word() -> str:
        words.append("".join(random_.choices("bcdfghjklmnpqrstvwxz", k=9)))
        return words[-1]

    def put(uri: str) -> None:
        owner, title = word(), word()
        kb.write(uri, f"---\nowner: user:{owner}\ntitle: {title}\n---\n# {word()}\n\n{word()} {word()}.\n")

    uris = [f"{word()}/{word()}.md" for _ in range(12)]
    for uri in uris:
        put(uri)
    (kb.docs / f"{word()}.docx").write_text("No document.")
    freshkb("sync", code=3)
    put(uris[0])
    (kb.docs / uris[1]).rename(kb.docs / f"{word()}.md")
    (kb.docs / uris[2]).unlink()
    freshkb("sync", code=3)
    freshkb("review", uris[3], "--by", word(), "--note", word())
    kb.source["rules"] = [{"match": f"{uris[4]}", "owner": f"user:{word()}"}]
    kb.config()
    freshkb("sync", code=3)
    freshkb("retry", code=3)
    kb.source["exclude"] = [uris[5]]
    kb.config()
    freshkb("hold", "place", uris[6], "--reason", word(), "--matter", word())
    with kb.workspace() as workspace:
        ids = {document.document_id for document in workspace.ledger.documents.find()}
    (kb.docs / uris[6]).unlink()
    freshkb("sync", code=None)
    export = freshkb("log", "export").stdout
    kept = export + (kb.home / "anchors" / "kb").read_text()
    actions = {json.loads(line)["action"] for line in export.splitlines()}
    assert actions >= {"added", "updated", "moved", "deleted", "reviewed", "quarantined", "hold-placed"}
    assert len(words) > 70 and not [found for found in (*words, *ids) if found in kept]
