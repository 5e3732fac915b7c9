"""Make the index equal to its sources.

Vocabulary
    A *survey* is a look at a source; a *diff* its listing against the ledger's rows; a *plan* the frozen
    decision, made of *items*, each with an action and a *cause*. An item is prepared into *work*: a new
    version, new metadata, a removal, a row only, or nothing. A *batch runner* carries the batches of a plan
    out, in this process or as Prefect's tasks.

Modules, in the order in which a document passes through them
    `source` (what its documents need) · `survey`, `diff`, `plan` (look, decide) · `batches`, `prepare` (one
    thread that asks the source) · `apply` (the write order, nowhere else) · `recover` (what a crash left) ·
    `collection` (made, in use, retired) · `sync` (the algorithm) · `approval`, `requests` (what a person asks
    for: removals, retries, reviews).

Invariants
    `diff`, `plan` and the decisions of `recover` take values and return values. A connector is used by one
    thread at a time. Nothing is removed unless the listing was complete and the guard let it pass, or an
    approval names exactly these removals.

May import: whatever stands above it in the house. May be imported by `verify`, `reindex`, `audit`, `health`.
"""
