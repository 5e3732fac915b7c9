"""A document that has taken its parser over gets nowhere: a real sync, by root and by an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.parse.walls import landlock
from index.parse.walls.privileges import FIRST_USER
from tests.walled import ATTEMPTS

ROOT = Path(__file__).parents[3]
NOBODY = 65534

#: Attempts that Landlock (version 7) does not govern: files' metadata, other protocols, sockets with a path.
#: Another user's permissions keep the first from it.
METADATA = {"open a file outside to all", "date a file outside", "open the ledger to all"}
BY_LANDLOCK_ALONE = {"send by UDP", "connect to a socket's path"}

#: Lets other users get to the Python that runs the tests, which may lie in a closed home, in a mount
#: namespace that ends with the command. Then runs the command, as that user.
AS_USER = """
set -e
python=$1 closed=$2 user=$3 spare=$4
shift 4
if [ "$closed" ]; then
    mount --bind "$python" "$spare"
    mount -t tmpfs -o mode=755 tmpfs "$closed"
    mkdir -p "$python"
    mount --bind "$spare" "$python"
fi
exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has these walls")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user gets to. pytest closes its own, also when another of its processes starts."""
    with tempfile.TemporaryDirectory(prefix="freshkb-walls-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def attack(folder: Path, *modes: str, user: int | None = None) -> dict[str, Any]:
    """The report of `tests.walled`, run by this user or by another one that may read Python."""
    command = [sys.executable, "-m", "tests.walled", str(folder), *modes]
    if user is not None:
        home = folder.parent / f"{folder.name}-spare"
        home.mkdir()
        python = Path(sys.base_prefix)
        closed = [str(path) for path in reversed(python.parents) if not path.stat().st_mode & 1]
        prepared = [str(python), *(closed[:1] or [""]), str(user), str(home)]
        command = ["unshare", "--mount", "sh", "-c", AS_USER, "sh", *prepared, *command]
    folder.mkdir()
    folder.chmod(0o755)
    if user:
        os.chown(folder, user, user)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "SECRET": "of the parent"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert set(told["done"]) | told["said"].keys() == set(ATTEMPTS)
    return told


def _landlock() -> int:
    try:
        return landlock.version()
    except OSError:
        return 0


needs_landlock = pytest.mark.skipif(_landlock() < 6, reason="this kernel's Landlock is older than version 6")


@pytest.mark.parametrize("mode", ["", "no landlock"])
def test_a_document_that_took_its_parser_over_gets_nowhere(place: Path, mode: str) -> None:
    told = attack(place / "a", mode)
    if told["walls"]["namespaces"] is None:
        pytest.skip("this machine gives no namespaces")
    assert told["done"] == []
    if os.geteuid() == 0:
        assert told["user"] >= FIRST_USER and told["groups"] == []


@as_root
@pytest.mark.parametrize("mode", ["", "no landlock"])
def test_nor_does_it_when_an_ordinary_user_syncs(place: Path, mode: str) -> None:
    told = attack(place / "a", mode, user=NOBODY)
    assert told["walls"]["file system"]
    assert (told["user"], told["done"]) == (NOBODY, [])


@as_root
@needs_landlock
def test_without_namespaces_landlock_and_another_user_are_left(place: Path) -> None:
    told = attack(place / "a", "no namespaces", user=0)
    assert set(told["done"]) <= BY_LANDLOCK_ALONE
    assert told["user"] >= FIRST_USER
    assert told["walls"]["namespaces"] is None and told["walls"]["file system"] is None


@as_root
@needs_landlock
def test_without_namespaces_landlock_is_left_to_an_ordinary_user(place: Path) -> None:
    told = attack(place / "a", "no namespaces", user=NOBODY)
    assert set(told["done"]) <= BY_LANDLOCK_ALONE | METADATA


@as_root
@needs_landlock
def test_root_stays_root_where_no_other_user_gets_to_its_documents_folder(place: Path) -> None:
    """Without namespaces, and in a temporary folder that is closed to others."""
    told = attack(place / "a", "no namespaces", "closed", user=0)
    assert told["walls"]["user"] is None and told["user"] == 0
    assert set(told["done"]) <= BY_LANDLOCK_ALONE | METADATA


@as_root
def test_another_user_alone_keeps_it_from_what_is_not_open_to_all(place: Path) -> None:
    told = attack(place / "a", "no namespaces", "no landlock", user=0)
    assert told["user"] >= FIRST_USER
    refused = {"write", "remove", "replace", "open", "date", "trace", "signal", "be", "mount", "give", "have"}
    done = [attempt for attempt in told["done"] if attempt.split()[0] in refused]
    assert done == ["write /tmp"]
    assert "read the parent's environment" in told["said"]
