"""Tell owners: the audit of now, a digest for each person with something due, and its record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from index.audit.audit import audit_of
from index.errors import ConfigError, StoreError
from index.freshness.owners import fold
from index.ledger.notices import Notice, NoticeState
from index.notify.channels import Apprise, Channel, Mail, NotSent, Unsure
from index.notify.digest import Desk, Digest, Item, by_person, desks_of, due_of, escalated, period_of
from index.notify.files import Files
from index.notify.report import DRY, NotifyReport, Told
from index.people import Directory, Person, directory_of
from index.run import Run, alive
from index.signed.link import Grant, sign

log = logging.getLogger("freshkb.notify")

#: The kind of its runs.
KIND = "notify"

#: Notices are kept for so long, and longer where managers are told later.
_KEPT = timedelta(days=366)
#: How long a link of a digest is good.
_LINKS_LAST = timedelta(days=28)
#: Past audits that are asked whether a finding was gone meanwhile.
_AUDITS_MAX = 500


def tell(run: Run, *, dry_run: bool = False, out: Path | None = None) -> NotifyReport:
    """Send each person what is due. With `dry_run` nothing is sent and nothing put on record: the digests are
    written as files into the folder `out`.

    Raises ConfigError for a directory of owners that is wrong, and when persons have something due and there
    is no way to send it; StoreError when nothing was ever synced.
    """
    workspace = run.workspace
    if not (workspace.ledger.sources.all() or workspace.ledger.documents.counts()):
        raise StoreError("Nothing was ever synced, so there is nothing to tell. First: freshkb sync")
    directory = directory_of(workspace.config)
    if dry_run:
        return _Telling(run, directory, Files(out) if out is not None else None).dry()
    with run:
        telling = _Telling(run, directory, None)
        try:
            report = telling.done()
        finally:
            telling.close()
        run.ends(report.outcome, report.counts)
    log.info("Notices: %s.", ", ".join(f"{number:,} {name}" for name, number in report.counts.items()))
    return report


#: What is done with a digest on a channel.
Deliver = Callable[[Digest, Channel, Told], None]


class _Telling:
    """One run: what is open for each person, and the ways to them."""

    def __init__(self, run: Run, directory: Directory, files: Files | None) -> None:
        self._run, self._directory, self._files = run, directory, files
        self._config, self._ledger = run.workspace.config, run.workspace.ledger
        self._settings, self._now = run.workspace.config.notify, run.workspace.now()
        self._keys = self._ledger.tombstones.keys()
        self._audits = [record.at for record in self._ledger.audits.past(self._now, _AUDITS_MAX)]
        # Read after them: of an audit that ends just now, it may know more than they, and never less.
        self._known = self._ledger.audits.open()
        self._notices: dict[str, list[Notice]] = {}
        """By the hash of the person."""
        sender, smtp = self._settings.sender, self._settings.smtp
        self._mail = Mail(smtp, sender) if sender and (smtp or files is not None) else None
        self._down = ""
        """Why no mail can be sent; "" while it can."""

    def close(self) -> None:
        if self._mail is not None:
            self._mail.close()

    def done(self) -> NotifyReport:
        """Send what is due."""
        lost = self._lost()
        report = self._through(self._sent)
        names = {self._hash(person): person.owner for person in report.people}
        report.digests[:0] = [Told.lost(names.get(one.person_hash, ""), one) for one in lost]
        kept = max(_KEPT, 2 * (self._settings.escalate_after or timedelta(0)))
        self._ledger.notices.forget(self._now - kept)
        return report

    def dry(self) -> NotifyReport:
        """Write what is due as files."""
        report = self._through(self._written)
        report.files = self._files.written if self._files is not None else []
        return report

    def _through(self, deliver: Deliver) -> NotifyReport:
        audit = audit_of(self._run.workspace)
        desks = desks_of(audit, self._directory)
        self._remember(desks.people.values())
        after = self._settings.escalate_after
        people = escalated(desks.people, self._directory, self._first_told, self._now, after)
        self._remember(desk for key, desk in people.items() if key not in desks.people)
        report = NotifyReport(desks.nobody, [desk.person for desk in people.values()])
        self._require_mail(report.people)
        for desk in by_person(people):
            if self._run.stop.is_set():
                report.interrupted = True
                break
            told = Told(desk.person.owner)
            for channel in self._channels(desk.person):
                digest = self._digest(desk, channel)
                if digest is not None:
                    deliver(digest, channel, told)
            if told.states or told.trouble:
                report.digests.append(told)
        return report

    # ── What is due ───────────────────────────────────────────────────────────────────────────────────

    def _hash(self, person: Person) -> str:
        return self._keys.person(person.key)

    def _remember(self, desks: Iterable[Desk]) -> None:
        self._notices |= self._ledger.notices.of([self._hash(desk.person) for desk in desks])

    def _digest(self, desk: Desk, channel: Channel) -> Digest | None:
        """The digest of a person on a channel; None when nothing is due, or they had one in this period."""
        history = [
            one for one in self._notices.get(self._hash(desk.person), ()) if one.channel == channel.key
        ]
        period = period_of(self._now, self._settings.period)
        if any(one.period == period and one.counts for one in history):
            return None
        told: dict[str, datetime] = {}
        for item in desk.items:
            times = self._times(item, history)
            if times:
                told[item.identity] = max(times)
        due = due_of(desk.items, told, self._now, self._settings.period)
        if not due:
            return None
        return Digest(
            desk.person,
            self._config.name,
            self._now,
            self._settings.period,
            tuple(due),
            tuple(sorted(desk.items, key=lambda item: item.rank)),
            frozenset(item.identity for item in due if item.identity not in told),
            self._page(desk.person),
            self._settings.page or self._config.ui.address,
        )

    def _page(self, person: Person) -> str:
        """The address of `notify.page`, else a link by which this person may answer on the owners' page."""
        if self._settings.page or not self._config.ui.address:
            return self._settings.page
        grant = Grant(self._keys.person(fold(person.owner)), "", self._now + _LINKS_LAST)
        return f"{self._config.ui.address}/a/{sign(self._keys.links(), grant)}"

    def _first_told(self, key: str, item: Item) -> datetime | None:
        return min(self._times(item, self._notices.get(self._keys.person(key), ())), default=None)

    def _times(self, item: Item, history: Iterable[Notice]) -> list[datetime]:
        """When a person was told of an item since it came up."""
        known = self._known.get(item.finding.identity)
        times = [one.at for one in history if one.counts and item.identity in one.told]
        # An audit before its first sighting did not have it: what was told earlier has come back since.
        without = (at for at in self._audits if known is None or at < known.first_seen_at)
        gone = max(without, default=None)
        return times if gone is None else [at for at in times if at >= gone]

    # ── The ways to a person ──────────────────────────────────────────────────────────────────────────

    def _require_mail(self, people: Iterable[Person]) -> None:
        if self._mail is None and any(person.email and not person.apprise for person in people):
            missing = "smtp" if self._settings.sender else "from"
            raise ConfigError(
                f"There is no way to send mails: notify.{missing} is missing in {self._config.path.name}. "
                "Nothing was sent. (freshkb notify --dry-run needs notify.from alone.)"
            )

    def _channels(self, person: Person) -> Iterator[Channel]:
        if person.email and self._mail is not None:
            yield self._mail
        for url in person.apprise:
            yield Apprise(url, self._keys.person(f"apprise {url}")[:16])

    def _written(self, digest: Digest, channel: Channel, told: Told) -> None:
        told.findings = max(told.findings, len(digest.due))
        try:
            written = channel.written(digest, self._now, "dry-run")
        except NotSent as error:
            told.ended(channel.name, NoticeState.FAILED.value, str(error))
            return
        if self._files is not None:
            self._files.write(digest.person.owner, *written)
        told.ended(channel.name, DRY)

    def _sent(self, digest: Digest, channel: Channel, told: Told) -> None:
        """Ready, on record, sent, settled: in this order."""
        told.findings = max(told.findings, len(digest.due))
        try:
            if channel is self._mail and self._down:
                raise NotSent(self._down)
            channel.ready()
        except NotSent as error:
            if channel is self._mail:
                self._down = str(error)
            told.ended(channel.name, NoticeState.FAILED.value, str(error))
            return
        now = self._run.workspace.now()
        period = period_of(self._now, self._settings.period)
        identities = [item.identity for item in digest.due]
        notice = Notice(
            self._hash(digest.person), period, channel.key, NoticeState.INTENDED.value, now, identities
        )
        if not self._ledger.notices.claim(notice):
            # Another run was faster.
            return
        identity = self._keys.person("\n".join((notice.person_hash, period, channel.key)))[:32]
        state, trouble = NoticeState.SENT, ""
        try:
            channel.send(digest, now, identity)
        except NotSent as error:
            state, trouble = NoticeState.FAILED, str(error)
        except Unsure as error:
            state, trouble = NoticeState.UNKNOWN, f"It may have been sent: {error}"
        self._ledger.notices.settle(notice, state)
        told.ended(channel.name, state.value, trouble)

    def _lost(self) -> list[Notice]:
        """Notices of runs that ended between the record of a digest and its end: nobody knows."""
        ours = (run for run in self._ledger.runs.unfinished() if run.kind == KIND)
        others = [run for run in ours if run.run_id != self._run.run_id]
        if any(alive(other, self._now) for other in others):
            return []
        found = self._ledger.notices.give_up(self._now)
        if found:
            log.warning("Digests of an earlier run may have been sent: %s.", f"{len(found):,}")
        return [replace(one, state=NoticeState.UNKNOWN.value) for one in found]
