"""Make the index equal to its sources.

Vocabulary
    A *survey* is a look at a source; a *diff* its listing against the ledger's rows; a *plan* the frozen
    decision, made of *items*, each with an action and a *cause*. An item is prepared into *work*: a
    `NewVersion`, `NewMetadata`, a `Removal`, `RowOnly`, `Withheld` or `Skip`. A document is *withheld* when
    an order to erase keeps it out of the index. A *batch runner* carries the batches of a plan out, in this
    process or as Prefect's tasks.

Modules, in the order in which a document passes through them
    `source` (the parts that its documents need) · `survey`, `diff`, `plan`, `noted` (look, decide) ·
    `batches`, `screen` around `prepare` → `reading` → `work` (one thread that asks the source, while parsers
    read) ·
    `apply`, `draft`, `target` (the write order) · `withhold` (tombstones, looked up by all of these) ·
    `expiry`, `unasked` (documents whose retention has ended) · `recover` (mend after a crash) · `collection`
    (made, in use, retired) · `settle` (the source told of what became of them) · `sync` (the algorithm) ·
    `approval`, `requests` (made by a person: removals, retries, reviews).

Invariants
    `diff`, `plan` and the decisions of `recover` take values and return values. A connector is used by one
    thread at a time. Nothing is removed unless the listing was complete, or its retention has ended, and the
    guard let it pass, or an approval names exactly these removals.

May import: the rooms up to `lookup`. May be imported by `purge`, `audit`, `health`, `search`, `reindex`
and `verify`.
"""
