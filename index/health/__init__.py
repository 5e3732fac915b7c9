"""The state of a knowledge base: `status`; `check` for probes; `services`, the watcher and runner that should
live; `run_summary`, a run as it is printed; `doctor`, faults with their remedies.

May import: the rooms up to `audit`. May be imported by `search`.
"""
