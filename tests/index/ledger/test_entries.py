"""Every method that writes to the ledger takes the log entries that say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import index.ledger

PACKAGE = Path(index.ledger.__file__).parent

#: Methods that write bookkeeping, which takes no entry.
BOOKKEEPING = {
    # A digest's own record: what a person was told changes no document.
    "Notices.claim",
    "Notices.settle",
    "Notices.give_up",
    "Notices.forget",
    # How a source was listed last, its cursor, and which rules its documents have.
    "Sources.put",
    # Rows in which only tokens and marks to look again have changed.
    "Documents.refresh",
    # A run's own record and plan: the row of the run says what its end was.
    "Runs.start",
    "Runs.finish",
    "Runs.note_progress",
    "Runs.save_plan",
    # An announced change has not happened; a dropped intent never did.
    "Writes.intend",
    "Writes.drop_intents",
    # Deleted points that never were of a version; their purge has an entry.
    "Writes.record_absent",
    # A half-built collection whose end, which comes next, has an entry.
    "Writes.give_up_collection",
    # Deleted points that may be there after all.
    "Writes.record_present",
    # Publishes the entries that the commit put on record.
    "Writes.settle",
    # Parts of carrying out an order, whose placing and whose end have entries; a receipt proves the latter.
    "Erasures.join",
    "Erasures.seal",
    "Erasures.reduce",
    "Erasures.finish",
    # Takes the single entry that begins a generation of the log.
    "History.begin",
    # What an audit found: its run says when, and no document changes.
    "Audits.record",
    # Answers of external addresses.
    "Extracts.record_checks",
    # How often documents were found: no change of theirs.
    "Usage.count",
    # A path that joins an order: the log would say where erased bytes lie.
    "Tombstones.withhold",
}


def parts() -> Iterator[ast.ClassDef]:
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            bases = getattr(node, "bases", [])
            if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") == "Tables" for b in bases):
                yield node


def called(method: ast.FunctionDef) -> set[str]:
    """Names of the methods and functions that are called in it."""
    calls = (node.func for node in ast.walk(method) if isinstance(node, ast.Call))
    return {getattr(function, "attr", getattr(function, "id", "")) for function in calls}


def writing(part: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """Public methods that open a writing transaction, themselves or by another method of the part."""
    methods = {node.name: node for node in part.body if isinstance(node, ast.FunctionDef)}
    opening = {name for name, method in methods.items() if "writing" in called(method)}
    while more := {n for n, m in methods.items() if n not in opening and opening & called(m)}:
        opening |= more
    return {f"{part.name}.{name}": methods[name] for name in opening if not name.startswith("_")}


def test_every_method_that_writes_takes_its_entries_and_appends_them() -> None:
    found = {name: method for part in parts() for name, method in writing(part).items()}
    assert len(found) > 20
    for name, method in found.items():
        arguments = [argument.arg for argument in method.args.args]
        if name in BOOKKEEPING:
            assert "entries" not in arguments, f"{name} takes entries, and is no bookkeeping"
            continue
        assert "entries" in arguments, f"{name} writes and takes no entries"
        given = len(arguments) - len(method.args.defaults)
        assert arguments.index("entries") < given, f"{name} may be called without entries"
        assert called(method) & {"append", "defer"}, f"{name} takes entries and forgets them"
    assert found.keys() >= BOOKKEEPING, "something on the list is gone"


def test_the_parts_are_what_the_ledger_is_composed_of() -> None:
    made = {node.name for node in parts()}
    text = (PACKAGE / "ledger.py").read_text(encoding="utf-8")
    assert made == {name for name in made if f"{name}(database)" in text}
    (ledger,) = (n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == "Ledger")
    assert ledger.bases == []
