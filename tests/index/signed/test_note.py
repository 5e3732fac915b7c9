"""Notes and checkpoints are those of C2SP; the vector is that of the reference implementation."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import SignatureError
from index.signed.key import SigningKey, load_or_make
from index.signed.note import (
    Checkpoint,
    notes_in,
    parse,
    read_verifier_key,
    sign,
    verifier_key,
)

VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#: The example of tlog-checkpoint.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_or_make(tmp_path / "key.pem")


def published() -> SigningKey:
    """The private half of the published key, base64 of type and seed."""
    from base64 import b64decode

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))


def test_the_published_note_is_made_byte_for_byte_and_verified() -> None:
    name, public = read_verifier_key(VKEY)
    assert verifier_key(name, public) == VKEY
    assert sign(TEXT, name, published()) == f"{TEXT}\n{SIGNATURE}"
    note = parse(f"{TEXT}\n{SIGNATURE}")
    assert note.text == TEXT and note.is_signed(name, [public])


def test_what_was_altered_or_signed_by_another_does_not_count(key: SigningKey) -> None:
    name, public = read_verifier_key(VKEY)
    whole = f"{TEXT}\n{SIGNATURE}"
    assert not parse(whole.replace("answer", "Answer")).is_signed(name, [public])
    assert not parse(whole).is_signed("PaulNeumann", [public])
    assert not parse(whole).is_signed(name, [key.public])
    assert not parse(whole).is_signed(name, [])
    both = whole + sign(TEXT, "another", key).rpartition("\n\n")[2]
    assert parse(both).is_signed(name, [public]) and parse(both).is_signed("another", [key.public])
    # A wrong signature of a known key outweighs a right one.
    wrong = whole + f"{SIGNATURE[:60]}{'A' if SIGNATURE[60] != 'A' else 'B'}{SIGNATURE[61:]}"
    assert not parse(wrong).is_signed(name, [public])


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE}"[:-1],
        f"{TEXT}\n{SIGNATURE}\n",
        f"{TEXT}\n{SIGNATURE.replace('— ', '- ')}",
        f"{TEXT}\n{SIGNATURE.replace('x08g', 'x08')}",
        f"{TEXT}\n— PeterNeumann AAAA\n",
        f"{TEXT}\n— Peter+Neumann {SIGNATURE.split()[2]}\n",
        f"a\tb\n\n{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE * 101}",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        parse(text)


@pytest.mark.parametrize("at", range(len(VKEY)))
def test_no_altered_verifier_key_is_taken(at: int) -> None:
    with pytest.raises(SignatureError):
        read_verifier_key(VKEY[:at] + chr(ord(VKEY[at]) + 1) + VKEY[at + 1 :])
    with pytest.raises(SignatureError):
        read_verifier_key(VKEY[:at])


def test_the_published_checkpoint_is_read() -> None:
    found = Checkpoint.of(parse(EXAMPLE))
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.text == EXAMPLE.rpartition("\n\n")[0] + "\n"


def test_a_signed_checkpoint_comes_back(key: SigningKey) -> None:
    made = Checkpoint("freshkb/a", 7, bytes(range(32)))
    note = parse(made.signed(key))
    assert Checkpoint.of(note) == made and note.is_signed("freshkb/a", [key.public])


@pytest.mark.parametrize("end", ["1\n", f"01\n{ROOT}\n", f"-1\n{ROOT}\n", "1\nAAAA\n", f"1\n{ROOT[:-1]}\n"])
def test_a_note_that_is_no_checkpoint_is_refused(end: str, key: SigningKey) -> None:
    with pytest.raises(SignatureError, match="no checkpoint"):
        Checkpoint.of(parse(sign(f"o\n{end}", "o", key)))


def test_a_text_that_no_note_can_have_is_not_signed(key: SigningKey) -> None:
    for text, name in (("no newline", "a"), ("a\tb\n", "a"), ("a\n", "a b"), ("a\n", "a+b"), ("a\n", "")):
        with pytest.raises(ValueError, match="ends with a newline"):
            sign(text, name, key)


def test_notes_of_a_file_are_found_and_what_was_cut_short_is_not(key: SigningKey) -> None:
    notes = [Checkpoint("o", size, bytes(32)).signed(key) for size in (1, 2, 3)]
    assert list(notes_in("\n".join(notes))) == notes
    for length in range(len(notes[1])):
        # Of the second, only a part was written before a power cut.
        torn = f"{notes[0]}\n{notes[1][:length]}"
        assert list(notes_in(torn))[:1] == notes[:1]
        assert list(notes_in(f"{torn}\n\n{notes[2]}"))[-1] == notes[2]
    assert list(notes_in("")) == []


def test_a_checkpoint_names_orders_in_lines_that_others_pass_over(key: SigningKey) -> None:
    made = Checkpoint("freshkb/a", 7, bytes(32), ("E-7K3QM9X", "E-2M8RT4C"))
    note = parse(made.signed(key))
    assert note.text.splitlines()[3:] == ["erased E-7K3QM9X", "erased E-2M8RT4C"]
    assert note.is_signed("freshkb/a", [key.public]) and Checkpoint.of(note) == made
    assert list(notes_in(f"{made.signed(key)}\n{made.signed(key)}")) == [made.signed(key)] * 2
    # The signature covers them.
    dropped = parse(made.signed(key).replace("erased E-2M8RT4C\n", ""))
    assert not dropped.is_signed("freshkb/a", [key.public])
    others = sign(f"{Checkpoint('a', 7, bytes(32)).text}other\nerased \nerased a b\nunerased x\n", "a", key)
    assert Checkpoint.of(parse(others)).erased == ()
