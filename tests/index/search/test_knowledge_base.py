"""Search, and reading the index from Python."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from index import KnowledgeBase
from index.embed.identity import ModelIdentity
from index.errors import ConfigError, StoreError
from index.model import Action
from index.parse import Parser
from index.records import Document, Intent
from index.reindex import reindex
from index.run import Run
from index.search.hits import SearchHit
from index.sync.sync import sync
from index.workspace import require_collection
from tests import documents, forks
from tests.commands import environment, process
from tests.embedders import HashEmbedder
from tests.holds import order
from tests.knowledge import Knowledge

pytest_plugins = ["tests.postgres"]

MODES = ("hybrid", "dense", "sparse")


@pytest.fixture(autouse=True)
def fast(kb: Knowledge) -> None:
    # Its precision is named, because finding the best one would load the model.
    kb.settings["embedding"] = {"dtype": "float32"}


def page(kb: Knowledge, uri: str, text: str, **properties: str) -> None:
    front = "".join(f"{name}: {value}\n" for name, value in properties.items())
    kb.write(uri, f"---\n{front}---\n# {Path(uri).stem}\n\n{text}\n" if front else f"# {uri}\n\n{text}\n")


def search(kb: Knowledge, query: str, **options: Any) -> list[SearchHit]:
    def ask(workspace: Any) -> list[SearchHit]:
        return KnowledgeBase(workspace).search(query, **options)

    found: list[SearchHit] = kb.ask(ask)
    return found


def uris(hits: list[SearchHit]) -> list[str]:
    return [hit.uri for hit in hits]


def test_every_mode_finds_what_shares_words_with_the_query_best_first(kb: Knowledge) -> None:
    page(kb, "leave.md", "Employees have four hours of annual leave.")
    page(kb, "pumps.md", "Switch the pump off before changing its filter.")
    kb.sync()
    for mode in MODES:
        hits = search(kb, "annual leave of employees", mode=mode)
        assert hits[0].uri == "leave.md"
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert uris(search(kb, "filter", mode="sparse")) == ["pumps.md"]


def test_a_hit_can_be_cited_and_judged(kb: Knowledge) -> None:
    kb.write(
        "guide/leave.md",
        "---\ntitle: Leave\nowner: user:anna\nlast_reviewed: 2026-03-13\n---\n"
        "# Leave\n\nIntroduction.\n\n## Annual\n\nFour hours.\n",
    )
    kb.sync()
    hit = next(hit for hit in search(kb, "four hours") if "Four hours" in hit.text)
    assert (hit.title, hit.heading_path, hit.page) == ("Leave", ("Leave", "Annual"), None)
    assert (hit.source, hit.uri, hit.owner) == ("docs", "guide/leave.md", "user:anna")
    assert hit.url == (kb.docs / "guide/leave.md").as_uri()
    # 80 days from then to the clock's noon of the first of June.
    assert (hit.verdict, hit.age_days, hit.reviewed_at) == ("fresh", 80, None)
    kb.clock.forward(days=10)
    assert [(hit.verdict, hit.age_days) for hit in search(kb, "four hours", k=1)] == [("warn", 90)]


def test_the_link_of_a_pdf_leads_to_the_page(kb: Knowledge) -> None:
    about = ("pumps", "hoses", "filters")
    pages = [[(12, f"Line {n} of this page is all about {word}.") for n in range(45)] for word in about]
    documents.pdf(kb.docs / "manual.pdf", pages)
    kb.sync()
    hit = search(kb, "filters")[0]
    assert hit.page is not None and hit.page > 1
    assert hit.url == f"{(kb.docs / 'manual.pdf').as_uri()}#page={hit.page}"


def test_relevance_is_nearness_of_meaning_or_the_share_of_words(kb: Knowledge) -> None:
    page(kb, "leave.md", "Employees have four hours of annual leave.")
    page(kb, "pumps.md", "Switch the pump off before changing its filter.")
    kb.sync()
    text = kb.texts()["leave.md"].strip()
    for mode in ("hybrid", "dense"):
        same, other = search(kb, text, mode=mode)
        assert (same.uri, other.uri) == ("leave.md", "pumps.md")
        assert same.relevance > 0.9 > 0.5 > other.relevance >= 0
        same, _ = search(kb, "leave for employees", mode=mode)
        assert 0 < same.relevance < 0.9
    # Hybrid scores are of ranks, and tell nothing.
    assert search(kb, text)[0].score < 0.3
    (half,) = search(kb, "annual dinosaurs", mode="sparse")
    assert half.relevance == 0.5
    (whole,) = search(kb, "annual leave", mode="sparse")
    assert whole.relevance == 1.0
    assert whole.score != 1.0


def test_a_text_in_several_places_is_one_hit_that_names_them(kb: Knowledge) -> None:
    text = "# Leave\n\nFour hours of annual leave.\n"
    for uri in ("a.md", "old/b.md", "c.md"):
        kb.write(uri, text)
    kb.write("other.md", "# Leave\n\nAnother annual rule.\n")
    kb.write("twice.md", "# One\n\nAsk HR for leave.\n\n# One\n\nAsk HR for leave.\n")
    kb.sync()
    for mode in MODES:
        for k in (1, 2, 3, 50):
            hits = search(kb, "four hours of annual leave", k=k, mode=mode)
            assert len(hits) == min(k, 3)
            places = {(hits[0].source, hits[0].uri), *hits[0].duplicates}
            assert places == {("docs", "a.md"), ("docs", "old/b.md"), ("docs", "c.md")}
            assert len(hits[0].duplicates) == 2
            assert all(not hit.duplicates for hit in hits[1:])
    assert search(kb, "four hours", k=1)[0].json()["duplicates"][0].keys() == {"source", "uri"}


def test_hundreds_of_copies_do_not_push_other_answers_out(kb: Knowledge) -> None:
    for number in range(250):
        kb.write(f"copies/{number:03}.md", "# Leave\n\nLeave leave leave.\n")
    kb.write("other.md", "# Other\n\nA long text that says leave once, at its very end: leave.\n")
    kb.sync()
    for mode in MODES:
        first, second = search(kb, "leave", k=2, mode=mode)
        assert (len(first.duplicates), second.uri) == (249, "other.md")


def test_a_hit_has_every_key_that_it_is_said_to_have(kb: Knowledge) -> None:
    kb.write(
        "a.md", "---\nlast_reviewed: 2026-03-13\n---\n# Leave\n\nFour hours.\n\n# Rest\n\nNone at all.\n"
    )
    kb.sync()
    hit = next(h for h in search(kb, "none at all") if "None" in h.text).json()
    assert [*hit] == [
        "score", "text", "title", "heading_path", "page", "uri", "url", "document_id", "source", "owner",
        "modified_at", "reviewed_at", "age_days", "verdict", "relevance", "chunk_index", "chunk_count",
        "point_id", "content_type", "language", "date_used", "duplicates", "findings", "held",
    ]  # fmt: skip
    point = kb.points()[hit["point_id"]]
    assert point.payload["page_content"] == hit["text"]
    assert (hit["chunk_index"], hit["chunk_count"]) == (1, 2)
    assert hit["content_type"] == "text/markdown"
    assert hit["date_used"].startswith("2026-03-13")


def test_k_is_a_limit_and_none_is_asked_for_with_0(kb: Knowledge) -> None:
    for number in range(5):
        page(kb, f"{number}.md", f"Leave, part {number}.")
    kb.sync()
    for mode in MODES:
        assert len(search(kb, "leave", k=3, mode=mode)) == 3
        assert len(search(kb, "leave", k=500, mode=mode)) == 5
        assert search(kb, "leave", k=0, mode=mode) == []
        assert search(kb, " \n", mode=mode) == []


def test_the_same_search_gives_the_same_answer_in_the_same_order(kb: Knowledge) -> None:
    for number in range(30):
        page(kb, f"{number}.md", "All of them say the same.")
    kb.sync()
    for mode in MODES:
        first = search(kb, "say the same", k=30, mode=mode)
        assert len({hit.document_id for hit in first}) == 30
        assert all(search(kb, "say the same", k=30, mode=mode) == first for _ in range(3))


def test_filters_narrow_by_source_and_owner(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave of the one.", owner="user:anna")
    page(kb, "b.md", "Leave of the other.", owner="group:hr")
    (kb.home / "more").mkdir()
    (kb.home / "more" / "c.md").write_text("# c\n\nLeave of the third.\n")
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more", "owner": "user:anna"})
    kb.sync()
    assert sorted(uris(search(kb, "leave"))) == ["a.md", "b.md", "c.md"]
    assert uris(search(kb, "leave", source="more")) == ["c.md"]
    assert sorted(uris(search(kb, "leave", owner="user:anna"))) == ["a.md", "c.md"]
    assert search(kb, "leave", source="more", owner="group:hr") == []


def test_fresh_only_keeps_fresh_and_exempt_documents_alone(kb: Knowledge) -> None:
    dates = {"fresh": "2026-05-01", "warn": "2026-02-01", "stale": "2025-01-01", "future": "2027-01-01"}
    for name, date in dates.items():
        page(kb, f"{name}.md", "Leave.", last_reviewed=date)
    page(kb, "unreadable.md", "Leave.", last_reviewed="soon")
    page(kb, "archive/exempt.md", "Leave.", last_reviewed="2020-01-01")
    kb.source["rules"] = [{"match": "archive/**", "freshness": "exempt"}]
    kb.sync()
    assert {hit.uri: hit.verdict for hit in search(kb, "leave")} == {
        "fresh.md": "fresh", "warn.md": "warn", "stale.md": "stale", "future.md": "unknown",
        "unreadable.md": "unknown", "archive/exempt.md": "exempt",
    }  # fmt: skip
    for mode in MODES:
        kept = search(kb, "leave", mode=mode, fresh_only=True)
        assert sorted(uris(kept)) == ["archive/exempt.md", "fresh.md"]
    kb.clock.forward(days=90)
    assert uris(search(kb, "leave", fresh_only=True)) == ["archive/exempt.md"]


def test_a_fresh_document_is_found_behind_hundreds_that_are_not_shown(kb: Knowledge) -> None:
    text = "".join(f"# Leave {n}\n\nLeave leave leave.\n\n" for n in range(300))
    page(kb, "unreadable.md", text, last_reviewed="soon")
    page(kb, "fresh.md", "A long text that says leave once, at its very end.", last_reviewed="2026-05-01")
    kb.sync()
    for mode in MODES:
        assert uris(search(kb, "leave", k=1, mode=mode, fresh_only=True)) == ["fresh.md"]


def test_what_the_ledger_does_not_call_current_is_no_answer(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave, as it was.")
    page(kb, "b.md", "Leave of another kind.")
    kb.sync()
    documents = kb.documents()
    with kb.workspace() as workspace:
        collection = require_collection(workspace).name
        gone = Intent(Action.DELETE, documents["a.md"])
        workspace.ledger.writes.intend("run", collection, [gone])
        # Committed, and the store not told yet: its point is there, and no answer any more.
        workspace.ledger.writes.commit(collection, [gone], [])
        with workspace.store.session(collection) as session:
            assert session.count() == 2
        assert uris(KnowledgeBase(workspace).search("leave")) == ["b.md"]


def test_held_documents_that_vanished_are_found_only_when_asked_for(kb: Knowledge) -> None:
    page(kb, "held.md", "Leave.")
    page(kb, "other.md", "Leave too.")
    kb.sync()
    document = kb.documents()["held.md"]
    kb.ask(lambda m: m.ledger.holds.place(order("case", kb.clock()), [document.document_id], []))
    (kb.docs / "held.md").unlink()
    kb.sync()
    assert uris(search(kb, "leave")) == ["other.md"]
    assert sorted(uris(search(kb, "leave", held=True))) == ["held.md", "other.md"]


def test_a_quarantined_document_is_found_with_its_last_good_text(kb: Knowledge) -> None:
    kb.write("a.json", '{"benefit": "leave"}')
    kb.sync()
    (kb.docs / "a.json").write_bytes(b"\x00\x01\x02\xff\xfe\x00broken")
    assert kb.sync().exit_code == 3
    assert uris(search(kb, "leave")) == ["a.json"]


def test_what_cannot_be_asked_is_an_error(kb: Knowledge) -> None:
    with pytest.raises(StoreError, match="freshkb sync"):
        search(kb, "leave")
    page(kb, "a.md", "Leave.")
    kb.sync()
    with pytest.raises(ConfigError, match="no mode 'magic'; there are: hybrid, dense, sparse"):
        search(kb, "leave", mode="magic")


# ── From Python ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def opened(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> Callable[[], KnowledgeBase]:
    monkeypatch.setattr("index.embed.embedder.Embedder", HashEmbedder)
    monkeypatch.chdir(kb.home)
    return lambda: KnowledgeBase.open("freshkb.yaml", now=kb.clock)


def test_an_application_opens_it_by_its_configuration(
    kb: Knowledge, opened: Callable[[], KnowledgeBase]
) -> None:
    page(kb, "a.md", "Four hours of leave.")
    kb.sync()
    with opened() as found, KnowledgeBase.open() as nearest, KnowledgeBase.open(kb.config()) as given:
        for base in (found, nearest, given):
            assert uris(base.search("leave", k=3)) == ["a.md"]
            assert base.status()["documents"]["indexed"] == 1
        shown = found.document("a.md")
        assert shown is not None
        assert "".join(chunk["text"] for chunk in shown["chunks"]) == "a.md\n\nFour hours of leave.\n\n"
        assert found.document("b.md") is None
        with pytest.raises(ConfigError, match="no source 'other'"):
            found.document("a.md", source="other")
    with pytest.raises(ConfigError, match="cannot be read"):
        KnowledgeBase.open("lost.yaml")


def test_many_threads_search_one_base_and_load_one_model(
    kb: Knowledge, opened: Callable[[], KnowledgeBase], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        page(kb, f"{number}.md", f"Leave number {number}.")
    kb.sync()
    loaded: list[object] = []

    def embedder(*arguments: Any) -> HashEmbedder:
        loaded.append(arguments)
        return HashEmbedder(*arguments)

    monkeypatch.setattr("index.embed.embedder.Embedder", embedder)
    together = threading.Barrier(8)

    def ask(number: int) -> list[str]:
        together.wait()
        return [uris(base.search(f"leave number {number}", k=1, mode="sparse"))[0] for _ in range(5)] + [
            uris(base.search(f"leave number {number}", k=1))[0]
        ]

    with opened() as base, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [[f"{number}.md"] * 6 for number in range(8)]
    assert len(loaded) == 1


def test_it_lets_its_model_go_after_the_configured_time(
    kb: Knowledge, opened: Callable[[], KnowledgeBase], monkeypatch: pytest.MonkeyPatch
) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    kb.settings["embedding"] = {"dtype": "float32", "release_after": "10m"}
    kb.config()
    asked: list[float | None] = []

    class Noting(HashEmbedder):
        def __init__(self, identity: ModelIdentity, dtype: str, release_after: float | None = None) -> None:
            super().__init__(identity, dtype)
            asked.append(release_after)

    monkeypatch.setattr("index.embed.embedder.Embedder", Noting)
    with opened() as base:
        assert uris(base.search("leave")) == ["a.md"]
        parser = base.workspace.parser
        assert isinstance(parser, Parser) and parser._release_after == 600
    assert asked == [600]


def test_it_answers_while_another_process_syncs(kb: Knowledge, opened: Callable[[], KnowledgeBase]) -> None:
    page(kb, "first.md", "Leave was here first.")
    kb.sync()
    for number in range(200):
        page(kb, f"{number:03}.md", f"Leave number {number}.")
    with opened() as base:
        syncing = forks.Popen(process("sync", "-q"), cwd=kb.home, env=environment())
        counted = []
        while syncing.poll() is None:
            hits = base.search("leave", k=500)
            assert "first.md" in uris(hits)
            counted.append(len(hits))
        assert syncing.returncode == 0
        assert counted == sorted(counted)
        assert len(base.search("leave", k=500)) == 201


def test_importing_it_is_light() -> None:
    script = (
        "import sys; from index import KnowledgeBase; "
        "print({'torch', 'transformers', 'numpy', 'prefect', 'unstructured', 'typer', 'qdrant_client'}"
        " & {name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True
    )
    assert ran.stdout.strip() == "set()"


def test_a_document_of_a_source_that_was_taken_out_is_of_unknown_age(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    kb.source["id"] = "renamed"
    (kb.docs / "a.md").rename(kb.docs / "b.md")
    (hit,) = search(kb, "leave")
    assert (hit.source, hit.verdict, hit.age_days) == ("docs", "unknown", None)
    assert kb.ask(lambda m: KnowledgeBase(m).status())["sources"][0]["configured"] is False


@pytest.mark.parametrize("uri", ["caf\udce9.md", "a\0b"])
def test_there_is_no_document_at_what_no_database_holds(kb: Knowledge, postgresql_url: str, uri: str) -> None:
    kb.settings["ledger"] = postgresql_url
    assert kb.ask(lambda workspace: KnowledgeBase(workspace).document(uri)) is None


def test_two_sources_with_one_uri_have_to_be_told_apart(kb: Knowledge) -> None:
    page(kb, "a.md", "One.")
    (kb.home / "more").mkdir()
    (kb.home / "more" / "a.md").write_text("Two.")
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
    kb.sync()

    def ask(source: str | None) -> Callable[[Any], Any]:
        return lambda workspace: KnowledgeBase(workspace).document("a.md", source)

    with pytest.raises(ConfigError, match=r"several sources \(docs, more\)"):
        kb.ask(ask(None))
    assert kb.ask(ask("more"))["source"] == "more"


@pytest.mark.parametrize("written", ["synced", "reindexed"])
def test_a_document_is_shown_whole_while_it_is_written(kb: Knowledge, written: str) -> None:
    page(kb, "a.md", "Four hours of leave.")
    kb.sync()
    with kb.workspace() as workspace:
        asked = workspace.ledger.chunks.of
        during: list[bool] = []

        def of(*given: Any) -> Any:
            records = asked(*given)
            if not during:
                during.append(True)
                if written == "synced":
                    page(kb, "a.md", "Five hours of leave.")
                    sync(Run(workspace, "sync"))
                else:
                    kb.settings["embedding"] = {"dtype": "bfloat16"}
                    kb.ask(lambda other: reindex(other, Run(other, "reindex")))
            return records

        workspace.ledger.chunks.of = of  # type: ignore[method-assign,assignment]
        shown = KnowledgeBase(workspace).document("a.md")
    assert shown is not None and during
    (chunk,) = shown["chunks"]
    version, hours = (2, "Five") if written == "synced" else (1, "Four")
    assert (shown["version"], chunk["text"]) == (version, f"a.md\n\n{hours} hours of leave.\n\n")


def test_a_text_that_the_store_has_lost_is_none(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            session.delete([point.id for point in session.scroll(vectors=False)])
        shown = KnowledgeBase(workspace).document("a.md")
    assert shown is not None and [chunk["text"] for chunk in shown["chunks"]] == [None]


def test_a_sync_in_the_same_process_does_not_disturb_it(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        page(kb, "b.md", "Leave again.")
        sync(Run(workspace, "sync"))
        assert sorted(uris(base.search("leave"))) == ["a.md", "b.md"]
        documents: list[Document] = list(workspace.ledger.documents.find())
        assert len(documents) == 2
