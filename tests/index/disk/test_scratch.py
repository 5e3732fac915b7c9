"""The private folder for documents' bytes: there while its process lives, and cleared away afterwards."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from index.disk import scratch
from index.disk.flock import Lock
from index.disk.scratch import PREFIX, Scratch, clear
from index.errors import ScratchError
from tests import forks
from tests.commands import environment
from tests.knowledge import Knowledge

LEFT = """
import os, sys
from pathlib import Path
from index.disk.scratch import Scratch
made = Scratch(Path(sys.argv[1]))
(made.folder / "private.md").write_text("something private")
os.kill(os.getpid(), 9)
"""


def test_the_folder_of_a_process_that_was_killed_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    living = Scratch(tmp_path / "scratch")
    (living.folder / "a.md").write_text("text")
    forks.run([sys.executable, "-c", LEFT, str(tmp_path / "scratch")], env=environment())
    assert len(list((tmp_path / "scratch").glob("*/private.md"))) == 1
    clear(tmp_path / "scratch")
    assert list((tmp_path / "scratch").rglob("*")) == [living.folder, living.folder / "a.md"]
    living.close()
    living.close()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_others_put_at_such_a_name_is_passed_over_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"{PREFIX}pipe")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / f"{PREFIX}dead").mkdir()
    before = sorted(tmp_path.iterdir())
    clearing = threading.Thread(target=clear, args=(tmp_path, PREFIX), daemon=True)
    clearing.start()
    clearing.join(10)
    assert not clearing.is_alive()
    before.remove(tmp_path / f"{PREFIX}dead")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_taken_for_a_dead_ones_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scratch._lock
    seen: list[Path] = []

    def interrupted(folder: Path) -> Lock | None:
        if not seen:
            seen.append(folder)
            clear(folder.parent)
        return real(folder)

    monkeypatch.setattr(scratch, "_lock", interrupted)
    made = Scratch(tmp_path / "scratch")
    assert not seen[0].exists()
    assert made.folder.is_dir()
    made.close()


def test_only_this_user_can_read_it_and_a_state_folder_that_is_none_is_named(tmp_path: Path) -> None:
    made = Scratch(tmp_path / "state" / "scratch")
    assert made.folder.stat().st_mode & 0o777 == 0o700
    made.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(ScratchError, match=r"cannot be written in .*file/scratch"):
        Scratch(tmp_path / "file" / "scratch")


def test_the_next_sync_clears_it_also_when_there_is_nothing_else_to_do(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    folder = kb.config().state_dir / "scratch"
    forks.run([sys.executable, "-c", LEFT, str(folder)], env=environment())
    assert len(list(folder.iterdir())) == 1
    kb.sync()
    assert list(folder.iterdir()) == []
