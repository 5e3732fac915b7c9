"""`freshkb receipts`: what is listed and shown, and what anyone can check without us."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.erase.receipt import path_of
from index.erase.reveal import write
from index.ledger import Erased
from index.model import State
from index.signed.key import load_or_make, read_public
from index.signed.note import read_verifier_key
from tests import forks
from tests.commands import CommandLine, environment
from tests.erasures import SALT, placed
from tests.knowledge import Knowledge
from tests.receipts import NOT_COVERED, PLACES, done, openssl, payload, signed_anew

DOCS = Path(__file__).resolve().parents[2] / "docs" / "receipts.md"
URIS = ("staff/zoë o'neil.md", "b.md", "c.md")


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    found = CommandLine(kb, monkeypatch)
    for uri in URIS:
        kb.write(uri, f"# Page\n\nFour hours of leave, says {uri}.\n")
    found("sync")
    return found


def order(kb: Knowledge, order_id: str, *uris: str) -> str:
    """Carry out an order on these documents. Returns its receipt."""
    ids = [kb.documents()[uri].document_id for uri in uris]
    return kb.ask(lambda workspace: done(workspace, order_id, ids))


def revealed(path: Path, order_id: str, *uris: str, salt: bytes = SALT) -> Path:
    found = [Erased(uri, "docs", uri, State.INDEXED, 1, None, None, "") for uri in uris]
    write(path, order_id, salt, "anna", 'Art. 17 "GDPR"', found)
    return path


# ── list, show, key ───────────────────────────────────────────────────────────────────────────────────


def test_orders_are_listed_with_their_states(freshkb: CommandLine, kb: Knowledge) -> None:
    assert freshkb.json("receipts", "list") == [] and "0 orders" in freshkb("receipts", "list").stdout
    order(kb, "E-1", URIS[0])
    kb.clock.forward(hours=1)
    order(kb, "E-2", "b.md")
    kb.clock.forward(hours=1)

    def more(workspace: Any) -> None:
        workspace.ledger.erasures.lift("E-2", "bo", "Consent\nagain", kb.clock(), [])
        placed(workspace.ledger, "E-3", [kb.documents()["c.md"].document_id], kb.clock())

    kb.ask(more)
    first, second, third = freshkb.json("receipts", "list")
    assert first == {
        "order_id": "E-1", "state": "done", "kind": "document", "by": "anna",
        "placed_at": "2026-06-01T12:00:00Z", "done_at": "2026-06-01T12:00:00Z", "lifted_at": None,
        "lifted_by": None, "lift_reason": None, "documents": 1, "chunks": 1,
        "receipt": str(kb.home / ".freshkb" / "receipts" / "E-1.json"),
    }  # fmt: skip
    assert (second["state"], second["lifted_by"], second["lift_reason"]) == ("lifted", "bo", "Consent\nagain")
    assert (third["state"], third["done_at"], third["receipt"]) == ("open", None, None)
    lines = freshkb("receipts", "list").stdout.splitlines()
    assert lines[0].startswith(
        "E-1        done    1 document, 1 chunk  document, placed by anna at 2026-06-01T12"
    )
    assert lines[1].endswith(", lifted by bo at 2026-06-01T14:00:00Z: Consent\\nagain")
    assert lines[2].startswith("E-3        open") and lines[2].endswith("not carried out yet")
    assert lines[3:] == ["3 orders"]
    # No word of a document.
    assert "zo" not in freshkb("receipts", "list", "--json").stdout


def test_a_receipt_is_shown_in_words_as_data_and_as_it_was_signed(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    text = order(kb, "E-7K3QM9X", URIS[0])
    file = kb.ask(lambda workspace: path_of(workspace, "E-7K3QM9X"))
    said = freshkb("receipts", "show", "e-7k3qm9x").stdout
    for place in PLACES:
        assert f"  {place.place}: {place.claim}. {place.evidence}\n" in said
    assert f"Not covered:\n  {NOT_COVERED[0]}\n  {NOT_COVERED[1]}\n" in said
    assert "placed by anna" in said and "1 document, 1 chunk" in said and str(file) in said
    public = read_public(kb.home / ".freshkb" / "signing.pem")
    assert public.key_id in said and "2 tombstones" in said
    statement = json.loads(payload(text))
    shown = freshkb.json("receipts", "show", "E-7K3QM9X")
    assert shown == {
        **statement["predicate"], "subjects": statement["subject"], "state": "done", "receipt": str(file)
    }  # fmt: skip
    assert f"Entry {shown['log']['seq']} of the log freshkb/{shown['instance']}" in said
    assert freshkb("receipts", "show", "E-7K3QM9X", "--raw").stdout == text
    # The file is a copy of what the ledger has.
    file.unlink()
    freshkb("receipts", "show", "E-7K3QM9X", "-q")
    assert file.read_text() == text
    # It is shown, too, where no file can be written.
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")
    said = freshkb("receipts", "show", "E-7K3QM9X").stdout
    assert "The signed text: freshkb receipts show E-7K3QM9X --raw" in said
    assert freshkb.json("receipts", "list")[0]["receipt"] is None


def test_what_cannot_be_shown_says_why(freshkb: CommandLine, kb: Knowledge) -> None:
    assert "There is no order 'E-9'" in freshkb("receipts", "show", "E-9", code=2).stderr
    kb.ask(lambda workspace: placed(workspace.ledger, "E-1", [], kb.clock()))
    said = freshkb("receipts", "show", "E-1", code=2).stderr
    assert "Order E-1 has no receipt yet: it is open" in said
    kb.ask(lambda workspace: workspace.ledger.erasures.finish("E-1", "{}", kb.clock()))
    assert "This is no DSSE envelope" in freshkb("receipts", "show", "E-1", code=1).stderr


def test_the_public_key_is_printed_and_made_at_first_use(freshkb: CommandLine, kb: Knowledge) -> None:
    private = kb.home / ".freshkb" / "signing.pem"
    assert not private.exists()
    shown = freshkb("receipts", "key")
    assert shown.stdout.encode() == openssl(kb.home, "pkey", "-in", str(private), "-pubout").stdout
    der = openssl(kb.home, "pkey", "-in", str(private), "-pubout", "-outform", "DER").stdout
    key_id = openssl(kb.home, "dgst", "-sha256", "-r", given=der).stdout.split()[0].decode()
    found = freshkb.json("receipts", "key")
    assert (found["key"], found["key_id"]) == (shown.stdout, key_id)
    assert key_id in shown.stderr and found["verifier_key"] in shown.stderr
    instance = kb.ask(lambda workspace: workspace.ledger.instance_id)
    assert read_verifier_key(found["verifier_key"]) == (f"freshkb/{instance}", read_public(private))
    assert freshkb("receipts", "key", "-q").stderr == ""
    # A key that is given is taken, and none is made.
    private.rename(kb.home / "given.pem")
    kb.settings["log"] = {"key_file": "given.pem"}
    kb.config()
    assert freshkb("receipts", "key").stdout == shown.stdout and not private.exists()


# ── verify ────────────────────────────────────────────────────────────────────────────────────────────


#: What a check has no need of.
HEAVY = {"sqlalchemy", "alembic", "yaml", "prefect", "numpy", "rich", "tokenizers", "qdrant_edge"}
HEAVY |= {"index.ledger", "index.config", "index.workspace", "index.store"}

ALONE = """
import sys
from flows.cli import main
sys.argv[0] = "freshkb"
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_a_receipt_is_checked_in_an_empty_folder_without_configuration_and_state(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path
) -> None:
    text = order(kb, "E-1", *URIS[:2])
    given, empty = tmp_path / "given", tmp_path / "empty"
    for folder in (given, empty):
        folder.mkdir()
    (given / "receipt.json").write_text(text)
    (given / "public.pem").write_text(freshkb("receipts", "key").stdout)
    (given / "altered.json").write_text(text.replace("ey", "ez", 1))
    shutil.rmtree(kb.home)
    clean = {name: value for name, value in environment().items() if not name.startswith("XDG_")}

    def checked(*arguments: str, start: Any = forks.run) -> tuple[int, dict[str, Any], set[str]]:
        command = [sys.executable, "-B", "-c", ALONE, "receipts", "verify", *arguments, "--json"]
        ran = start(
            command, cwd=empty, env={**clean, "HOME": str(empty)}, capture_output=True, text=True, check=False
        )
        return ran.returncode, json.loads(ran.stdout), set(ran.stderr.split())

    trusted = (str(given / "receipt.json"), "--key", str(given / "public.pem"))
    code, found, imported = checked(*trusted, start=subprocess.run)
    assert code == 0 and found["ok"] and found["order_id"] == "E-1"
    assert f"Signed by the given key {found['key_id']}." in found["reason"]
    assert imported & HEAVY == set()
    code, found, _ = checked(str(given / "receipt.json"))
    assert code == 0 and found["ok"]
    assert f"the key that it carries, {found['key_id']}: compare this id" in found["reason"]
    code, found, _ = checked(str(given / "altered.json"))
    assert code == 1 and not found["ok"] and set(found) == {"ok", "reason"}
    reveal = revealed(given / "reveal.json", "E-1", *URIS[:2])
    code, found, _ = checked(str(given / "receipt.json"), "--reveal", str(reveal))
    assert code == 0 and {each["uri"] for each in found["revealed"]} == set(URIS[:2])
    assert {each["subject"] for each in found["revealed"]} == {"E-1/1", "E-1/2"}
    # Not even one that is named is asked for.
    code, found, _ = checked(str(given / "receipt.json"), "--config", "gone.yaml")
    assert code == 0 and found["ok"]
    assert list(empty.iterdir()) == []


