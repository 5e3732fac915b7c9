"""The contract of audits, answers and what they know of documents, whatever database is below. Subclasses
give the fixture `url`."""

from __future__ import annotations

from datetime import timedelta

from index.ledger import Ledger, LogAction, LogEntry
from index.ledger.audits import AuditRecord, KnownFinding
from index.ledger.notices import Notice, NoticeState
from index.records import Answer, AnswerKind, Review
from tests.contracts.ledger_contract import T0, OpenLedger, document, put

DAY = timedelta(days=1)


def finding(name: str, **fields: object) -> KnownFinding:
    return KnownFinding(name, "stale", "handbook", f"d-{name}", T0, **fields)  # type: ignore[arg-type]


class AuditsContract(OpenLedger):
    def test_findings_are_open_until_an_audit_no_longer_has_them(self, ledger: Ledger) -> None:
        audits = ledger.audits
        audits.record(AuditRecord("r1", T0, {"stale": 2}), {"o": {"stale": 2}}, map(finding, "ab"))
        assert audits.open() == {name: finding(name) for name in "ab"}
        audits.record(AuditRecord("r2", T0 + DAY, {"stale": 1}), {"o": {"stale": 1}}, [finding("b")])
        assert set(audits.open()) == {"b"}
        assert audits.resolved(T0 + DAY) == [finding("a", resolved_at=T0 + DAY)]
        assert audits.resolved(T0 + 2 * DAY) == []
        again = KnownFinding("a", "stale", "handbook", "d-a", T0 + 2 * DAY)
        audits.record(AuditRecord("r3", T0 + 2 * DAY), {}, [again, finding("b")])
        assert audits.open() == {"a": again, "b": finding("b")}

    def test_an_audit_that_is_recorded_again_counts_once(self, ledger: Ledger) -> None:
        for _ in range(2):
            ledger.audits.record(AuditRecord("r1", T0, {"stale": 1}), {"o": {"stale": 1}}, [finding("a")])
        assert ledger.audits.past(T0 + DAY) == [AuditRecord("r1", T0, {"stale": 1})]
        assert ledger.audits.by_owner(["r1", "r2"]) == {"r1": {"o": {"stale": 1}}}
        assert ledger.audits.past(T0) == []

    def test_the_last_audits_come_oldest_first(self, ledger: Ledger) -> None:
        for number in range(5):
            ledger.audits.record(AuditRecord(f"r{number}", T0 + number * DAY), {}, [])
        assert [record.run_id for record in ledger.audits.past(T0 + 9 * DAY, 3)] == ["r2", "r3", "r4"]

    def test_the_last_answer_of_a_kind_counts_until_it_ends(self, ledger: Ledger) -> None:
        first = Answer("d1", AnswerKind.SNOOZE, "anna", T0, until=T0 + 2 * DAY)
        second = Answer("d1", AnswerKind.SNOOZE, "anna", T0 + DAY, "soon", until=T0 + 5 * DAY)
        owner = Answer("d1", AnswerKind.REASSIGN, "anna", T0, owner="user:ben")
        put(ledger, document("a.md", "d1"))
        entry = LogEntry(T0, LogAction.SNOOZED, "handbook", "d1")
        ledger.answers.add([first, owner], [entry])
        ledger.answers.add([second], [entry])
        kinds = {AnswerKind.SNOOZE: second, AnswerKind.REASSIGN: owner}
        assert ledger.answers.standing(T0 + DAY) == {"d1": kinds}
        assert ledger.answers.standing(T0 + DAY, ["d2"]) == {}
        assert ledger.answers.standing(T0 + 5 * DAY) == {"d1": {AnswerKind.REASSIGN: owner}}
        assert ledger.answers.owners(["d1", "d2"]) == {"d1": "user:ben"}
        ledger.reviews.add([Review("d1", "anna", "", T0 + 2 * DAY)], [])
        assert ledger.answers.standing(T0 + 3 * DAY) == {"d1": {AnswerKind.REASSIGN: owner}}
        ledger.answers.withdraw(["d1"], AnswerKind.REASSIGN, T0 + 3 * DAY, [entry])
        assert ledger.answers.standing(T0 + 3 * DAY) == {} == ledger.answers.owners(["d1"])
        assert len(ledger.log.of("d1", [LogAction.SNOOZED])) == 3

    def test_a_notice_is_claimed_once_and_again_after_it_failed(self, ledger: Ledger) -> None:
        notices = ledger.notices
        first = Notice("anna", "2026-06-01", "mail", "intended", T0, ["f1", "f2"])
        again = Notice("anna", "2026-06-01", "mail", "intended", T0 + DAY, ["f2"])
        assert notices.claim(first)
        assert not notices.claim(again)
        notices.settle(first, NoticeState.FAILED)
        assert not notices.of(["anna"])["anna"][0].counts
        assert notices.claim(again)
        assert notices.of(["anna", "bo"]) == {"anna": [again]}
        notices.settle(again, NoticeState.SENT)
        assert not notices.claim(first)
        other = Notice("anna", "2026-06-08", "mail", "intended", T0 + 7 * DAY, ["f2"])
        assert notices.claim(other)
        assert [notice.state for notice in notices.of(["anna"])["anna"]] == ["sent", "intended"]
        assert notices.give_up(T0) == []
        assert notices.give_up(T0 + 8 * DAY) == [other]
        assert notices.give_up(T0 + 8 * DAY) == []
        assert [notice.state for notice in notices.of(["anna"])["anna"]] == ["sent", "unknown"]
        assert not notices.claim(other)
        notices.forget(T0 + 2 * DAY)
        assert [notice.state for notice in notices.of(["anna"])["anna"]] == ["unknown"]
