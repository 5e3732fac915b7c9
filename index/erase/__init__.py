"""Erasure: documents are removed for good, by an order, with proof, and are kept out from then on.

Vocabulary
    An *order* is an instruction to erase, with an id (``E-7K3QM9X``), the person who gave it, and how its
    documents were named; it is *open* until it is carried out and proved, then *done*, and *lifted* when its
    tombstones are taken back. A *tombstone* is a keyed hash of a path, of a file's bytes, or of a phrase:
    while it stands, what it names is *withheld* from the index. A *trace* is a piece of an erased text, name,
    vector or id; a *place* is a kind of file that may hold one, and makes a *claim* with its evidence
    (`index.purge`). A *receipt* is the signed proof; its *reveal* file, which the requester alone gets, shows
    which documents it is about.

Modules
    `target` (the documents that a person names, and what an order would cover) · `place` (orders placed and
    lifted) · `carry_out` (the verb: `remove`, `prove`, certify) · `traces` (the pieces to be searched for,
    before and after) · `staying` (those that stand in what stays) · `phrases` (suppressed ones, by their
    hashes) · `kept` (files of the state folder that may name a document) · `receipt` with `predicate` and
    `parts`, and `reveal` (the proof, and its key) · `replay` (orders of receipts, on a ledger that does not
    know them).

How an order goes
    1. In one transaction: no hold stands on its documents, order and tombstones are on record, the documents
       are *erased*: no search shows them, no run writes them, and what a run in flight has read of them is
       refused. The reveal file is written before that transaction ends.
    2. Under the writer locks of their sources: what interrupted runs left is recovered; copies of the same
       bytes that were in flight join the order; traces are gathered and looked for in every file, which is
       the control of the search; the points are deleted in the write order that all changes go, and read back
       absent; the ledger's rows are reduced to nothing.
    3. Store and ledger are purged, all reports of audits in the state folder are removed, as they write names
       in forms of their own, and every file is searched again: no trace is left.
    4. An entry of the log, the receipt with the entry's place in the log, and the order is done.

Invariants
    Nothing is removed before the order is durable. Every step may be repeated; an order that was cut short,
    or that could not be proved, stays open, and is carried out by the next erase, purge or sync. A receipt
    is signed after the proof, never before. No path, title, owner, text, phrase or reason is in an order, a
    tombstone, the log, a run's record or a receipt.

May import: the rooms up to `sync`, `purge`, `search.find`, `checkpoints`, `signed`. May be imported by
`flows`, `health` and `backup`.
"""

#: Folder of the state folder for the traces of open orders.
TRACES = "orders"
