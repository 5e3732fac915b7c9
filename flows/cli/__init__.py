"""The ``freshkb`` command.

Data goes to stdout; progress, logs and, beside ``--json``, all human text go to stderr. A command's module is
imported when the command is asked for, and its dependencies when it runs, so that a small command stays
fast.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Entry point of the console script."""
    # Start-up makes some hundred thousand objects, and no garbage: looking for it takes a tenth of the time.
    gc.set_threshold(500_000, 20, 20)
    # pydantic looks for plug-ins in every installed distribution.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from index.idle import share_arenas

    share_arenas()
    from flows.cli.app import application

    try:
        application(*sys.argv[1:2])()
    except Exception as error:
        # A mistake of ours: its traceback is worth a report, and may hold what a report must not.
        from flows.log_records import covered_traceback

        sys.stderr.write(covered_traceback(error))
        sys.exit(1)
    finally:
        # The interpreter looks for garbage several times as it ends, among all that is left.
        gc.freeze()
