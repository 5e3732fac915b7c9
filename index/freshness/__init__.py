"""A document's age, owners and address, from values alone.

Vocabulary
    A *verdict* is fresh, warn, stale, unknown or exempt. A *policy* says after which time a document warns
    and turns stale, and which fields date it. *Properties* are the metadata that front matter, source and
    file give a document, by canonical names.

Modules
    `assess` (verdicts) · `dates` · `properties` (names, precedence) · `owners` (names compared) · `link` ·
    `extract` (what is kept of a text for the checks) · `validity` (sentences that say until when they hold) ·
    `places` (where a path leads) · `finding` and `checks` (the findings of the audit).

No I/O, no clock: the moment is handed in. May import: `model`, `errors`, `printable`.
"""
