"""Statements of different documents that are the same but for a number.

Two statements are the same when the words that carry meaning are, whatever the numbers; or when they are
nearly so, and stand in passages that are near each other. Numbers that differ for a reason disagree with
nothing: those of versions and series, of pages on different subjects that are alike (`Leave in Germany`,
`Leave in France`), of lists that give the same for many things.

Neither side is known to be the wrong one: each of the two owners has a finding, which shows both; where both
have the same owner, the older document has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from index.freshness.checks.base import Base, Passages, Subject
from index.freshness.checks.near import near
from index.freshness.checks.sentences import Statement, statements, stem
from index.freshness.checks.siblings import parallel, siblings, subject
from index.freshness.finding import Finding
from index.freshness.owners import fold
from index.phrase import folded

#: Different values of one statement at most; more are a series.
VALUES_MAX = 3
#: Words of a statement from which on it tells its subject by itself; one of fewer needs a title that does.
SUBJECT_MIN = 3
#: Headings that pages on different subjects share at least, when they are made alike.
HEADINGS_MIN = 2
#: Cosine of the passages, and shared words, of statements that are nearly the same.
COSINE_MIN = 0.93
WORDS_MIN = 0.8
NEIGHBOURS_MAX = 24


class Said(NamedTuple):
    """A statement in its place."""

    row: int
    statement: Statement


class Conflict(NamedTuple):
    """Two documents whose statements disagree."""

    here: Said
    there: Said


def find(base: Base) -> Iterator[Finding]:
    passages = base.passages()
    pages = _Pages(base, passages)
    found: dict[tuple[str, str], list[Conflict]] = defaultdict(list)
    for group in _groups(passages):
        for conflict in _conflicts(group, pages):
            found[pages.id(conflict.here), pages.id(conflict.there)].append(conflict)
    for (here, there), conflicts in found.items():
        one, other = base.by_id[here], base.by_id[there]
        if _same_owner(one, other) and (there, here) in found and _age(one) > _age(other):
            continue
        yield _finding(one, other, conflicts, passages)


def _finding(one: Subject, other: Subject, conflicts: Sequence[Conflict], passages: Passages) -> Finding:
    here, there = conflicts[0]
    more = f" {len(conflicts) - 1} more of their numbers disagree." if len(conflicts) > 1 else ""
    owner = other.governance.owner
    return one.finding(
        "numbers-disagree",
        f"It says {_quote(here, passages)}, and {other.name}{f', of {owner},' if owner else ''} says "
        f"{_quote(there, passages)}.{more}",
        key=other.document.document_id,
        related=(other.document.document_id,),
        remedy="Correct the document that has the wrong number."
        if _same_owner(one, other)
        else "Agree with the other owner on the right number, and correct the document that has another.",
    )


def _same_owner(one: Subject, other: Subject) -> bool:
    return fold(one.governance.owner) == fold(other.governance.owner)


def _quote(said: Said, passages: Passages) -> str:
    """The statement, cut to its number's surroundings when it is long."""
    text, first = said.statement.text, said.statement.shown[0]
    if len(text) > 160:
        at = max(text.find(first), 0)
        start, end = max(at - 80, 0), min(max(at - 80, 0) + 160, len(text))
        text = f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
    page = passages.all[said.row].page
    return f"“{text.rstrip('.')}”{f' (page {page})' if page is not None else ''}"


