"""The ``freshkb`` command.

Data goes to stdout; progress, logs and, beside ``--json``, all human text go to stderr. A command's module is
imported when the command is asked for, and what it takes to run when it runs, so that a small command stays
fast.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Entry point of the console script."""
    # Start-up makes a hundred thousand objects, and no garbage: looking for it takes a tenth of the time.
    gc.set_threshold(100_000, 20, 20)
    # pydantic looks for plug-ins in every installed distribution.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from flows.cli.app import application

    application(*sys.argv[1:2])()
