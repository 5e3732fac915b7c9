"""Fixtures that many tests share."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from index.parse import Parser
from tests import examined, forked_scan, forks
from tests.browser import Browser, started
from tests.knowledge import Knowledge
from tests.memory import roomy_memory
from tests.ready import make_ready


def pytest_configure(config: pytest.Config) -> None:
    # Less often than in a process that is to stay small: what tests import and collect is no garbage.
    gc.set_threshold(50_000, 20, 20)
    # Enough for each kind of value that a property distinguishes.
    examples = 500 if config.getoption("--soak") else 50
    settings.register_profile("short", settings(), max_examples=examples)
    settings.load_profile("short")
    if (memory := roomy_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # One conversion of the real model serves all tests, workers and processes that these start.
        place = os.environ.get("PYTEST_DEBUG_TEMPROOT")
        os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(dir=place, prefix="freshkb-test-cache-")
    make_ready(Path(os.environ["XDG_CACHE_HOME"]))
    fork_what_is_examined_apart()


def fork_what_is_examined_apart() -> None:
    """Collections and files are examined in processes of their own: these start at once."""
    for module in ("index.store.edge.apart", "index.purge.apart"):
        vars(import_module(module))["subprocess"] = forks


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)


#: Files that take longest, those first that mostly wait: so that with several workers none is left with one
#: of them when the others have come to their end.
LONGEST = (
    "test_schedules", "test_prefect_server", "test_prefect", "test_erase_beside", "test_history",
    "test_words", "test_kill", "test_secrets", "test_convert", "test_fault", "test_verify", "test_examples",
    "test_outages", "test_hostile", "test_watch", "test_readers", "test_random", "test_traces",
    "test_benchmarks", "test_mend", "test_reading", "test_status", "test_writers", "test_erase_canaries",
    "test_erase_fault", "test_found", "test_readme", "test_compose", "test_private_api",
    "test_hostile_programs", "test_compare",
)  # fmt: skip


#: The time limit of each test in its long form.
SOAK_SECONDS = 7200

#: Files that one worker takes, because a Prefect server takes longer to make than most of their tests.
SERVED = ("test_schedules", "test_prefect_server", "test_prefect", "test_erase_flow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, files are given to workers whole, and some of them together. In the long form,
    the files of promises take hours: workers share their cases."""
    if config.getvalue("dist") != "loadfile":
        return None
    scheduling: Any = import_module("xdist.scheduler").LoadFileScheduling(config, log)
    by_file: Callable[[str], str] = scheduling._split_scope
    soak = config.getoption("--soak")

    def split(nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        if file.stem in SERVED:
            return "served"
        if not soak and file.parent.name == "objects":
            # So that their emulators are started once.
            return "objects"
        return nodeid if soak and file.parent.name == "promises" else by_file(nodeid)

    scheduling._split_scope = split
    return scheduling


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
    if config.getoption("--soak"):
        for item in items:
            # Before that of its file, which is for the short form.
            item.add_marker(pytest.mark.timeout(SOAK_SECONDS), append=False)


def pytest_collection_finish() -> None:
    """Imported modules live as long as the process: its garbage collector need not look at them each time."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long forms of the tests of promises")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether to run the long form of a test."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser(timeout_seconds=60) as shared:
        yield shared


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser for the tests of a module; they are skipped where there is none."""
    with started() as session:
        yield session


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real model is converted: the first process that needs it would take a minute longer than others."""
    from index.embed import conversion
    from index.embed.identity import DEFAULT, identify

    with suppress(conversion.Unavailable):
        conversion.ensure(identify(DEFAULT, tmp_path_factory.mktemp("hashes")))


@pytest.fixture
def examined_here() -> Iterator[None]:
    """Verify starts no process to examine collections."""
    with examined.examined_here():
        yield


@pytest.fixture
def scanned_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are scanned by a fork of this process."""
    monkeypatch.setattr("index.purge.apart.scanner", forked_scan.scanner)


@pytest.fixture
def kb(tmp_path: Path, parser: Parser) -> Knowledge:
    return Knowledge(tmp_path / "kb", parser)
