"""A real PostgreSQL server for tests: its own folder, a unix socket instead of a port, gone afterwards.

Use it as a plug-in: ``pytest_plugins = ["tests.postgres"]``, then the fixture `postgresql_url`.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PASSWORD = "pa:ss/wo@rd"
_QUOTED = "pa%3Ass%2Fwo%40rd"

#: Nothing here has to survive a power cut. Commits that do not wait are what a ledger must not rely on.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "max_connections": "50",
    "shared_buffers": "32MB",
}


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[-3])
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _account() -> str | None:
    """The account to run PostgreSQL as when this process is root, which PostgreSQL refuses."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@dataclass
class Server:
    folder: Path
    pg_ctl: str
    account: str | None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            user=self.account,
            group=pwd.getpwnam(self.account).pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            log = self.folder / "log"
            written = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}{written}")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://freshkb:{_QUOTED}@/{database}?host={self.folder}"

    def create_database(self, template: str = "template1") -> str:
        """The URL of a new database: an empty one, or a copy of another, which nobody has open."""
        import psycopg

        name = f"test_{next(self.numbers)}"
        with psycopg.connect(
            host=str(self.folder), user="freshkb", password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    def copy_database(self, url: str) -> str:
        """The URL of a copy of this database."""
        return self.create_database(url.partition("@/")[2].partition("?")[0])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are neither on PATH nor under /usr/lib/postgresql.")
    # Not below tmp_path: its parents are closed to other accounts, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="freshkb-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    server = Server(folder, pg_ctl, _account())
    try:
        if server.account:
            shutil.chown(folder, server.account)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = str(folder / "data")
        server.run(
            # SCRAM would be most of what a connection costs.
            *(initdb, "--pgdata", data, "--username=freshkb", "--auth=md5"),
            *("--pwfile", str(password), "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
        settings = {**_SETTINGS, "unix_socket_directories": str(folder)}
        with (folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        server.run(pg_ctl, "start", "--wait", "--pgdata", data, "--log", str(folder / "log"))
        try:
            yield server
        finally:
            server.run(pg_ctl, "stop", "--wait", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    """The URL of an empty database, with a password that needs quoting."""
    return postgresql.create_database()
