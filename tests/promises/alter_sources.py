"""Alterations of the index as a whole, and of the files of its sources."""

from __future__ import annotations

import os
import shutil
from random import Random
from typing import Any

from index.errors import StoreMismatch
from index.records import Document
from tests.copies import copy
from tests.promises.alteration import Alteration, changed, each, kind, unknown_id
from tests.promises.altered import THEN, Altered

OTHER_COLLECTION: dict[str, Any] = {
    "embedding_fingerprint": "another", "model": "another/model", "revision": "another",
    "dtype": "bfloat16", "dimension": 7,
}  # fmt: skip


@each(OTHER_COLLECTION)
def collection_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    index.sql(f"UPDATE collections SET {name} = ?", OTHER_COLLECTION[name])
    return Alteration("altered", everything=True)


@kind
def collection_renamed(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE collections SET name = 'another'")
    return Alteration("missing", everything=True)


@kind
def collection_not_current(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE collections SET state = ?", random.choice(["building", "dropping", "another"]))
    return Alteration("missing", everything=True)


@kind
def collection_row_lost(index: Altered, random: Random) -> Alteration:
    index.sql("DELETE FROM collections")
    return Alteration("missing", everything=True)


@kind
def store_lost(index: Altered, random: Random) -> Alteration:
    shutil.rmtree(index.state / "index")
    return Alteration("missing", everything=True, loses=True)


@kind
def points_lost(index: Altered, random: Random) -> Alteration:
    index.store(lambda session: session.delete(sorted(index.points)))
    return Alteration("missing", everything=True, loses=True)


@kind
def ledger_of_another_store(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE meta SET value = ? WHERE name = 'instance'", unknown_id(random))
    return Alteration(refused=StoreMismatch)


@kind
def store_of_another_ledger(index: Altered, random: Random) -> Alteration:
    (index.state / "index" / index.collection.name / "instance").write_text(unknown_id(random))
    return Alteration(refused=StoreMismatch)


@kind
def old_ledger(index: Altered, random: Random) -> Alteration:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (index.state / name).unlink(missing_ok=True)
        if (index.backup / name).exists():
            shutil.copyfile(index.backup / name, index.state / name)
    return Alteration("missing extra outdated", everything=True)


@kind
def old_store(index: Altered, random: Random) -> Alteration:
    shutil.rmtree(index.state / "index")
    copy(index.backup / "index", index.state / "index")
    return Alteration("missing extra altered", everything=True)


def _file(index: Altered, document: Document, **more: Any) -> tuple[Any, Alteration]:
    """The file, and an alteration whose undoing leaves it with the same inode, content and times."""
    path = index.kb.home / document.source / document.uri
    content, times = path.read_bytes(), path.stat()

    def undo() -> None:
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    return path, Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                            undo=[undo], **more)  # fmt: skip


def _rewrite(path: Any, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


@kind
def file_edited(index: Altered, random: Random) -> Alteration:
    path, found = _file(index, changed(index, random))
    _rewrite(path, b"# Edited\n\nWithout an event.\n")
    os.utime(path, (THEN + 50, THEN + 50))
    return found


@kind
def file_edited_and_disguised(index: Altered, random: Random) -> Alteration:
    """The same size, inode and times: only the content tells."""
    path, found = _file(index, changed(index, random), deep=True)
    content, times = path.read_bytes(), path.stat()
    _rewrite(path, content.replace(b" t", b" T").replace(b"e", b"i"))
    assert path.read_bytes() != content
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return found


@kind
def file_touched(index: Altered, random: Random) -> Alteration:
    path, found = _file(index, changed(index, random))
    os.utime(path, (THEN + 60, THEN + 60))
    return found


@kind
def file_removed(index: Altered, random: Random) -> Alteration:
    document = changed(index, random)
    path, aside = index.kb.home / document.source / document.uri, index.kb.home / "aside"
    path.rename(aside)
    return Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                      undo=[lambda: aside.rename(path)])  # fmt: skip


@kind
def file_renamed(index: Altered, random: Random) -> Alteration:
    document = changed(index, random)
    path = index.kb.home / document.source / document.uri
    other = path.with_stem("renamed")
    path.rename(other)
    return Alteration("outdated", set(), {document.document_id}, {"renamed" + path.suffix}, rebuilt=True,
                      undo=[lambda: other.rename(path)])  # fmt: skip


@kind
def file_replaced_by_a_copy(index: Altered, random: Random) -> Alteration:
    document = changed(index, random)
    path, aside = index.kb.home / document.source / document.uri, index.kb.home / "aside"
    path.rename(aside)
    shutil.copy2(aside, path)
    return Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                      undo=[lambda: aside.replace(path)])  # fmt: skip


@kind
def file_added(index: Altered, random: Random) -> Alteration:
    uri = random.choice(["new.md", "team/new.txt", "new.xyz"])
    path = index.put("docs", uri, b"# New\n\nJust come.\n", at=70)
    return Alteration("outdated", uris={uri}, rebuilt=True, undo=[path.unlink])
