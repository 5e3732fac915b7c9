"""Links, anchors and claims, from the files to the findings."""

from __future__ import annotations

from index.audit.audit import audit_of
from index.freshness.finding import Finding
from tests.knowledge import Knowledge


def findings(kb: Knowledge, *codes: str) -> list[Finding]:
    found = kb.ask(audit_of).findings
    return [f for f in found if f.code in (codes or ("dead-link", "dead-anchor", "claim-expired"))]


def test_links_and_claims_are_found_with_their_place(kb: Knowledge) -> None:
    kb.write(
        "guide/a.md", "# A\n\nSee [b](b.md), [gone](gone.md) and\n[part](b.md#nowhere) or [ok](b.md#two).\n"
    )
    kb.write("guide/b.md", "# B\n\n## Two\n\nThe price is valid until 31 December 2023.\n")
    kb.write("guide/pic.bin", "x")
    kb.write("c.md", "![there](guide/pic.bin) ![not](guide/pic2.bin)\n")
    kb.sync()
    print(*findings(kb), sep="\n")
    assert [(f.code, f.uri, f.line) for f in findings(kb)] == [
        ("claim-expired", "guide/b.md", None),
        ("dead-link", "c.md", 1),
        ("dead-link", "guide/a.md", 3),
        ("dead-anchor", "guide/a.md", 4),
    ]
