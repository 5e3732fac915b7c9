"""Repair: mend the differences of a verification. A damaged document has one of exactly three answers:

1.  It is written again from its source.
2.  Where its source cannot give it (a document that is held after it vanished, or whose new version does not
    parse), it is written from payloads that have the digest that the ledger keeps (`index.verify.survivors`).
3.  Otherwise it is lost, and reported: ledger and store are made to agree on the survivors, the document's
    reason names the missing text, and the repair is no success.

Points that the ledger does not know are no answer: they are removed, and the document that they name is lost
when its source does not have it. A deleted or erased document does not come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

COMMAND = "freshkb verify --repair"


def repair(workspace: Workspace, found: Verification, run: Run) -> None:
    """Mend the findings, then sync. Sets `found.repaired` to the number of findings that are gone afterwards,
    and adds new differences to `found`, and the lost texts to its errors.

    Once stopped, it finishes the batch in hand and sets `found.interrupted`: the next repair does the rest.
    """
    with run:
        try:
            lost = _mend(workspace, found, run)
        except StoreDamaged:
            if found.rebuild:
                raise
            # Damage that only writing meets shows here.
            found.rebuild = True
            lost = _mend(workspace, found, run)
        if run.stop.is_set():
            found.interrupted = True
            return
        _conclude(found, verify(workspace, sample=found.sample, deep=found.deep, stop=run.stop), lost)


def _mend(workspace: Workspace, found: Verification, run: Run) -> dict[str, str]:
    """{document id: sentence on its lost text}."""
    with _as_writer(workspace) as sources, workspace.ledger.builder(COMMAND, sources):
        if found.rebuild:
            rebuild(workspace, run.run_id, read=not found.deadly)
        again = renew(workspace, run)
    wrong = found
    if found.rebuild or again is not None:
        # Mend the points of the new collection.
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
            mending.strangers.recall(run.run_id)
            mending.strangers.remove()
    sync(run, checksum=found.deep)
    if run.stop.is_set():
        return {}
    with _as_writer(workspace):
        mending.admit()
        mending.strangers.remove()
        return mending.lost | mending.strangers.drop()


@contextmanager
def _as_writer(workspace: Workspace) -> Iterator[Sequence[str]]:
    """Hold the writer locks of all sources, which are given."""
    sources = known_sources(workspace)
    with ExitStack() as locks:
        for source in sources:
            locks.enter_context(workspace.ledger.writer(source, COMMAND))
        yield sources


def _conclude(found: Verification, left: Verification, lost: dict[str, str]) -> None:
    before = {difference.subject for difference in found.all}
    still = {difference.subject for difference in left.all}
    found.repaired = sum(
        difference.subject not in still and difference.document_id not in lost for difference in found.all
    )
    for kind in KINDS:
        found.of(kind).extend(new for new in left.of(kind) if new.subject not in before)
    found.errors = [*left.errors, *lost.values()]
