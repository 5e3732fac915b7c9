"""Whatever a document says and wherever it says it: no record of its erasure repeats a word of it."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from index.erase.carry_out import carry_out
from index.erase.place import lift, place
from index.erase.target import Target
from index.run import Run
from index.sync.sync import sync
from index.workspace import Workspace
from tests.knowledge import Knowledge

pytestmark = pytest.mark.usefixtures("scanned_here")

PLACES = ("path", "folder", "title", "owner", "address", "page", "text", "heading", "reason")

#: No letter is a digit in hex, in base64 a word is too long to be met by chance.
WORDS = st.text(alphabet="ghjkqvwxyzäßçøþλжשあ語", min_size=9, max_size=16)
SAID = st.fixed_dictionaries(dict.fromkeys(PLACES, WORDS))
TARGETS = ("name", "id", "pattern", "owner", "phrase")
KINDS = st.sampled_from(TARGETS)


#: Letters of a number, which no word has. Examples repeat the words of others: a number in each keeps what
#: another order withholds out of this one.
DIGITS = "ilmnoprstu"


def _numbered(said: dict[str, str], number: int) -> dict[str, str]:
    letters = "".join(DIGITS[int(digit)] for digit in f"{number:04}")
    return {where: letters + word for where, word in said.items()}


def _target(workspace: Workspace, kind: str, said: dict[str, str], uri: str) -> Target:
    match kind:
        case "name":
            return Target([uri])
        case "id":
            return Target([d.document_id for d in workspace.ledger.documents.find(uris=[uri])])
        case "pattern":
            return Target(pattern=f"{said['folder']}/**")
        case "owner":
            return Target(owner=f"user:{said['owner']}")
    return Target(phrases=[f"{said['text']} it is"])


def _forms(word: str) -> Iterator[str]:
    yield from (word, word.lower(), word.upper(), json.dumps(word)[1:-1], quote(word), word.encode().hex())
    yield from (f"\\u{ord(letter):04x}" for letter in word if not letter.isascii())


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """All that is logged, by anything."""
    said, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(said), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _records(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """(place, text) of everything that is on record: receipts with what is signed in them, rows, log."""
    state = workspace.config.state_dir
    for path in (state / "receipts").glob("*.json"):
        yield path.name, path.read_text()
        yield f"payload of {path.name}", b64decode(json.loads(path.read_text())["payload"]).decode()
    yield "log", "\n".join(workspace.ledger.log.export())
    with closing(sqlite3.connect(f"file:{state / 'ledger.db'}?mode=ro", uri=True)) as ledger:
        yield "rows", "\n".join(ledger.iterdump())


def _put(kb: Knowledge, said: dict[str, str], number: int) -> tuple[str, Path]:
    address = f"https://example.org/{said['address']}/{said['page']}"
    head = f"title: {said['title']}\nowner: user:{said['owner']}\ncanonical: {address}\n"
    uri = f"{said['folder']}/{said['path']}.md"
    return uri, kb.write(uri, f"---\n{head}---\n\n# {said['heading']}\n\n{said['text']} it is: {number}.\n")


def test_no_record_of_an_erasure_has_a_word_of_the_document(
    kb: Knowledge, tmp_path: Path, soak: bool
) -> None:
    kb.source["delete"] = {"max_fraction": 1.0}
    kb.write("stays.md", "# Stays\n\nAs it is.\n")
    kb.sync()
    numbers, kinds = iter(range(10_000)), set[str]()
    failed: list[Exception] = []

    @settings(
        max_examples=300 if soak else len(TARGETS),
        phases=[Phase.generate],
        deadline=None,
        derandomize=not soak,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(SAID, KINDS, st.booleans())
    def erased(said: dict[str, str], kind: str, takes_back: bool) -> None:
        if failed:
            # What it left behind would fail whatever is tried after it.
            raise failed[0]
        try:
            erase(said, kind, takes_back)
        except Exception as error:
            failed.append(error)
            raise

    def erase(said: dict[str, str], kind: str, takes_back: bool) -> None:
        number = next(numbers)
        # In the short form by turns: so few examples would not meet each.
        kind = kind if soak else TARGETS[number % len(TARGETS)]
        kinds.add(kind)
        said = _numbered(said, number)
        uri, path = _put(kb, said, number)
        kb.sync()
        reveal = tmp_path / f"reveal-{number}.json"
        with _logged() as logged, kb.workspace() as workspace:
            rows = dict(_records(workspace))["rows"]
            for where in ("path", "folder", "title", "owner", "address", "page"):
                assert any(form in rows for form in _forms(said[where])), where
            order = place(workspace, _target(workspace, kind, said, uri), said["reason"], reveal=reveal)
            assert order.documents == 1
            report = carry_out(Run(workspace, "erase"), order.order_id)
            assert report.done, report.error
            if kind != "phrase":
                # For its phrase, a document that is withheld has a row with its path.
                sync(Run(workspace, "sync"))
            assert len(list(workspace.ledger.documents.find())) == 1
            found = {**dict(_records(workspace)), "logged": logged.getvalue(), "report": str(report.json())}
        for where, word in ((p, w) for p, w in said.items() if p != "reason" or said["reason"] not in uri):
            for form in _forms(word):
                held = [
                    f"{name}: {line}"
                    for name, text in found.items()
                    for line in text.splitlines()
                    if form in line
                ]
                assert not held, f"{where} as {form!r} in {held}"
        shown = json.loads(reveal.read_text())
        assert shown["reason"] == said["reason"] and shown["documents"] == [{"source": "docs", "uri": uri}]
        path.unlink()
        if takes_back:
            kb.ask(lambda workspace: lift(workspace, order.order_id, "Taken back."))

    erased()
    assert kinds == set(TARGETS)
