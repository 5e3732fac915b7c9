"""A missing ledger is not made anew while an index that belongs to it exists, whatever keeps the two; and
knowledge bases on one server leave each other alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.errors import LedgerDamaged, StoreMismatch
from index.parse import Parser
from index.run import Run
from index.sync.sync import sync
from index.verify.mend import mend_ledger
from tests.knowledge import Knowledge, counts
from tests.traces.server import Served

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")


@pytest.fixture
def served(tmp_path: Path, parser: Parser) -> Served:
    """A knowledge base on a Qdrant server, with one document."""
    found = Served(tmp_path / "served", parser)
    found.write("page.md", "# Page\n\nWords.\n")
    return found


def refused(kb: Knowledge, *words: str) -> None:
    """No command opens the knowledge base, and a repair does not make a ledger either."""
    with kb.workspace() as workspace:
        before = workspace.store.collections()
        for command in (lambda: sync(Run(workspace, "sync")), lambda: mend_ledger(workspace)):
            with pytest.raises(LedgerDamaged) as caught:
                command()
            for word in ("Nothing was changed", "freshkb sync", *words):
                assert word.lower() in str(caught.value).lower()
        assert workspace.store.collections() == before


def test_an_empty_database_beside_an_embedded_index_is_no_new_knowledge_base(
    kb: Knowledge, postgresql_url: str
) -> None:
    kb.write("page.md", "# Page\n\nWords.\n")
    kb.sync()
    kb.settings["ledger"] = postgresql_url
    index = kb.home / ".freshkb" / "index"
    refused(kb, "has no tables", "Set ledger to", f"move {index} aside")
    del kb.settings["ledger"]
    assert counts(kb.sync()) == {"unchanged": 1, "embedded": 0}
    # What the message says for a ledger that is lost.
    kb.settings["ledger"] = postgresql_url
    index.rename(kb.home / "aside")
    assert counts(kb.sync()) == {"added": 1, "embedded": 1}


def test_a_state_folder_that_is_lost_beside_a_server_is_no_new_knowledge_base(served: Served) -> None:
    served.sync()
    with served.workspace() as workspace:
        (name,) = workspace.store.collections()
    state = served.home / ".freshkb"
    state.rename(served.home / "moved")
    refused(served, "is missing", name, "http://memory", "index.collection", "Set state_dir to", "drop that")
    assert not (state / "ledger.db").exists()
    # Collections of others on the server hinder no new knowledge base.
    for name in ("k", "kb-legal", "b"):
        served.settings["index"]["collection"] = name
        assert counts(served.sync()) == {"added": 1, "embedded": 1}
        shutil.rmtree(state)
    del served.settings["index"]["collection"]
    (served.home / "moved").rename(state)
    assert counts(served.sync()) == {"unchanged": 1, "embedded": 0}


def test_an_empty_database_beside_a_server_is_no_new_knowledge_base(
    served: Served, postgresql_url: str
) -> None:
    served.sync()
    served.settings["ledger"] = postgresql_url
    refused(served, "has no tables", "Set ledger to", "drop that collection")
    served.clear()
    assert counts(served.sync()) == {"added": 1, "embedded": 1}


def test_a_collection_from_before_index_collection_was_changed_is_known_by_its_alias(served: Served) -> None:
    served.sync()
    served.settings["index"]["collection"] = "staff"
    served.sync()
    shutil.rmtree(served.home / ".freshkb")
    refused(served, "kb-", "drop that collection")


def test_a_name_of_another_knowledge_base_is_not_taken_from_its_readers(
    served: Served, tmp_path: Path, parser: Parser
) -> None:
    second = Served(tmp_path / "second", parser)
    second._client = served._client
    second.write("other.md", "# Other\n\nOther words.\n")
    # Their ledgers are made before there is any index.
    for kb in (served, second):
        kb.ask(lambda workspace: workspace.ledger.instance_id)
    served.sync()
    with served.workspace() as workspace:
        before = workspace.store.published("kb")
        assert workspace.store.collections() == [before]
    with pytest.raises(StoreMismatch, match="Give it a name of its own"):
        second.sync()
    with served.workspace() as workspace:
        assert (workspace.store.published("kb"), workspace.store.collections()) == (before, [before])
    second.settings["index"]["collection"] = "staff"
    assert counts(second.sync()) == {"added": 1, "embedded": 1}
    # As if both had had the name from the beginning.
    second.settings["index"]["collection"] = "kb"
    with pytest.raises(StoreMismatch, match="Give it a name of its own"):
        second.sync()
    assert served.ask(lambda workspace: workspace.store.published("kb")) == before
    assert counts(served.sync()) == {"unchanged": 1, "embedded": 0}
