"""Envelopes are DSSE's, and anybody can check them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from index.errors import SignatureError
from index.signed import envelope, statement
from index.signed.key import SigningKey, load_or_make
from index.signed.statement import PAYLOAD_TYPE, Statement, Subject

#: The vector of DSSE's protocol.
TYPE, BODY = "http://example.com/HelloWorld", b"hello world"
ENCODED = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

SAID = Statement((Subject("h", {"sha256": "00ff"}),), "urn:freshkb:test:v1", {"b": 1, "a": ["x"]})


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_or_make(tmp_path / "key.pem")


def test_the_bytes_that_are_signed_are_the_published_ones() -> None:
    assert envelope.pae(TYPE, BODY) == ENCODED
    assert envelope.pae("größe", b"") == b"DSSEv1 7 gr\xc3\xb6\xc3\x9fe 0 "


def test_what_was_sealed_is_opened(key: SigningKey) -> None:
    sealed = envelope.parse(envelope.seal(TYPE, BODY, key))
    assert sealed.signatures[0][0] == key.public.key_id
    assert sealed.opened([key.public], TYPE) == BODY


def test_an_altered_envelope_is_not_opened(key: SigningKey, tmp_path: Path) -> None:
    other = load_or_make(tmp_path / "other.pem")
    sealed = json.loads(envelope.seal(TYPE, BODY, key))
    for altered, keys in (
        ({**sealed, "payload": base64.b64encode(b"hello World").decode()}, [key]),
        ({**sealed, "signatures": [{"sig": base64.b64encode(bytes(64)).decode()}]}, [key]),
        (sealed, [other]),
        (sealed, []),
    ):
        with pytest.raises(SignatureError, match="not signed by this key"):
            envelope.parse(json.dumps(altered)).opened([one.public for one in keys], TYPE)
    with pytest.raises(SignatureError, match="and not"):
        envelope.parse(json.dumps(sealed)).opened([key.public], "text/plain")
    with pytest.raises(SignatureError, match="not signed by this key"):
        retyped = {**sealed, "payloadType": "text/plain"}
        envelope.parse(json.dumps(retyped)).opened([key.public], "text/plain")


def test_one_of_several_signatures_is_enough_and_unknown_keys_are_passed_over(
    key: SigningKey, tmp_path: Path
) -> None:
    other = load_or_make(tmp_path / "other.pem")
    first, second = (json.loads(envelope.seal(TYPE, BODY, one)) for one in (key, other))
    both = {**first, "signatures": first["signatures"] + second["signatures"], "more": 1}
    assert envelope.parse(json.dumps(both)).opened([other.public], TYPE) == BODY
    urlsafe = {**first, "payload": base64.urlsafe_b64encode(BODY).decode()}
    assert envelope.parse(json.dumps(urlsafe)).opened([key.public], TYPE) == BODY


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", '{"payload": "", "payload": "", "payloadType": "", "signatures": []}',
        '{"payload": "", "payloadType": "", "signatures": []}',
        '{"payload": "", "payloadType": "", "signatures": [1]}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": 1}]}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": "A"}]}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": "", "keyid": 1}]}',
        '{"payload": "a b", "payloadType": "", "signatures": [{"sig": ""}]}',
        '{"payload": 1, "payloadType": "", "signatures": [{"sig": ""}]}',
        '{"payload": "", "payloadType": 1, "signatures": [{"sig": ""}]}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": ""}], "x": NaN}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": ""}]} more', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        envelope.parse(text)
    with pytest.raises(SignatureError):
        envelope.parse(b"\xff")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_alone_checks_an_envelope(key: SigningKey, tmp_path: Path) -> None:
    sealed = json.loads(envelope.seal(PAYLOAD_TYPE, SAID.payload(), key))
    (tmp_path / "public.pem").write_text(key.public.pem)
    (tmp_path / "sig").write_bytes(base64.b64decode(sealed["signatures"][0]["sig"]))

    def checked(payload: bytes) -> int:
        kind = sealed["payloadType"].encode()
        (tmp_path / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
        check = "openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in pae -sigfile sig"
        return subprocess.run(check.split(), cwd=tmp_path, capture_output=True, check=False).returncode

    payload = base64.b64decode(sealed["payload"])
    assert checked(payload) == 0
    assert checked(payload.replace(b'"x"', b'"y"')) != 0
    derived = "openssl pkey -in key.pem -pubout"
    assert subprocess.check_output(derived.split(), cwd=tmp_path, text=True) == key.public.pem


# ── Statements ────────────────────────────────────────────────────────────────────────────────────────


def test_a_statement_comes_back_and_its_bytes_are_the_same_for_equal_ones() -> None:
    payload = SAID.payload()
    assert json.loads(payload)["_type"] == "https://in-toto.io/Statement/v1"
    assert statement.read(payload, "urn:freshkb:test:v1") == SAID
    assert Statement(SAID.subjects, SAID.predicate_type, {"a": ["x"], "b": 1}).payload() == payload


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": [{"name": "h"}]},
        {"subject": [{"name": "h", "digest": {}}]},
        {"subject": [{"name": "h", "digest": {"sha256": 1}}]},
        {"subject": ["h"]},
        {"subject": [{"name": 1, "digest": {"sha256": "00"}}]},
        {"predicateType": "urn:other"},
        {"predicate": []},
    ],
)
def test_what_is_no_statement_of_this_type_is_refused(change: dict[str, Any]) -> None:
    payload = json.dumps({**json.loads(SAID.payload()), **change}).encode()
    with pytest.raises(SignatureError):
        statement.read(payload, "urn:freshkb:test:v1")
