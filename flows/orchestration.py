"""Whether Prefect is at hand, found out without importing it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from importlib.util import find_spec

from index.doctor import Check
from index.errors import FreshkbError

#: How long the API may take to answer.
TIMEOUT_SECONDS = 5

START = "Start it with: prefect server start"


def trouble(url: str) -> str | None:
    """Why the API at this address cannot be used; None when it answers."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=TIMEOUT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        # It answers, and may ask who is there: Prefect's client knows how to say so.
        return None if error.code in (401, 403) else f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error)


#: What `standing` says of a server that can be used.
ANSWERS = "its server answers."


def standing() -> str | None:
    """For `freshkb status`: whether the configured server answers; None when none is configured."""
    url = os.environ.get("PREFECT_API_URL")
    found = trouble(url) if url else None
    return None if not url else f"its server does not answer ({found})." if found else ANSWERS


def require(url: str) -> None:
    """Raises FreshkbError, naming the address, when the API there does not answer."""
    found = trouble(url)
    if found:
        raise FreshkbError(f"The Prefect API at {url} does not answer ({found}). Nothing was done. {START}")


def check() -> Check:
    """For `freshkb doctor`: the configured API answers, or none is configured."""
    url = os.environ.get("PREFECT_API_URL")
    if find_spec("prefect") is None:
        return Check("prefect", not url, "Prefect is not installed; freshkb sync works without it.")
    if not url:
        return Check("prefect", True, "PREFECT_API_URL is not set: commands run the engine directly.")
    found = trouble(url)
    if found:
        return Check("prefect", False, f"The API at {url} does not answer ({found}). {START}")
    return Check("prefect", True, f"The API at {url} answers.")
