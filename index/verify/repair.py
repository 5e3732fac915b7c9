"""Mend what a verification found. Every damaged document has one of three answers, and there is no fourth:

1.  It is written again from its source.
2.  Where its source cannot give it (a document that is held after it vanished, or whose new version does not
    parse), it is written from payloads that have the digest that the ledger keeps (`index.verify.survivors`).
3.  What neither gives is lost, and said to be: ledger and store are made to agree on what is left, the
    document's reason tells what is missing, and the repair is no success.

What the ledger does not know is no answer: it is removed, and the document that it spoke of is named as lost
when its source does not have it. What the ledger calls deleted or erased does not come back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from index.errors import StoreDamaged
from index.run import Run
from index.sync.recover import recover
from index.sync.source import known_sources
from index.sync.sync import sync
from index.sync.target import target_of
from index.verify.compare import verify
from index.verify.differences import KINDS, Verification
from index.verify.mending import Mending
from index.verify.rebuild import rebuild
from index.verify.renew import renew
from index.workspace import Workspace


def repair(workspace: Workspace, found: Verification, run: Run) -> None:
    """Mend the findings, then sync. Sets `found.repaired` to the number of findings that are gone afterwards,
    and adds to `found` what is wrong now and was not before, and to its errors the texts that are lost.

    Stopped, it finishes the batch in hand, and `found.interrupted` says so: the next repair does the rest.
    """
    with run:
        try:
            lost = _mend(workspace, found, run)
        except StoreDamaged:
            if found.rebuild:
                raise
            # What can be read and not be written shows only now.
            found.rebuild = True
            lost = _mend(workspace, found, run)
        if run.stop.is_set():
            found.interrupted = True
            return
        _conclude(found, verify(workspace, sample=found.sample, deep=found.deep, stop=run.stop), lost)


def _mend(workspace: Workspace, found: Verification, run: Run) -> dict[str, str]:
    """By document, what is lost."""
    with _as_writer(workspace):
        if found.rebuild:
            rebuild(workspace, run.run_id, read=not found.deadly)
        again = renew(workspace, run)
    wrong = found
    if found.rebuild or again is not None:
        # The points of the new collection are what is to be mended.
        wrong = verify(workspace, sample=found.sample, deep=found.deep, stop=run.stop)
    if run.stop.is_set():
        return {}
    with _as_writer(workspace):
        target = target_of(run)
        for source in known_sources(workspace):
            recover(target, source, run.run_id)
        mending = Mending(workspace, run, target, wrong, again or ())
        mending.documents()
        if not run.stop.is_set():
            mending.strangers.remove()
    sync(run, checksum=found.deep)
    if run.stop.is_set():
        return {}
    with _as_writer(workspace):
        mending.admit()
        return mending.lost | mending.strangers.drop()


@contextmanager
def _as_writer(workspace: Workspace) -> Iterator[None]:
    """The one writer of all sources."""
    with ExitStack() as locks:
        for source in known_sources(workspace):
            locks.enter_context(workspace.ledger.writer(source, "freshkb verify --repair"))
        yield


def _conclude(found: Verification, left: Verification, lost: dict[str, str]) -> None:
    before = {difference.subject for difference in found.all}
    still = {difference.subject for difference in left.all}
    found.repaired = sum(
        difference.subject not in still and difference.document_id not in lost for difference in found.all
    )
    for kind in KINDS:
        found.of(kind).extend(new for new in left.of(kind) if new.subject not in before)
    found.errors = [*left.errors, *lost.values()]
