"""A check counts what a source lists, says what it tells, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.base import Entry, Listing, Need, SourceUnavailable, Unlisted
from index.config import load
from index.redact import covered
from index.sources.check import Checked, check
from tests.knowledge import Knowledge
from tests.vault import Vault, installed


@pytest.fixture(autouse=True)
def vault(kb: Knowledge) -> Iterator[None]:
    with installed():
        kb.settings["sources"] = [
            {"id": "v", "type": "vault", "server": "east", "token": "${VAULT_TOKEN}"},
        ]
        Vault.documents = {
            "a.md": (b"# A\n", {"title": "A", "owner": "user:anna", "url": "https://v.example.org/a"}),
            "b.md": (b"# B\n", {"title": "", "owners": "", "url": "no address"}),
            "c.exe": (b"MZ", None),
        }
        yield


def checked(kb: Knowledge, monkeypatch: pytest.MonkeyPatch, token: str = "open-sesame-2026") -> Checked:
    monkeypatch.setenv("VAULT_TOKEN", token)
    kb.config_text()
    return check(load(kb.home / "freshkb.yaml", {"VAULT_TOKEN": token}, kb.home), "v")


def test_what_is_listed_is_counted_by_what_is_told_of_it(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checked(kb, monkeypatch)
    assert (found.ok, found.detail, found.problems) == (True, "vault east", [])
    assert found.tally is not None
    assert (found.tally.documents, dict(found.tally.skipped)) == (3, {".exe": 1})
    assert dict(found.tally.told) == {"renames": 3, "dates": 3, "owners": 1, "titles": 1, "links": 1}
    assert found.detects == ["deletions", "renames", "owners", "dates", "titles", "links"]
    assert not (kb.home / ".freshkb").exists()


def test_what_a_connector_says_it_detects_counts_without_any_document(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.documents = {}
    found = checked(kb, monkeypatch)
    assert found.ok and found.detects == ["deletions", "titles"]
    assert found.json()["documents"] == 0


def test_what_is_known_once_the_server_has_answered_counts(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.documents = {}
    really = Vault.probe

    def probe(self: Vault) -> str:
        vars(self)["capabilities"] = replace(self.capabilities, detects=frozenset({"links"}))
        return really(self)

    monkeypatch.setattr(Vault, "probe", probe)
    assert checked(kb, monkeypatch).detects == ["deletions", "links"]


def test_links_of_the_connector_count(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vault, "url", lambda self, uri: f"https://v.example.org/{uri}")
    found = checked(kb, monkeypatch)
    assert found.tally is not None and found.tally.told["links"] == 3


def test_owners_of_a_codeowners_file_count(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    Vault.owners = "*.md @docs\n"
    found = checked(kb, monkeypatch)
    assert found.tally is not None and found.tally.told["owners"] == 2


def test_a_document_without_token_and_one_above_the_limit_are_counted(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.source["limits"] = {"max_size": "3b"}
    entries = [
        Entry("a.md", None, 3, None, None),
        Entry("b.md", "1", 4, None, None),
        Entry("c.md", "1", None, None, None),
    ]
    left = Unlisted("deep", "too-deep", "It is too deep.")
    monkeypatch.setattr(Vault, "list", lambda self: Listing(iter(entries), [], [left]))
    found = checked(kb, monkeypatch)
    assert found.ok and found.unlisted == [left]
    assert found.tally is not None
    assert (found.tally.tokenless, found.tally.too_large) == (1, 1)


def test_a_listing_that_was_cut_short_is_no_success(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    Vault.breaks = "Page 2 answered 500 with token=open-sesame-2026."
    found = checked(kb, monkeypatch)
    assert not found.ok and found.json()["documents"] == 3
    assert found.detail == "Page 2 answered 500 with token=***."


def test_a_listing_that_raises_half_way_counts_what_it_had_and_one_that_never_began_nothing(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Iterator[Entry]:
        yield Entry("a.md", "1", 3, None, None)
        raise SourceUnavailable("The token was revoked.")

    monkeypatch.setattr(Vault, "list", lambda self: Listing(broken(), ["A folder may not be read."]))
    found = checked(kb, monkeypatch)
    assert found.problems == ["A folder may not be read.", "The token was revoked."]
    assert found.json()["documents"] == 1

    def never(self: Vault) -> Listing:
        raise SourceUnavailable("It may not be listed.")

    monkeypatch.setattr(Vault, "list", never)
    found = checked(kb, monkeypatch)
    assert (found.json()["documents"], found.detail) == (None, "It may not be listed.")


def test_many_problems_are_not_all_repeated(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [f"Folder {number}." for number in range(1_200)]
    monkeypatch.setattr(Vault, "list", lambda self: Listing(iter(()), errors))
    found = checked(kb, monkeypatch)
    assert found.detail == "Folder 0. Folder 1. Folder 2. Folder 3. Folder 4. And 1,195 more."
    assert len(found.json()["errors"]) == 1_200


def test_a_listing_out_of_order_is_no_success(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [Entry(uri, "1", 3, None, None) for uri in ("b.md", "a.md", "c.md")]
    monkeypatch.setattr(Vault, "list", lambda self: Listing(iter(twice)))
    found = checked(kb, monkeypatch)
    assert found.detail == "The listing is not in order: 'a.md' is listed after 'b.md'."
    assert found.tally is not None and found.tally.documents == 1


def test_a_source_that_refuses_shows_no_secret(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(kb, monkeypatch, "wrong-token-4711")
    assert found.problems == ["The vault at east refuses the token ***."]
    assert found.json()["documents"] is None and found.json()["told"] is None
    assert covered(str(found)) == str(found)


def test_a_source_that_refuses_says_what_was_not_given(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.source["token"] = "${NO_TOKEN:-}"
    assert checked(kb, monkeypatch).problems == [
        "The vault at east refuses the token .",
        "Not given: token, pin.",
    ]


def test_a_missing_program_is_named_before_anything_is_asked(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.wanting = [
        Need("program", "key-turner", None, "Debian: apt install key-turner"),
        Need("credential", "agent", None),
    ]
    monkeypatch.setattr(Vault, "probe", lambda self: pytest.fail("asked"))
    found = checked(kb, monkeypatch)
    assert found.detail == "The program key-turner is missing: Debian: apt install key-turner."


def test_its_connector_is_closed_and_its_cache_removed(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(kb, monkeypatch)
    (made,) = Vault.made
    assert made.closed and made.context.cache is not None
    assert not made.context.cache.is_relative_to(kb.home)
    assert not made.context.cache.parent.exists()


def test_a_cache_that_a_sync_holds_is_not_waited_for(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.cache import held

    with held(kb.home / ".freshkb" / "cache" / "v"):
        assert checked(kb, monkeypatch).ok
