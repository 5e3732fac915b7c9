"""The doctor names what is wrong, and goes on looking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from index.health.doctor import Check, examine
from index.records import RunRecord
from index.run import _born, alive
from index.workspace import require_collection
from tests.knowledge import Knowledge


@pytest.fixture(autouse=True)
def fast(kb: Knowledge) -> None:
    # Its precision is named, because finding the best one would load the model.
    kb.settings["embedding"] = {"dtype": "float32"}


def checks(kb: Knowledge) -> dict[str, Check]:
    found: dict[str, Check] = kb.ask(lambda m: {check.name: check for check in examine(m)})
    return found


def bad(kb: Knowledge) -> dict[str, str]:
    return {name: check.detail for name, check in checks(kb).items() if not check.ok}


def test_a_sound_base_passes_before_and_after_its_first_sync(kb: Knowledge) -> None:
    assert bad(kb) == {}
    assert "no index yet" in checks(kb)["store"].detail
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    assert bad(kb) == {}
    assert checks(kb)["store"].detail.endswith(", 1 points")
    assert ", computed by OpenVINO " in checks(kb)["model"].detail
    assert set(checks(kb)) == {
        *("privacy", "ledger", "log", "state folder", "runs", "store", "purge", "model"),
        *("source docs", "sentences", "tesseract", "soffice"),
        *(f"parser: {wall}" for wall in ("namespaces", "file system", "Landlock", "user")),
    }


def test_points_that_the_ledger_misses_are_named(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    lost = next(iter(kb.points()))
    with kb.workspace() as workspace, workspace.store.session(require_collection(workspace).name) as session:
        session.delete([lost])
    assert set(bad(kb)) == {"store"}
    assert "0 points; the ledger knows 1. See: freshkb verify" in bad(kb)["store"]


def test_a_lost_store_is_said_once_and_with_the_way_out(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    shutil.rmtree(kb.home / ".freshkb" / "index")
    assert set(bad(kb)) == {"store"}
    assert "freshkb verify --repair" in bad(kb)["store"]


def test_another_model_is_named_with_the_way_out(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    assert set(bad(kb)) == {"model"}
    assert "freshkb reindex" in bad(kb)["model"]
    kb.settings["embedding"] = {"model": "./nowhere"}
    assert set(bad(kb)) == {"model"}


def test_a_source_that_is_away_does_not_hide_the_others(kb: Knowledge) -> None:
    kb.docs.rename(kb.home / "away")
    (kb.home / "more").mkdir()
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
    assert set(bad(kb)) == {"source docs"}
    assert checks(kb)["source more"].ok


def test_a_broken_ledger_is_said_and_the_sources_are_looked_at_all_the_same(kb: Knowledge) -> None:
    (kb.home / ".freshkb").mkdir()
    (kb.home / ".freshkb" / "ledger.db").write_bytes(b"no database, but long enough for a header " * 20)
    assert "is damaged: file is not a database" in bad(kb)["ledger"]
    assert "freshkb verify --repair" in bad(kb)["ledger"]
    assert checks(kb)["source docs"].ok


def test_who_writes_and_what_was_killed_is_told(kb: Knowledge) -> None:
    script = (
        "import sys, os\nfrom pathlib import Path\nfrom datetime import UTC, datetime\n"
        "from index.ledger import Ledger\nledger = Ledger.open('sqlite', Path(sys.argv[1]))\n"
        "ledger.runs.start('sync', datetime(2026, 5, 1, tzinfo=UTC))\nos._exit(0)"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", script, str(kb.home / ".freshkb")], check=True, cwd=root)
    with kb.workspace() as workspace, workspace.ledger.writer("docs", "freshkb watch"):
        found = {check.name: check for check in examine(workspace)}
    assert found["lock"].ok
    assert f"docs: freshkb watch (pid {os.getpid()} on {os.uname().nodename}, since " in found["lock"].detail
    assert "Killed before they ended: sync" in found["runs"].detail
    assert found["runs"].ok


def test_a_run_elsewhere_counts_as_alive(kb: Knowledge) -> None:
    started = kb.clock()
    assert alive(RunRecord("r", "sync", started, host="elsewhere", pid=1), started + timedelta(hours=23))
    assert not alive(RunRecord("r", "sync", started, host="elsewhere", pid=1), started + timedelta(hours=25))


def test_a_later_process_of_the_same_number_is_not_the_run(kb: Knowledge) -> None:
    here = RunRecord("r", "sync", kb.clock(), host=os.uname().nodename, pid=os.getpid())
    assert alive(here, kb.clock())
    assert alive(replace(here, progress={"process": _born(os.getpid())}), kb.clock())
    assert not alive(replace(here, progress={"process": 1}), kb.clock())
