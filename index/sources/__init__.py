"""Sources looked at by themselves: before they are added, before they are synced, when they fail.

Vocabulary
    A *check* asks whether a source can be listed, and what it tells of its documents; a *sample* is a few of
    them, prepared as a sync would; a *draft* is a source that is not in the configuration yet. A *need* is a
    package, a program or a credential, with the place where it was found.

Modules
    `trial` (a connector that leaves nothing behind) · `needs` · `check` · `sample` · `add`.

Invariants
    Nothing is written but the configuration, by `add`, as a whole: there need be no ledger, and one that a
    sync writes is not touched. A connector's cache is a scratch folder. No secret is shown, only where it
    comes from.

May import: the rooms up to `sync`. May be imported by `health`.
"""
