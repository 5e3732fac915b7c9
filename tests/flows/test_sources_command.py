"""`freshkb sources`: checks, samples and additions from the command line."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import connectors.base
from connectors.base import Need
from index.config import load
from tests import forks
from tests.commands import CommandLine, environment, process
from tests.knowledge import Knowledge
from tests.vault import Vault, installed
from tests.wiki import Wiki


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    with installed():
        yield


@pytest.fixture
def wiki(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiki]:
    monkeypatch.setitem(connectors.base.BUILT_IN, "wiki", "tests.wiki:GuardedWiki")
    found = Wiki()
    kb.settings["sources"].append({"id": "wiki", "type": "wiki", "server": found.url})
    kb.config()
    yield found
    found.close()


def state(kb: Knowledge) -> set[Path]:
    """Everything in the folder of the knowledge base but documents and configuration."""
    return {path for path in kb.home.iterdir() if path.name not in ("docs", "freshkb.yaml", "more")}


# ── check ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_says_everything_of_the_contract_and_writes_nothing(
    freshkb: CommandLine, kb: Knowledge, wiki: Wiki
) -> None:
    kb.write("a.md", "# A\n")
    for number in range(9):
        wiki.put(f"page-{number}", "Text.", "text/html", {"title": f"Page {number}", "url": "https://e.org/"})
    docs, pages = freshkb.json("sources", "check")
    assert {"source", "ok", "documents", "detects", "detail"} <= set(docs)
    assert (docs["source"], docs["ok"], docs["documents"]) == ("docs", True, 1)
    assert docs["detects"] == ["deletions", "renames", "owners", "dates"]
    assert str(kb.docs) in docs["detail"]
    assert (pages["ok"], pages["documents"]) == (True, 9)
    assert pages["detects"] == ["deletions", "renames", "titles", "links"]
    assert [one["source"] for one in freshkb.json("sources", "check", "wiki")] == ["wiki"]
    said = freshkb("sources", "check").stdout
    assert "ok  docs (files)  1 document\n" in said
    assert "detects      deletions, renames (all), owners (none), dates (all)\n" in said
    assert "detects      deletions, renames (all), titles (all), links (all)\n" in said
    assert state(kb) == set()


def test_a_source_that_cannot_be_listed_completely_ends_with_1_and_the_others_are_checked(
    freshkb: CommandLine, kb: Knowledge, wiki: Wiki
) -> None:
    wiki.put("open/a", "Text.")
    wiki.put("closed/b", "Text.")
    wiki.concealed.add("closed")
    kb.settings["sources"].append({"id": "lost", "type": "files", "root": "./nowhere"})
    kb.config()
    docs, pages, lost = freshkb.json("sources", "check", code=1)
    assert [one["ok"] for one in (docs, pages, lost)] == [True, False, False]
    assert (pages["documents"], pages["detail"]) == (1, "The folder 'closed' may not be listed.")
    assert (lost["documents"], lost["detects"]) == (None, ["deletions", "renames", "owners", "dates"])
    quiet = freshkb("sources", "check", "-q", code=1)
    assert quiet.stdout == "" and "lost: The folder" in quiet.stderr and "wiki: The folder" in quiet.stderr
    wiki.close()
    (pages,) = freshkb.json("sources", "check", "wiki", code=1)
    assert pages["documents"] is None and "does not answer" in pages["detail"]


def test_an_unknown_source_is_named_with_the_nearest(freshkb: CommandLine) -> None:
    for command in (["check", "dogs"], ["sample", "dogs"]):
        said = freshkb("sources", *command, code=2)
        assert "no source 'dogs'; did you mean 'docs'?" in said.stderr and said.stdout == ""


def test_what_is_missing_and_where_credentials_come_from_is_said(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", Vault.opens_with)
    token = "${VAULT_TOKEN}"
    kb.settings["sources"] = [{"id": "v", "type": "vault", "server": "east", "token": token}]
    kb.config_text()
    Vault.wanting = [
        Need("credential", "agent", "socket /run/agent"),
        Need("program", "turner", "/bin/turner"),
    ]
    said = freshkb("sources", "check").stdout
    assert "credential   token: environment variable VAULT_TOKEN\n" in said
    assert "not given    pin\n" in said
    assert "credential   agent: socket /run/agent\n" in said
    assert "program      turner /bin/turner\n" in said
    assert "documents    none: is this the place" in said
    Vault.wanting = [Need("program", "turner", None, "Debian: apt install turner")]
    (found,) = freshkb.json("sources", "check", code=1)
    assert found["detail"] == "The program turner is missing: Debian: apt install turner."
    assert {"kind": "program", "name": "turner", "origin": None, "missing": True} in found["needs"]
    monkeypatch.delenv("VAULT_TOKEN")
    assert "needs the environment variable VAULT_TOKEN" in freshkb("sources", "check", code=2).stderr


def test_a_check_and_a_sample_go_on_beside_a_sync(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("a.md", "# A\n")
    freshkb("sync")
    ledger = kb.home / ".freshkb" / "ledger.db"
    with kb.workspace() as workspace, workspace.ledger.writer("docs", "freshkb sync"):
        before = ledger.read_bytes()
        freshkb("sources", "check")
        freshkb("sources", "sample", "docs")
        assert ledger.read_bytes() == before


def test_a_state_folder_that_may_not_be_written_is_no_hindrance(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("a.md", "# A\n")
    (kb.home / ".freshkb").write_text("in the way")
    freshkb("sources", "check")
    freshkb("sources", "sample", "docs")


def test_a_check_that_is_interrupted_ends_with_130_and_leaves_nothing(kb: Knowledge, tmp_path: Path) -> None:
    kb.write("a.md", "# A\n")
    kb.config()
    slow = (
        "import connectors.files, threading\n"
        "def slow(self, *_):\n"
        "    print('begun', file=sys.stderr, flush=True)\n"
        "    threading.Event().wait(60)\n"
        "connectors.files.FilesConnector.list = slow\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    running = forks.Popen(
        process("sources", "check", "-q", more=slow),
        cwd=kb.home,
        env=environment() | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with running:
        assert running.stderr is not None
        assert running.stderr.readline() == b"begun\n"
        assert list(scratch.iterdir()) != []
        running.send_signal(signal.SIGINT)
        assert running.stderr.read() == b"Interrupted.\n"
        assert running.wait(60) == 130
    assert list(scratch.iterdir()) == [] and state(kb) == set()


# ── sample ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sample_shows_documents_as_the_index_would_have_them(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("a.md", "---\nowner: user:anna\n---\n# Leave\n\nFour hours of leave.\n")
    kb.write("b.txt", "Plain text.")
    kb.write("tool.exe", "MZ")
    said = freshkb("sources", "sample", "docs").stdout
    assert "a.md: Leave\n   text/markdown, 55 bytes, 1 chunk\n   owner user:anna (front matter)\n" in said
    assert "   Leave Four hours of leave.\n" in said
    assert "2 documents of 3 read. Nothing was written.\n" in said
    assert "Not drawn: 1 of types that cannot be parsed: 1 .exe.\n" in said
    found = freshkb.json("sources", "sample", "docs", "-k", "1")
    assert set(found) == {"source", "complete", "documents", "skipped", "errors", "sample"}
    assert (found["documents"], found["skipped"], len(found["sample"])) == (3, 1, 1)
    assert state(kb) == set()


def test_a_sample_with_a_document_that_fails_ends_with_3_and_one_cut_short_with_1(
    freshkb: CommandLine, kb: Knowledge, wiki: Wiki
) -> None:
    kb.write("broken.pdf", "no PDF")
    said = freshkb("sources", "sample", "docs", code=3).stdout
    assert "broken.pdf\n   quarantined: " in said and "1 document of 1 read, 1 failed." in said
    wiki.put("a", "Text.", "text/plain")
    wiki.put("closed/b", "Text.", "text/plain")
    wiki.forbidden.add("a")
    found = freshkb.json("sources", "sample", "wiki", code=3)
    assert [(one["uri"], one["reason"]) for one in found["sample"]] == [
        ("a", "The page 'a' may not be read."),
        ("closed/b", ""),
    ]
    wiki.concealed.add("closed")
    assert "may not be listed" in freshkb("sources", "sample", "wiki", code=1).stderr
    wiki.close()
    away = freshkb("sources", "sample", "wiki", "--json", code=1)
    assert '"code": "source_unavailable"' in away.stderr and away.stdout == ""


# ── add ───────────────────────────────────────────────────────────────────────────────────────────────


def sources(kb: Knowledge) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((kb.home / "freshkb.yaml").read_text())["sources"]
    return found


def test_a_dialogue_asks_for_what_a_type_needs_and_asks_again_when_an_answer_is_wrong(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    (kb.home / "more").mkdir()
    (kb.home / "more" / "a.md").write_text("# A\n")
    answers = ["flies", "files", "docs", "Docs", "more", " ", "./more", "rot=x", "owner=user:bo", "", ""]
    said = freshkb("sources", "add", given="\n".join(answers) + "\n")
    assert "There is no type 'flies'; did you mean files?" in said.stderr
    assert "'docs' is the id of a source already." in said.stderr
    assert "id 'Docs' should begin with a lower-case letter" in said.stderr
    assert re.search(
        r"  files +A folder of the local file system, or of one that is mounted\.\n", said.stdout
    )
    assert "root: The folder, relative to the configuration" in said.stdout
    assert "  hidden: Whether files and folders" in said.stdout
    assert "- id: more\n  type: files\n  root: ./more\n" in said.stdout
    assert "ok  more (files)  1 document" in said.stdout
    assert "Next: freshkb sync --source more" in said.stdout
    assert "rot unknown key; did you mean root?" in said.stderr
    assert sources(kb)[1:] == [{"id": "more", "type": "files", "root": "./more", "owner": "user:bo"}]
    assert state(kb) == set()


def test_a_dialogue_asks_for_the_name_of_a_variable_and_never_for_a_secret(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("V_TOKEN", Vault.opens_with)
    # Type, id, server, the secret itself, the proposed name; shelf, pin and all others left out; and yes.
    answers = ["vault", "v", "east", Vault.opens_with, "", "", "", "", "y"]
    said = freshkb("sources", "add", given="\n".join(answers) + "\n")
    assert "Write the name of a variable" in said.stderr
    assert "environment variable that holds token [V_TOKEN]" in said.stdout
    assert "credential   token: environment variable V_TOKEN" in said.stdout
    assert sources(kb)[1] == {"id": "v", "type": "vault", "server": "east", "token": "${V_TOKEN}"}


def test_a_dialogue_asks_for_the_keys_of_a_block_and_says_what_is_wrong_with_the_whole(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    # Type, id, url, the columns of id, text and owner; half of a pair; the other half; yes.
    answers = ["table", "t", "east", "i", "t", "", "first=1", "", "last=2", "", "y"]
    said = freshkb("sources", "add", given="\n".join(answers) + "\n")
    assert said.stderr.count("first and last go together\n") == 1
    assert sources(kb)[1] == {
        "id": "t", "type": "table", "url": "east", "columns": {"id": "i", "text": "t"}, "first": "1",
        "last": "2",
    }  # fmt: skip


def test_a_dialogue_asks_for_pairs_where_only_a_library_knows_the_keys(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "a-key-of-2026")
    pairs = ["url=https://e.com", "ulr=x", "url=https://e.org", "api_key=a-key-of-2026", "ulr=", ""]
    answers = ["service", "s", *pairs, "api_key=${KEY}", "", "", "y"]
    said = freshkb("sources", "add", given="\n".join(answers) + "\n")
    assert said.stderr.count("settings lacks api_key\n") == 5
    assert "settings.api_key has a secret in it" in said.stderr
    assert "credential   settings.api_key: environment variable KEY\n" in said.stdout
    assert sources(kb)[1]["settings"] == {"url": "https://e.org", "api_key": "${KEY}"}


def test_a_source_that_does_not_work_is_added_only_when_that_is_confirmed(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    before = (kb.home / "freshkb.yaml").read_bytes()
    answers = ["files", "more", "./nowhere", "", "y"]
    refused = freshkb("sources", "add", given="\n".join([*answers[:4], ""]) + "\n", code=1)
    assert "does not exist" in refused.stderr and "is as it was" in refused.stdout
    options = ["--type", "files", "--id", "more", "--set", "root=./nowhere", "--yes"]
    assert "--untried" in freshkb("sources", "add", *options, code=1).stderr
    assert freshkb.json("sources", "add", *options, code=1)["added"] is False
    assert (kb.home / "freshkb.yaml").read_bytes() == before
    freshkb("sources", "add", given="\n".join(answers) + "\n")
    assert [source["id"] for source in sources(kb)] == ["docs", "more"]
    options[3] = "most"
    assert freshkb.json("sources", "add", *options, "--untried")["check"] is None
    assert [source["id"] for source in sources(kb)] == ["docs", "more", "most"]


def test_options_say_everything_and_json_stands_alone(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--type", "table", "--id", "t", "--set", "url=postgresql://kb:${PW}@h/db", "--set"]
    options += ["columns.id=i", "--set", "columns.text=t", "--set", "limits.max_size=5mb", "--yes"]
    monkeypatch.setenv("PW", "a-password-of-2026")
    found = freshkb.json("sources", "add", *options)
    assert (found["source"], found["added"], found["unset"]) == ("t", True, [])
    assert found["check"]["documents"] == 2
    assert {need["name"]: need["origin"] for need in found["check"]["needs"]} == {
        "url": "environment variable PW"
    }
    assert sources(kb)[1] == found["block"] == {
        "id": "t", "type": "table", "url": "postgresql://kb:${PW}@h/db",
        "columns": {"id": "i", "text": "t"}, "limits": {"max_size": "5mb"},
    }  # fmt: skip


def test_a_secret_among_the_options_is_refused_and_not_repeated(freshkb: CommandLine, kb: Knowledge) -> None:
    before = (kb.home / "freshkb.yaml").read_bytes()
    options = ["--type", "vault", "--id", "v", "--set", "server=east", "--set", "token=c4nary-of-2026"]
    for more in ([], ["--yes"], ["--json"], ["-v"]):
        refused = freshkb("sources", "add", *options, *more, code=2)
        assert "write ${V_TOKEN} in its place" in refused.stderr
        assert "c4nary" not in refused.output
    assert (kb.home / "freshkb.yaml").read_bytes() == before


def test_a_variable_that_is_not_set_is_named_and_the_source_not_tried(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    options = ["--type", "vault", "--id", "v", "--set", "server=east", "--set", "token=${V_TOKEN}", "--yes"]
    said = freshkb("sources", "add", *options)
    assert "Not tried, because V_TOKEN is not set. Set it" in said.stderr
    assert Vault.made == []
    assert sources(kb)[1]["token"] == "${V_TOKEN}"
    assert "needs the environment variable V_TOKEN" in freshkb("config", "check", code=2).stderr
    load(kb.home / "freshkb.yaml", {"V_TOKEN": "x"}, kb.home)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--id", "x", "--yes"], "Name the type of the source: --type azure|files|"),
        (["--type", "files", "--yes"], "Name the source: --id ID"),
        (["--type", "files", "--id", "x", "--yes"], "needs --set root=VALUE: The folder, relative"),
        (
            ["--type", "flies", "--id", "x"],
            "No connector of type 'flies' is installed; installed are: azure, files",
        ),
        (["--type", "files", "--id", "docs"], "'docs' is the id of a source already"),
        (["--type", "files", "--id", "x", "--set", "root"], "root has no value; write NAME=VALUE"),
        (["--type", "files", "--id", "x", "--set", "id=y"], "id is an option of its own: --id"),
        (["--type", "files", "--id", "x", "--set", "rot=y"], "rot unknown key; did you mean root?"),
        (["--type", "files", "--id", "x", "--set", "hidden=maybe"], "hidden 'maybe' should be true or false"),
        (["--type", "files", "--id", "X"], "should begin with a lower-case letter"),
    ],
)
def test_options_that_are_wrong_end_with_2_and_nothing_is_written(
    freshkb: CommandLine, kb: Knowledge, options: list[str], why: str
) -> None:
    before = (kb.home / "freshkb.yaml").read_bytes()
    refused = freshkb("sources", "add", *options, code=2)
    assert why in refused.stderr and refused.stdout == ""
    assert (kb.home / "freshkb.yaml").read_bytes() == before


def test_a_dialogue_that_breaks_off_writes_nothing(freshkb: CommandLine, kb: Knowledge) -> None:
    before = (kb.home / "freshkb.yaml").read_bytes()
    freshkb("sources", "add", given="files\nmore\n", code=1)
    assert (kb.home / "freshkb.yaml").read_bytes() == before
    freshkb("sources", "add", "--type", "files", "--id", "more", "--set", "root=docs", given="n\n")
    assert (kb.home / "freshkb.yaml").read_bytes() == before


def test_the_first_source_of_a_file_without_any_is_added(freshkb: CommandLine, kb: Knowledge) -> None:
    file = kb.home / "freshkb.yaml"
    file.write_text("# Ours.\nversion: 1\nembedding: {dtype: float32}\n")
    options = ["--type", "files", "--id", "docs", "--set", "root=docs", "--yes"]
    freshkb("sources", "add", *options)
    assert file.read_text() == (
        "# Ours.\nversion: 1\nembedding: {dtype: float32}\n\n"
        "sources:\n  - id: docs\n    type: files\n    root: docs\n"
    )
    kb.write("a.md", "# A\n")
    assert freshkb.json("sync")["sources"][0]["added"] == 1


def test_what_init_wrote_keeps_every_comment(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshkb("init", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path / "other")
    Path("more").mkdir()
    before = Path("freshkb.yaml").read_text().splitlines()
    freshkb("sources", "add", "--type", "files", "--id", "more", "--set", "root=more", "--yes")
    after = Path("freshkb.yaml").read_text().splitlines()
    new = ["  - id: more", "    type: files", "    root: more"]
    at = after.index(new[0])
    assert after[at : at + 3] == new and after[:at] + after[at + 3 :] == before
