"""Links, anchors and claims, from the files to the findings."""

from __future__ import annotations

import sqlite3

from index.audit.audit import audit_of
from index.freshness.finding import Finding
from index.ledger.extracts import unlink
from index.records import Extract
from tests.knowledge import Knowledge

CODES = ("dead-link", "dead-anchor", "claim-expired", "review-without-change")


def findings(kb: Knowledge, *codes: str) -> list[Finding]:
    return [f for f in kb.ask(audit_of).findings if f.code in (codes or CODES)]


def extract(kb: Knowledge, uri: str) -> Extract | None:
    return kb.ask(lambda w: w.ledger.extracts.all()).get(kb.documents()[uri].document_id)


def test_links_and_claims_are_found_with_their_place(kb: Knowledge) -> None:
    kb.write(
        "guide/a.md", "# A\n\n[b](b.md), [no](gone.md#x), [no](gone.md)\n[p](b.md#none), [q](b.md#two).\n"
    )
    kb.write("guide/b.md", "# B\n\n## Two\n\nIt is open. The price is valid until 31 December 2023.\n")
    kb.write("guide/pic.bin", "x")
    kb.write("archive/.hidden.md", "x")
    kb.write("c.md", "![there](guide/pic.bin) ![not](guide/pic2.bin) [hid](archive/.hidden.md)\n")
    kb.sync()
    assert [(f.code, f.uri, f.line, f.evidence) for f in findings(kb)] == [
        (
            "claim-expired",
            "guide/b.md",
            None,
            "2023-12-31 has passed: “The price is valid until 31 December 2023.”",
        ),
        (
            "dead-link",
            "c.md",
            1,
            "It links to guide/pic2.bin, and there is no guide/pic2.bin in its source.",
        ),
        ("dead-link", "guide/a.md", 3, "It links to gone.md#x, and there is no guide/gone.md in its source."),
        (
            "dead-anchor",
            "guide/a.md",
            4,
            "It links to #none in guide/b.md, and there is no such heading or anchor.",
        ),
    ]


def test_a_claim_holds_until_its_day_is_over_everywhere(kb: Knowledge) -> None:
    kb.write("a.md", "The code is valid until 1 June 2026.\n")
    kb.source["freshness"] = {"warn_after": "90d", "stale_after": "180d"}
    kb.sync()
    kb.clock.forward(hours=23)
    assert findings(kb, "claim-expired") == []
    kb.clock.forward(hours=1)
    assert [f.key for f in findings(kb, "claim-expired")] == ["valid-through 2026-06-01"]
    kb.settings["sources"][0]["rules"] = [{"match": "a.md", "freshness": "exempt"}]
    kb.sync()
    assert findings(kb, "claim-expired") == []


def test_a_link_to_a_moved_document_names_its_new_place(kb: Knowledge) -> None:
    kb.write("a.md", "See [b](b.md) and [c](c.md).\n")
    kb.write("b.md", "The second document.\n")
    kb.write("c.md", "The third document.\n")
    kb.sync()
    (kb.docs / "new").mkdir()
    (kb.docs / "b.md").rename(kb.docs / "new" / "other name.md")
    (kb.docs / "c.md").unlink()
    kb.write("new/c.md", "Another text altogether, of a new document.\n")
    kb.sync()
    assert [(f.key, f.remedy) for f in findings(kb)] == [
        ("docs\nb.md", "The document was moved: link to new/other name.md instead."),
        ("docs\nc.md", "One document has this name: new/c.md."),
    ]
    # What moves back is found again.
    (kb.docs / "new" / "other name.md").rename(kb.docs / "b.md")
    kb.sync()
    assert [f.key for f in findings(kb)] == ["docs\nc.md"]


def test_links_by_the_addresses_of_a_source(kb: Knowledge) -> None:
    kb.source["url"] = "https://wiki.example.org/{stem}/"
    kb.write(
        "guide/a.md", "[b](https://wiki.example.org/guide/b/#x) [no](https://wiki.example.org/guide/none/)\n"
    )
    kb.write("guide/b.md", "# X\n")
    kb.sync()
    assert [(f.code, f.key) for f in findings(kb)] == [("dead-link", "docs\nguide/none")]


