"""The freshness audit: a verdict for every live document, findings for its owners, reports.

The *audit* judges freshness, and nothing else; the *log*, in `index.ledger`, records changes. A *finding* has
a code, a severity, evidence and an owner.

`audit` gathers what is known into a base, and judges it, with `verdicts` (the rules in force) and the checks
of `index.freshness.checks`; `passages` reads texts and vectors for them, `hidden` and `external` look at what
the checks of links ask of folders and of the web (`reach`). `result` is an audit as a value, `history` what
earlier ones knew, `use` what readers were shown; `fields` are values that several records print alike.
`report` renders an audit, and reads nothing else.

The ledger keeps of an audit counts and hashes: no sentence, no path, no name of an owner.

May import: the rooms up to `sync`. May be imported by `health` and `search`.
"""
