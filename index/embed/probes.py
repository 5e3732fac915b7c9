"""Passages on which two ways of computing a model are compared, and timed.

Passages of handbooks, manuals, mail, code and other languages; short and long ones, one longer than any
model's limit, and an empty one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

QUESTIONS = (
    "How do I reset the password of my laptop?",
    "annual leave carry over",
    "Who approves invoices above 10,000 EUR, and within how many days?",
    "x",
)

_SENTENCES = (
    "Employees accrue four hours of annual leave in each pay period.",
    "Invoice 2024-117: three boxes of printer paper, payable within 30 days.",
    "def sync(source): return plan(source).apply()",
    "Die Rückgabe ist innerhalb von vierzehn Tagen kostenlos; danach fällt eine Gebühr von 4,90 € an.",
    "The pump must be switched off before the filter is changed, and vented afterwards.",
    "Les congés payés se prennent entre le 1er mai et le 31 octobre.",
    "数据保留期限为七年。 フィルターは毎月交換してください。",
    "OK 👍🏽 — see [SEP] <s> </s> <|endoftext|> [MASK] in the notes.",
)

_PARAGRAPHS = (
    "Incidents are declared in the on-call channel. Whoever notices the incident becomes its commander, "
    "and hands over as soon as an engineer of the affected service has joined. The commander decides; others "
    "advise. Every decision is written down with its time, so that the review can follow it later.",
    "| Severity | Response | Example |\n|---|---|---|\n| S1 | 15 minutes, day and night | nobody can log "
    "in |\n| S2 | one hour | exports fail for some |\n| S3 | next working day | a label is misspelt |",
    "Travel is booked through the agency, in economy class below six hours of flight. Hotels are reimbursed "
    "up to the rate of the city, which finance publishes in January and July. Meals need no receipt below "
    "25 EUR a day. Expenses older than ninety days are not reimbursed unless a manager has explained why.",
    "Backups run at 02:00 UTC. The database is dumped with pg_dump --format=custom, encrypted with age, and "
    "copied to two regions. A restore is rehearsed on the first Monday of each month: the dump of the day "
    "before is loaded into an empty cluster, row counts are compared, and the minutes are entered below.",
    "Personal data of applicants is erased six months after the decision. Applicants who agreed to stay in "
    "the talent pool are asked again every year. The controller is the legal entity that published the "
    "vacancy; requests go to privacy@example.org and are answered within thirty days.",
    "To calibrate the sensor, rinse the probe with distilled water, place it in the buffer of pH 7.00, wait "
    "until the reading is stable, and press CAL for three seconds. Repeat with pH 4.01. A slope below 85 % "
    "means that the electrode has to be replaced. Never wipe the membrane; dab it dry.",
)

#: Texts from empty to longer than a chunk can be.
PASSAGES = (
    "",
    *_SENTENCES,
    *_PARAGRAPHS,
    " ".join(_SENTENCES),
    *("\n\n".join(_PARAGRAPHS[at : at + 2]) for at in (0, 2, 4)),
    *("\n\n".join(_PARAGRAPHS[at : at + 3]) for at in (0, 3)),
    "\n\n".join(_PARAGRAPHS * 4),
)


class Model(Protocol):
    def together(self, texts: Sequence[str]) -> object:
        """The vectors of documents that are computed as one batch."""


def seconds(model: Model) -> float:
    """That a model takes for the paragraphs. The least of five times: the first prepares what it needs, and
    other processes compute as well."""

    def once() -> float:
        begun = time.perf_counter()
        model.together(_PARAGRAPHS)
        return time.perf_counter() - begun

    return round(min(once() for _ in range(5)), 6)
