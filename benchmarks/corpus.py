"""Real Markdown documents to measure with, and prose made of their words.

Every Python environment holds real Markdown that was not written for a benchmark: the long descriptions of
the installed distributions. So the figures can be measured on any machine, without a download.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import distributions
from itertools import accumulate
from pathlib import Path
from statistics import median

#: Characters of a document: shorter ones hold no text to speak of, longer ones would be most of the corpus.
SIZE_MIN, SIZE_MAX = 500, 60_000

_FRONT_MATTER = re.compile(r"\A---\r?\n.*?^---\r?\n", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_CODE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1", re.DOTALL | re.MULTILINE)
_BLANK = re.compile(r"\n\s*\n")
_WORD = re.compile(r"\b[a-z]{2,12}\b")


@dataclass(frozen=True)
class Corpus:
    """Documents by name, which ends in ``.md``; in order of name."""

    name: str
    documents: dict[str, str]

    def __str__(self) -> str:
        size = sum(map(len, self.documents.values()))
        return f"{len(self.documents)} Markdown documents of {size:,} characters: {self.name}"

    def write(self, folder: Path) -> None:
        """As files below the folder."""
        for name, text in self.documents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    @cached_property
    def words(self) -> list[tuple[str, int]]:
        """The commonest words and how often they occur, commonest first."""
        counted: Counter[str] = Counter()
        for text in self.documents.values():
            counted.update(_WORD.findall(text))
        return sorted(counted.most_common(5_000), key=lambda pair: (-pair[1], pair[0]))

    @cached_property
    def paragraph_words(self) -> int:
        """The median length of its paragraphs: blocks outside of code that begin with a letter."""
        lengths: list[int] = []
        for text in self.documents.values():
            prose = _CODE.sub("", _FRONT_MATTER.sub("", text))
            lengths += [len(block.split()) for block in _BLANK.split(prose) if block[:1].isalpha()]
        return round(median(lengths))

    def some(self, count: int) -> dict[str, str]:
        """So many of the documents, evenly from all of them."""
        names = list(self.documents)
        count = min(count, len(names))
        return {name: self.documents[name] for name in (names[len(names) * i // count] for i in range(count))}

    def prose(self, seed: int) -> Prose:
        return Prose(self.words, seed)


class Prose:
    """Endless text in the corpus's words, as often as they occur there; the same for the same seed."""

    def __init__(self, words: list[tuple[str, int]], seed: int) -> None:
        self._words = [word for word, _ in words]
        self._weights = list(accumulate(count for _, count in words))
        self._random = random.Random(seed)

    def words(self, count: int) -> list[str]:
        return self._random.choices(self._words, cum_weights=self._weights, k=count)

    def paragraph(self, words: int) -> str:
        """Sentences of some ten words each, on one line."""
        found = self.words(words)
        for start in range(0, words, 11):
            found[start] = found[start].capitalize()
            end = min(start + 10, words - 1)
            found[end] += "."
        return " ".join(found)


def installed(count: int) -> Corpus:
    """Markdown descriptions of installed distributions, at most so many, chosen by a hash of their names so
    that another installed package changes one of them and not all."""
    found: dict[str, str] = {}
    for distribution in distributions():
        about = distribution.metadata.json
        text = str(about.get("description", ""))
        kind = str(about.get("description_content_type", ""))
        if "markdown" in kind.lower() and SIZE_MIN <= len(text) <= SIZE_MAX:
            name = re.sub(r"[^a-z0-9]+", "-", str(about["name"]).lower())
            found[f"{name[:1]}/{name}.md"] = text
    return _chosen("descriptions of the installed distributions", found, count)


def folder(path: Path, count: int) -> Corpus:
    """Markdown files below a folder, at most so many."""
    found = {file.relative_to(path).as_posix(): file.read_text("utf-8") for file in path.rglob("*.md")}
    if not found:
        raise ValueError(f"There are no Markdown files below {str(path)!r}.")
    return _chosen(f"files of a folder named {path.resolve().name}", found, count)


def _chosen(name: str, found: dict[str, str], count: int) -> Corpus:
    chosen = sorted(found, key=lambda name: sha256(name.encode()).digest())[:count]
    return Corpus(name, {name: found[name] for name in sorted(chosen)})


def at_top(text: str, paragraph: str) -> str:
    """The text with a paragraph before everything else but the front matter."""
    front = _FRONT_MATTER.match(text)
    end = front.end() if front else 0
    return f"{text[:end]}{paragraph}\n\n{text[end:].lstrip()}"


def in_middle(text: str, paragraph: str) -> str:
    """The text with a paragraph at the blank line nearest to its middle, outside of code."""
    body = front.end() if (front := _FRONT_MATTER.match(text)) else 0
    fences = [match.start() for match in _FENCE.finditer(text)]
    # A place is outside of code when an even number of fences comes before it; indented text may be code too.
    places = [
        match.end()
        for match in re.finditer(r"\n[ \t]*\n(?=[^\s])", text)
        if match.start() >= body and sum(fence < match.end() for fence in fences) % 2 == 0
    ]
    middle = (body + len(text)) / 2
    place = min(places, key=lambda at: abs(at - middle), default=len(text))
    return f"{text[:place]}{paragraph}\n\n{text[place:]}"
