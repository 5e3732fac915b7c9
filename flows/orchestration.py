"""Whether Prefect is at hand, found out without importing it."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from base64 import b64encode
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from index.doctor import Check
from index.errors import FreshkbError

#: How long the API may take to answer.
TIMEOUT_SECONDS = 5

START = "Start it with: prefect server start"


def trouble(url: str) -> str | None:
    """Why the API at this address cannot be used; None when it answers."""
    try:
        with urllib.request.urlopen(_health(url), timeout=TIMEOUT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        # It answers, and may ask who is there: Prefect's client knows how to say so.
        return None if error.code in (401, 403) else f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)


def _health(url: str) -> urllib.request.Request:
    """User and password of a url become a header, as Prefect's own client does it."""
    parts = urlsplit(f"{url.rstrip('/')}/health")
    user_info, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())
    if user_info:
        request.add_header("Authorization", f"Basic {b64encode(unquote(user_info).encode()).decode()}")
    return request


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
