"""State, locks and reports are their owner's alone, unless a folder grants more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

import pytest

from index.audit.report import write
from index.disk.private import file_mode, private_file, private_folder, tighten
from index.health.doctor import examine
from index.ledger import Ledger
from index.ledger.database import Database
from index.store.edge.lock import FolderLock
from tests import forks
from tests.commands import environment, process
from tests.index.audit.test_report import run as judged
from tests.knowledge import Knowledge


def open_to_others(*folders: Path) -> list[str]:
    """Files and folders that others than the owner may read, write or enter."""
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return [f"{S_IMODE(path.stat().st_mode):o} {path}" for path in found if path.stat().st_mode & 0o077]


def freshkb(home: Path, *arguments: str, umask: int = 0o000) -> None:
    done = forks.run(
        process(*arguments), cwd=home, env=environment(), umask=umask, capture_output=True, timeout=250
    )
    assert done.returncode == 0, done.stderr.decode()


def test_whatever_the_umask_nobody_else_reads_what_the_commands_write(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nOf leave.\n")
    kb.config()
    freshkb(kb.home, "sync")
    freshkb(kb.home, "audit", "--fail-on", "never", "--out", "reports")
    assert (kb.home / ".freshkb" / "ledger.db").exists() and list(kb.home.glob(".freshkb/index/*/shard"))
    assert open_to_others(kb.home / ".freshkb", kb.home / "reports") == []
    assert os.access(kb.home / "reports" / "report.html", os.R_OK)


def test_a_library_makes_its_folders_and_its_ledger_private_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state = tmp_path / "not" / "yet" / "there"
        with Ledger.open("sqlite", state) as ledger, ledger.writer("docs", "freshkb sync"):
            lock = FolderLock(state / "index")
            lock.acquire(1)
            assert {p.name for p in state.rglob("*")} >= {"ledger.db", "ledger.db-wal", ".lock", "docs.json"}
            assert open_to_others(state) == []
            lock.release()
        write(judged(), state / "reports")
        assert open_to_others(state) == []
    finally:
        os.umask(before)


def test_a_folder_that_grants_more_is_how_to_share(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o2770)
    before = os.umask(0o007)
    try:
        with Ledger.open("sqlite", state) as ledger, ledger.writer("docs", "freshkb sync"):
            modes = {path.name: S_IMODE(path.stat().st_mode) for path in state.rglob("*")}
        (tmp_path / "public").mkdir()
        (tmp_path / "public").chmod(0o755)
        (report, *_) = write(judged(), tmp_path / "public")
    finally:
        os.umask(before)
    assert S_IMODE(state.stat().st_mode) == 0o2770
    assert modes["ledger.db"] == modes["ledger.db-wal"] == modes["docs.lock"] == 0o660
    assert modes["locks"] & 0o777 == 0o770
    assert S_IMODE(report.stat().st_mode) == 0o644


def test_a_folder_for_everyone_is_no_consent(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (report, *_) = write(judged(), tmp_path)
    assert S_IMODE(report.stat().st_mode) == 0o600
    assert file_mode(tmp_path) == 0o600


def test_the_state_of_an_earlier_version_is_closed_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with closing(Database("sqlite", state)) as database, database.writing() as connection:
        from index.ledger.migrations import upgrade

        upgrade(connection, "m001")
    (state / "reports").mkdir()
    (state / "reports" / "report.md").write_text("")

    def as_before() -> None:
        for path in (state, *state.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    as_before()
    Ledger.open("sqlite", state).close()
    assert open_to_others(state) == []
    as_before()
    Ledger.open("sqlite", state).close()
    assert S_IMODE(state.stat().st_mode) == 0o755, "by now somebody has chosen it"


def test_what_somebody_has_chosen_is_not_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o640)
    tighten(tmp_path)
    assert [S_IMODE(path.stat().st_mode) for path in (tmp_path, tmp_path / "file")] == [0o750, 0o640]
    tighten(tmp_path / "missing")


def test_the_doctor_says_to_whom_the_state_is_open(kb: Knowledge) -> None:
    kb.settings["embedding"] = {"dtype": "float32"}

    def privacy() -> tuple[bool, str]:
        found = kb.ask(lambda workspace: {check.name: check for check in examine(workspace)})["privacy"]
        return found.ok, found.detail

    assert privacy()[0]
    state = kb.home / ".freshkb"
    for mode, ok, words in (
        (0o755, False, f"open to every user: chmod -R o-rwx {state}"),
        (0o750, True, "open to its owner and group."),
        (0o700, True, "open to its owner alone."),
    ):
        state.chmod(mode)
        assert privacy() == (ok, f"{state} is {words}")


def test_a_lock_says_which_command_and_never_its_arguments(tmp_path: Path) -> None:
    script = (
        "import sys; sys.argv = ['/usr/bin/freshkb', 'search', 'K4narienv0gel', '--owner', 'user:anna']\n"
        "from pathlib import Path\nfrom index.store.edge.lock import FolderLock\n"
        f"FolderLock(Path({str(tmp_path)!r})).acquire(1)"
    )
    for changed, command in (
        ("", "freshkb search"),
        ("sys.argv[0] = '/x/freshkb/__main__.py'\n", "freshkb search"),
        ("sys.argv[:] = ['/x/app.py', 'K4narienv0gel']\n", "app.py"),
    ):
        first, _, rest = script.partition("\n")
        subprocess.run(
            [sys.executable, "-c", f"{first}\n{changed}{rest}"], env=environment(), check=True, timeout=250
        )
        holder = json.loads((tmp_path / ".lock").read_bytes())
        assert set(holder) == {"pid", "host", "command", "since"}
        assert holder["command"] == command
    assert S_IMODE((tmp_path / ".lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_and_files_are_made_private(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private_folder(tmp_path / "a" / "b")
        with open(tmp_path / "a" / "b" / "c", "w", opener=private_file) as file:
            file.write("x")
        private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert open_to_others(tmp_path / "a") == []
