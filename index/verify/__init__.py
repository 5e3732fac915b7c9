"""Compare source, ledger and store; name every difference; mend.

Vocabulary
    A *defect* is what is wrong with a point or a row, told by values alone; a *difference* is a defect with
    its place. A *repair* gives three answers: written again from its source; from payloads that their digests
    prove; lost, and said so.

May import: `sync` and what stands above it.
"""
