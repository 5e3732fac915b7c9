"""The freshness audit: a verdict for every live document, findings for its owners, reports.

The *audit* judges freshness, and nothing else; the *log*, in `index.ledger`, records changes. A *finding* has
a code, a severity, evidence and an owner.

`audit` judges and sums up, with `verdicts` (the rules in force), `findings` (defects besides age) and
`checkout` (file dates that version control made); `hidden` and `external` look at what the checks of links
ask of folders and of the web (`reach`); `fields` are values that several records print alike. `report`
renders an audit, and reads nothing else.

May import: the rooms up to `sync`. May be imported by `health` and `search`.
"""
