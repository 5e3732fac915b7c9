"""A drop folder from the inbox to the index and to the archive, and out of both again."""

from __future__ import annotations

from typing import Any

import pytest

from index.errors import ConfigError
from index.model import State
from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from tests.commands import CommandLine
from tests.connectors.drop.folders import Folders
from tests.knowledge import Knowledge, counts


@pytest.fixture
def folders(kb: Knowledge) -> Folders:
    made = Folders(kb.home / "drop")
    kb.settings["sources"] = [
        {
            "id": "drop",
            "type": "files",
            "mode": "drop",
            "root": "./drop/inbox",
            "archive": "./drop/archive",
            "quarantine": "./drop/quarantine",
        }
    ]
    return made


def sync(kb: Knowledge) -> dict[str, int]:
    return counts(kb.sync(), "drop")


def test_documents_move_on_and_the_index_does_not_notice(kb: Knowledge, folders: Folders) -> None:
    folders.put("inbox", "hr/leave.md", b"# Leave\n\nParents take sixteen weeks.\n")
    assert sync(kb) == {"added": 1, "embedded": 1}
    assert folders.trees() == {
        "inbox": {},
        "quarantine": {},
        "archive": {"hr/leave.md": b"# Leave\n\nParents take sixteen weeks.\n"},
    }
    before = kb.documents()["hr/leave.md"]
    assert before.url == (folders.home / "archive/hr/leave.md").as_uri()
    assert sync(kb) == {"unchanged": 1, "embedded": 0}
    folders.put("inbox", "hr/leave.md", b"# Leave\n\nParents take twenty weeks.\n")
    assert sync(kb) == {"updated": 1, "embedded": 1}
    after = kb.documents()["hr/leave.md"]
    assert after.document_id == before.document_id and after.version == 2
    assert [uri for uri, _ in folders.former("archive")] == ["hr/leave.md"]
    with kb.workspace() as workspace:
        (hit,) = KnowledgeBase(workspace).search("weeks", k=5, mode="sparse")
        assert "twenty" in hit.text
        assert verify(workspace, deep=True).ok
    (folders.home / "archive/hr/leave.md").unlink()
    folders.put("inbox", "other.md", b"# Other\n")
    assert sync(kb) == {"added": 1, "deleted": 1, "embedded": 1}


def test_what_fails_goes_to_the_quarantine_and_is_told_as_ever(kb: Knowledge, folders: Folders) -> None:
    folders.put("inbox", "good.md", b"# Good\n")
    folders.put("inbox", "broken.docx", b"no document of Word's")
    folders.put("inbox", "song.mp3", b"la la")
    report = kb.sync()
    assert report.exit_code == 3
    assert folders.trees()["quarantine"].keys() == {"broken.docx", "song.mp3"}
    documents = kb.documents()
    assert documents["broken.docx"].state is State.QUARANTINED
    assert documents["song.mp3"].state is State.SKIPPED
    for name in ("broken.docx", "song.mp3"):
        assert documents[name].reason in (folders.home / f"quarantine/{name}.why.txt").read_text()
    # It stays so, and nothing is removed.
    assert counts(kb.sync(), "drop") == {"unchanged": 2, "quarantined": 1, "skipped": 1, "embedded": 0}
    # Put back as it was, it comes back with the same reason; mended, it is indexed.
    (folders.home / "quarantine/broken.docx").rename(folders.home / "inbox/broken.docx")
    kb.sync()
    assert folders.trees()["quarantine"].keys() == {"broken.docx", "song.mp3"}
    (folders.home / "quarantine/song.mp3").unlink()
    folders.put("inbox", "broken.docx", b"")
    folders.put("inbox", "broken.md", b"# Mended\n")
    (folders.home / "inbox/broken.docx").unlink()
    (folders.home / "quarantine/broken.docx").unlink()
    assert sync(kb) == {"added": 1, "deleted": 1, "unchanged": 1, "embedded": 1}
    assert {d.state for d in kb.documents().values()} == {State.INDEXED}