def test_each_reason_not_to_trust_one_is_told(freshkb: CommandLine, kb: Knowledge, tmp_path: Path) -> None:
    file = kb.home / "receipt.json"
    text = order(kb, "E-1", "b.md")
    key, other = load_or_make(kb.home / ".freshkb" / "signing.pem"), load_or_make(tmp_path / "other.pem")
    (tmp_path / "other public.pem").write_text(other.public.pem)

    def why(content: str | bytes, *more: str) -> str:
        file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        found = freshkb.json("receipts", "verify", str(file), *more, code=1)
        assert set(found) == {"ok", "reason"} and found["ok"] is False
        said = freshkb("receipts", "verify", str(file), *more, code=1).stdout
        assert said.startswith("Bad: ") and said.count("\n") == 1
        return str(found["reason"])

    trusted = ("--key", str(tmp_path / "other public.pem"))
    assert "not signed by this key" in why(text, *trusted)
    assert "no JSON object" in why("[]") and "no DSSE envelope" in why("{}") and "UTF-8" in why(b"\xff")
    assert "This is no envelope" in why("") and "a key is there twice" in why('{"a": 1, "a": 2}')
    assert "no envelope" in why("[" * 200_000)
    moved = signed_anew(text, key, lambda said: said["predicate"]["log"].update(seq=1))
    assert "Entry 1 of the log does not say" in why(moved)
    half = signed_anew(text, key, lambda said: said["predicate"].update(order_id="\ud800\x1b[2J"))
    assert "no order has the id" in why(half)
    found = freshkb.json("receipts", "verify", "gone.json", code=1)
    assert found == {"ok": False, "reason": "gone.json cannot be read: No such file or directory."}
    # A key that cannot be read is a mistake of the call, and says nothing of the receipt.
    file.write_text(text)
    for strange in ("gone.pem", str(file)):
        failed = freshkb("receipts", "verify", str(file), "--key", strange, "--json", code=1)
        assert failed.stdout == "" and json.loads(failed.stderr)["error"]["code"] == "signature_error"
    several = (*trusted, "--key", str(kb.home / ".freshkb" / "signing.pem"))
    assert freshkb.json("receipts", "verify", str(file), *several)["key_id"] == key.public.key_id
    assert freshkb("receipts", "verify", str(file), *several).stdout.startswith("Good: Order E-1 was carried")


