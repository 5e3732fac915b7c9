"""Documents that repeat the text of another.

Passages of the same words are found by a hash. Of the others, those whose vectors are near each other are
compared: they repeat each other when they share most of their *shingles*, some words in a row. A passage that
stands in more than a few documents is a template (a licence, a notice, a form), and repeats nothing; neither
do short ones. Versions, translations and dated series repeat each other on purpose.

A finding is about two documents, and asks the owner of the older one; a document that shares text with
several has one finding, on the one that it shares most with.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

from index.freshness.assess import Verdict
from index.freshness.checks.base import Base, Passages, Subject
from index.freshness.checks.near import near
from index.freshness.checks.siblings import parallel, siblings
from index.freshness.finding import Finding
from index.phrase import folded

#: Words of a passage from which on it may be a repeat.
WORDS_MIN = 20
#: Documents that a passage stands in at most; one of more is a template.
DOCUMENTS_MAX = 3
#: Cosine from which on two passages are compared. Their vectors are of the titles and headings, too.
COSINE_MIN = 0.85
#: Share of the shingles of two passages that both must have.
JACCARD_MIN = 0.5
#: Words of a shingle.
SHINGLE = 3
#: Other passages that one may be near to; one of more is a template.
NEIGHBOURS_MAX = 24
#: Words that two documents share at least, and the share of either that these are at least: much of a page,
#: or a long text.
SHARES = ((60, 0.5), (300, 0.25))


class Shared(NamedTuple):
    """The text that two documents share."""

    older: Subject
    newer: Subject
    dated: bool
    """Whether their dates tell which is newer."""
    words: int
    """Words of the older one's passages that the newer one repeats."""
    share: float
    """Of the older one's words, 0 to 1."""
    share_newer: float
    """Of the newer one's words."""
    first: int
    """Row of the first of these passages in the newer one."""


def find(base: Base) -> Iterator[Finding]:
    passages = base.passages()
    most: dict[str, Shared] = {}
    for shared in _shared(base, passages):
        document = shared.older.document.document_id
        if document not in most or _worse(shared) > _worse(most[document]):
            most[document] = shared
    for shared in most.values():
        yield _finding(shared, passages)


def _worse(shared: Shared) -> tuple[int, str]:
    return shared.words, shared.newer.document.document_id


def _finding(shared: Shared, passages: Passages) -> Finding:
    older, newer = shared.older, shared.newer
    passage = passages.all[shared.first]
    place = " > ".join(passage.heading_path) if passage.heading_path else ""
    if passage.page is not None:
        place = f"{place}, page {passage.page}" if place else f"page {passage.page}"
    text = f"{shared.words:,} of its words ({shared.share:.0%} of its text)"
    where = f" under “{place}”" if place else ""
    rest = f", {shared.share_newer:.0%} of the text there" if shared.share_newer > shared.share else ""
    return older.finding(
        "repeat",
        f"{text} stand in {'the newer ' if shared.dated else ''}{newer.name} too, "
        f"the same or nearly so{where}{rest}.",
        key=newer.document.document_id,
        related=(newer.document.document_id,),
        remedy="Keep the text in one of the two, the newer as a rule, and link to it from here; retire this "
        "document when nothing else is left in it."
        if shared.dated
        else "Keep the text in one of the two, and link to it from the other; retire a document when nothing "
        "else is left in it.",
    )


