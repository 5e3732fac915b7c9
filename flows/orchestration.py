"""Prefect's server, asked without importing Prefect: whether it answers, what it has scheduled."""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.client import HTTPException
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from index.config import Schedules, next_time
from index.errors import FreshkbError
from index.health.doctor import Check

#: How long the API may take to answer.
TIMEOUT_SECONDS = 5

#: How long a server may take to schedule what was registered; its scheduler looks once a minute.
GRACE = timedelta(seconds=90)

#: A server schedules no runs that are further away; Prefect's own limit is 100 days.
HORIZON = timedelta(days=90)

START = "Start it with: prefect server start"


class Standing(StrEnum):
    """The state of a flow's schedule at Prefect's server."""

    SCHEDULED = "scheduled"
    PAUSED = "paused at the server"
    UNREGISTERED = "not registered"
    DIFFERENT = "registered otherwise than configured"
    UNSCHEDULED = "active without a run ahead"
    UNPOLLED = "scheduled without a runner"


#: Where the schedule will not be kept: why, and the next step.
_WRONG = {
    Standing.UNREGISTERED: "is not registered at Prefect's server. Start freshkb serve, which registers it.",
    Standing.DIFFERENT: (
        "is registered otherwise than it is configured. Restart freshkb serve; each knowledge base needs a "
        "Prefect server or workspace of its own."
    ),
    Standing.UNSCHEDULED: (
        "is active, and Prefect's server has scheduled no run of it: the server's scheduler does not work. "
        "Look at the server's log (SQLAlchemy 2.1 ends the scheduler of Prefect 3.8, "
        "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED=false turns it off) and run prefect server start from "
        "freshkb's own environment."
    ),
    Standing.UNPOLLED: (
        "has runs at Prefect's server that nothing asks for: freshkb serve, which would run them, has ended "
        "or hangs. Start it again, or give the schedule up: prefect deployment delete with the name "
        "freshkb-NAME/freshkb-NAME."
    ),
}


def trouble(url: str) -> str | None:
    """Why the API at this address cannot be used; None when it answers."""
    try:
        with urllib.request.urlopen(_request(url, "/health"), timeout=TIMEOUT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        # It answers, and may want a login: Prefect's client has the credentials.
        return None if error.code in (401, 403) else f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError, HTTPException) as error:
        return str(error)


#: The words for a server that can be used.
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


def standings(url: str, schedules: Schedules) -> dict[str, Standing]:
    """The standing of each flow that has a schedule in the configuration, or at the server.

    Raises OSError when the API does not answer, PermissionError when it wants credentials that the
    environment does not hold.
    """
    found = {name: _standing(url, name, cron, datetime.now(UTC)) for name, cron in schedules}
    return {name: standing for name, standing in found.items() if standing is not None}


def complaint(standings: Mapping[str, Standing]) -> str:
    """The fault of the schedules at the server, in words; empty when they will be kept."""
    wrong = []
    for standing, why in _WRONG.items():
        names = [name for name, found in standings.items() if found is standing]
        if names:
            wrong.append(f"The schedule of {' and '.join(names)} {why}")
    return " ".join(wrong)


def checks(schedules: Schedules) -> list[Check]:
    """For `freshkb doctor`: the configured API answers and keeps the schedules, or none is configured."""
    url = os.environ.get("PREFECT_API_URL")
    if find_spec("prefect") is None:
        return [Check("prefect", not url, "Prefect is not installed; freshkb sync works without it.")]
    if not url:
        return [Check("prefect", True, "PREFECT_API_URL is not set: commands run the engine directly.")]
    found = trouble(url)
    if found:
        return [Check("prefect", False, f"The API at {url} does not answer ({found}). {START}")]
    return [Check("prefect", True, f"The API at {url} answers."), _schedules(url, schedules)]


def _schedules(url: str, schedules: Schedules) -> Check:
    try:
        found = standings(url, schedules)
    except PermissionError as error:
        return Check("schedules", True, f"Not looked at: {error}.")
    except OSError as error:
        return Check("schedules", False, f"The server cannot say what it has scheduled: {error}.")
    if set(found.values()) <= {Standing.UNREGISTERED}:
        # Without `freshkb serve`, the server is there for the flows that are called by hand.
        return Check("schedules", True, "None is registered at the server: freshkb serve registers them.")
    wrong = complaint(found)
    return Check("schedules", not wrong, wrong or ", ".join(f"{n}: {found[n]}" for n in found))


def _standing(url: str, name: str, cron: str | None, now: datetime) -> Standing | None:
    """The standing of a flow's deployment; None when there is nothing to expect of it."""
    deployment = _ask(url, f"/deployments/name/freshkb-{name}/freshkb-{name}")
    if deployment is None:
        return Standing.UNREGISTERED if cron else None
    schedules = deployment["schedules"]
    if [schedule["schedule"].get("cron") for schedule in schedules] != ([cron] if cron else []):
        return Standing.DIFFERENT
    if cron is None:
        return None
    if deployment["paused"] or not schedules[0]["active"]:
        return Standing.PAUSED
    due = next_time(cron, now)
    if now - datetime.fromisoformat(schedules[0]["updated"]) < GRACE or due is None or due - now > HORIZON:
        return Standing.SCHEDULED
    ahead = {
        "deployment_id": {"any_": [deployment["id"]]},
        "state": {"type": {"any_": ["SCHEDULED"]}},
        "tags": {"all_": ["auto-scheduled"]},
        "next_scheduled_start_time": {"after_": now.isoformat()},
    }
    if not _ask(url, "/flow_runs/count", {"flow_runs": ahead}):
        return Standing.UNSCHEDULED
    return Standing.UNPOLLED if deployment["status"] == "NOT_READY" else Standing.SCHEDULED


def _ask(url: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The API's answer; None for what it does not know."""
    request = _request(url, path, body)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if error.code in (401, 403):
                raise PermissionError(f"the API at {url} wants credentials (HTTP {error.code})") from error
            # With SQLite, a server is unavailable for a moment whenever something else writes.
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        except (ValueError, HTTPException) as error:
            raise OSError(f"{url} does not answer as Prefect's API does") from error


def _request(url: str, path: str, body: Mapping[str, Any] | None = None) -> urllib.request.Request:
    parts = urlsplit(f"{url.rstrip('/')}{path}")
    user_info, _, host = parts.netloc.rpartition("@")
    headers = {"Content-Type": "application/json", **_credentials(unquote(user_info))}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.Request(parts._replace(netloc=host).geturl(), data, headers)


def _credentials(user_info: str) -> dict[str, str]:
    """As Prefect's own client sends them; user and password of a url become a header."""
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if secret := os.environ.get("PREFECT_API_AUTH_STRING") or user_info:
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {}
