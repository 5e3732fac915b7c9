"""Surveys and their plans, as a table: a real folder and a real ledger, no store and no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from index.config import load
from index.model import Action, Cause, State
from index.records import Document, SourceRecord
from index.sync.noted import noted
from index.sync.prepare import moment
from index.sync.source import source_of
from index.sync.survey import Survey, rules_fingerprint, survey
from index.workspace import Workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Untouched:
    """Stands where a store or a parser would be: whatever asks it fails."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"A survey asked for {name}.")

    def close(self) -> None: ...


class Place:
    """A source with three documents, all of them in the ledger as they are in the folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.docs = home / "docs"
        self.docs.mkdir()
        for name in ("a.md", "b.md", "c.md"):
            (self.docs / name).write_text(f"Text of {name}.")
        self.more = ""
        with self.workspace() as workspace:
            source = source_of(workspace, "docs")
            for entry in source.connector.list():
                fingerprint = source.extraction.of(entry)
                text = (self.docs / entry.uri).read_bytes()
                hashed = sha256(text).hexdigest()
                row = Document(f"id-{entry.uri}", "docs", entry.uri, State.INDEXED, version=1)
                row = replace(row, token=entry.token, native_id=entry.native_id, size=entry.size)
                row = replace(row, modified_at=moment(entry.modified_at))
                row = replace(row, seen_hash=hashed, content_hash=hashed, chunk_count=1)
                row = replace(row, seen_extraction=fingerprint, extraction_fingerprint=fingerprint)
                workspace.ledger.documents.put([row], [])
            workspace.ledger.sources.put(
                SourceRecord(
                    "docs",
                    identity=source.connector.probe(),
                    filter_fingerprint=source.settings.filter_fingerprint,
                    rules_fingerprint=rules_fingerprint(source),
                )
            )

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        path = self.home / "freshkb.yaml"
        path.write_text(f"version: 1\nsources: [{{id: docs, type: files, root: ./docs{self.more}}}]\n")
        nothing = Untouched()
        with Workspace(
            load(path, {}, self.home),
            now=lambda: NOW,
            new_id=lambda: "new",
            store=nothing,  # type: ignore[arg-type]
            parser=nothing,  # type: ignore[arg-type]
        ) as workspace:
            yield workspace

    def survey(self, **options: object) -> Survey:
        with self.workspace() as workspace:
            return survey(workspace, "docs", **options)  # type: ignore[arg-type]

    def change_rows(self, **fields: object) -> None:
        with self.workspace() as workspace:
            rows = [replace(d, **fields) for d in workspace.ledger.documents.find()]  # type: ignore[arg-type]
            workspace.ledger.documents.put(rows, [])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def as_it_was(place: Place) -> None: ...


def write_new(place: Place) -> None:
    (place.docs / "new.md").write_text("New.")


def change(place: Place) -> None:
    (place.docs / "a.md").write_text("Other text.")


def touch(place: Place) -> None:
    (place.docs / "a.md").write_text((place.docs / "a.md").read_text())


def rename(place: Place) -> None:
    (place.docs / "a.md").rename(place.docs / "z.md")


def delete(place: Place) -> None:
    (place.docs / "a.md").unlink()


def empty(place: Place) -> None:
    for path in place.docs.iterdir():
        path.unlink()


def replace_folder(place: Place) -> None:
    place.docs.rename(place.home / "aside")
    place.docs.mkdir()
    write_new(place)


def unmount(place: Place) -> None:
    place.docs.rename(place.home / "aside")


def leave_out(place: Place) -> None:
    place.more = ", exclude: [a.md]"


def give_owner(place: Place) -> None:
    place.more = ", owner: 'user:bo'"


def parse_otherwise(place: Place) -> None:
    place.change_rows(seen_extraction="another")


def distrust(place: Place) -> None:
    place.change_rows(token=None)


def write_unsupported(place: Place) -> None:
    (place.docs / "clip.mp4").write_bytes(b"\0")


@pytest.mark.parametrize(
    ("happens", "items", "unchanged", "error"),
    [
        (as_it_was, [], 3, ""),
        (write_new, [("add", "new.md", Cause.LISTING)], 3, ""),
        (change, [("update", "a.md", Cause.LISTING)], 2, ""),
        (touch, [("touch", "a.md", Cause.LISTING)], 2, ""),
        (rename, [("move", "z.md", Cause.LISTING)], 2, ""),
        (delete, [("delete", "a.md", Cause.LISTING)], 2, ""),
        (empty, [("refused", f"{n}.md", Cause.LISTING) for n in "abc"], 0, "is it mounted"),
        (replace_folder, [("refused", f"{n}.md", Cause.LISTING) for n in "abc"], 0, "another place"),
        (unmount, [], 0, "does not exist; is it mounted?"),
        (leave_out, [("refused", "a.md", Cause.LISTING)], 2, ""),
        (give_owner, [("touch", "", Cause.RULES)] * 3, 0, ""),
        (parse_otherwise, [("update", f"{n}.md", Cause.EXTRACTION) for n in "abc"], 0, ""),
        (distrust, [], 3, ""),
        (write_unsupported, [], 3, ""),
    ],
)
def test_what_a_look_comes_to(
    place: Place,
    happens: Callable[[Place], None],
    items: list[tuple[str, str, Cause]],
    unchanged: int,
    error: str,
) -> None:
    happens(place)
    plan = place.survey().plan
    assert [(item.action.value, item.uri, item.cause) for item in plan.items] == items
    assert plan.unchanged == unchanged
    assert error in (plan.error or "") and bool(error) == bool(plan.error)


@pytest.mark.parametrize("happens", [as_it_was, change, delete, empty, replace_folder, unmount])
def test_a_survey_writes_nothing(place: Place, happens: Callable[[Place], None]) -> None:
    happens(place)
    before = (place.home / ".freshkb" / "ledger.db").read_bytes()
    place.survey()
    assert (place.home / ".freshkb" / "ledger.db").read_bytes() == before


def test_hints_find_what_is_new_and_conclude_nothing_from_absence(place: Place) -> None:
    write_new(place)
    delete(place)
    plan = place.survey(folders=[""]).plan
    assert [(item.action, item.uri) for item in plan.items] == [(Action.ADD, "new.md")]
    assert plan.missing == 1


def test_what_is_learnt_beside_the_plan_is_handed_over(place: Place) -> None:
    write_unsupported(place)
    distrust(place)
    with place.workspace() as workspace:
        rows = {row.uri: row for row in noted(workspace, "docs", survey(workspace, "docs"), "r1")[0]}
    assert set(rows) == {"a.md", "b.md", "c.md", "clip.mp4"}
    assert rows["clip.mp4"].state is State.SKIPPED
    assert all(rows[f"{name}.md"].token for name in "abc")
