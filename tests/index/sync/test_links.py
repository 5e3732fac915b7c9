"""Links through the whole: from the configuration and the documents into rows, points, hits and reports."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from index.verify.compare import verify
from tests.commands import CommandLine
from tests.knowledge import Knowledge, counts

WIKI = "https://wiki.example.org/{path}"


@pytest.fixture
def run(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


def links(kb: Knowledge) -> dict[str, str]:
    said = [point.payload["metadata"] for point in kb.points().values()]
    return {metadata["uri"]: metadata["url"] for metadata in said}


def pages(kb: Knowledge) -> None:
    kb.write("guide/paid leave.md", "# Leave\n\nFour hours.\n")
    kb.write("own.md", "---\nurl: https://own.example/leave\n---\n# Own\n\nIts own address.\n")
    kb.write("path.md", "---\nurl: /about/\n---\n# Path\n\nA path is no address.\n")
    kb.write("page.html", "<html><head><link rel='canonical' href='https://www.example/page'></head>"
             "<body><h1>Page</h1><p>Of the web.</p></body></html>")  # fmt: skip
    kb.write("broken.json", "{")
    kb.write("program.exe", "MZ")


def test_hits_documents_and_reports_link_to_what_a_person_opens(kb: Knowledge, run: CommandLine) -> None:
    pages(kb)
    kb.source["url"] = WIKI
    kb.config()
    run("sync", "-q", code=3)
    expected = {
        "guide/paid leave.md": "https://wiki.example.org/guide/paid%20leave.md",
        "own.md": "https://own.example/leave",
        "path.md": "https://wiki.example.org/path.md",
        "page.html": "https://www.example/page",
    }
    assert links(kb) == expected
    others = {name: f"https://wiki.example.org/{name}" for name in ("broken.json", "program.exe")}
    assert {uri: document.url for uri, document in kb.documents().items()} == expected | others
    assert {hit["uri"]: hit["url"] for hit in run.json("search", "own leave path page")} == expected
    assert run.json("show", "own.md")["url"] == "https://own.example/leave"
    assert f"   {expected['guide/paid leave.md']}\n" in run("search", "four hours").stdout
    run("audit", "-q", "--out", "out")
    for report in ("report.html", "report.csv"):
        assert expected["guide/paid leave.md"] in (kb.home / "out" / report).read_text(encoding="utf-8")
    assert run.json("config", "show")["sources"][0]["url"] == WIKI


def test_another_template_rewrites_payloads_and_embeds_nothing(kb: Knowledge) -> None:
    pages(kb)
    kb.sync()
    before = kb.documents()
    assert links(kb)["path.md"] == (kb.docs / "path.md").as_uri()
    for template in (WIKI, "https://wiki.example.org/{stem}/", None, None):
        old = kb.source.get("url")
        kb.source["url"] = template
        planned = kb.sync()
        assert counts(planned)["embedded"] == 0
        assert counts(planned).get("touched", 0) == (2 if template != old else 0)
        base = (kb.docs / "x").as_uri().removesuffix("x")
        expected: dict[Any, str] = {
            None: f"{base}{{path}}", WIKI: WIKI, "https://wiki.example.org/{stem}/": "https://wiki.example.org/{stem}/",
        }  # fmt: skip
        filled = {
            uri: expected[template].replace("{path}", uri).replace("{stem}", uri.rpartition(".")[0])
            for uri in ("path.md", "broken.json", "program.exe")
        }
        documents = kb.documents()
        assert {uri: documents[uri].url for uri in filled} == filled
        assert documents["own.md"].url == "https://own.example/leave"
        assert all(documents[uri].document_id == document.document_id for uri, document in before.items())
        found = kb.ask(lambda workspace: verify(workspace, deep=True))
        assert found.ok, found.json()


def test_an_index_from_before_there_were_templates_stays_as_it_is(kb: Knowledge) -> None:
    pages(kb)
    kb.sync()
    record = kb.ask(lambda workspace: workspace.ledger.sources.get("docs"))
    assert record is not None
    # The settings that a source without template was remembered by.
    shown = kb.config().sources[0].show()
    assert "url" not in shown
    assert counts(kb.sync()).get("touched", 0) == 0


def test_a_wrong_template_is_an_error_with_its_line(kb: Knowledge, run: CommandLine) -> None:
    kb.source["url"] = "https://wiki.example.org/{name}"
    (kb.home / "freshkb.yaml").write_text(yaml.safe_dump(kb.settings), encoding="utf-8")
    said = run("config", "check", code=2).output
    assert "sources[0].url:" in said
    assert "the placeholder {name}; there are {path} and {stem}" in said