def test_a_reveal_file_says_which_documents_a_receipt_is_about(freshkb: CommandLine, kb: Knowledge) -> None:
    file = kb.home / "receipt.json"
    file.write_text(order(kb, "E-1", *URIS[:2]))
    both = revealed(kb.home / "both", "E-1", *URIS[:2])
    said = freshkb("receipts", "verify", str(file), "--reveal", str(both)).stdout
    assert {line[9:] for line in said.splitlines()[1:]} == {f"docs:{uri}" for uri in URIS[:2]}
    one = revealed(kb.home / "one", "E-1", "b.md")
    found = freshkb.json("receipts", "verify", str(file), "--reveal", str(one))
    assert found["reason"].endswith("The reveal file names 1 of the documents.")
    assert [each["uri"] for each in found["revealed"]] == ["b.md"]
    strange = revealed(kb.home / "strange", "E-1", "b.md", "c.md")
    found = freshkb.json("receipts", "verify", str(file), "--reveal", str(strange), code=1)
    assert not found["ok"] and [each["uri"] for each in found["revealed"]] == ["b.md"]
    assert "of 2 documents of the reveal file it is not about 1: docs:c.md" in found["reason"]
    salted = revealed(kb.home / "salted", "E-1", *URIS[:2], salt=b"another")
    assert freshkb.json("receipts", "verify", str(file), "--reveal", str(salted), code=1)["revealed"] == []
    of_another = revealed(kb.home / "of another", "E-2", "b.md")
    failed = freshkb("receipts", "verify", str(file), "--reveal", str(of_another), code=2)
    assert "is of the order E-2, and the receipt of E-1" in failed.stderr
    assert "no reveal file" in freshkb("receipts", "verify", str(file), "--reveal", str(file), code=2).stderr


