"""When, how often, and who hears of it: Prefect flows, the watcher, the command line.

Thin: what is done lives in `index`. Prefect learns counts, run ids and batch numbers, never a text, a path or
a title; exceptions are reduced to their class and the run's id at a flow's boundary. The engine runs without
Prefect, and nothing here imports it but the modules that define or serve flows.

May import: `index`, `connectors`. Imported by nothing of ours.
"""
