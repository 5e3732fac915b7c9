"""The person or service account that this process acts for."""

from __future__ import annotations

import getpass
import os
import socket


def actor() -> str:
    """user@host, from the environment and the system."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run as a number that has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