def test_one_source_lies_below_the_address_of_another(kb: Knowledge) -> None:
    kb.source["url"] = "https://wiki.example.org/{path}"
    other = {"id": "hr", "type": "files", "root": "./hr", "url": "https://wiki.example.org/hr/{path}"}
    kb.settings["sources"].append(other)
    uris = ("pay.md", "Réunion.md", "form.zip", "none.md", "old/plan.zip")
    kb.write("a.md", "".join(f"[{n}](https://wiki.example.org/hr/{uri})\n" for n, uri in enumerate(uris)))
    kb.write("hr/old/plan.zip", "of the upper source, which no document of its own is")
    (kb.home / "hr").mkdir()
    for uri in uris[:3]:
        (kb.home / "hr" / uri).write_text("Text.\n", encoding="utf-8")
    kb.sync()
    assert [(f.code, f.line, f.key) for f in findings(kb)] == [("dead-link", 4, "hr\nnone.md")]


def test_a_text_is_as_old_as_its_words(kb: Knowledge) -> None:
    kb.write("a.md", "---\nowner: anna\n---\nSee [b](b.md).\n")
    kb.sync()
    first = extract(kb, "a.md")
    assert first is not None and [tuple(link) for link in first.links] == [("b.md", 4)]
    since = first.text_since
    assert since == kb.clock.time
    kb.clock.forward(days=30)
    kb.write("a.md", "---\nowner: berta\n---\nSee [b](b.md).\n")
    kb.sync()
    kept = extract(kb, "a.md")
    assert kept is not None and kept.text_since == since
    kb.write("a.md", "---\nowner: berta\n---\nSee [c](c.md).\n")
    kb.sync()
    changed = extract(kb, "a.md")
    assert changed is not None and changed.text_since == kb.clock.time


def test_what_is_kept_of_a_text_goes_with_it(kb: Knowledge) -> None:
    kb.write("a.md", "See [b](b.md).\n")
    kb.write("b.md", "See [a](a.md).\n")
    kb.sync()
    (kb.docs / "a.md").rename(kb.docs / "moved.md")
    kb.sync()
    assert len(kb.ask(lambda w: w.ledger.extracts.former())) == 1
    (kb.docs / "moved.md").unlink()
    kb.sync()
    assert list(kb.ask(lambda w: w.ledger.extracts.all())) == [kb.documents()["b.md"].document_id]
    assert kb.ask(lambda w: w.ledger.extracts.former()) == {}


def test_an_index_made_before_is_read_again_and_nothing_is_embedded(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nSee [b](b.md).\n")
    kb.sync()
    path = kb.home / ".freshkb" / "ledger.sqlite3"
    path = next(kb.home.rglob("ledger*"), path)
    with sqlite3.connect(path) as ledger:
        ledger.execute("DELETE FROM extracts")
        ledger.execute("UPDATE documents SET seen_extraction='older', extraction_fingerprint='older'")
    ledger.close()
    report = kb.sync()
    assert extract(kb, "a.md") is not None
    (done,) = report.sources
    assert done.counts.chunks["embedded"] == 0
    assert done.counts.documents["updated"] == 1


def test_links_to_an_erased_place_are_forgotten(kb: Knowledge) -> None:
    kb.write("a.md", "[b](people/b.md#x) and [c](c.md).\n")
    kb.write("c.md", "[b](https://example.org/people/b.md?x=1)\n")
    kb.sync()
    with kb.workspace() as workspace:
        database = workspace.ledger.database
        with database.writing() as connection:
            assert unlink(database, connection, ["people/b.md"]) == 2
            assert unlink(database, connection, ["people/b.md"]) == 0
    kept = extract(kb, "a.md")
    assert kept is not None and [target for target, _ in kept.links] == ["c.md"]


def test_a_place_that_ends_in_a_slash_is_in_no_other_link(kb: Knowledge) -> None:
    others = ["https://example.org/", "https://law.example.com/x", "below/", "example.org/people/c/"]
    links = [*others, "/people/b", "http://example.org/people/b/#x", "people/q/?of=1"]
    kb.write("a.md", " ".join(f"[link]({link})" for link in links))
    kb.sync()
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        database = workspace.ledger.database
        assert unlink(database, connection, ["example.org/"]) == 0
        gone = ["example.org/people/b/", "example.org/people/q/?of=1", "example.org/"]
        assert unlink(database, connection, gone) == 1
    kept = extract(kb, "a.md")
    assert kept is not None and [target for target, _ in kept.links] == others
