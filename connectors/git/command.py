"""Git as a child process: its environment, time-outs, retries, and errors without secrets.

Nothing is run by a shell. Settings and secrets are handed over in the environment, not in arguments, which
other users can read.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Timer
from typing import IO
from urllib.parse import urlsplit

from connectors.errors import shortened
from connectors.git.settings import Place


@dataclass(frozen=True, slots=True)
class Patience:
    """How long git may take, in seconds."""

    ask: float = 60
    """For the head of a remote repository."""
    read: float = 600
    """For anything that is read from the disk."""
    transfer: float = 3600
    """For what is brought."""
    stalled: int = 60
    """Without any byte over http."""
    waits: tuple[float, ...] = (1, 4)
    """Before another attempt, where the server does not say how long."""
    longest_wait: float = 60
    trust: float = 5
    """An answer of a remote repository is good for this long: a thousand documents are one question."""


#: Over what may be configured otherwise, by the repository or by the user.
_CONFIG = {
    "advice.detachedHead": "false",
    "core.askPass": "",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "credential.interactive": "false",
    "diff.renames": "false",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "log.mailmap": "false",
    "log.showRoot": "true",
    "log.showSignature": "false",
    "maintenance.autoDetach": "false",
    "protocol.ext.allow": "never",
    "safe.directory": "*",
}

#: The variables of git that are a user's; the others are of the repository that this process may run in.
_USERS = re.compile(r"GIT_(SSH.*|SSL_.*|PROXY_.*|HTTP_PROXY.*|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|EXEC_PATH)")

#: What another attempt may mend.
_PASSING = re.compile(
    r"error: (429|5\d\d)|timed? ?out|too slow|connection reset|early eof|hung up|unexpected disconnect"
    r"|rpc failed|remote end closed|empty reply|premature end|transfer closed|did not send all",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"error: 4(0\d|1\d)|connection refused|permission denied|it timed out after", re.IGNORECASE
)
_REFUSED = re.compile(
    r"not our ref|unadvertised object|missing blob|bad object|unable to read", re.IGNORECASE
)
_DAMAGE = re.compile(
    r"bad (object|revision|tree|config)|corrupt|unable to read|not a git repository"
    r"|missing (blob|tree|commit)|loose object|packfile"
    r"|not a (valid|tree|commit) object|did not receive expected|\.lock|inflate",
    re.IGNORECASE,
)
_TRACED = re.compile(r"^\d\d:\d\d:\d\d\.\d+ ")
_RETRY_AFTER = re.compile(r"Recv header: retry-after: *(.+)", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")

_GRACE_SECONDS = 2

#: Bytes of what git says that are read.
_SAID_MAX = 100_000


class GitMissing(Exception):
    """The program is not installed."""


class GitError(Exception):
    """A command failed. The message is what it said last, short and without secrets."""

    def __init__(self, said: str, *, retry_after: str | None = None) -> None:
        super().__init__(_gist(said))
        self.said = said
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        return _PASSING.search(self.said) is not None and _LASTING.search(self.said) is None

    @property
    def damage(self) -> bool:
        """Whether objects that should be here are missing or unreadable."""
        return any(_DAMAGE.search(line) for line in self.said.splitlines() if not line.startswith("remote:"))

    @property
    def refused(self) -> bool:
        """Whether the server answered that it lacks an object."""
        return _REFUSED.search(self.said) is not None


@dataclass(frozen=True, slots=True)
class Git:
    """Commands on one repository. `folder` is git's own: ``.git``, or a bare repository."""

    folder: Path
    place: Place
    patience: Patience
    token: str | None = field(default=None, repr=False)
    key: Path | None = None

    def run(
        self, *arguments: str, stdin: bytes = b"", network: bool = False, seconds: float | None = None
    ) -> bytes:
        """What the command prints. Raises GitError; only with `network` a transport may be used."""
        with self.stream(*arguments, stdin=stdin, network=network, seconds=seconds) as out:
            return out.read()

    def ask(self, *arguments: str, stdin: bytes = b"", seconds: float) -> bytes:
        """The same over the network, with further attempts when that may help."""
        for wait in (*self.patience.waits, None):
            try:
                return self.run(*arguments, stdin=stdin, network=True, seconds=seconds)
            except GitError as error:
                if wait is None or not error.passing:
                    raise
                time.sleep(min(_seconds_of(error.retry_after, wait), self.patience.longest_wait))
        raise AssertionError

    @contextmanager
    def stream(
        self,
        *arguments: str,
        stdin: bytes = b"",
        network: bool = False,
        seconds: float | None = None,
        program: Sequence[str] = ("git", "--no-pager", "--no-replace-objects", "--literal-pathspecs"),
    ) -> Iterator[IO[bytes]]:
        """The standard output of a command while it runs. Raises GitError when the block has ended and the
        command has not succeeded; where the block raises, the command is ended."""
        limit = self.patience.read if seconds is None else seconds
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    [*program, *arguments],
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    env=self._environment(network),
                    cwd="/",
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise GitMissing(program[0]) from error
            late: list[bool] = []

            def expire() -> None:
                late.append(True)
                _end(process)

            timer = Timer(limit, expire)
            timer.daemon = True
            timer.start()
            assert process.stdout is not None
            try:
                with process.stdout:
                    yield process.stdout
                code = process.wait()
            except BaseException:
                _end(process)
                raise
            finally:
                timer.cancel()
                process.wait()
            if late:
                raise GitError(f"fatal: it timed out after {limit:,.0f} seconds")
            if code != 0:
                raise self._error(said, code)

    def _error(self, file: IO[bytes], code: int) -> GitError:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _SAID_MAX))
        text = file.read().decode(errors="replace")
        asked = _RETRY_AFTER.findall(text)
        lines = [line for line in text.splitlines() if line.strip() and not _TRACED.match(line)]
        said = _USERINFO.sub("", "\n".join(lines)) or f"it ended with code {code}"
        if self.token is not None:
            for secret in (self.token, _basic(self.place, self.token)):
                said = said.replace(secret, "…")
        return GitError(said, retry_after=asked[-1].strip() if asked else None)

    def _environment(self, network: bool) -> Mapping[str, str]:
        found = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or _USERS.fullmatch(name)
        }
        config = dict(_CONFIG)
        if network:
            config["http.lowSpeedLimit"] = "1"
            config["http.lowSpeedTime"] = str(self.patience.stalled)
            if self.token is not None:
                parts = urlsplit(self.place.address)
                basic = _basic(self.place, self.token)
                config[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {basic}"
            if self.place.scheme == "ssh":
                found["GIT_SSH_COMMAND"] = self._ssh(found)
        found |= {
            "LC_ALL": "C",
            "GIT_DIR": str(self.folder),
            "GIT_ALLOW_PROTOCOL": "https:http:ssh" if network else "none",
            "GIT_ASKPASS": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GCM_INTERACTIVE": "never",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CONFIG_COUNT": str(len(config)),
            # For the header Retry-After; git leaves secrets out of it.
            **({"GIT_TRACE_CURL": "2", "GIT_TRACE_CURL_NO_DATA": "1"} if network else {}),
        }
        for number, (name, value) in enumerate(config.items()):
            found[f"GIT_CONFIG_KEY_{number}"], found[f"GIT_CONFIG_VALUE_{number}"] = name, value
        return found

    def _ssh(self, environment: Mapping[str, str]) -> str:
        """The command that git starts for ssh: the user's own, with no question asked and no endless wait."""
        command = environment.get("GIT_SSH_COMMAND") or shlex.quote(environment.get("GIT_SSH") or "ssh")
        options = "-oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=4"
        key = "" if self.key is None else f" -oIdentitiesOnly=yes -i {shlex.quote(str(self.key))}"
        return f"{command} {options}{key}"


def _basic(place: Place, token: str) -> str:
    user = place.user or ("x-token-auth" if place.host == "bitbucket.org" else "x-access-token")
    return base64.b64encode(f"{user}:{token}".encode()).decode()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started. Git removes its locks when it is asked to end."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _seconds_of(retry_after: str | None, otherwise: float) -> float:
    """The seconds that a server asks to wait, which it says as a number or as a date."""
    if retry_after is None:
        return otherwise
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return otherwise


def _gist(said: str) -> str:
    """The line that says most, without the full stop."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for lead in ("fatal:", "error:", "ERROR:", "remote:", "ssh:"):
        for line in lines:
            if line.startswith(lead) and "Could not read from remote repository" not in line:
                return shortened(line.removeprefix(lead).strip().rstrip("."))
    return shortened(lines[0].rstrip(".")) if lines else "it said nothing"
