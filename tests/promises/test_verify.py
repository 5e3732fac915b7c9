"""Store, ledger or source are altered behind freshkb's back: every difference is found, named and mended.

One index with a history (`tests.promises.altered`) is built once. Each alteration (`alterations`) is drawn by
its seed and made on a copy of it. `verify` must name the alteration, and nothing else; `--repair` must
leave the index that was there before, or, where the source itself was changed, a rebuild.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from connectors.base import SourceUnavailable
from index.errors import FreshkbError, Locked, Refused
from index.model import State
from index.parse import Parser
from index.records import Document
from index.reindex import reindex
from index.run import Run
from index.sync.sync import sync
from index.verify.compare import verify
from index.verify.differences import Difference, Verification
from index.verify.repair import repair
from tests.commands import CommandLine
from tests.promises.alterations import KINDS, SHORT, Alteration
from tests.promises.altered import TEXTS, UNREADABLE, Altered
from tests.promises.image import Image, differences, image, rebuilt
from tests.promises.parts import Call, interpose
from tests.soak import LONG
from tests.traces.crashes import Crash, Fuse

#: Documents whose text no source gives: why it does not makes no difference to what is kept of it.
ONE_UNREADABLE = [UNREADABLE[0], *(pytest.param(uri, marks=LONG) for uri in UNREADABLE[1:])]

#: Seeds of each kind of alteration in the long form. The short form takes the first of one of each kind.
SEEDS_SOAK = 6


@pytest.fixture(autouse=True)
def examined(request: pytest.FixtureRequest, soak: bool) -> None:
    """What is altered here are values, and hardly a file: the long form has each in a process of its own."""
    if not soak:
        request.getfixturevalue("examined_here")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> Altered:
    return Altered(tmp_path_factory.mktemp("altered") / "kb", parser)


def found_in(index: Altered, **options: Any) -> Verification:
    found: Verification = index.kb.ask(lambda workspace: verify(workspace, **options))
    return found


def mend(index: Altered, **options: Any) -> Verification:
    with index.kb.workspace() as workspace:
        found = verify(workspace, **options)
        repair(workspace, found, Run(workspace, "verify"))
    return found


def concerns(finding: Difference, done: Alteration) -> bool:
    named = (finding.point_id in done.points, finding.document_id in done.documents, finding.uri in done.uris)
    return done.everything or any(named)


def check_found(index: Altered, done: Alteration) -> None:
    """The alteration is named, and nothing but it."""
    if done.refused is not None:
        with pytest.raises(done.refused):
            found_in(index)
        return
    plain = found_in(index)
    if done.deep:
        assert plain.ok, f"plain verify does not promise to find it: {plain.json()}"
    found = found_in(index, deep=True) if done.deep else plain
    named = [f for kind in done.kinds.split() for f in getattr(found, kind) if concerns(f, done)]
    assert named, f"not found: {found.json()}"
    strange = [finding.json() for finding in found.all if not concerns(finding, done)]
    assert not strange, f"false alarms: {strange}"
    assert not found.errors


def check_mended(index: Altered, done: Alteration) -> None:
    """Repair says what it did, and leaves what was there before, or what the source has now."""
    if done.refused is not None:
        before = files(index.state)
        with pytest.raises(done.refused):
            mend(index)
        assert files(index.state).keys() == before.keys()
        return
    found = mend(index, deep=done.deep)
    if done.left_alone:
        (said,) = found.errors
        assert "a hold stands on it. Nothing of it was removed" in said and not found.mended
        assert done.points <= set(index.kb.points())
        return
    with index.kb.workspace() as workspace:
        left = verify(workspace, deep=True)
        assert left.ok, f"still there: {left.json()}"
        now, wrong = image(workspace), index.kept_right(workspace)
    if done.loses:
        assert found.errors, "the loss is not told"
        assert all("of its text" in error and "lost" in error for error in found.errors)
        assert not found.mended
    else:
        assert not found.errors
        assert found.repaired == found.findings > 0
    if done.rebuilt:
        assert agree(now, rebuilt(index.kb)) == []
        return
    was = index.image
    if done.loses or done.forgets:
        now, was = (without(it, index, done) for it in (now, was))
    assert differences(now, was) == []
    assert not wrong or done.new_id, wrong


def agree(now: Image, other: Image) -> list[str]:
    """How the index differs from a rebuild in what the source can give: not in reviews, nor in old texts."""
    same = {
        place
        for place, row in now.documents.items()
        if row["state"] in (State.INDEXED, State.SKIPPED) and row["reviewed_at"] is None
    }
    told = [
        Image(
            {place: row for place, row in it.documents.items() if place in same},
            {place: points for place, points in it.points.items() if place in same},
            it.wrong,
        )
        for it in (now, other)
    ]
    return differences(*told)


def without(it: Image, index: Altered, done: Alteration) -> Image:
    """The image without what the alteration has lost for good."""
    gone = {(d.source, d.uri) for d in index.chosen(unreadable=True)} if done.loses else set()
    documents = {
        place: {name: value for name, value in row.items() if name not in done.forgets}
        for place, row in it.documents.items()
        if place not in gone
    }
    return Image(documents, {p: points for p, points in it.points.items() if p not in gone}, it.wrong)


def files(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.db")}


@pytest.fixture
def restored(index: Altered) -> Iterator[list[Alteration]]:
    """A list of alterations, which are undone when the test ends."""
    made: list[Alteration] = []
    yield made
    undo(index, made)


def undo(index: Altered, made: list[Alteration]) -> None:
    index.put_back(*(each for alteration in made for each in alteration.undo))
    shutil.rmtree(index.kb.home / ".freshkb-rebuilt", ignore_errors=True)
    made.clear()


# ── Alterations ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in SHORT else LONG) for kind in KINDS])
def test_every_alteration_is_found_and_named_and_nothing_else(
    index: Altered, kind: str, soak: bool, restored: list[Alteration]
) -> None:
    failed: list[str] = []
    for seed in range(SEEDS_SOAK if soak else 1):
        if seed:
            undo(index, restored)
        done = KINDS[kind](index, Random(f"{kind} {seed}"))
        restored.append(done)
        try:
            check_found(index, done)
            check_mended(index, done)
        except (AssertionError, FreshkbError) as error:
            failed.append(f"seed {seed}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)


def test_the_short_form_names_kinds_that_there_are() -> None:
    assert set(SHORT) <= KINDS.keys()


# ── No false alarm ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("deep", [pytest.param(False, marks=LONG), True])
def test_an_untouched_index_gives_no_finding(index: Altered, deep: bool) -> None:
    whole = found_in(index, deep=deep)
    assert whole.ok, whole.json()
    assert whole.points == len(index.points)
    parts = [found_in(index, deep=deep, sample=(number, 5)) for number in range(1, 6)]
    assert all(part.ok for part in parts)
    assert sum(part.points for part in parts) == whole.points
    assert agree(index.image, rebuilt(index.kb)) == []


def test_a_crash_alarms_nobody_once_it_is_recovered_and_repair_recovers_it_too(
    index: Altered, soak: bool, restored: list[Alteration]
) -> None:
    edits = ("file_edited", "file_removed", "file_renamed", "file_added", "file_touched")
    for seed in range(60 if soak else 2):
        random = Random(seed)
        restored += [KINDS[random.choice(edits)](index, random)]
        fuse = Fuse()
        with index.kb.workspace() as workspace:
            fuse.fit(workspace)
            fuse.light(random.randrange(14))
            with suppress(Crash):
                sync(Run(workspace, "sync"))
            fuse.out()
        if seed % 2:
            index.kb.sync()
        else:
            left = mend(index)
            assert left.repaired == left.findings, f"seed {seed}: {left.json()}"
        for deep in (False, True):
            found = found_in(index, deep=deep)
            assert found.ok, f"seed {seed}: {found.json()}"
        assert agree(index.kb.ask(image), rebuilt(index.kb)) == [], f"seed {seed}"
        undo(index, restored)


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kind",
    [
        "dense_vector_changed",
        *(
            pytest.param(kind, marks=LONG)
            for kind in (
                "point_removed",
                "point_added",
                "text_changed",
                "metadata_added",
                "dense_vector_lost",
                "chunk_row_changed-page",
            )
        ),
    ],
)
def test_exactly_one_of_n_samples_finds_an_altered_point(
    index: Altered, kind: str, soak: bool, restored: list[Alteration]
) -> None:
    for seed in range(9 if soak else 1):
        random = Random(f"{kind} {seed}")
        done, parts = KINDS[kind](index, random), random.randint(2, 7)
        restored.append(done)
        found = [found_in(index, deep=done.deep, sample=(i, parts)) for i in range(1, parts + 1)]
        assert [part.findings for part in found if not part.ok] == [1], f"seed {seed}, {parts} parts"
        undo(index, restored)


def test_rows_and_sources_are_in_every_sample(index: Altered, soak: bool, restored: list[Alteration]) -> None:
    # Of a source, and of the ledger's rows.
    kinds = ("file_edited", "hold_lost", "intent_left", "review_lost")
    for kind in kinds if soak else kinds[:2]:
        restored.append(KINDS[kind](index, Random(kind)))
        assert all(not found_in(index, sample=(i, 3)).ok for i in (1, 2, 3)), kind
        undo(index, restored)


# ── The command ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def freshkb(index: Altered, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr("index.workspace.utc_now", index.kb.clock)
    return CommandLine(index.kb, monkeypatch)


def test_the_command_ends_with_1_for_what_it_found_and_with_0_once_that_is_mended(
    index: Altered, freshkb: CommandLine, restored: list[Alteration]
) -> None:
    clean = freshkb.json("verify", "--deep")
    assert set(clean) == {
        "ok", "documents", "points", "missing", "extra", "altered", "outdated", "errors", "repaired",
    }  # fmt: skip
    assert clean["ok"] and not clean["errors"] and clean["repaired"] == 0
    done = KINDS["text_changed"](index, Random(1))
    restored.append(done)
    found = freshkb.json("verify", code=1)
    assert not found["ok"]
    (finding,) = found["altered"]
    assert set(finding) == {"what", "point_id", "document_id", "source", "uri"}
    assert {finding["point_id"]} == done.points
    mended = freshkb.json("verify", "--repair")
    assert mended["repaired"] == 1
    assert freshkb.json("verify", "--deep")["ok"]


def test_a_repair_that_could_not_save_a_text_ends_with_1_once(
    index: Altered, freshkb: CommandLine, restored: list[Alteration]
) -> None:
    restored.append(KINDS["point_removed_that_no_source_gives"](index, Random(2)))
    said = freshkb("verify", "--repair", code=1)
    assert "of its text are lost" in said.stderr
    assert freshkb.json("verify", "--deep")["ok"]


def test_ledger_and_store_that_do_not_belong_together_are_left_alone(
    index: Altered, freshkb: CommandLine, restored: list[Alteration]
) -> None:
    for kind in ("ledger_of_another_store", "store_of_another_ledger"):
        restored.append(KINDS[kind](index, Random(kind)))
        for command in (["verify"], ["verify", "--repair"]):
            assert "belongs to another ledger" in freshkb(*command, code=1).stderr
        undo(index, restored)


def test_no_command_breaks_on_an_altered_index(
    index: Altered, freshkb: CommandLine, soak: bool, restored: list[Alteration]
) -> None:
    """Some say that it cannot be used; none ends with a traceback."""
    for kind in KINDS if soak else SHORT[::12]:
        done = KINDS[kind](index, Random(kind))
        restored.append(done)
        for command in (["status"], ["doctor"], ["audit"], ["ls"], ["search", "text"], ["show", "held.md"]):
            ended = freshkb(*command, code=None)
            # An index that says it is another model's is refused, with the way out.
            refused = ended.exit_code == 4 and "freshkb reindex" in ended.stderr
            # So is a document whose row is lost.
            refused = refused or (ended.exit_code == 2 and command[0] == "show")
            assert ended.exit_code in (0, 1) or refused, f"{kind}: {command} ended with {ended.exit_code}"
            assert ended.exception is None or isinstance(ended.exception, SystemExit), f"{kind}: {command}"
        undo(index, restored)


# ── What no source can give again ─────────────────────────────────────────────────────────────────────


def lose(index: Altered, uri: str) -> None:
    """The second chunk of a document goes from the store."""
    gone = index.of(index.by_uri[uri])[1]
    index.store(lambda session: session.delete([gone.id]))


def row(index: Altered, uri: str) -> Document:
    return index.kb.documents()[uri]


@pytest.mark.parametrize("uri", ONE_UNREADABLE)
def test_a_lost_text_is_admitted_and_the_rest_of_it_stays(
    index: Altered, uri: str, restored: list[Alteration], freshkb: CommandLine
) -> None:
    restored.append(Alteration())
    before = row(index, uri)
    lose(index, uri)
    found = mend(index)
    total = before.chunk_count
    assert found.errors == [
        f"docs:{uri}: 1 of {total} chunks of its text are lost. The store has not kept them, nor can the "
        "source give them."
    ]
    after = row(index, uri)
    assert (after.state, after.chunk_count) == (before.state, total - 1)
    assert after.reason == f"{before.reason} 1 of {total} chunks of its text are lost."
    left = [p for p in index.kb.points().values() if p.payload["metadata"]["uri"] == uri]
    assert len(left) == total - 1
    assert after.reason in freshkb("audit", "--fail-on", "never", "--json").stdout
    index.kb.sync()
    assert row(index, uri).reason == after.reason
    assert found_in(index, deep=True).ok


@pytest.mark.parametrize("uri", UNREADABLE)
def test_a_document_that_lost_text_is_read_whole_when_its_source_has_it_again(
    index: Altered, uri: str, restored: list[Alteration]
) -> None:
    path = index.kb.docs / uri
    if path.exists():
        aside = index.kb.home / "aside"
        restored.append(Alteration(undo=[lambda: aside.replace(path)]))
        lose(index, uri)
        mend(index)
        path.rename(aside)
    else:
        restored.append(Alteration(undo=[path.unlink]))
        lose(index, uri)
        mend(index)
    index.put("docs", uri, TEXTS[uri].encode(), at=5)
    index.kb.sync()
    after = row(index, uri)
    assert (after.state, after.reason) == (State.INDEXED, "")
    assert after.chunk_count == index.by_uri[uri].chunk_count
    assert found_in(index, deep=True).ok


@pytest.mark.parametrize("state", ["deleted", pytest.param("erased", marks=LONG)])
def test_what_the_ledger_calls_gone_does_not_come_back_from_the_store(
    index: Altered, state: str, restored: list[Alteration]
) -> None:
    """Its old text: the source has another, which cannot be parsed."""
    restored.append(Alteration())
    document = index.by_uri["broken.json"]
    index.sql("UPDATE documents SET state = ? WHERE document_id = ?", state, document.document_id)
    found = mend(index)
    assert found.repaired == found.findings and not found.errors
    assert "broken.json" not in index.kb.texts()
    assert row(index, "broken.json").document_id != document.document_id
    assert found_in(index, deep=True).ok


def test_what_is_called_gone_and_stands_under_a_hold_is_left_to_a_person(
    index: Altered, restored: list[Alteration]
) -> None:
    restored.append(Alteration())
    index.sql("UPDATE documents SET state = 'deleted' WHERE uri = 'held.md'")
    before = index.kb.points()
    found = mend(index)
    assert found.errors == [
        "docs:held.md: the ledger calls it deleted, and a hold stands on it. Nothing of it was removed. "
        "Restore the ledger from a backup, or release the hold."
    ]
    assert index.kb.points() == before
    assert not found.mended


def test_repair_adds_no_review_and_forgets_no_first_sight(index: Altered, restored: list[Alteration]) -> None:
    restored.append(Alteration())
    seen = row(index, "never.json").first_seen_at
    reviews = index.sql("SELECT count(*) FROM reviews")
    lose(index, "reviewed.md")
    index.sql("UPDATE documents SET state = 'indexed' WHERE uri = 'never.json'")
    found = mend(index)
    assert found.repaired == found.findings
    assert index.sql("SELECT count(*) FROM reviews") == reviews
    assert row(index, "never.json").first_seen_at == seen is not None


@pytest.mark.parametrize("outage", [pytest.param("gone", marks=LONG), "empty"])
def test_repair_removes_nothing_while_the_source_cannot_be_asked(
    index: Altered, outage: str, restored: list[Alteration]
) -> None:
    aside = index.kb.home / "aside"

    def back() -> None:
        if index.kb.docs.exists():
            index.kb.docs.rmdir()
        aside.rename(index.kb.docs)

    index.kb.docs.rename(aside)
    restored.append(Alteration(undo=[back]))
    if outage == "empty":
        index.kb.docs.mkdir()
    lose(index, "plain.md")
    doubled = replace(index.of(index.by_uri["plain.md"])[0], id=str(UUID(int=1)))
    index.upsert(doubled)
    found = mend(index)
    assert found.errors and found.repaired == 0
    left = set(index.kb.points())
    lost = index.of(index.by_uri["plain.md"])[1].id
    assert left == set(index.points) - {lost} | {doubled.id}
    undo(index, restored)


def test_repair_removes_nothing_of_a_source_that_goes_away_under_its_hands(
    index: Altered, restored: list[Alteration]
) -> None:
    restored.append(Alteration())
    lose(index, "plain.md")
    doubled = replace(index.of(index.by_uri["plain.md"])[0], id=str(UUID(int=1)))
    index.upsert(doubled)
    before = set(index.kb.points())

    def around(call: Call) -> Any:
        if str(call) == "connector.fetch":
            raise SourceUnavailable("The disk was pulled out.")
        return call.whole()

    with index.kb.workspace() as workspace:
        found = verify(workspace)
        interpose(workspace, around)
        repair(workspace, found, Run(workspace, "verify"))
    assert found.repaired == 0
    assert set(index.kb.points()) == before
    assert mend(index).repaired == 2


def test_a_repair_beside_a_writer_is_refused(index: Altered, restored: list[Alteration]) -> None:
    restored.append(Alteration())
    lose(index, "plain.md")
    before = index.kb.points()
    with index.kb.workspace() as other, other.ledger.writer("notes", "freshkb sync"):
        with pytest.raises(Locked):
            mend(index)
        assert other.ledger.runs.newest(1)[0].outcome == "refused"
    assert index.kb.points() == before


def test_a_damaged_document_that_vanished_is_removed_by_the_plan_and_by_nothing_else(
    index: Altered, restored: list[Alteration]
) -> None:
    document = index.by_uri["long.txt"]
    path, aside = index.kb.docs / "long.txt", index.kb.home / "aside"
    path.rename(aside)
    restored.append(Alteration(undo=[lambda: aside.rename(path)]))
    lose(index, "long.txt")
    found = mend(index)
    assert found.repaired == found.findings
    assert not found.errors
    assert "long.txt" not in index.kb.documents()
    assert not [p for p in index.kb.points().values() if p.payload["doc_id"] == document.document_id]
    assert found_in(index, deep=True).ok


def test_a_damaged_document_whose_removal_is_refused_keeps_what_it_has_and_says_so(
    index: Altered, restored: list[Alteration]
) -> None:
    """Its source was taken out of the configuration: nothing can be read, and nothing is removed."""
    sources = index.kb.settings["sources"]
    index.kb.settings["sources"] = sources[:1]
    restored.append(Alteration(undo=[lambda: index.kb.settings.update(sources=sources)]))
    lose(index, "note-1.md")
    found = mend(index)
    assert any("notes:note-1.md: 1 of 2 chunks" in error for error in found.errors)
    after = row(index, "note-1.md")
    assert (after.state, after.chunk_count) == (State.INDEXED, 1)
    assert {p.payload["metadata"]["uri"] for p in index.kb.points().values()} >= {
        f"note-{n}.md" for n in range(4)
    }
    index.kb.settings["sources"] = sources
    index.kb.sync()
    assert row(index, "note-1.md").chunk_count == 2
    assert found_in(index, deep=True).ok


# ── Another model ─────────────────────────────────────────────────────────────────────────────────────


def other_model(index: Altered) -> None:
    index.kb.settings["embedding"] = {"dtype": "bfloat16"}
    with index.kb.workspace() as workspace:
        reindex(workspace, Run(workspace, "reindex"))


@pytest.mark.parametrize("uri", ONE_UNREADABLE)
def test_a_reindex_keeps_a_damaged_text_that_is_proven_and_refuses_to_lose_one_that_is_not(
    index: Altered, uri: str, restored: list[Alteration]
) -> None:
    restored.append(Alteration(undo=[lambda: index.kb.settings.update(embedding={"dtype": "float32"})]))
    first, second = index.of(index.by_uri[uri])[:2]
    index.upsert(replace(first, payload={**first.payload, "doc_id": "somebody's"}))
    index.upsert(replace(second, dense=None))
    text = "".join(point.payload["page_content"] for point in index.of(index.by_uri[uri]))
    other_model(index)
    assert index.kb.texts()[uri] == text
    undo(index, restored)

    restored.append(Alteration(undo=[lambda: index.kb.settings.update(embedding={"dtype": "float32"})]))
    lose(index, uri)
    with pytest.raises(Refused, match="verify --repair"):
        other_model(index)
    index.kb.settings["embedding"] = {"dtype": "float32"}
    mend(index)
    other_model(index)
    assert len([p for p in index.kb.points().values() if p.payload["metadata"]["uri"] == uri]) == (
        index.by_uri[uri].chunk_count - 1
    )
