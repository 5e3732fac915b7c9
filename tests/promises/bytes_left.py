"""A search of files for what was erased, in the simplest way: it shares nothing with `index.purge.scan`.

Needles are words of random letters, and some numbers of a vector in a row. The store's compression keeps a
word as it is where its letters stand for the first time. A test that looks before the erasure, too, sees
each needle to be found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from struct import pack

from index.erase.receipt import opened
from index.ledger import LogAction, OrderState
from index.workspace import Workspace
from tests.copies import written

Needles = Mapping[str, bytes]
"""{name: bytes that must be in no file}."""

#: Numbers of a vector in a row.
_NUMBERS = 4


def word(random: Random, letters: int = 14) -> str:
    """A word that no other text has, without a letter twice in a row."""
    return "".join(random.sample("abcdefghijklmnopqrstuvwxyz", letters))


def of_words(words: Iterable[str]) -> dict[str, bytes]:
    """Without their ends, which compression may take together with what stands beside them."""
    return {each: each[2:-2].encode() for each in words}


def of_vector(name: str, vector: Sequence[float]) -> dict[str, bytes]:
    """Four numbers in a row, from all over the vector."""
    places = (0, len(vector) // 2, len(vector) - _NUMBERS)
    return {f"{name}[{at}]": pack(f"<{_NUMBERS}f", *vector[at : at + _NUMBERS]) for at in places}


def held(folders: Iterable[Path], needles: Needles) -> dict[str, set[str]]:
    """{name of a needle: names of the files that have it, or whose path has it}. Case does not count."""
    found: dict[str, set[str]] = {}
    wanted = [(name, needle, needle.lower()) for name, needle in needles.items()]
    for folder in folders:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = b"\0".join((os.fsencode(path), *written(path)))
            lower = content.lower()
            for name, needle, small in wanted:
                if needle in content or small in lower:
                    found.setdefault(name, set()).add(path.relative_to(folder).as_posix())
    return found


def receipted(workspace: Workspace) -> set[str]:
    """The ids of the orders that have a receipt: in the ledger, or as a file. Each receipt verifies."""
    orders = workspace.ledger.erasures.all()
    texts = [order.receipt for order in orders if order.receipt]
    texts += [path.read_text() for path in (workspace.config.state_dir / "receipts").glob("*.json")]
    found = {opened(text).order_id for text in texts}
    done = {order.order_id for order in orders if order.state is not OrderState.OPEN}
    assert done <= found, "an order is done without a receipt"
    return found


def said_done(workspace: Workspace) -> list[str]:
    """The orders that the log calls carried out, once for each time."""
    facts = (e for e in workspace.ledger.log.newest(100_000) if e.action is LogAction.ERASURE_DONE)
    return [str(entry.facts["order"]) for entry in facts]
