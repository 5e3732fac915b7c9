"""Purge: the bytes of what was removed are taken off the disk, with evidence.

Vocabulary
    *Deleted*: no search finds it. *Purged*: its bytes are gone from the files that we can see. A *place* is a
    kind of file that may hold a piece: the store, the ledger. Each makes its *claim*: ``purged`` where that
    was observed, ``unretrievable`` where no query finds it and the disk cannot be seen, or something is left.
    The *lag* is how long the oldest removal has waited. A *trace* is a byte pattern of a text, a vector or an
    id; a *scan* finds the files that hold traces.

Modules
    `lag` (what waits, since when, and whether a purge is due) · `bound` (after each run that writes) ·
    `purge` (the verb) · `copy` (live points into a fresh collection, which replaces the former one: how a
    server is purged, and how a damaged collection is rebuilt) · `scan` (traces and files, pure; `apart` runs
    it in a process of its own).

How it goes
    1. What interrupted runs left is recovered, as at the start of a sync. Sources that another process is
       writing are left to it, with the reason. Removed points that a writer has written once more, after it
       lost its lock, are removed again.
    2. The store: an embedded one rewrites each segment that holds a deleted or replaced point, and proves it
       by its files. A server shows no files: live points are copied to a fresh collection, the readers' name
       is given to it, and the former one is dropped with its snapshots.
    3. The ledger: every row is written anew, and the write-ahead log emptied.
    4. The ledger forgets the removals that were absent before step 2, with an entry of the log.
    A kill anywhere leaves the removals on record, and the next purge begins anew. Nothing is forgotten before
    every place is as clean as it can be.

Rule
    A purge is due when the oldest removal has waited for half of `delete.purge_within`; and at once when runs
    that write come further apart than that. Then the bound holds for any regular schedule of syncs.

May import: the rooms up to `sync`. May be imported by `audit`, `health`, `search`, `reindex` and `verify`.
"""
