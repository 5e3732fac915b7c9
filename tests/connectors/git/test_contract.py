"""The contract suite, for a repository on this machine and for one on a server."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.git.connector import GitConnector
from tests.connectors.git.conftest import Connect
from tests.connectors.git.origin import Origin, git
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver


class GitDriver:
    """Between two changes a server is asked once for its head, as it is in a sync: else a test would mostly
    wait for it."""

    def __init__(self, origin: Origin, connector: GitConnector) -> None:
        self.origin, self.connector = origin, connector
        connector.patience = replace(connector.patience, trust=3600)

    def commit(self, *arguments: object, **keywords: object) -> None:
        self.origin.commit(*arguments, **keywords)
        self.connector.close()

    def put(self, uri: str, data: bytes) -> None:
        self.commit({uri: data})

    def remove(self, uri: str) -> None:
        self.commit(remove=[uri])

    def rename(self, old: str, new: str) -> None:
        self.commit(rename=[(old, new)])

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        return False

    def own(self, text: str) -> bool:
        self.commit({".github/CODEOWNERS": text.encode()})
        return True

    def forbid(self, uri: str) -> None:
        """The repository loses these bytes."""
        blob = git(self.origin.path, "rev-parse", f"{self.origin.branch}:{uri}")
        (self.origin.path / "objects" / blob[:2] / blob[2:]).unlink()

    def disturb(self, uri: str) -> None:
        raise NotImplementedError

    def conceal(self, folder: str) -> None:
        """The repository loses the tree of this folder."""
        self.forbid(folder)

    def take_away(self) -> None:
        shutil.rmtree(self.origin.path)
        self.connector.close()


class GitContract(ConnectorContract):
    def test_a_part_that_cannot_be_listed_makes_the_listing_incomplete_and_the_rest_is_listed(
        self, driver: Driver
    ) -> None:
        """A commit is listed whole, or not at all."""
        for uri in ("a.md", "secret/b.md", "z.md"):
            driver.put(uri, b"x")
        driver.conceal("secret")
        with pytest.raises(SourceUnavailable, match=r"\.$"):
            driver.connector.list()

    def test_a_document_that_never_holds_still_is_given_up(self, driver: Driver, tmp_path: Path) -> None:
        """A commit never changes."""

    def test_what_is_said_of_a_document_may_change_while_its_version_stays(self, driver: Driver) -> None:
        assert isinstance(driver, GitDriver)
        driver.put("a.md", b"x")
        before = driver.connector.stat("a.md")
        assert before is not None and before.properties == {"author": "Anna"}
        driver.origin.add({"a.md": b"y"}, author="Bo")
        driver.commit({"a.md": b"x"}, author="Eve")
        after = driver.connector.stat("a.md")
        assert after is not None and after.properties == {"author": "Eve"}
        assert (after.token, after.native_id) == (before.token, before.native_id)
        assert list(driver.connector.list()) == [after]
        assert driver.connector.fetch("a.md", None).entry == after._replace(size=1)


#: Parts of the names of tests that ask a server for something else than a commit: for bytes, for what it has
#: lost, or when it is away. All else is read of the clone, as of a local repository.
OF_SERVERS = (
    "everything_once", "cannot_be_listed", "cannot_be_asked", "the_identity_of_a_source", "fetch_writes",
    "its_codeowners", "may_be_another", "is_gone_everywhere", "may_not_be_read", "above_the_limit",
    "a_rename_keeps", "a_link_of_its_own", "source_as_a_whole_has_a_link",
)  # fmt: skip
#: What is no uri in three ways: it leads out, it is nothing, and no argument of a process can have it.
CASES = ("[..]", "[]", "[nowhere]", "[a.md]", "[\\x00]", "[a\\x00]")


def test_the_short_form_names_tests_that_there_are() -> None:
    tests = [name for name in dir(GitContract) if name.startswith("test_")]
    assert [words for words in OF_SERVERS if not any(words in test for test in tests)] == []


class TestLocal(GitContract):
    @pytest.fixture
    def driver(self, origin: Origin, connect: Connect, request: pytest.FixtureRequest, soak: bool) -> Driver:
        if "[" in request.node.name and not request.node.name.endswith(CASES) and not soak:
            pytest.skip("Only with --soak.")
        return GitDriver(origin, connect(origin.path, max_size=MAX_SIZE))


class TestHttp(GitContract):
    @pytest.fixture
    def driver(
        self, origin: Origin, url: str, connect: Connect, request: pytest.FixtureRequest, soak: bool
    ) -> Driver:
        if not soak and not any(words in request.node.name for words in OF_SERVERS):
            pytest.skip("Only with --soak. It is read of the clone, as of a local repository.")
        return GitDriver(origin, connect(url, max_size=MAX_SIZE))
