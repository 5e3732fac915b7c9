"""Receipts hold for whoever checks them, and hold nothing of a document."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.erase import receipt as receipts
from index.erase.receipt import issued, keep, kept, opened, path_of
from index.errors import SignatureError
from index.ledger import LogAction, LogEntry, Order, OrderKind, Tombstone, TombstoneKind
from index.signed import envelope
from index.signed.key import NAME, PublicKey, SigningKey, load, load_or_make
from index.signed.statement import PAYLOAD_TYPE, PREDICATES
from index.workspace import Workspace
from tests.contracts.ledger_contract import chunk, document, put
from tests.erasures import SALT
from tests.flows.canaries import forms
from tests.knowledge import Knowledge
from tests.receipts import (
    NOT_COVERED,
    PLACES,
    done,
    hmac,
    is_signed,
    leaves,
    path,
    payload,
    root,
    signed_anew,
)
from tests.soak import LONG

pytest_plugins = ["tests.postgres"]

Said = dict[str, Any]
DOCUMENTS = {"d1": "staff/zoë.md", "d2": "b.md"}


@pytest.fixture
def workspace(kb: Knowledge) -> Iterator[Workspace]:
    with kb.workspace() as opened:
        yield opened


# The log of either has one contract.
@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=LONG)])
def anywhere(kb: Knowledge, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    if request.param == "postgresql":
        kb.settings["ledger"] = request.getfixturevalue("postgresql_url")
    with kb.workspace() as opened:
        yield opened


def filled(workspace: Workspace) -> Workspace:
    """With two documents, and a log of five entries before anything is erased."""
    for name, uri in DOCUMENTS.items():
        row = document(uri, name, content_hash=name, seen_hash=name, size=7, title=f"Of {uri}")
        put(workspace.ledger, row, chunk(name, 0), chunk(name, 1))
    at = workspace.now()
    workspace.ledger.log.append([LogEntry(at, LogAction.ADDED, "handbook", f"x{n}") for n in range(5)])
    return workspace


@pytest.fixture
def text(workspace: Workspace) -> str:
    return done(filled(workspace), "E-7K3QM9X", ["d1", "d2"])


@pytest.fixture
def key(workspace: Workspace, text: str) -> SigningKey:
    return load(workspace.config.state_dir / NAME)


# ── What it says ──────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_says_what_was_done(workspace: Workspace, text: str, key: SigningKey) -> None:
    found = opened(text, [key.public])
    assert found == opened(text) and found.signer == found.key == key.public
    assert (found.order_id, found.kind, found.documents, found.chunks) == ("E-7K3QM9X", "document", 2, 4)
    assert found.ordered_at == found.done_at == workspace.now()
    assert found.instance == workspace.ledger.instance_id and found.log.origin == f"freshkb/{found.instance}"
    assert list(found.places) == [place.json() for place in PLACES] and found.not_covered == NOT_COVERED
    stones = workspace.ledger.tombstones.of("E-7K3QM9X")
    told = [Tombstone(s["key"], TombstoneKind(s["kind"]), s["words"]) for s in found.tombstones]
    assert told == stones and len(stones) == 4
    said = json.loads(payload(text))
    assert found.json() == {**said["predicate"], "subjects": said["subject"]}
    assert said["predicateType"] == "urn:freshkb:erasure:v1" and set(said["predicate"]) == {
        "order_id", "kind", "instance", "ordered_at", "done_at", "documents", "chunks", "places",
        "not_covered", "tombstones", "log", "key",
    }  # fmt: skip


def test_others_check_signature_subjects_and_proof_by_their_own_means(
    anywhere: Workspace, tmp_path: Path
) -> None:
    filled(anywhere)
    texts = [done(anywhere, "E-1", ["d1"]), done(anywhere, "E-2", ["d2"]), done(anywhere, "E-3", [])]
    export = list(anywhere.ledger.log.export())
    for number, text in enumerate(texts, start=1):
        said = json.loads(payload(text))
        predicate, log = said["predicate"], said["predicate"]["log"]
        assert is_signed(tmp_path, text, predicate["key"])
        seq, size = log["seq"], log["size"]
        assert (seq, size) == (5 + 2 * number, 5 + 2 * number)
        assert export[seq - 1].startswith(log["entry"][:-1] + ',"hash":"')
        assert json.loads(log["entry"])["facts"]["order"] == f"E-{number}"
        tree = leaves(export[:size])
        assert b64decode(log["root"]) == root(tree)
        assert [b64decode(node) for node in log["proof"]] == path(seq - 1, tree)
        if number < 3:
            digest = hmac(tmp_path, SALT, f"handbook:{DOCUMENTS[f'd{number}']}")
            assert said["subject"] == [{"name": f"E-{number}/1", "digest": {"hmac-sha256": digest}}]
        else:
            digest = hashlib.sha256(b"E-3").hexdigest()
            assert said["subject"] == [{"name": "E-3", "digest": {"sha256": digest}}]
        assert opened(text).documents == (number < 3)


def test_a_proof_holds_whatever_was_logged_since(workspace: Workspace) -> None:
    """The entry need not be the last one."""
    at, ledger = workspace.now(), filled(workspace).ledger
    facts: dict[str, int | str] = {"order": "E-1", "documents": 0, "chunks": 0}
    done(workspace, "E-1", [])
    order = ledger.erasures.get("E-1")
    assert order is not None
    for more in range(1, 12):
        ledger.log.append([LogEntry(at, LogAction.ERASURE_DONE, "", "E-1", facts=facts)])
        last = ledger.log.head().size
        ledger.log.append([LogEntry(at, LogAction.ADDED, "handbook", f"y{more}")])
        found = opened(issued(workspace, order, last, [], [], at))
        assert (found.log.seq, found.log.size) == (last, last + 1)
    with pytest.raises(
        SignatureError, match="Entry 1 of the log does not say that the order E-1 was carried"
    ):
        issued(workspace, order, 1, [], [], at)
    with pytest.raises(SignatureError, match="that the order E-2 was carried"):
        issued(workspace, replace(order, order_id="E-2"), last, [], [], at)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("bcdfghjklmnpqrstvwxz", min_size=9, max_size=14), min_size=7, max_size=7, unique=True)
)
def test_nothing_of_the_corpus_is_in_it(kb: Knowledge, words: list[str]) -> None:
    folder, name, title, owner, content, reason, phrase = words
    with kb.workspace() as workspace:
        ledger = workspace.ledger
        number = len(ledger.erasures.all())
        row = document(
            f"{folder}/{name}.md", f"{content}-{number}", content_hash=content, seen_hash=content, size=9,
            title=title, owner=owner, owners=[owner], reason=reason, properties={reason: phrase},
        )  # fmt: skip
        put(ledger, row, chunk(row.document_id, 0, text=phrase))
        stone = Tombstone(ledger.tombstones.keys().phrase(phrase), TombstoneKind.PHRASE, 1)
        text = done(workspace, f"E-{number}", [row.document_id], [stone])
        ledger.erasures.lift(f"E-{number}", owner, reason, workspace.now(), [])
    assert opened(text).documents == 1
    shown = text.encode() + b64decode(json.loads(text)["payload"])
    assert not [word for word in words for form in forms(word) if form in shown]
    # Nor a hash that could be tried without the salt or the ledger's secret.
    for said in (row.document_id, row.uri, f"{row.source}:{row.uri}", title, owner, content, phrase):
        assert hashlib.sha256(said.encode()).hexdigest().encode() not in shown


# ── What does not hold ────────────────────────────────────────────────────────────────────────────────


def test_every_bit_counts(text: str, key: SigningKey) -> None:
    sealed, choice = json.loads(text), random.Random(10)
    body, signature = b64decode(sealed["payload"]), b64decode(sealed["signatures"][0]["sig"])

    def refused(body: bytes, signature: bytes) -> None:
        signatures = [{**sealed["signatures"][0], "sig": b64encode(signature).decode()}]
        altered = {**sealed, "payload": b64encode(body).decode(), "signatures": signatures}
        for keys in ([], [key.public]):
            with pytest.raises(SignatureError):
                opened(json.dumps(altered), keys)

    for at in choice.sample(range(len(body)), 300):
        refused(body[:at] + bytes([body[at] ^ 1 << choice.randrange(8)]) + body[at + 1 :], signature)
    for at in range(len(signature)):
        refused(
            body, signature[:at] + bytes([signature[at] ^ 1 << choice.randrange(8)]) + signature[at + 1 :]
        )
    for strange in (b"", signature[:-1], signature + b"\0", bytes(64)):
        refused(body, strange)


def of_log(name: str, change: Callable[[Any], Any]) -> Callable[[Said], None]:
    def changed(said: Said) -> None:
        said["predicate"]["log"][name] = change(said["predicate"]["log"][name])

    return changed


def of(name: str, value: Any) -> Callable[[Said], None]:
    return lambda said: said["predicate"].__setitem__(name, value)


def without(*names: str) -> Callable[[Said], None]:
    def changed(said: Said) -> None:
        found = said
        for name in names[:-1]:
            found = found[name]
        del found[names[-1]]

    return changed


def of_subjects(change: Callable[[list[Said]], object]) -> Callable[[Said], object]:
    return lambda said: change(said["subject"])


ZEROS = b64encode(bytes(32)).decode()
FALSE: dict[str, Callable[[Said], object]] = {
    "an entry of another order": of_log("entry", lambda e: e.replace("E-7K3QM9X", "E-7K3QM9Y")),
    "an entry of another action": of_log("entry", lambda e: e.replace("erasure-done", "erasure-lifted")),
    "an entry of another time": of_log("entry", lambda e: e.replace('"at":"2', '"at":"3')),
    "an entry of another number": of_log("entry", lambda e: e.replace('"seq":7', '"seq":6')),
    "an entry with blanks": of_log("entry", lambda e: e.replace(",", ", ")),
    "an entry with half a character": of_log("entry", lambda e: e[:-1] + ',"z":"\ud800"}'),
    "no entry": of_log("entry", lambda _: "[]"),
    "another number": of_log("seq", lambda n: n - 1),
    "no number": of_log("seq", lambda _: 0),
    "a number below all": of_log("seq", lambda n: -n),
    "a number that is none": of_log("seq", lambda _: True),
    "a number in a text": of_log("seq", str),
    "a larger log": of_log("size", lambda n: n + 1),
    "a smaller log": of_log("size", lambda n: n - 1),
    "a huge log": of_log("size", lambda n: 2**4000),
    "another root": of_log("root", lambda _: ZEROS),
    "a short root": of_log("root", lambda r: r[:-4]),
    "a root that is none": of_log("root", lambda _: "ä"),
    "a proof cut off": of_log("proof", lambda p: p[:-1]),
    "no proof": of_log("proof", lambda _: []),
    "a proof with more": of_log("proof", lambda p: [*p, ZEROS]),
    "a proof turned round": of_log("proof", lambda p: p[::-1]),
    "another node": of_log("proof", lambda p: [ZEROS, *p[1:]]),
    "a proof that is none": of_log("proof", lambda _: [1]),
    "another log": of_log("origin", lambda o: f"{o}0"),
    "another ledger": of("instance", "x"),
    "another order": of("order_id", "E-7K3QM9Y"),
    "an order outside of its folder": of("order_id", "../E-1"),
    "more documents": of("documents", 3),
    "fewer chunks": of("chunks", 0),
    "a count that is none": of("documents", True),
    "no time": of("done_at", "yesterday"),
    "a time without its zone": of("done_at", "2026-06-01T12:00:00"),
    "a time before all": of("done_at", "0001-01-01T00:00:00+14:00"),
    "no key": of("key", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
    "a key that is none": of("key", 1),
    "a place without a claim": of("places", [{"place": "store", "evidence": "x"}]),
    "a place that is none": of("places", ["store"]),
    "no list of what is not covered": of("not_covered", "x"),
    "a tombstone without a key": of("tombstones", [{"kind": "uri", "words": 0}]),
    "no log": of("log", None),
    "subjects in another order": of_subjects(list.reverse),
    "a subject twice": of_subjects(lambda s: s.append(s[0])),
    "a subject of another order": of_subjects(lambda s: s[0].update(name="E-1/1")),
    "a subject with a short hash": of_subjects(lambda s: s[0].update(digest={"hmac-sha256": "00"})),
    "a subject with a hash in the clear": of_subjects(lambda s: s[0]["digest"].update(sha256="00" * 32)),
    "a subject that is the order, besides": of_subjects(
        lambda s: s.append({"name": "E-7K3QM9X", "digest": {"sha256": "00" * 32}})
    ),
    "no subject": of_subjects(list.clear),
    "another predicate": lambda said: said.update(predicateType="urn:freshkb:other:v1"),
    "another statement": lambda said: said.update(_type="https://in-toto.io/Statement/v0.1"),
    **{
        f"nothing of {name}": without("predicate", name)
        for name in ("order_id", "ordered_at", "documents", "places", "not_covered", "tombstones", "key")
    },
    **{
        f"nothing of the log's {name}": without("predicate", "log", name)
        for name in ("entry", "root", "proof")
    },
}


@pytest.mark.parametrize("name", FALSE)
def test_what_a_signer_says_falsely_is_found(name: str, text: str, key: SigningKey) -> None:
    assert opened(signed_anew(text, key, lambda _: None)).documents == 2
    forged = signed_anew(text, key, FALSE[name])
    for keys in ([key.public], []):
        with pytest.raises(SignatureError) as refused:
            opened(forged, keys)
        assert str(refused.value).endswith(".") and "not signed by" not in str(refused.value)


def consistent(text: str, key: SigningKey, order_id: str, counted: object, node: bytes) -> str:
    """The receipt of a signer with a log of two entries made up for it: all of its parts fit together."""

    def changed(said: Said) -> None:
        facts = {"order": order_id, "documents": 1, "chunks": 4}
        entry = json.dumps({"action": "erasure-done", "facts": facts, "seq": 1})
        leaf = hashlib.sha256(b"\0" + entry.encode()).digest()
        log: Said = {"entry": entry, "seq": 1, "size": 2, "proof": [b64encode(node).decode()]}
        log["root"] = b64encode(hashlib.sha256(b"\1" + leaf + node).digest()).decode()
        said["predicate"]["log"].update(log)
        said["predicate"].update(order_id=order_id, documents=counted)
        said["subject"] = [{**said["subject"][0], "name": f"{order_id}/1"}]

    return signed_anew(text, key, changed)


def test_a_made_up_log_cannot_be_told_from_another_but_has_to_be_one(text: str, key: SigningKey) -> None:
    """The signature vouches for the log, and anchors know it; the form is checked all the same."""
    assert opened(consistent(text, key, "E-1", 1, bytes(32))).documents == 1
    for strange in (("../../E-1", 1, bytes(32)), ("E-1", True, bytes(32)), ("E-1", 1, bytes(33))):
        with pytest.raises(SignatureError, match="This is no receipt of freshkb"):
            opened(consistent(text, key, *strange))


def test_one_that_would_not_verify_is_not_issued(workspace: Workspace) -> None:
    ledger, at = filled(workspace).ledger, workspace.now()
    made = Order("E-1", OrderKind.DOCUMENT, "anna", at)
    with ledger.erasures.placing(made, ["d1"], lambda _: [], lambda document: document.uri):
        pass
    facts: dict[str, int | str] = {"order": "E-1", "documents": 1, "chunks": 2}
    ledger.log.append([LogEntry(at, LogAction.ERASURE_DONE, "", "E-1", facts=facts)])
    with pytest.raises(SignatureError, match="The subjects of the receipt are not those"):
        issued(workspace, made, ledger.log.head().size, PLACES, NOT_COVERED, at)


def test_a_receipt_that_says_more_than_we_know_is_good(text: str, key: SigningKey) -> None:
    more = signed_anew(text, key, lambda said: said["predicate"].update(later=[1]))
    assert opened(more, [key.public]).predicate["later"] == [1]


def test_one_of_several_signatures_is_enough_and_the_key_is_the_given_one(
    text: str, key: SigningKey, tmp_path: Path
) -> None:
    other, third = load_or_make(tmp_path / "other.pem"), load_or_make(tmp_path / "third.pem")
    sealed = json.loads(text)
    second = json.loads(envelope.seal(PAYLOAD_TYPE, payload(text), other))["signatures"]
    both = json.dumps({**sealed, "signatures": second + sealed["signatures"]})
    assert opened(both).signer == key.public
    assert opened(both, [third.public, other.public]).signer == other.public
    for signed in (text, both):
        with pytest.raises(SignatureError, match="not signed by this key"):
            opened(signed, [third.public])
    # Of a stranger that has put its signature in place of ours: the key that is carried has not signed.
    with pytest.raises(SignatureError, match="not signed by this key"):
        opened(json.dumps({**sealed, "signatures": second}))
    # One that carries its own key is good for itself, and not for whoever asks for ours.
    forged = signed_anew(text, other, of("key", other.public.pem))
    assert opened(forged).signer == other.public
    with pytest.raises(SignatureError, match="not signed by this key"):
        opened(forged, [key.public])
    # A key that is no point of the curve signs nothing.
    with pytest.raises(SignatureError, match="not signed by this key"):
        opened(signed_anew(text, key, of("key", PublicKey(b"\2" + bytes(31)).pem)))


def test_what_else_is_signed_is_no_receipt(text: str, key: SigningKey) -> None:
    for sealed in (
        envelope.seal("text/plain", payload(text), key),
        envelope.seal(PAYLOAD_TYPE, b"hello", key),
        envelope.seal(PAYLOAD_TYPE, b"[" * 100_000, key),
        envelope.seal(PAYLOAD_TYPE, payload(text).replace(b'"chunks":4', b'"chunks":NaN'), key),
        envelope.seal(PAYLOAD_TYPE, payload(text).replace(b'"chunks":4', b'"chunks":4,"chunks":4'), key),
        envelope.seal(PAYLOAD_TYPE, payload(text).replace(b'"chunks":4', b'"chunks":' + b"4" * 9000), key),
        envelope.seal(PAYLOAD_TYPE, payload(text) + b" {}", key),
        envelope.seal(PAYLOAD_TYPE, payload(text).replace(b"Backups", b"B\xffckups"), key),
    ):
        for keys in ([], [key.public]):
            with pytest.raises(SignatureError):
                opened(sealed, keys)
    with pytest.raises(SignatureError, match="holds 'text/plain'"):
        opened(envelope.seal("text/plain", b"", key))
    assert PREDICATES in receipts.PREDICATE_TYPE


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────


def test_files_that_are_none_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SignatureError, match="gone cannot be read: No such file"):
        receipts.read(tmp_path / "gone")
    with pytest.raises(SignatureError, match="cannot be read: Is a directory"):
        receipts.read(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SignatureError, match="no text in UTF-8"):
        receipts.read(tmp_path / "bytes")
    monkeypatch.setattr(receipts, "_LARGEST", 2**20)
    (tmp_path / "large").write_bytes(b" " * 2**20)
    assert len(receipts.read(tmp_path / "large")) == 2**20
    (tmp_path / "large").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(SignatureError, match="more than 1 MiB"):
        receipts.read(tmp_path / "large")


def test_its_file_is_for_its_owner_and_is_written_anew(workspace: Workspace, text: str) -> None:
    path = path_of(workspace, "E-7K3QM9X")
    assert path == workspace.config.state_dir / "receipts" / "E-7K3QM9X.json"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (text, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    order = workspace.ledger.erasures.get("E-7K3QM9X")
    assert order is not None
    before = path.stat().st_ino
    assert kept(workspace, order) == path and path.stat().st_ino == before
    path.write_text(text.replace("payload", "pay1oad"))
    assert kept(workspace, order) == path and path.read_text() == text
    path.unlink()
    path.parent.rmdir()
    assert keep(workspace, "E-7K3QM9X", text) == path and path.read_text() == text
    assert list(path.parent.iterdir()) == [path]
    # Also in a state folder that others share.
    workspace.config.state_dir.chmod(0o770)
    path.unlink()
    path.parent.rmdir()
    keep(workspace, "E-7K3QM9X", text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_to_check_one_imports_no_ledger_and_no_configuration() -> None:
    script = (
        "import sys, index.erase.receipt, index.erase.reveal\n"
        "heavy = {'sqlalchemy', 'pydantic', 'yaml', 'cryptography', 'index.ledger', 'index.config'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
