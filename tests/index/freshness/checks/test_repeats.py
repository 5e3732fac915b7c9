"""Documents that repeat the text of another."""

from __future__ import annotations

from index.audit.audit import audit_of
from index.freshness.checks.repeats import find, jaccard, shingles
from tests.index.freshness.checks.made import made
from tests.knowledge import Knowledge

#: Texts of some sixty words each, of different words.
WORDS = [f"word{number}x" for number in range(600)]


def prose(number: int, words: int = 70) -> str:
    return " ".join(WORDS[number * 80 : number * 80 + words]) + "."


def edited(text: str) -> str:
    """The text with every twentieth word another."""
    return " ".join("other" if at % 20 == 7 else word for at, word in enumerate(text.split()))


def test_the_older_of_two_documents_has_the_finding_and_names_the_newer() -> None:
    found = list(
        find(
            made(
                {"a.md": prose(0), "b.md": edited(prose(0)), "c.md": prose(1)},
                a_md={"age": 400, "owner": "anna"},
                b_md={"age": 10, "title": "Travel", "owner": "ben"},
            )
        )
    )
    (finding,) = found
    assert (finding.uri, finding.owner, finding.key, finding.related) == (
        *("a.md", "anna", "id-b.md"),
        ("id-b.md",),
    )
    assert finding.evidence == (
        "70 of its words (100% of its text) stand in the newer “Travel” (docs / b.md, 2026-04-21) too, "
        "the same or nearly so."
    )
    assert "the newer as a rule" in finding.remedy


def test_of_two_of_one_day_the_one_that_is_repeated_more_has_the_finding() -> None:
    whole = [((), prose(0)), (("More",), prose(1))]
    (finding,) = find(made({"long.md": whole, "short.md": prose(0)}))
    assert (finding.uri, finding.key) == ("short.md", "id-long.md")
    assert "stand in docs / long.md (2026-05-01) too" in finding.evidence
    assert "newer" not in finding.evidence + finding.remedy


def test_a_share_of_the_newer_document_counts_as_well() -> None:
    whole = [((), prose(0)), *((("More",), prose(number)) for number in range(1, 6))]
    (finding,) = find(made({"long.md": whole, "short.md": prose(0)}, long_md={"age": 90}))
    assert finding.uri == "long.md"
    assert "70 of its words (17% of its text)" in finding.evidence
    assert finding.evidence.endswith("100% of the text there.")


def test_the_same_text_under_another_heading_is_a_repeat() -> None:
    texts = {
        "a.md": [(("Leave", "Days"), f"Days\n\n{prose(0)}")],
        "b.md": [(("Onboarding", "Your leave"), f"Your leave\n\n{prose(0)}")],
    }
    (finding,) = find(made(texts))
    assert "under “Onboarding > Your leave”" in finding.evidence or "under “Leave > Days”" in finding.evidence


def test_a_passage_of_many_documents_is_a_template() -> None:
    assert len(list(find(made({f"{name}.md": prose(0) for name in ("cat", "dog", "cow")})))) > 0
    assert list(find(made({f"{name}.md": prose(0) for name in ("cat", "dog", "cow", "hen")}))) == []
    nearly = {f"{name}.md": f"{prose(0)} {name}" for name in ("cat", "dog", "cow", "hen")}
    assert list(find(made(nearly))) == []


def test_short_texts_siblings_parallel_pages_and_exempt_documents_repeat_nothing() -> None:
    assert list(find(made({"a.md": prose(0, 40), "b.md": prose(0, 40)}))) == []
    assert list(find(made({"7.4/a.md": prose(0), "7.5/a.md": prose(0)}))) == []
    pages = {"a_md": {"title": "Leave in Germany"}, "b_md": {"title": "Leave in France"}}
    assert list(find(made({"a.md": prose(0), "b.md": prose(0)}, **pages))) == []
    kept = {"a_md": {"age": 9, "verdict": "exempt"}}
    assert list(find(made({"a.md": prose(0), "b.md": prose(0)}, **kept))) == []


def test_a_small_part_of_both_documents_is_no_repeat() -> None:
    def page(first: int) -> list[tuple[tuple[str, ...], str]]:
        return [((), prose(0)), *(((), prose(number)) for number in range(first, first + 3))]

    assert list(find(made({"a.md": page(1), "b.md": page(4)}))) == []


def test_one_document_has_one_finding_on_the_one_that_it_shares_most_with() -> None:
    texts = {
        "a.md": [((), prose(0)), ((), prose(1))],
        "b.md": [((), prose(0)), ((), prose(1)), ((), prose(2))],
        "c.md": [((), prose(1)), ((), prose(3))],
    }
    found = list(find(made(texts, a_md={"age": 99})))
    assert [(finding.uri, finding.key) for finding in found if finding.uri == "a.md"] == [("a.md", "id-b.md")]


def test_a_base_without_passages_has_none() -> None:
    assert list(find(made({"a.md": ""}))) == []


def test_shingles_are_words_in_a_row_however_they_are_written() -> None:
    assert shingles("One, two\nTHREE four") == shingles("one two three Four!")
    assert jaccard(shingles("a b c d"), shingles("a b c d")) == 1
    assert jaccard(shingles("a b c"), shingles("x y z")) == 0


def test_an_audit_finds_a_copy_of_a_document_in_the_index(kb: Knowledge) -> None:
    text = " ".join(f"{word} is said of leave, and {word} matters." for word in WORDS[:30])
    kb.write("leave.md", f"# Leave\n\n{text}\n")
    kb.write("people/time-off.md", f"# Time off\n\n{text}\n\nAsk your manager.\n")
    kb.write("v1/leave.md", f"# Leave\n\n{text}\n")
    kb.sync()
    found = [f for f in kb.ask(audit_of).findings if f.code == "repeat"]
    assert len(found) >= 1
    assert {finding.uri for finding in found} <= {"leave.md", "people/time-off.md", "v1/leave.md"}
    assert not any({f.uri, uri} == {"leave.md", "v1/leave.md"} for f in found for uri in f.related)
