"""``python -m freshkb`` is the command ``freshkb``."""

from __future__ import annotations

from flows.cli import main

main()