def _shared(base: Base, passages: Passages) -> Iterator[Shared]:
    """What pairs of documents share, where that is much."""
    words = [len(folded(passage.body).split()) for passage in passages.all]
    sizes = Counter[str]()
    for passage, count in zip(passages.all, words, strict=True):
        sizes[passage.document_id] += count
    for (one, other), rows in _repeated(base, passages, words).items():
        sides = [_Side(base.by_id[one], {a for a, _ in rows}), _Side(base.by_id[other], {b for _, b in rows})]
        counts = [sum(words[row] for row in side.rows) for side in sides]
        shares = [n / sizes[side.id] for n, side in zip(counts, sides, strict=True)]
        dates = [side.subject.dated for side in sides]
        # Files of one checkout are of one day: then the one that is repeated more is the one to go.
        dated = None not in dates and len({date.date() for date in dates if date}) == 2
        order = dates[0] > dates[1] if dated and dates[0] and dates[1] else shares[0] < shares[1]
        older, newer = (1, 0) if order else (0, 1)
        if sides[older].subject.assessment.verdict is Verdict.EXEMPT:
            continue
        if any(counts[older] >= least and max(shares) >= share for least, share in SHARES):
            first = min(sides[newer].rows)
            subjects = sides[older].subject, sides[newer].subject
            yield Shared(*subjects, dated, counts[older], shares[older], shares[newer], first)


class _Side(NamedTuple):
    subject: Subject
    rows: set[int]
    """Passages that the other side repeats."""

    @property
    def id(self) -> str:
        return self.subject.document.document_id


def _repeated(
    base: Base, passages: Passages, words: Sequence[int]
) -> Mapping[tuple[str, str], list[tuple[int, int]]]:
    """Passages that repeat each other, by their documents; templates and siblings left out."""
    documents = passages.documents()
    texts: dict[int, dict[int, int]] = {}
    """Of each text, the first row in each document."""
    for row, passage in enumerate(passages.all):
        if words[row] >= WORDS_MIN:
            texts.setdefault(hash(folded(passage.body)), {}).setdefault(documents[row], row)
    alike: list[tuple[int, int]] = []
    single: list[list[int]] = []
    for places in texts.values():
        if len(places) <= NEIGHBOURS_MAX:
            rows = list(places.values())
            alike += combinations(rows, 2)
            single.append(rows)
    for one, other in _near(passages, documents, [rows[0] for rows in single]):
        alike += product(single[one], single[other])
    on_purpose = _on_purpose(base, passages)
    kept = [(a, b) for a, b in alike if documents[a] != documents[b] and not on_purpose(a, b)]
    stands: dict[int, set[int]] = defaultdict(set)
    for a, b in kept:
        stands[a].add(documents[b])
        stands[b].add(documents[a])
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for a, b in kept:
        if max(len(stands[a]), len(stands[b])) < DOCUMENTS_MAX:
            a, b = sorted((a, b))
            found[passages.all[a].document_id, passages.all[b].document_id].append((a, b))
    return found


def _near(passages: Passages, documents: Sequence[int], rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of these rows that are near each other, and share most of their shingles; as places in `rows`."""
    import numpy as np

    if passages.vectors is None or not rows:
        return

    @lru_cache(1 << 14)
    def shingled(place: int) -> frozenset[int]:
        return shingles(passages.all[rows[place]].body)

    groups = np.array([documents[row] for row in rows])
    for one, other, _ in near(passages.vectors[rows], groups, COSINE_MIN, NEIGHBOURS_MAX):
        if jaccard(shingled(one), shingled(other)) >= JACCARD_MIN:
            yield one, other


def _on_purpose(base: Base, passages: Passages) -> Callable[[int, int], bool]:
    """Whether two passages are of documents that are alike on purpose."""
    titles = passages.titles()

    @lru_cache(1 << 16)
    def alike(one: str, other: str) -> bool:
        first, second = base.by_id[one].document, base.by_id[other].document
        named = first.title or titles[one], second.title or titles[other]
        return siblings(first.uri, second.uri) or parallel(*named)

    return lambda a, b: alike(passages.all[a].document_id, passages.all[b].document_id)


def shingles(text: str) -> frozenset[int]:
    """Hashes of each some words in a row, good for this process."""
    words = folded(text).split()
    return frozenset(hash(tuple(words[at : at + SHINGLE])) for at in range(max(len(words) - SHINGLE + 1, 1)))


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """The share of what either has that both have."""
    least, most = sorted((len(one), len(other)))
    if least < JACCARD_MIN * most:
        return 0.0
    both = len(frozenset(one) & frozenset(other))
    return both / (least + most - both)
