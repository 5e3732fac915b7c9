"""Chunks are slices of the text: nothing lost, none too long, headings kept, tables and code cut at lines."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.chunk.chunker import LIMIT_MIN, _Chunker, chunk
from index.chunk.fingerprint import fingerprint
from index.embed.identity import DEFAULT, identify
from index.embed.tokenizer import TokenCounter, Tokenizer
from index.model import Chunk, Element, Parsed

LIMIT = 64


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return identify(DEFAULT, tmp_path_factory.mktemp("cache")).tokenizer()


class Greedy:
    """A tokenizer that makes more tokens of two texts together than of each: nothing may rest on sums."""

    special = 3

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(self.offsets(text)) for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        size = 1 if len(text) > 100 else 4
        return [(at, min(at + size, len(text))) for at in range(0, len(text), size)]


def prose(text: str, *path: str, page: int | None = None) -> Element:
    return Element(text, "NarrativeText", path, page)


def heading(*path: str, page: int | None = None) -> Element:
    return Element(path[-1], "Title", path, page)


def words(count: int, word: str = "word") -> str:
    return " ".join(f"{word}{number}" for number in range(count))


def check(document: Parsed, tokenizer: TokenCounter, limit: int = LIMIT) -> list[Chunk]:
    """The chunks, after what holds of all of them."""
    chunks = chunk(document, tokenizer, limit=limit)
    if document.text.strip():
        assert "".join(part.text for part in chunks) == document.text
    else:
        assert chunks == []
    counts = tokenizer.count([part.embedded_text for part in chunks])
    assert [part.tokens for part in chunks] == [count + tokenizer.special for count in counts]
    assert all(part.tokens <= limit for part in chunks)
    for part in chunks:
        # The first blank line ends the prefix, so that the stored text follows from the embedded one.
        assert part.embedded_text.partition("\n\n")[2] == part.text
    return chunks


TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=" \t\n\r\u00a0\u2028\u200b", max_size=80),
    st.text(alphabet="👩‍🚀🇩🇪👍🏽e\u0301漢字仮名。!? \n", max_size=400),
    st.text(alphabet=st.characters(categories=["Cs", "Lu", "Mn"]), max_size=120),
    st.text(alphabet="ab", min_size=200, max_size=1500),
    st.lists(
        st.sampled_from(["Yes.", "No", "perhaps;", "\n", "\n\n", "x" * 130, "| a | b |"]), max_size=80
    ).map(" ".join),
)
PATHS = st.lists(st.one_of(st.sampled_from(["A", "B", ""]), st.text(max_size=400)), max_size=3).map(tuple)
ELEMENTS = st.builds(
    Element,
    text=TEXTS,
    kind=st.sampled_from(["Title", "NarrativeText", "ListItem", "Table", "CodeSnippet", "UncategorizedText"]),
    heading_path=PATHS,
    page=st.one_of(st.none(), st.integers(1, 9)),
)
DOCUMENTS = st.builds(
    Parsed,
    elements=st.lists(ELEMENTS, max_size=8).map(tuple),
    title=st.one_of(st.just(""), st.text(max_size=600)),
)
ANY = settings(deadline=None, suppress_health_check=list(HealthCheck))


@ANY
@given(DOCUMENTS, st.integers(LIMIT_MIN, 100))
def test_chunks_joined_are_the_text_and_none_is_too_long(
    tokenizer: Tokenizer, document: Parsed, limit: int
) -> None:
    check(document, tokenizer, limit)


@ANY
@given(DOCUMENTS)
def test_the_same_holds_with_a_tokenizer_whose_counts_do_not_add_up(document: Parsed) -> None:
    check(document, Greedy())


@pytest.mark.parametrize(
    "text",
    [
        words(20_000),
        "漢字仮名交じり文" * 10_000,
        "0123456789abcdef" * 15_000,
        "a" * 1_000_000,
        "👩‍👩‍👧‍👦" * 5_000,
        "Same again. " * 20_000,
        " " * 1_000_000 + "end",
    ],
    ids=["words", "no spaces", "one word", "one letter", "families", "one sentence", "blanks"],
)
def test_a_single_line_without_end_is_cut(tokenizer: Tokenizer, text: str, soak: bool) -> None:
    text = text if soak else text[-(len(text) // 3) :]
    chunks = check(Parsed((prose(text),)), tokenizer, 256)
    assert len(chunks) < len(text) // 40


def test_a_very_long_line_costs_no_place_a_word_and_an_insertion_few_chunks(
    tokenizer: Tokenizer, soak: bool
) -> None:
    chance = Random(1)
    length = 100_000 if soak else 40_000
    line = " ".join(chance.choices([f"word{number}" for number in range(500)], k=length))
    document = Parsed((prose(line),))
    assert len(list(_Chunker(document, tokenizer, 256)._atoms())) < length / 4
    before = {chunk.text for chunk in check(document, tokenizer, 256)}
    after = {chunk.text for chunk in check(Parsed((prose(f"One more. {line}"),)), tokenizer, 256)}
    assert len(after - before) < 4 < len(before) / 100


def test_texts_count_as_many_tokens_alone_as_among_many_others(tokenizer: Tokenizer) -> None:
    texts = ["", "Stop the pump.", "naïve\u00adly 試験 \ud800", "word " * 300, *map(str, range(50))]
    alone = [tokenizer.count([text])[0] for text in texts]
    assert alone == tokenizer.count([*texts, "word " * 10_000])[:-1]
    assert alone[1] == 4


def test_a_document_without_text_has_no_chunks(tokenizer: Tokenizer) -> None:
    assert check(Parsed(()), tokenizer) == []
    assert check(Parsed((prose(""), prose(" \n\t"))), tokenizer) == []


def test_blank_elements_never_make_a_chunk(tokenizer: Tokenizer) -> None:
    blanks = (prose(" ", "X"), prose("", "Y"))
    (only,) = check(Parsed((*blanks, prose("Text."), *blanks)), tokenizer)
    assert only.heading_path == ()


def test_a_limit_without_room_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="least is 32"):
        chunk(Parsed((prose("x"),)), tokenizer, limit=31)


# ── Headings ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_heading_begins_a_chunk(tokenizer: Tokenizer) -> None:
    document = Parsed(
        (
            heading("A"),
            prose("One.", "A"),
            heading("A", "B"),
            prose("Two.", "A", "B"),
            prose("Three.", "A", "B"),
        )
    )
    chunks = check(document, tokenizer)
    assert [part.text for part in chunks] == ["A\n\nOne.\n\n", "B\n\nTwo.\n\nThree.\n\n"]
    assert [part.heading_path for part in chunks] == [("A",), ("A", "B")]


def test_headings_without_text_between_join_what_follows(tokenizer: Tokenizer) -> None:
    document = Parsed((heading("A"), heading("A", "B"), prose("Text.", "A", "B"), heading("C"), heading("D")))
    chunks = check(document, tokenizer)
    assert [part.text for part in chunks] == ["A\n\nB\n\nText.\n\n", "C\n\nD\n\n"]
    assert chunks[0].heading_path == ("A", "B")


def test_two_sections_of_the_same_name_stay_apart(tokenizer: Tokenizer) -> None:
    document = Parsed((heading("A"), prose("One.", "A"), heading("A"), prose("Two.", "A")))
    assert len(check(document, tokenizer)) == 2


def test_a_heading_is_not_parted_from_a_long_text(tokenizer: Tokenizer) -> None:
    document = Parsed((heading("A"), prose(". ".join(words(12, w) for w in "abcdefgh"), "A")))
    first, *_ = check(document, tokenizer)
    assert first.text.startswith("A\n\na0 ")


def test_the_page_is_that_of_the_first_element(tokenizer: Tokenizer) -> None:
    document = Parsed((heading("A", page=3), prose("One.", "A", page=4), heading("B", page=None)))
    assert [part.page for part in check(document, tokenizer)] == [3, None]


def test_hundreds_of_headings_in_a_row_are_cut_like_text(tokenizer: Tokenizer) -> None:
    document = Parsed(tuple(heading("Contents", f"Chapter {number}") for number in range(300)))
    assert 12 < len(check(document, tokenizer)) < 30


# ── What is embedded ──────────────────────────────────────────────────────────────────────────────────


def test_the_prefix_holds_title_and_path_but_the_title_once(tokenizer: Tokenizer) -> None:
    document = Parsed((prose("Text.", "Leave policy", "Sick leave", "Notes\n of it"),), title="Leave  policy")
    (only,) = check(document, tokenizer)
    assert only.embedded_text == "Leave policy\nSick leave > Notes of it\n\nText.\n\n"
    assert only.text == "Text.\n\n"


def test_equal_embedded_texts_mean_equal_stored_texts(tokenizer: Tokenizer) -> None:
    titled = check(Parsed((prose("bar"),), title="foo"), tokenizer)
    plain = check(Parsed((prose("foo\n\nbar"),)), tokenizer)
    assert titled[0].embedded_hash != plain[0].embedded_hash


def test_an_absurd_title_and_path_leave_room_for_the_text(tokenizer: Tokenizer) -> None:
    document = Parsed((prose("The text.", words(500, "part"), "Innermost"),), title=words(500, "title"))
    (only,) = check(document, tokenizer)
    prefix, _, text = only.embedded_text.partition("\n\n")
    assert text == "The text.\n\n"
    assert prefix.startswith("title0 ")
    assert prefix.endswith(" > Innermost")
    assert tokenizer.count([prefix])[0] <= LIMIT // 4 + 1


# ── Code and tables ───────────────────────────────────────────────────────────────────────────────────


def test_code_that_fits_stays_whole(tokenizer: Tokenizer) -> None:
    code = "\n".join(f"x{line} = {line}" for line in range(8))
    document = Parsed((prose(words(20)), Element(code, "CodeSnippet"), prose(words(20))))
    assert sum(code in part.text for part in check(document, tokenizer)) == 1


def test_code_that_does_not_fit_is_cut_at_line_ends(tokenizer: Tokenizer) -> None:
    code = "\n".join(f"    value_{line} = compute. it({line})" for line in range(60))
    chunks = check(Parsed((Element(code, "CodeSnippet"),)), tokenizer)
    assert len(chunks) > 5
    assert all(part.text.endswith("\n") and part.text.startswith("    value") for part in chunks)


def test_a_long_table_is_cut_at_rows_and_its_header_is_embedded_again(tokenizer: Tokenizer) -> None:
    rows = "\n".join(f"Room {number}\t{number} m²\tfloor {number % 5}" for number in range(60))
    document = Parsed((prose("Our rooms."), Element(f"Name\tArea\tFloor\n{rows}", "Table")), title="Rooms")
    first, *others = check(document, tokenizer)
    assert "Name\tArea" in first.text
    assert len(others) > 5
    for part in others:
        assert part.text.startswith("Room ")
        assert part.embedded_text == f"Rooms\nName Area Floor\n\n{part.text}"


def test_a_table_whose_first_row_is_endless_still_fits(tokenizer: Tokenizer) -> None:
    check(Parsed((Element(words(300) + "\n" + "\n".join(map(words, range(1, 40))), "Table"),)), tokenizer)


def test_long_prose_is_cut_between_sentences(tokenizer: Tokenizer) -> None:
    text = " ".join(f"This is sentence number {number} of a text." for number in range(80))
    for part in check(Parsed((prose(text),)), tokenizer):
        assert part.text.startswith("This is")
        assert part.text.rstrip().endswith(".")


@pytest.mark.parametrize(
    "sentence",
    [
        "यह पाठ का एक वाक्य है। ",
        "هل هذه جملة من النص؟ ",
        "یہ متن کا ایک جملہ ہے۔ ",
        "Սա տեքստի մի նախադասություն է։ ",
        "ይህ የጽሑፉ አንድ ዓረፍተ ነገር ነው። ",
        "ဒါက စာသားရဲ့ ဝါကျတစ်ကြောင်း ဖြစ်ပါတယ်။ ",
        "នេះ ជា ប្រយោគ មួយ នៃ អត្ថបទ។ ",
        "他说：“这是正文中的一句话。”",
        "これは本文の一文です。",
    ],
)
def test_sentences_end_as_their_script_ends_them(sentence: str) -> None:
    characters = Greedy()
    for part in check(Parsed((prose(sentence * 40),)), characters, 300):
        assert part.text.replace(sentence.strip(), "").strip() == ""


def test_no_cut_goes_through_what_a_reader_sees_as_one_character(tokenizer: Tokenizer) -> None:
    family = "👩‍👩‍👧‍👦"
    for part in check(Parsed((prose(family * 500),)), tokenizer):
        assert part.text.strip().replace(family, "") == ""


# ── Fingerprint ───────────────────────────────────────────────────────────────────────────────────────


def test_the_fingerprint_depends_on_tokenizer_and_limit() -> None:
    made = {fingerprint("a", 256), fingerprint("b", 256), fingerprint("a", 128)}
    assert len(made) == 3
    assert fingerprint("a", 256) in made
