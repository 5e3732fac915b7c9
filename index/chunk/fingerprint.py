"""The numbers that decide where texts are cut, and their fingerprint, which every sync computes and seldom
anything is cut."""

from __future__ import annotations

from index.model import digest

#: Counts the changes of the algorithm that change chunks.
VERSION = 3

#: No cut leaves less than this part of the room on one side, where there is another place to cut.
FLOOR = 0.25

#: So many characters that are not blank count as a token at least: to some models an endless word is one.
CHARS_PER_TOKEN = 16

#: Characters after a place that its hash is made of.
WINDOW = 64


def fingerprint(tokenizer_fingerprint: str, limit: int) -> str:
    """Equal fingerprints make equal chunks of equal documents."""
    return digest(["chunk", VERSION, FLOOR, CHARS_PER_TOKEN, WINDOW, tokenizer_fingerprint, limit])[:16]
