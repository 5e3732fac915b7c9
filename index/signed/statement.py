"""in-toto Statements, version 1: a predicate of a named type, about subjects with digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.errors import SignatureError
from index.signed.envelope import strict_json

#: The type of an envelope's payload that is a statement.
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

#: The types of our own predicates begin with this; a name and a version follow, such as ``erasure:v1``.
PREDICATES = "urn:freshkb:"


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    digest: Mapping[str, str]
    """{algorithm: hex}, one at least."""


@dataclass(frozen=True, slots=True)
class Statement:
    subjects: Sequence[Subject]
    predicate_type: str
    predicate: Mapping[str, Any]

    def payload(self) -> bytes:
        """The statement as JSON: the same bytes for equal statements."""
        found = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": s.name, "digest": dict(s.digest)} for s in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        form = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=dict)
        return form.encode(found).encode()


def read(payload: bytes, predicate_type: str) -> Statement:
    """The statement of a payload whose signature was checked. Raises SignatureError when it is none, or has
    another predicate."""
    found = strict_json(payload, "statement")
    subjects, predicate = found.get("subject"), found.get("predicate", {})
    if found.get("_type") != STATEMENT_TYPE or not isinstance(subjects, list) or not subjects:
        raise SignatureError(f"This is no statement of the type {STATEMENT_TYPE}.")
    if found.get("predicateType") != predicate_type or not isinstance(predicate, dict):
        said = str(found.get("predicateType"))[:100]
        raise SignatureError(f"The statement is of the type {said!r}, and not {predicate_type!r}.")
    return Statement(tuple(map(_subject, subjects)), predicate_type, predicate)


def _subject(found: Any) -> Subject:
    name, digest = (found.get("name", ""), found.get("digest")) if isinstance(found, dict) else ("", None)
    texts = isinstance(digest, dict) and all(isinstance(value, str) for value in digest.values())
    if not (isinstance(name, str) and isinstance(digest, dict) and digest and texts):
        raise SignatureError("A subject of this statement has no name and digest.")
    return Subject(name, digest)
