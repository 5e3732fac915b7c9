"""Credentials and region from AWS's own places, as far as obstore does not look into them.

obstore knows the environment's keys, web identity, containers and instances. It does not read the profiles
that ``aws configure`` writes, so these are read here, in the order that AWS's tools use.
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from connectors.base import SourceUnavailable

#: Seconds that a program may take that gives credentials.
_PROCESS_SECONDS = 60
_RENEWED_BEFORE = timedelta(minutes=5)


class Credentials(NamedTuple):
    """What obstore is given; all None: it looks for itself."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    provider: Provider | None = None


class Provider:
    """Gives the credentials that a program prints (``credential_process``), anew before they
    expire."""

    def __init__(self, command: str, profile: str) -> None:
        self._command, self._profile = command, profile
        self._given: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        if self._given is not None:
            expires = self._given["expires_at"]
            if expires is None or expires - datetime.now(UTC) > _RENEWED_BEFORE:
                return self._given
        self._given = _given_by(self._command, self._profile)
        return self._given


def region_of(profile: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The region of the environment or the profile, or the one that AWS's tools take without."""
    told = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if told:
        return told
    return _profile(profile or environment.get("AWS_PROFILE") or "default", environment).get(
        "region", "us-east-1"
    )


def endpoint_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint of the environment."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((environment[name].rstrip("/") for name in names if environment.get(name)), None)


def credentials_of(profile: str | None, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Those of the profile that is named; without one the environment's come first, then those of the profile
    ``AWS_PROFILE`` or ``default``, then those that obstore finds.

    Raises SourceUnavailable when the profile that is named gives none, saying what it would take.
    """
    if profile is None and any(
        environment.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
    ):
        return Credentials()
    name = profile or environment.get("AWS_PROFILE") or "default"
    found = _profile(name, environment)
    if "aws_access_key_id" in found and "aws_secret_access_key" in found:
        return Credentials(
            found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token")
        )
    if command := found.get("credential_process"):
        return Credentials(provider=Provider(command, name))
    if name != "default":
        more = "needs a sign-in or a role" if found else "is in neither of AWS's files"
        raise SourceUnavailable(
            f"The AWS profile {name!r} {more}, so it gives no keys. Write them into it, or "
            f"credential_process = aws configure export-credentials --profile {name} --format process, in a "
            "profile of its own."
        )
    return Credentials()


def _profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the two files say of a profile; credentials before configuration. Raises SourceUnavailable for a
    file that cannot be read."""
    files = (
        (environment.get("AWS_CONFIG_FILE"), "~/.aws/config", f"profile {name}"),
        (environment.get("AWS_SHARED_CREDENTIALS_FILE"), "~/.aws/credentials", name),
    )
    found: dict[str, str] = {}
    for told, usual, section in files:
        path = Path(told or usual).expanduser()
        sections = configparser.RawConfigParser(strict=False)
        try:
            sections.read(path, encoding="utf-8")
        except (OSError, ValueError, configparser.Error) as error:
            # Their messages quote lines, and a line may be a key.
            raise SourceUnavailable(
                f"AWS's file {str(path)!r} cannot be read ({type(error).__name__}). Mend it, or name "
                "another one in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE."
            ) from None
        for spelled in {section, name} if name == "default" else {section}:
            if sections.has_section(spelled):
                found.update(sections.items(spelled))
    return found


def _given_by(command: str, profile: str) -> dict[str, Any]:
    """The credentials that a program prints. Raises SourceUnavailable; what it said is not repeated."""
    try:
        said = subprocess.run(
            shlex.split(command), capture_output=True, timeout=_PROCESS_SECONDS, check=True, text=True
        ).stdout
        found = json.loads(said)
        expires = found.get("Expiration")
        return {
            "access_key_id": found["AccessKeyId"],
            "secret_access_key": found["SecretAccessKey"],
            "token": found.get("SessionToken"),
            "expires_at": None if expires is None else datetime.fromisoformat(expires).astimezone(UTC),
        }
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnavailable(
            f"The credential_process of the AWS profile {profile!r} gave no credentials "
            f"({type(error).__name__}). Run it by hand to see what it says."
        ) from None
