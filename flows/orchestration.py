"""Whether Prefect is at hand, found out without importing it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from importlib.util import find_spec

from index.doctor import Check


def check() -> Check:
    """For `freshkb doctor`: the configured API answers, or none is configured."""
    url = os.environ.get("PREFECT_API_URL")
    if find_spec("prefect") is None:
        return Check("prefect", not url, "Prefect is not installed; freshkb sync works without it.")
    if not url:
        return Check("prefect", True, "PREFECT_API_URL is not set: commands run the engine directly.")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5):
            return Check("prefect", True, f"The API at {url} answers.")
    except (urllib.error.URLError, OSError, ValueError) as error:
        detail = f"The API at {url} does not answer ({error}). Start it: prefect server start"
        return Check("prefect", False, detail)