def test_after_a_change_of_keys_old_receipts_verify_by_the_old_one(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    def published(name: str) -> tuple[str, str]:
        (kb.home / name).write_text(freshkb("receipts", "key").stdout)
        return "--key", name

    order(kb, "E-1", "b.md")
    former = published("former.pem")
    (kb.home / ".freshkb" / "signing.pem").unlink()
    order(kb, "E-2", "c.md")
    new = published("new.pem")
    old, young = (f".freshkb/receipts/{name}.json" for name in ("E-1", "E-2"))
    for file, good, bad in ((old, former, new), (young, new, former)):
        assert freshkb.json("receipts", "verify", file, *good)["ok"]
        assert not freshkb.json("receipts", "verify", file, *bad, code=1)["ok"]
        assert freshkb.json("receipts", "verify", file)["ok"]
    assert "Signed by the key" in freshkb("receipts", "show", "E-1").stdout


# ── With a shell and openssl ──────────────────────────────────────────────────────────────────────────

SHELLS = [shell for shell in ("bash", "dash") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_and_openssl_check_one_with_the_lines_of_the_documentation(
    shell: str, freshkb: CommandLine, kb: Knowledge, tmp_path: Path, soak: bool
) -> None:
    """In the short form all of it by the plainest shell; by others, that they tell a good one from a bad."""
    (script,) = re.findall(r"^```sh\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), flags=re.M | re.S)
    # Logs of several lengths: proofs of several forms.
    texts = [order(kb, f"E-{number}", uri) for number, uri in enumerate(URIS, start=1)]
    texts += [order(kb, f"E-{number}") for number in range(4, 8)]
    public = freshkb("receipts", "key").stdout
    key = load_or_make(kb.home / ".freshkb" / "signing.pem")

    def ran(text: str, *uris: str, salt: bytes = SALT) -> str:
        folder = tmp_path / "elsewhere"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "receipt.json").write_text(text)
        (folder / "public.pem").write_text(public)
        if uris:
            revealed(folder / "reveal.json", "E-1", *uris, salt=salt)
        command = [shell, "-c", script]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def verdicts(said: str) -> tuple[bool, bool, bool]:
        """(signature, entry, proof)"""
        return (
            "Signature Verified Successfully" in said,
            re.search(r"^Entry \d+ is of E-\d\.$", said, flags=re.M) is not None,
            "The log has this entry." in said,
        )

    sealed = json.loads(texts[2])
    body = b64decode(sealed["payload"]).replace(b'"purged"', b'"PURGED"')
    altered = json.dumps({**sealed, "payload": b64encode(body).decode()}, indent=2)
    assert verdicts(ran(texts[2])) == (True, True, True)
    assert verdicts(ran(altered)) == (False, True, True)
    if not soak and shell != SHELLS[-1]:
        return
    for text in texts:
        assert verdicts(ran(text)) == (True, True, True)
    first = texts[0]
    said = ran(first, URIS[0])
    assert f"It is about docs:{URIS[0]}" in said and '"predicateType":"urn:freshkb:erasure:v1"' in f'"{said}'
    said = ran(first, URIS[0], 'quo"te\\d.md', salt=b"other")
    assert f"It is not about docs:{URIS[0]}" in said and 'It is not about docs:quo"te\\d.md' in said

    def anew(change: Callable[[dict[str, Any]], object]) -> tuple[bool, bool, bool]:
        return verdicts(ran(signed_anew(texts[2], key, change)))

    def log(said: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = said["predicate"]["log"]
        return found

    zeros = b64encode(bytes(32)).decode()
    assert anew(lambda _: None) == (True, True, True)
    assert anew(lambda said: log(said).update(root=zeros)) == (True, True, False)
    assert anew(lambda said: log(said)["proof"].pop()) == (True, True, False)
    assert anew(lambda said: log(said)["proof"].append(zeros)) == (True, True, False)
    assert anew(lambda said: log(said)["proof"].reverse()) == (True, True, False)
    assert anew(lambda said: log(said).update(size=log(said)["size"] * 2)) == (True, True, False)
    assert anew(lambda said: log(said).update(seq=1)) == (True, False, False)
    assert anew(lambda said: said["predicate"].update(order_id="E-9")) == (True, False, True)
    entry = log(json.loads(payload(texts[2])))["entry"].replace("E-3", "E-9")
    assert anew(lambda said: log(said).update(entry=entry)) == (True, False, False)
