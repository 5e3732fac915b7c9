"""The log's chain, on every database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ledger.chain import KEYED, Head, exported, hash_after, keyed, signed_line, unsigned_line
from tests.contracts.log_contract import LogContract

pytest_plugins = ["tests.postgres"]

KEY = bytes(range(32))
ROW = {
    "at": 1_772_368_215_123_457,
    "actor": "anna@host",
    "run_id": None,
    "action": "added",
    "source": "handbook",
    "subject": "d1",
    "facts": '{"b":1,"a":"x"}',
}
#: Receipts and anchors hold hashes over this: it never changes.
LINE = (
    '{"action":"added","actor":"anna@host","at":"2026-03-01T12:30:15.123457Z","facts":{"a":"x","b":1},'
    '"run":null,"seq":7,"source":"handbook",'
    '"subject":"hmac-sha256:e944c9ce75d61144061a9298916d240153f2847d5807870c13de4bb2c51f04d9"}'
)


class TestSQLiteLog(LogContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite"


class TestPostgreSQLLog(LogContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url


def test_the_exported_form_never_changes() -> None:
    assert exported(ROW, 7, KEY) == LINE
    assert hash_after("0" * 64, LINE) == "54a3764bcc182f1016d66604c06f91c8c2bd22dc2b6b0c63688c4923b6b8c4b8"


@given(
    st.text(), st.text(), st.integers(0, 10**15), st.dictionaries(st.text("ab", min_size=1), st.integers())
)
def test_a_line_of_an_export_is_read_as_it_was_hashed(
    actor: str, subject: str, at: int, facts: dict[str, int]
) -> None:
    head = Head()
    line = exported({**ROW, "actor": actor, "subject": subject, "at": at, "facts": facts}, 1, KEY)
    hashed = head.add(line)
    written = signed_line(line, hashed)
    assert written.isascii() and "\n" not in written
    assert unsigned_line(written) == (1, line, hashed)


@given(st.text(min_size=1))
def test_a_keyed_subject_tells_nothing_and_is_the_same_again(subject: str) -> None:
    hidden = keyed(subject, KEY)
    assert hidden.startswith(KEYED) and keyed(hidden, KEY) == hidden
    assert keyed(subject, bytes(32)) != hidden or subject.startswith(KEYED)
    assert keyed("", KEY) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"seq":1}', '{"seq":"1","hash":""}', '{"seq":true,"hash":""}']
)
def test_what_is_no_line_of_an_export_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        unsigned_line(text)