def test_a_version_that_fails_keeps_the_text_of_the_archived_one(kb: Knowledge, folders: Folders) -> None:
    folders.put("inbox", "a.json", b'{"pumps": "are cleaned on Fridays"}')
    sync(kb)
    folders.put("inbox", "a.json", b"{")
    kb.sync()
    assert kb.documents()["a.json"].state is State.QUARANTINED
    assert "Fridays" in kb.texts()["a.json"]
    assert folders.trees()["archive"].keys() == folders.trees()["quarantine"].keys() == {"a.json"}
    # Without the failing one the archived one is the document again.
    (folders.home / "quarantine/a.json").unlink()
    kb.sync()
    assert kb.documents()["a.json"].state is State.INDEXED
    assert "Fridays" in kb.texts()["a.json"]


def test_a_kill_between_the_commit_and_the_move_is_made_good_by_the_next_sync(
    kb: Knowledge, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As if the process had ended here."""

    def killed(*_: Any) -> None:
        raise Killed

    folders.put("inbox", "a.md", b"# A\n")
    with monkeypatch.context() as patched:
        patched.setattr("index.sync.sync.settle", killed)
        with pytest.raises(Killed):
            kb.sync()
    assert folders.trees()["inbox"].keys() == {"a.md"}
    before = kb.documents()["a.md"].document_id
    assert sync(kb) == {"unchanged": 1, "embedded": 0}
    assert folders.trees()["archive"].keys() == {"a.md"}
    assert kb.documents()["a.md"].document_id == before


def test_a_file_that_cannot_be_moved_is_told_by_the_run(
    kb: Knowledge, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.put("inbox", "a.md", b"# A\n")
    folders.put("archive", "a.md/x.md", b"# X\n")
    found = CommandLine(kb, monkeypatch)("sync")
    assert "'a.md' could not be moved from" in found.output
    assert kb.texts().keys() == {"a.md", "a.md/x.md"}


def test_an_archive_that_is_not_mounted_removes_and_moves_nothing(kb: Knowledge, folders: Folders) -> None:
    for name in "abc":
        folders.put("inbox", f"{name}.md", b"# A\n")
    sync(kb)
    (folders.home / "archive").rename(folders.home / "elsewhere")
    folders.put("inbox", "d.md", b"# D\n")
    assert kb.sync().exit_code == 1
    (folders.home / "archive").mkdir()
    assert "another place" in (kb.sync().sources[0].error or "")
    assert folders.trees()["inbox"].keys() == {"d.md"} and folders.trees()["archive"] == {}
    assert len(kb.documents()) == 3


def test_a_wrong_place_is_an_error_of_the_configuration(kb: Knowledge, folders: Folders) -> None:
    kb.source["archive"] = "./drop/inbox/done"
    with pytest.raises(ConfigError, match="has its archive in its root"):
        kb.config()


def test_what_an_order_to_erase_keeps_out_is_put_nowhere_else(
    kb: Knowledge, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither bytes that were erased, under another name, nor a note that would name them."""
    run = CommandLine(kb, monkeypatch)
    text = b"# Zoe\n\nThe kookaburra laughed at noon.\n"
    folders.put("inbox", "zoe.md", text)
    folders.put("inbox", "stays.md", b"# Stays\n")
    run("sync")
    run("erase", "zoe.md", "--by", "Anna", "--reason", "Art. 17", "--yes")
    (folders.home / "archive/zoe.md").unlink()
    folders.put("inbox", "copy.md", text)
    folders.put("inbox", "zoe.md", b"# Zoe\n\nShe is back.\n")
    run("sync")
    trees = folders.trees()
    assert trees["inbox"].keys() == {"copy.md", "zoe.md"}
    assert trees["archive"].keys() == {"stays.md"} and trees["quarantine"] == {}
    assert kb.documents().keys() == {"stays.md"}


def test_a_document_whose_retention_has_ended_moves_on_too(kb: Knowledge, folders: Folders) -> None:
    kb.settings["retention"] = [{"source": "drop", "after": "30d", "field": "reviewed"}]
    folders.put("inbox", "old.md", b"---\nreviewed: 2020-01-01\n---\n# Old\n")
    folders.put("inbox", "new.md", b"# New\n")
    kb.sync()
    kb.sync()
    assert folders.trees()["archive"].keys() == {"old.md", "new.md"}
    assert kb.texts().keys() == {"new.md"}
