"""An edit changes the chunks near it and no others, whatever the document looks like.

Goal: after an edit, few chunks have an embedded text that the document did not have before. Method: generated
texts (fixed seed), an edit at many places, the mean number of new embedded hashes. The least possible is 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import mean

import pytest

from index.chunk.chunker import chunk
from index.embed.identity import DEFAULT, identify
from index.embed.tokenizer import Tokenizer
from index.model import Element, Parsed

NEW = "This paragraph was not here before; it says what nobody had said in this text until today."
SPEECH = """
agreement annual benefit budget building calendar computer contract customer deadline delivery department
document employee equipment holiday insurance invoice laptop leave manager meeting office order password
payment policy procedure project quality record request review safety schedule security service software
supervisor supplier support system team training travel vendor visitor week work year the of and to in for
with on at by from or is are must may can will not every any before after during when which that
"""
VOCABULARY = SPEECH.split()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return identify(DEFAULT, tmp_path_factory.mktemp("cache")).tokenizer()


def sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(VOCABULARY, k=chance.randint(6, 20))).capitalize() + "."


def paragraphs(count: int, chance: random.Random) -> list[str]:
    return [" ".join(sentence(chance) for _ in range(chance.randint(1, 6))) for _ in range(count)]


def plain(texts: Sequence[str]) -> Parsed:
    return Parsed(tuple(Element(text, "NarrativeText") for text in texts))


def sections(chance: random.Random) -> Parsed:
    """A page as wikis have them: a title, and sections of a few paragraphs or items each."""
    elements = [Element("Page", "Title", ("Page",))]
    for number in range(chance.randint(3, 9)):
        path = ("Page", f"Section {number}")
        elements.append(Element(path[-1], "Title", path))
        kind = chance.choice(["NarrativeText", "ListItem"])
        elements += [Element(text, kind, path) for text in paragraphs(chance.randint(1, 5), chance)]
    return Parsed(tuple(elements), title="Page")


def hashes(document: Parsed, tokenizer: Tokenizer) -> set[str]:
    return {part.embedded_hash for part in chunk(document, tokenizer, limit=256)}


Edit = Callable[[list[str], int], list[str]]
EDITS: dict[str, tuple[Edit, float]] = {
    "inserted": (lambda texts, at: [*texts[:at], NEW, *texts[at:]], 1.6),
    "deleted": (lambda texts, at: [*texts[:at], *texts[at + 1 :]], 1.4),
    "edited": (lambda texts, at: [*texts[:at], texts[at] + " Amended.", *texts[at + 1 :]], 1.3),
}


@pytest.mark.parametrize(("edit", "most"), EDITS.values(), ids=EDITS)
def test_a_paragraph_changes_its_surroundings_in_a_text_without_headings(
    edit: Edit, most: float, tokenizer: Tokenizer, soak: bool
) -> None:
    changed = []
    chance = random.Random(0)
    count = 300 if soak else 120
    texts = paragraphs(count, chance)
    before = hashes(plain(texts), tokenizer)
    assert len(before) > count / 4
    for at in chance.sample(range(count), 12):
        changed.append(len(hashes(plain(edit(texts, at)), tokenizer) - before))
    assert mean(changed) <= most
    assert max(changed) <= 6


def test_a_paragraph_at_the_top_makes_one_new_chunk(tokenizer: Tokenizer) -> None:
    for seed in range(20):
        document = sections(random.Random(seed))
        longer = Parsed((Element(NEW, "NarrativeText"), *document.elements), title=document.title)
        assert len(hashes(longer, tokenizer) - hashes(document, tokenizer)) == 1


def test_a_paragraph_in_the_middle_of_a_page_changes_little_more_than_its_chunk(tokenizer: Tokenizer) -> None:
    changed = []
    for seed in range(40):
        document = sections(random.Random(seed))
        at = len(document.elements) // 2
        new = Element(NEW, "NarrativeText", document.elements[at - 1].heading_path)
        longer = Parsed((*document.elements[:at], new, *document.elements[at:]), title=document.title)
        changed.append(len(hashes(longer, tokenizer) - hashes(document, tokenizer)))
    assert mean(changed) <= 1.3


@pytest.mark.parametrize("kind", ["NarrativeText", "CodeSnippet"])
def test_one_endless_paragraph_changes_only_near_the_edit(
    kind: str, tokenizer: Tokenizer, soak: bool
) -> None:
    chance = random.Random(3)
    gap = " " if kind == "NarrativeText" else "\n"
    count = 3000 if soak else 1000
    parts = [sentence(chance) for _ in range(count)]
    before = hashes(Parsed((Element(gap.join(parts), kind),)), tokenizer)
    assert len(before) > count / 20
    changed = []
    for at in chance.sample(range(count), 4):
        longer = gap.join([*parts[:at], NEW, *parts[at:]])
        changed.append(len(hashes(Parsed((Element(longer, kind),)), tokenizer) - before))
    assert mean(changed) <= 2.5


@pytest.mark.parametrize(
    "alphabet",
    [
        [chr(code) for code in range(0x4E00, 0x5200)],
        list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
    ],
    ids=["Chinese", "base64"],
)
def test_text_without_spaces_changes_only_near_the_edit(
    alphabet: list[str], tokenizer: Tokenizer, soak: bool
) -> None:
    chance = random.Random(4)
    length = 20_000 if soak else 10_000
    text = "".join(chance.choices(alphabet, k=length))
    before = hashes(plain([text]), tokenizer)
    changed = []
    for at in chance.sample(range(length), 5):
        changed.append(len(hashes(plain([text[:at] + text[:30] + text[at:]]), tokenizer) - before))
    assert mean(changed) <= 6 < len(before) / 5


def test_a_longer_table_keeps_most_of_its_chunks(tokenizer: Tokenizer) -> None:
    rows = [f"{number}\t{sentence(random.Random(number))}\t{number * 37 % 1000}" for number in range(600)]
    table = Element("\n".join(["Number\tText\tValue", *rows]), "Table")
    longer = Element(
        "\n".join(["Number\tText\tValue", *rows[:200], "200a\tA new row.\t0", *rows[200:]]), "Table"
    )
    before = hashes(Parsed((table,)), tokenizer)
    assert len(hashes(Parsed((longer,)), tokenizer) - before) <= 4 < len(before) / 10
