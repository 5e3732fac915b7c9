"""A parsed document as chunks: slices of its text that fit the model and survive edits around them.

Headings are hard boundaries. Inside a section the places to cut are chosen by content: a section that is too
long is cut where a hash of the text that follows is lowest, and its parts are cut the same way, until every
slice fits. An edit elsewhere changes neither these hashes nor their order, so that slices away from it stay
as they are. Places differ in rank, and hashes count only among equals: between blocks first, then between
sentences or groups of lines, between lines, between words, anywhere.

A chunk's embedded text is its prefix, a blank line, and its text. No line of a prefix is blank, so the first
blank line ends it: equal embedded texts always have equal stored texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil

from index.chunk.atoms import Atom, Slice, best_cut, key, sections
from index.chunk.boundaries import ANYWHERE, BLOCK, HEADING, WORD, Places, inhabited, joined, places_in
from index.chunk.fingerprint import CHARS_PER_TOKEN, FLOOR
from index.embed.tokenizer import TokenCounter
from index.model import Chunk, Element, Parsed

#: Smallest limit that leaves room for text beside a prefix.
LIMIT_MIN = 32

#: Characters of one call when an endless word is cut, and of the longest line whose words are each looked at
#: alone: a character costs some hundred bytes.
_SLAB = 1 << 16

#: Characters between two places in a longer line, at least and at most.
_APART = 32, 128


def chunk(document: Parsed, tokenizer: TokenCounter, *, limit: int) -> list[Chunk]:
    """The document's chunks, in order; none when its text is blank.

    Joined, their texts are the document's. None has more than `limit` tokens (at least 32), counted in the
    embedded text with those that the model adds.
    """
    if limit < LIMIT_MIN:
        raise ValueError(f"A limit of {limit} tokens leaves no room for text; the least is {LIMIT_MIN}.")
    if not any(element.text.strip() for element in document.elements):
        return []
    return _Chunker(document, tokenizer, limit).chunks()


def compose(title: str, heading_path: Sequence[str], text: str, header: str = "") -> str:
    """The embedded text of a chunk whose document is not at hand: with its whole prefix, and with the header
    row of a table that it continues as far as that is known."""
    title = _line(title)
    lines = [line for line in (title, _trail(title, heading_path), header) if line]
    return "\n".join(lines) + "\n\n" + text


def headers(text: str) -> Iterator[str]:
    """Header rows that the table at the end of this chunk may have, if the next chunk continues it."""
    return map(_line, text.split("\n"))


class _Chunker:
    def __init__(self, document: Parsed, tokenizer: TokenCounter, limit: int) -> None:
        self.tokenizer = tokenizer
        self.elements = document.elements
        self.text = document.text
        self.limit = limit - tokenizer.special
        #: Most tokens of a prefix, and of a table's header row.
        self.share = limit // 4
        self.title = _line(document.title)
        self.prefixes: dict[tuple[str, ...], tuple[str, int]] = {}
        self.headers: dict[str, int] = {"": 0}

    def chunks(self) -> list[Chunk]:
        atoms = list(self._atoms())
        slices = [part for section in sections(atoms, len(self.text)) for part in self._divide(section)]
        # Atoms were weighed one by one, and some tokenizers make more tokens of them together.
        while True:
            texts = [self._embedded(part) for part in slices]
            counts = self.tokenizer.count(texts)
            halves = [
                self._halve(part) if count > self.limit else [part]
                for part, count in zip(slices, counts, strict=True)
            ]
            if all(len(parts) == 1 for parts in halves):
                break
            slices = [part for parts in halves for part in parts]
        return [
            Chunk(
                text=self.text[part.atoms[0].start : part.end],
                embedded_text=text,
                heading_path=part.atoms[-1].element.heading_path,
                page=part.atoms[0].element.page,
                tokens=count + self.tokenizer.special,
            )
            for part, text, count in zip(slices, texts, counts, strict=True)
        ]

    # ── What is embedded ──────────────────────────────────────────────────────────────────────────────

    def _embedded(self, part: Slice) -> str:
        first = part.atoms[0]
        prefix, _ = self._prefix(part.atoms[-1].element.heading_path)
        lines = [line for line in (prefix, first.header) if line]
        return "\n".join(lines) + "\n\n" + self.text[first.start : part.end]

    def _prefix(self, path: tuple[str, ...]) -> tuple[str, int]:
        """Title and heading path, a line each, and their tokens."""
        if path not in self.prefixes:
            trail = _trail(self.title, path)
            prefix = "\n".join(line for line in (self.title, trail) if line)
            tokens = self._tokens(prefix)
            if tokens > self.share:
                # Of a title the beginning says most, of a path the end.
                title = self._clip(self.title, self.share // 2)
                trail = self._clip(trail, self.share - self._tokens(title), keep_end=True)
                prefix = "\n".join(line for line in (title, trail) if line)
                tokens = self._tokens(prefix)
            self.prefixes[path] = prefix, tokens
        return self.prefixes[path]

    def _clip(self, line: str, tokens: int, *, keep_end: bool = False) -> str:
        size = tokens * CHARS_PER_TOKEN
        line = line[-size:] if keep_end else line[:size]
        offsets = self.tokenizer.offsets(line)
        if len(offsets) <= tokens:
            return line.strip()
        return (line[offsets[-tokens][0] :] if keep_end else line[: offsets[tokens - 1][1]]).strip()

    def _tokens(self, text: str) -> int:
        return self.tokenizer.count([text])[0] if text else 0

    # ── Atoms ─────────────────────────────────────────────────────────────────────────────────────────

    def _atoms(self) -> Iterator[Atom]:
        """Elements where they fit, else parts of them. Blank elements belong to the atom before."""
        texts = [element.text + "\n\n" for element in self.elements]
        starts = accumulate(map(len, texts), initial=0)
        rank: int | None = None
        for element, text, start, weight in zip(
            self.elements, texts, starts, self._weights(texts), strict=False
        ):
            if not element.text.strip():
                continue
            first = start if rank is not None else 0
            room = self.limit - self._prefix(element.heading_path)[1]
            if weight <= room:
                yield Atom(first, element, rank or BLOCK, weight)
            else:
                places = places_in(element.kind)
                parts = self._parts(element, first, start + len(text), rank or BLOCK, room, places)
                yield from self._headed(parts, start) if element.kind == "Table" else parts
            rank = HEADING if element.kind == "Title" else BLOCK

    def _weights(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, or what its length alone comes to where that is more."""
        weights = [len(text) // CHARS_PER_TOKEN for text in texts]
        for index, weight in enumerate(weights):
            if weight > self.limit:
                weights[index] = sum(map(len, texts[index].split())) // CHARS_PER_TOKEN
        # A text that is too long anyway is never tokenized as a whole: that would take memory without bounds.
        counted = [index for index, weight in enumerate(weights) if weight <= self.limit]
        for index, count in zip(counted, self.tokenizer.count([texts[i] for i in counted]), strict=True):
            weights[index] = max(weights[index], count)
        return weights

    def _parts(
        self, element: Element, start: int, end: int, rank: int, room: int, places: Places
    ) -> Iterator[Atom]:
        """An element that does not fit in parts that do; `rank` is that of its start."""
        if not places:
            for place, weight in self._anywhere(start, end):
                yield Atom(place, element, rank if place == start else ANYWHERE, weight)
            return
        (inner, pattern), *others = places
        matches = (match.end() for match in pattern.finditer(self.text, start, end))
        cuts: Iterable[int] = (cut for cut in matches if start < cut < end)
        apart = inner == WORD and end - start > _SLAB
        if apart:
            cuts = self._apart(start, cuts)
        bounds = inhabited(self.text, [start, *cuts, end])
        weights = self._weights([self.text[a:b] for a, b in pairwise(bounds)])
        for (a, b), weight in zip(pairwise(bounds), weights, strict=True):
            here = rank if a == start else inner
            if weight > room:
                # Words that were taken together and do not fit are looked at one by one.
                finer = places if apart and b - a <= _SLAB else others
                yield from self._parts(element, a, b, here, room, finer)
            else:
                yield Atom(a, element, here, weight)

    def _apart(self, start: int, places: Iterable[int]) -> Iterator[int]:
        """Some of these places, chosen by content."""
        least, most = _APART
        for place in places:
            distance = place - start
            if distance >= most or (distance >= least and not ord(self.text[place]) % 8):
                yield place
                start = place

    def _anywhere(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Places in an endless word, some tokens apart, chosen by content; each with the weight after it."""
        place, weight = start, 0.0
        for slab in range(start, end, _SLAB):
            text = self.text[slab : min(slab + _SLAB, end)]
            for first, last in self.tokenizer.offsets(text):
                # An endless word may be one token as a whole, and become many when it is cut.
                endless = last - first > CHARS_PER_TOKEN
                for at in range(first, last if endless else first + 1):
                    chosen = weight >= 1 and not ord(text[at]) % 8
                    if (chosen or weight >= CHARS_PER_TOKEN) and not joined(self.text, slab + at):
                        yield place, ceil(weight)
                        place, weight = slab + at, 0.0
                    weight += 0.25 if endless else 1
        yield place, ceil(weight)

    def _headed(self, rows: Iterable[Atom], start: int) -> Iterator[Atom]:
        """The rows of a table that starts here, those below the first line with that line as their header."""
        below = self.text.find("\n", start) + 1
        header = self._clip(_line(self.text[start:below]), self.share)
        self.headers[header] = self._tokens(header)
        for row in rows:
            yield row._replace(header=header) if row.start >= below else row

    # ── Slices ────────────────────────────────────────────────────────────────────────────────────────

    def _divide(self, section: Slice) -> list[Slice]:
        """The section cut where content says so, until every slice fits."""
        atoms = section.atoms
        keys = [key(self.text, atom) for atom in atoms]
        sums = list(accumulate((atom.weight for atom in atoms), initial=0))
        floor = FLOOR * (self.limit - self._prefix(atoms[-1].element.heading_path)[1])
        slices: list[Slice] = []
        stack = [(0, len(atoms))]
        while stack:
            first, last = stack.pop()
            _, prefix = self._prefix(atoms[last - 1].element.heading_path)
            room = self.limit - prefix - self.headers[atoms[first].header]
            if last - first > 1 and sums[last] - sums[first] > room:
                cut = best_cut(keys, sums, first, last, floor)
                stack += [(cut, last), (first, cut)]
            else:
                end = atoms[last].start if last < len(atoms) else section.end
                slices.append(Slice(atoms[first:last], end))
        return slices

    def _halve(self, part: Slice) -> list[Slice]:
        """A slice in two, its parts of equal weight as far as that goes; itself when it is one character."""
        atoms, end = part
        if len(atoms) == 1:
            (only,) = atoms
            places = range(only.start + 1, end)
            if not places:
                return [part]
            middle = places[len(places) // 2]
            cut = next((place for place in range(middle, end) if not joined(self.text, place)), middle)
            atoms = [only, Atom(cut, only.element, ANYWHERE, only.weight // 2, only.header)]
            return [Slice(atoms[:1], cut), Slice(atoms[1:], end)]
        sums = list(accumulate((atom.weight for atom in atoms), initial=0))
        keys = [key(self.text, atom) for atom in atoms]
        at = best_cut(keys, sums, 0, len(atoms), FLOOR * sums[-1])
        return [Slice(atoms[:at], atoms[at].start), Slice(atoms[at:], end)]


def _trail(title: str, path: Sequence[str]) -> str:
    """The heading path as one line, without the title again."""
    return " > ".join(part for part in map(_line, path) if part and part != title)


def _line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())
