"""What a receipt says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from index.erase import parts
from index.signed.key import PublicKey
from index.signed.statement import Statement, Subject


@dataclass(frozen=True, slots=True)
class LogPosition:
    """An entry of a log, and the proof that the log has it."""

    origin: str
    size: int
    root: bytes
    seq: int
    """The number of the entry, from 1."""
    entry: str
    """The entry's exported form, byte for byte: its leaf in the tree is the leaf hash of this."""
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose signature, types and proof hold."""

    order_id: str
    kind: str
    """How the order named its documents: an `OrderKind`."""
    instance: str
    """The ledger's id."""
    ordered_at: datetime
    done_at: datetime
    documents: int
    chunks: int
    places: tuple[Mapping[str, str], ...]
    """{place, claim, evidence} each."""
    not_covered: tuple[str, ...]
    tombstones: tuple[Mapping[str, Any], ...]
    """{kind, key, words} each: the hash under the ledger's secret."""
    log: LogPosition
    key: PublicKey
    """The key that the receipt carries."""
    subjects: tuple[Subject, ...]
    """One for each document; a single one, named like the order, of an order without documents."""
    signer: PublicKey
    """The key that was found to have signed it."""
    predicate: Mapping[str, Any]
    """As it was signed."""

    @classmethod
    def of(cls, said: Statement, signer: PublicKey) -> Self:
        """The receipt that a statement is, once its signature was checked. Raises ValueError, with the part's
        name, when it is none."""
        found = said.predicate
        log = parts.part(found, "log", dict)
        return cls(
            order_id=parts.part(found, "order_id", str),
            kind=parts.part(found, "kind", str),
            instance=parts.part(found, "instance", str),
            ordered_at=parts.instant(found, "ordered_at"),
            done_at=parts.instant(found, "done_at"),
            documents=parts.part(found, "documents", int),
            chunks=parts.part(found, "chunks", int),
            places=tuple(parts.alike(found, "places", {"place": str, "claim": str, "evidence": str})),
            not_covered=tuple(parts.texts(found, "not_covered")),
            tombstones=tuple(parts.alike(found, "tombstones", {"kind": str, "key": str, "words": int})),
            log=LogPosition(
                origin=parts.part(log, "origin", str),
                size=parts.part(log, "size", int),
                root=parts.hashed(parts.part(log, "root", str), "root"),
                seq=parts.part(log, "seq", int),
                entry=parts.part(log, "entry", str),
                proof=tuple(parts.hashed(node, "proof") for node in parts.texts(log, "proof")),
            ),
            key=parts.public_key(found, "key"),
            subjects=tuple(said.subjects),
            signer=signer,
            predicate=found,
        )

    def json(self) -> dict[str, Any]:
        """The predicate, and the subjects."""
        subjects = [{"name": s.name, "digest": dict(s.digest)} for s in self.subjects]
        return {**self.predicate, "subjects": subjects}
