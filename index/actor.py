"""The person or service account that this process acts for."""

from __future__ import annotations

import getpass
import os
import socket


def login() -> str:
    """The login name, from the environment and the system."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run as a number that has no name.
        return str(os.getuid())


def actor() -> str:
    """user@host, from the environment and the system."""
    return f"{login()}@{socket.gethostname()}"
