"""Compare source, ledger and store; name every difference; mend.

Vocabulary
    A *defect* is a fault of a point or a row, found from values alone; a *difference* is a defect with its
    place; a *verification* is the differences of one comparison. A *repair* gives three answers: written
    again from its source; from payloads that their digests prove; lost, and said so. *Survivors* are the
    points and rows that a damaged document still has; *strangers* are points that the ledger does not know.

Modules
    Compare: `compare` (rows and sources), `points` (ledger and store), with `checks` (pure) → `differences`.
    Repair: `mend` (a damaged ledger), then `repair` with `rebuild` (a damaged collection), `renew` (its row),
    `mending` (documents, from `survivors`), `strangers`.

Invariants
    `checks` takes values and returns values. A payload is used only when it has the digest that the ledger
    keeps. A deleted or erased document does not come back.

May import: the rooms up to `reindex`. No room imports it.
"""
