"""Prefect's runner and task runners send a flow or task to a fresh process by value: it has to work there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import forks
from tests.commands import environment

#: Every flow and task of ours, found by importing all of `flows`, as one pickle.
SEND = """
import pkgutil, sys
import cloudpickle
from importlib import import_module
from prefect import Flow, Task
import flows
modules = [import_module(found.name) for found in pkgutil.walk_packages(flows.__path__, "flows.")]
things = {t.name: t for module in modules for t in vars(module).values() if isinstance(t, (Flow, Task))}
sys.stdout.buffer.write(cloudpickle.dumps(things))
"""

#: The flow that arrives is checked as Prefect does it before a run: its annotations, and its parameters.
RECEIVE = """
import sys, typing
import cloudpickle
from prefect import Flow
for name, thing in cloudpickle.load(sys.stdin.buffer).items():
    typing.get_type_hints(thing.fn)
    if isinstance(thing, Flow):
        thing.validate_parameters({required: "x" for required in thing.parameters.required})
    print(name)
"""


def test_every_flow_and_task_works_where_it_arrives_by_value(tmp_path: Path) -> None:
    environ = environment() | {"PREFECT_HOME": str(tmp_path)}
    sent = forks.run([sys.executable, "-c", SEND], env=environ, capture_output=True, timeout=240)
    assert sent.returncode == 0, sent.stderr.decode()
    arrived = subprocess.run(
        [sys.executable, "-c", RECEIVE], env=environ, input=sent.stdout, capture_output=True, timeout=240
    )
    assert arrived.returncode == 0, arrived.stderr.decode()
    assert set(arrived.stdout.decode().split()) == {
        "freshkb-sync",
        "freshkb-sync-source",
        "freshkb-batch",
        "freshkb-audit",
        "freshkb-notify",
        "freshkb-verify",
        "freshkb-purge",
        "freshkb-erase",
        "freshkb-retention",
    }
