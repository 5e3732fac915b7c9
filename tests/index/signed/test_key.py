"""A key is made once, for its owner alone, and another is not taken by mistake."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.errors import SignatureError
from index.signed.key import PublicKey, SigningKey, load, load_or_make, read_public


def test_a_made_key_is_for_its_owner_alone_in_whatever_folder(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for folder, mode in (("open", 0o777), ("shared", 0o770)):
            (tmp_path / folder).mkdir(mode)
            path = tmp_path / folder / "key.pem"
            made = load_or_make(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert [each.name for each in path.parent.iterdir()] == ["key.pem"]
            assert load_or_make(path).public == made.public == load(path).public
    finally:
        os.umask(before)


def test_it_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    key = load_or_make(tmp_path / "new" / "key.pem")
    signature = key.sign(b"data")
    assert key.public.verifies(signature, b"data") and not key.public.verifies(signature, b"date")
    assert not key.public.verifies(b"", b"data")
    (tmp_path / "public.pem").write_text(key.public.pem)
    assert read_public(tmp_path / "public.pem") == read_public(tmp_path / "new/key.pem") == key.public


def test_those_that_make_it_at_once_agree(tmp_path: Path) -> None:
    def made(_: int) -> SigningKey:
        return load_or_make(tmp_path / "key.pem")

    with ThreadPoolExecutor(8) as pool:
        assert len({key.public for key in pool.map(made, range(32))}) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]


def test_what_is_no_key_or_open_to_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match=r"gone.pem cannot be read"):
        load(tmp_path / "gone.pem")
    load_or_make(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(SignatureError, match=r"Close it with: chmod 600"):
        load(tmp_path / "key.pem")
    for name, command in (
        ("rsa", "genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024"),
        ("ec", "genpkey -algorithm x25519"),
        ("secret", "genpkey -algorithm ed25519 -aes256 -pass pass:abcdef"),
    ):
        path = tmp_path / f"{name}.pem"
        subprocess.run(["openssl", *command.split(), "-out", str(path)], check=True, capture_output=True)
        path.chmod(0o600)
        for reading in (load, read_public):
            with pytest.raises(SignatureError, match="no Ed25519 key"):
                reading(path)
    (tmp_path / "words.pem").write_text("Some words.")
    for reading in (load, read_public):
        with pytest.raises(SignatureError, match="no Ed25519 key"):
            (tmp_path / "words.pem").chmod(0o600)
            reading(tmp_path / "words.pem")
    blocked = tmp_path / "words.pem" / "key.pem"
    with pytest.raises(SignatureError, match="cannot be"):
        load_or_make(blocked)


def test_a_public_key_comes_back_from_its_text_and_from_no_other(tmp_path: Path) -> None:
    public = load_or_make(tmp_path / "key.pem").public
    text = public.pem
    assert PublicKey.of_pem(text) == public
    # Of another kind, and of the same length.
    other_kind = text.replace(
        text.split("\n")[1][:16], b64encode(bytes.fromhex("302a300506032b656e032100")).decode()
    )
    others = ["", "\n\n\n", f"{text}\n", text.strip(), text.replace("PUBLIC", "PRIVATE"), other_kind]
    others += [text.replace("MCow", "MCo"), text.replace("\n", "\r\n"), text.replace("M", "ä", 1)]
    for other in others:
        with pytest.raises(ValueError):
            PublicKey.of_pem(other)


def test_nothing_of_cryptography_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys, index.signed.envelope, index.signed.note, index.signed.statement, index.checkpoints\n"
        "from index.signed.note import parse, read_verifier_key\n"
        "print('cryptography' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
