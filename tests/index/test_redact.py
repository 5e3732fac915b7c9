"""Secrets are covered by their place, by the name beside them, and by their value."""

from __future__ import annotations

import json
import logging
import traceback
from urllib.parse import quote, quote_plus

import pytest

from flows.log_records import cover
from index import redact as module
from index.errors import FreshkbError, telling_no_secret
from index.health.doctor import Check
from index.redact import covered, redact, redacted, remember, secret_name


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://kb:geheim@db/kb", "postgresql+psycopg://kb:***@db/kb"),
        ("postgresql+psycopg://kb:ge/he?im@db/kb", "postgresql+psycopg://kb:***@db/kb"),
        ("postgresql+psycopg://kb@db/kb", "postgresql+psycopg://kb@db/kb"),
        ("http://geheim@host:6333/x", "http://***@host:6333/x"),
        ("http://:geheim@host", "http://:***@host"),
        ("at http://u:12345@h, 'https://v:geheim@h' too", "at http://u:***@h, 'https://v:***@h' too"),
        ("http://localhost:6333/docs/a@b", "http://localhost:6333/docs/a@b"),
        ("file:///srv/a:b@c.md", "file:///srv/a:b@c.md"),
        ("http://h/?api-key=geheim&x=1", "http://h/?api-key=***&x=1"),
        ("'http://h/?x=1&API%2DKey=geheim' fails", "'http://h/?x=1&API%2DKey=***' fails"),
        ("host=h PASSWORD=geheim port=1", "host=h PASSWORD=*** port=1"),
        ("password='ge heim' host=h", "password='***' host=h"),
        ("oauth_client_secret=geheim&sslpassword=geheim", "oauth_client_secret=***&sslpassword=***"),
        ("X-Amz-Signature=geheim&X-Amz-Date=1", "X-Amz-Signature=***&X-Amz-Date=1"),
        ("sv=2024&sig=ge%2Fheim%3D", "sv=2024&sig=***"),
        ('{"api_key": "geheim", "k": 3}', '{"api_key": "***", "k": 3}'),
        ("[(b'api-key', b'geheim')]", "[(b'api-key', b'***')]"),
        ("Authorization: Basic Z2VoZWlt", "Authorization: ***"),
        ("sent Bearer geheim12 along", "sent Bearer *** along"),
        ("index.api_key: needs the variable KEY", "index.api_key: needs the variable KEY"),
        ("max_tokens=512, keyword=x, plan_hash=ab", "max_tokens=512, keyword=x, plan_hash=ab"),
    ],
)  # fmt: skip
def test_a_secret_is_covered_in_its_place_and_beside_its_name(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "name",
    ["api-key", "apikey", "API_KEY", "x-api-key", "key", "token", "access_token", "secret", "PASSWORD", "pwd",
     "passwd", "sslpassword", "oauth_client_secret", "signature", "sig", "accessKey", "credentials2",
     "p%61ssword", "api%5Fkey", "Authorization", "PREFECT_API_AUTH_STRING"],
)  # fmt: skip
def test_names_of_secrets_are_known_in_any_spelling(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize(
    "name", ["root", "keyword", "tokens", "tokenizer", "author", "design", "monkeys", "field"]
)
def test_other_names_are_not(name: str) -> None:
    assert not secret_name(name)


SECRET = 'c4nary:/@ "ü\\x'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="/:@"),
        quote(SECRET).replace("%C3%BC", "%c3%bc"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
    ],
)
def test_a_given_secret_is_covered_however_it_is_spelled(spelling: str) -> None:
    assert "c4nary" in redact(f"({spelling})")
    remember(SECRET)
    assert redact(f"({spelling})") == covered(f"({spelling})") == "(***)"


def test_settings_are_given_whole_and_only_their_secrets_are_kept() -> None:
    remember(
        {
            "root": "/srv/c4nary-folder",
            "url": "https://user:c4nary%2Fone@wiki/?token=c4nary-two",
            "headers": {"Authorization": "Bearer c4nary-three", "Accept": "c4nary-json"},
            "keys": [{"api_key": "c4nary-four"}],
        }
    )
    for known in ("c4nary%2Fone", "c4nary/one", "c4nary-two", "c4nary-three", "c4nary-four"):
        assert covered(f"<{known}>") == "<***>", known
    assert covered("/srv/c4nary-folder c4nary-json user") == "/srv/c4nary-folder c4nary-json user"


def test_a_secret_that_could_be_any_word_tears_no_hole_into_data() -> None:
    remember("freshkb", "changeme", "12345678", "a1", "")
    assert covered("freshkb, changeme or 12345678: a1") == "freshkb, changeme or 12345678: a1"
    assert redact("postgresql+psycopg://kb:changeme@db/kb") == "postgresql+psycopg://kb:***@db/kb"


def test_settings_are_shown_without_secrets_at_any_depth() -> None:
    shown = redacted(
        {"a": [{"pin_token": "x", "url": "http://u:geheim@h"}], "n": 3, "password": "", "off": None}
    )
    assert shown == {
        "a": [{"pin_token": "***", "url": "http://u:***@h"}],
        "n": 3,
        "password": "",
        "off": None,
    }


def test_errors_and_checks_are_made_without_secrets() -> None:
    remember("c4nary-1234")
    assert str(FreshkbError("It said c4nary-1234 at http://u:geheim@h.")) == "It said *** at http://u:***@h."
    assert Check("store", False, "c4nary-1234").detail == "***"
    try:
        try:
            raise ValueError("c4nary-1234")
        except ValueError as inner:
            raise RuntimeError("outer") from inner
    except RuntimeError as error:
        assert telling_no_secret(error) is None
    harmless = ValueError("nothing")
    assert telling_no_secret(harmless) is harmless


def test_log_records_of_any_library_are_made_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    remember("c4nary-1234")
    before = logging.getLogRecordFactory()
    try:
        cover()
        cover()
        log = logging.getLogger("somebody.else")
        log.warning("GET %s \x1b[31m", "http://h/?token=geheim")
        log.warning("%d", "c4nary-1234")
        try:
            raise ValueError("c4nary-1234")
        except ValueError:
            log.exception("It failed")
        log.warning("plain %s", "words")
    finally:
        logging.setLogRecordFactory(before)
    assert "GET http://h/?token=*** \\x1b[31m" in caplog.text
    assert "ValueError: ***" in caplog.text
    assert "plain words" in caplog.text
    assert caplog.records[-1].args == ("words",)
    assert "c4nary" not in caplog.text and "geheim" not in caplog.text


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    remember("c4nary-1234")
    for text in ("http://a:" * 5_000, "password=a " * 5_000, "token='" * 5_000, "a=" * 20_000, "a" * 200_000):
        redact(text)
    assert "c4nary" not in "".join(traceback.format_exception(FreshkbError("c4nary-1234")))
