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
from tests import forks
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


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user gets to. pytest closes its own, also when another of its processes starts."""
    with tempfile.TemporaryDirectory(prefix="freshkb-walls-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


#: {modes: the report of `tests.walled`}
Reports = dict[str, dict[str, Any]]


def attack(folder: Path, *modes: str, user: int | None = None) -> Reports:
    """The reports of `tests.walled`, run by this user or by another one that may read Python. Modes share a
    process, whose imports take longer than an attack."""
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
    run: Any = subprocess.run if user is not None else forks.run
    done = run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    reports: Reports = json.loads(done.stdout)
    assert list(reports) == list(modes)
    for told in reports.values():
        assert set(told["done"]) | told["said"].keys() == set(ATTEMPTS)
    return reports


@pytest.fixture(scope="module")
def attacked(place: Path) -> Reports:
    """By whoever runs the tests."""
    return attack(place / "own", "", "no landlock")


@pytest.fixture(scope="module")
def by_nobody(place: Path) -> Reports:
    modes = ("", "no landlock", *(["no namespaces"] if _landlock() >= 6 else []))
    return attack(place / "nobody", *modes, user=NOBODY)


@pytest.fixture(scope="module")
def by_root(place: Path) -> Reports:
    """Without namespaces, on a machine whose Python every user may read."""
    modes = ["no namespaces", "no namespaces,closed"] if _landlock() >= 6 else []
    return attack(place / "root", *modes, "no namespaces,no landlock", user=0)


def _landlock() -> int:
    try:
        return landlock.version()
    except OSError:
        return 0


needs_landlock = pytest.mark.skipif(_landlock() < 6, reason="this kernel's Landlock is older than version 6")


@pytest.mark.parametrize("mode", ["", "no landlock"])
def test_a_document_that_took_its_parser_over_gets_nowhere(attacked: Reports, mode: str) -> None:
    told = attacked[mode]
    if told["walls"]["namespaces"] is None:
        pytest.skip("this machine gives no namespaces")
    assert told["done"] == []
    if os.geteuid() == 0:
        assert told["user"] >= FIRST_USER and told["groups"] == []


@as_root
@pytest.mark.parametrize("mode", ["", "no landlock"])
def test_nor_does_it_when_an_ordinary_user_syncs(by_nobody: Reports, mode: str) -> None:
    told = by_nobody[mode]
    assert told["walls"]["file system"]
    assert (told["user"], told["done"]) == (NOBODY, [])


@as_root
@needs_landlock
def test_without_namespaces_landlock_and_another_user_are_left(by_root: Reports) -> None:
    told = by_root["no namespaces"]
    assert set(told["done"]) <= BY_LANDLOCK_ALONE
    assert told["user"] >= FIRST_USER
    assert told["walls"]["namespaces"] is None and told["walls"]["file system"] is None


@as_root
@needs_landlock
def test_without_namespaces_landlock_is_left_to_an_ordinary_user(by_nobody: Reports) -> None:
    told = by_nobody["no namespaces"]
    assert set(told["done"]) <= BY_LANDLOCK_ALONE | METADATA


@as_root
@needs_landlock
def test_root_stays_root_where_no_other_user_gets_to_its_documents_folder(by_root: Reports) -> None:
    """Without namespaces, and in a temporary folder that is closed to others."""
    told = by_root["no namespaces,closed"]
    assert told["walls"]["user"] is None and told["user"] == 0
    assert set(told["done"]) <= BY_LANDLOCK_ALONE | METADATA


@as_root
def test_another_user_alone_keeps_it_from_what_is_not_open_to_all(by_root: Reports) -> None:
    told = by_root["no namespaces,no landlock"]
    assert told["user"] >= FIRST_USER
    refused = {"write", "remove", "replace", "open", "date", "trace", "signal", "be", "mount", "give", "have"}
    done = [attempt for attempt in told["done"] if attempt.split()[0] in refused]
    assert done == ["write /tmp"]
    assert "read the parent's environment" in told["said"]