class _Pages:
    """The documents of passages: their titles and headings."""

    def __init__(self, base: Base, passages: Passages) -> None:
        self._base, self._passages = base, passages
        self._titles = passages.titles()
        self._headings: dict[str, set[str]] = defaultdict(set)
        for passage in passages.all:
            self._headings[passage.document_id].update(heading.casefold() for heading in passage.heading_path)

    def id(self, said: Said) -> str:
        return self._passages.all[said.row].document_id

    def subject(self, said: Said) -> Subject:
        return self._base.by_id[self.id(said)]

    def comparable(self, one: Said, other: Said) -> bool:
        """Whether two statements of different documents are about one thing, as far as their places say."""
        first, second = self.subject(one).document, self.subject(other).document
        if siblings(first.uri, second.uri):
            return False
        titles = [self._title(first.document_id), self._title(second.document_id)]
        if parallel(*titles):
            return False
        if len(one.statement.subject) < SUBJECT_MIN and not self._named(one) | self._named(other):
            return False
        last = [self._passages.all[said.row].heading_path[-1:] for said in (one, other)]
        if last[0] and last[1] and parallel(last[0][0], last[1][0]):
            return False
        alike = self._headings[first.document_id] & self._headings[second.document_id]
        return subject(titles[0]) == subject(titles[1]) or len(alike) < HEADINGS_MIN

    def _named(self, said: Said) -> bool:
        """Whether the title or heading above a statement names its subject."""
        above = self._title(self.id(said)), *self._passages.all[said.row].heading_path
        return any(stem(word) in said.statement.subject for part in above for word in folded(part).split())

    def _title(self, document_id: str) -> str:
        return self._base.by_id[document_id].document.title or self._titles[document_id]


def _groups(passages: Passages) -> Iterator[list[Said]]:
    """Statements that are the same but for their numbers, and pairs of those that are nearly so."""
    by_words: dict[object, list[Said]] = defaultdict(list)
    by_row: dict[int, list[Said]] = defaultdict(list)
    for row, passage in enumerate(passages.all):
        for statement in statements(passage.body):
            said = Said(row, statement)
            by_words[_words(statement)].append(said)
            by_row[row].append(said)
    yield from (group for group in by_words.values() if len(group) > 1)
    for one, other in _near(passages, list(by_row)):
        for here, there in product(by_row[one], by_row[other]):
            if alike(here.statement, there.statement):
                yield [here, there]


def _words(statement: Statement) -> object:
    """What two statements have in common that are the same but for their numbers. Of several numbers each
    must be in its place."""
    return statement.masked if len(statement.values) > 1 else statement.content


def _near(passages: Passages, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of these passages, of different documents, that are near each other."""
    import numpy as np

    if passages.vectors is None or not rows:
        return
    documents = passages.documents()
    groups = np.array([documents[row] for row in rows])
    for one, other, _ in near(passages.vectors[rows], groups, COSINE_MIN, NEIGHBOURS_MAX):
        yield rows[one], rows[other]


def alike(one: Statement, other: Statement) -> bool:
    """Whether two statements are nearly the same: of one number each, and most words in common. A name or a
    number that only one of them has tells of something else."""
    first, second = one.content, other.content
    if first == second or len(one.values) > 1 or len(other.values) > 1 or one.units != other.units:
        return False
    if len(first & second) < WORDS_MIN * len(first | second):
        return False
    return not any(_names(said) & (first ^ second) for said in (one, other))


def _names(statement: Statement) -> set[str]:
    """The beginnings of a statement's words that are written as names, or with digits."""
    _, *words = statement.text.split()
    written = " ".join(word for word in words if not word.islower())
    return {stem(word) for word in folded(written).split()}


def _conflicts(group: Sequence[Said], pages: _Pages) -> Iterator[Conflict]:
    """For each document of a group the newest that says otherwise."""
    by_document: dict[str, Said] = {}
    for said in group:
        if by_document.setdefault(pages.id(said), said).statement.values != said.statement.values:
            # One document says it of several things.
            return
    if not 1 < len({said.statement.values for said in group}) <= VALUES_MAX:
        return
    for here in by_document.values():
        others = [
            there
            for there in by_document.values()
            if there.statement.values != here.statement.values and pages.comparable(here, there)
        ]
        if others:
            yield Conflict(here, max(others, key=lambda said: _age(pages.subject(said))))


def _age(subject: Subject) -> tuple[str, str, str]:
    return str(subject.dated or ""), subject.document.source, subject.document.uri
