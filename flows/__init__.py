"""Prefect flows, the watcher and the command line: when the engine runs, and where its results are shown.

Thin: the work is done in `index`. Prefect learns counts, run ids and batch numbers, never a text, a path or
a title; exceptions are reduced to their class and the run's id at a flow's boundary. The engine runs without
Prefect, and nothing here imports it but the modules that define or serve flows.

May import: `index`, `connectors`. Imported by nothing of ours.
"""

import os

# Prefect reads these while it is imported, which only modules of this package do. The user's settings stay.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS", "false")
# A first start makes a database, which takes a slow machine longer than the 20 s that Prefect allows it.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
