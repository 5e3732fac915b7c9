"""Signed notes and checkpoints, as C2SP specifies them (signed-note, tlog-checkpoint).

A note is a text, a blank line and signatures, a line each::

    freshkb/2f0c…
    1204
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — freshkb/2f0c… Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q…

The text of a checkpoint is the log's origin, its size and its root. Lines after these are extensions: ours
name orders to erase that were carried out, ``erased E-7K3QM9X``. Other readers pass over them.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from index.errors import SignatureError
from index.signed.key import PublicKey, SigningKey
from index.signed.tree import HASH_BYTES

#: The type of a signature: Ed25519.
_ED25519 = b"\1"
_DASH = "— "
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURES_MAX = 100
#: A checkpoint's line that names an order begins with this.
ERASED = "erased "
_ERASED = re.compile(rf"{ERASED}([A-Za-z0-9][A-Za-z0-9._:-]{{0,79}})")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    name: str
    key_id: bytes
    """4 bytes."""
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, and its signatures, none of which was checked."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def is_signed(self, name: str, keys: Iterable[PublicKey]) -> bool:
        """Whether one of these keys, under this name, has signed the text. A wrong signature of one of them
        outweighs the others."""
        data, good = self.text.encode(), False
        for key in keys:
            for made in self.signatures:
                if (made.name, made.key_id) == (name, _key_id(name, key)):
                    if not key.verifies(made.signature, data):
                        return False
                    good = True
        return good


def sign(text: str, name: str, key: SigningKey) -> str:
    """The text as a signed note. Raises ValueError for a text or a name that no note can have."""
    if not text.endswith("\n") or _has_controls(text) or not _NAME.fullmatch(name):
        raise ValueError("A note's text ends with a newline, and its key's name has neither blank nor plus.")
    return f"{text}\n{_DASH}{name} {_b64(_key_id(name, key.public) + key.sign(text.encode()))}\n"


def parse(note: str) -> Note:
    """Raises SignatureError for a text that is no signed note."""
    text, blank, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not blank or lines.pop() or not 0 < len(lines) <= _SIGNATURES_MAX or _has_controls(text):
        raise SignatureError("This is no signed note: a text, a blank line, and lines of signatures.")
    return Note(f"{text}\n", tuple(map(_signature, lines)))


def verifier_key(name: str, key: PublicKey) -> str:
    """The key as verifiers of notes are given it: ``name+id+key``."""
    return f"{name}+{_key_id(name, key).hex()}+{_b64(_ED25519 + key.raw)}"


def read_verifier_key(text: str) -> tuple[str, PublicKey]:
    """(name, key) of a verifier key. Raises SignatureError."""
    name, key_id, encoded = (*text.strip().split("+", 2), "", "")[:3]
    raw = _unb64(encoded)
    if raw is not None and len(raw) == 33 and raw[:1] == _ED25519 and _NAME.fullmatch(name):
        key = PublicKey(raw[1:])
        if _key_id(name, key).hex() == key_id:
            return name, key
    raise SignatureError(f"{text.strip()[:100]!r} is no verifier key of Ed25519: name+id+key.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: so many entries, with this root."""

    origin: str
    size: int
    root: bytes
    erased: tuple[str, ...] = ()
    """Ids of orders to erase that were carried out since an earlier checkpoint."""

    @property
    def text(self) -> str:
        named = "".join(f"{ERASED}{order_id}\n" for order_id in self.erased)
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n{named}"

    def signed(self, key: SigningKey) -> str:
        """The checkpoint as a note that the origin has signed."""
        return sign(self.text, self.origin, key)

    @classmethod
    def of(cls, note: Note) -> Checkpoint:
        """The checkpoint of a note; lines after its third that name no order are passed over. Raises
        SignatureError."""
        origin, size, root, *more = (*note.text.split("\n"), "", "")
        hashed = _unb64(root)
        if not (origin and _SIZE.fullmatch(size)) or hashed is None or len(hashed) != HASH_BYTES:
            raise SignatureError("This note is no checkpoint: an origin, a size and a root, a line each.")
        return cls(
            origin, int(size), hashed, tuple(named[1] for named in map(_ERASED.fullmatch, more) if named)
        )


def notes_in(content: str) -> Iterator[str]:
    """The notes of a file of checkpoints, one after another, a blank line between them. What was cut short is
    passed over."""
    text = ""
    for block in content.split("\n\n"):
        block = block.strip("\n")
        if block.startswith(_DASH):
            if text:
                yield f"{text}\n\n{block}\n"
            text = ""
        else:
            text = block


def _has_controls(text: str) -> bool:
    return any(c < " " and c != "\n" for c in text)


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    decoded = _unb64(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or decoded is None or len(decoded) < 5:
        raise SignatureError(f"This is no signature of a note: {line[:100]!r}")
    return NoteSignature(name, decoded[:4], decoded[4:])


def _key_id(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _unb64(text: str) -> bytes | None:
    """None for what is no standard base64, or not as it would be written."""
    try:
        decoded = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if _b64(decoded) == text else None
