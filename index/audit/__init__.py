"""The freshness audit: a verdict for every live document, findings for its owners, reports.

The *audit* judges freshness, and nothing else; what happened is the *log*, in `index.ledger`. A *finding* has
a code, a severity, evidence and an owner.

May import: the rooms above it. `report` renders what `audit` found, and asks nothing.
"""
