"""A secret that is given to freshkb is in nothing that it prints or keeps, in every place that takes one.

Each place has a canary of its own. Commands are processes: where a server should be, nothing listens, so that
every message about it is made; a plug-in's connector puts all it knows into its errors, as SDKs do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli.app import COMMANDS
from tests import forks
from tests.commands import environment, forked
from tests.flows.canaries import Canaries, core, names, quoted

pytestmark = pytest.mark.timeout(600)

#: A connector as others write them. Its probe, listing and errors repeat whatever it was given.
WIKI = """
from datetime import datetime
from pathlib import Path
from pydantic import SecretStr
from connectors.base import *
from connectors.base import DocumentForbidden, SourceUnavailable
import hashlib

class WikiSettings(ConnectorSettings):
    url: str
    token: SecretStr
    secretive: SecretStr
    pin: str
    headers: dict[str, str] = {}
    away: bool = False

class WikiConnector(Connector):
    settings_model = WikiSettings
    capabilities = Capabilities(token="version")

    def _told(self):
        s = self.settings
        secrets = s.token.get_secret_value(), s.secretive.get_secret_value()
        return f"GET {s.url} with {s.headers} and {secrets!r} by {s.pin}"

    def probe(self):
        if self.settings.away:
            raise SourceUnavailable(f"{self._told()} was refused.")
        return self._told()

    def list(self, folders=None):
        entries = [Entry(f"{name}.md", "1", 20, 1, None) for name in ("a", "b")]
        return Listing(iter(entries), [f"{self._told()} gave up half-way."])

    def stat(self, uri):
        return Entry(uri, "1", 20, 1, None)

    def fetch(self, uri, into):
        if uri == "b.md":
            raise DocumentForbidden(f"{self._told()} said 403.")
        body = b"# Page\\n\\nOf leave.\\n"
        if into is not None:
            into.write_bytes(body)
        return Fetched(self.stat(uri), hashlib.sha256(body).hexdigest())

    def url(self, uri):
        return f"https://wiki.example.org/{uri}"

    def home(self):
        return self.settings.url
"""

#: Every command with a configuration, as a person and as a script.
EVERY = [
    ["config", "show"], ["config", "check"], ["plan"], ["sync"], ["status"], ["ls"], ["show", "a.md"],
    ["search", "leave"], ["verify"], ["audit"], ["review", "a.md", "--by", "anna"], ["runs"], ["retry"],
    ["reindex"], ["doctor"], ["watch"], ["serve"], ["hold", "list"], ["find", "--exact", "leave"], ["purge"],
    ["notify", "--dry-run"], ["sources", "check"], ["sources", "sample", "docs"],
    ["log", "verify"], ["backup", "create", "copy"], ["erase"], ["receipts", "list"],
]  # fmt: skip


def with_json(commands: Sequence[Sequence[str]], *, soak: bool = True) -> list[list[str]]:
    """The commands, and once more as JSON those that have something of their own to say there. In the short
    form some of them, because all JSON is printed by one function."""
    long = ("config", "plan", "status", "runs", "verify", "audit") if soak else ()
    twice = ("sync", "doctor", "sources", *long)
    return [*map(list, commands), *([*command, "--json"] for command in commands if command[0] in twice)]


def run(
    home: Path, commands: Sequence[Sequence[str]], environ: Mapping[str, str], *libraries: str
) -> tuple[str, dict[str, int]]:
    """All that the commands print, and the code that each one ends with. `libraries` are those that most of
    them import."""
    environ = {**environ, "PYTHONPATH": f"{environment()['PYTHONPATH']}:{home / 'plugins'}"}
    ended = forked(home, commands, environ, libraries)
    return "".join(e.printed for e in ended), {" ".join(e.command): e.code for e in ended}


def found_in(printed: str, home: Path, canaries: Canaries) -> set[tuple[str, str]]:
    """(place of the canary, where it was found) for all that was printed or kept."""
    kept = {str(p.relative_to(home)): p.read_bytes() for p in (home / ".freshkb").rglob("*") if p.is_file()}
    kept["what was printed"] = printed.encode()
    return {
        (place, name)
        for place, canary in canaries.items()
        for name, body in kept.items()
        if core(canary).encode() in body
    }


def write(home: Path, **settings: Any) -> None:
    (home / "docs").mkdir(exist_ok=True)
    (home / "docs" / "a.md").write_text("# Page\n\nOf leave.\n")
    files = [{"id": "docs", "type": "files", "root": "docs"}]
    whole = {"version": 1, "embedding": {"dtype": "float32"}, "sources": files, **settings}
    (home / "freshkb.yaml").write_text(yaml.safe_dump(whole))


def test_every_command_is_looked_at() -> None:
    # The owners' page serves until it is interrupted; `test_ui.py` reads what it shows.
    assert {command[0] for command in EVERY} == set(COMMANDS) - {"init", "ui"}


def test_a_store_that_does_not_answer(tmp_path: Path, soak: bool) -> None:
    secrets = names("password", "query", "api key")
    url = f"http://user:{quoted(secrets['password'])}@127.0.0.1:9/?api-key={quoted(secrets['query'])}"
    write(tmp_path, index={"store": "qdrant", "url": url, "api_key": "${KEY}"})
    printed, codes = run(
        tmp_path,
        with_json(EVERY, soak=soak),
        {"KEY": secrets["api key"], "PREFECT_API_URL": ""},
        "qdrant_client",
    )
    assert "The Qdrant server at http://user:***@127.0.0.1:9/?api-key=*** could not be reached" in printed
    assert codes["sync"] == codes["doctor"] == codes["watch"] == 1
    assert "Traceback" not in printed
    assert found_in(printed, tmp_path, secrets) == set()


def test_a_ledger_that_does_not_answer(tmp_path: Path) -> None:
    secrets = names("password", "PASSWORD", "sslpassword", "oauth_client_secret", "PGPASSWORD")
    given = {name: quoted(secret) for name, secret in secrets.items()}
    ledger = f"postgresql+psycopg://kb:{given['password']}@127.0.0.1:9/kb?sslmode=disable"
    ledger += "".join(f"&{name}={given[name]}" for name in ("sslpassword", "oauth_client_secret"))
    write(tmp_path, ledger=ledger)
    commands = with_json([["config", "show"], ["sync"], ["status"], ["doctor"]])
    printed, codes = run(tmp_path, commands, {"PGPASSWORD": secrets["PGPASSWORD"]})
    assert codes["sync"] == 1 and "The ledger 127.0.0.1/kb cannot be used" in printed
    write(tmp_path, ledger=f"{ledger}&PASSWORD={given['PASSWORD']}")
    more, codes = run(tmp_path, commands, {})
    assert "PASSWORD=***" in more
    # A url that cannot be read is not shown either.
    write(tmp_path, ledger=ledger.replace(":9/", ":99999/"))
    refused, codes = run(tmp_path, commands, {})
    assert set(codes.values()) == {2} and "***" in refused
    assert found_in(printed + more + refused, tmp_path, secrets) == set()


def test_what_a_connector_of_others_says(tmp_path: Path, soak: bool) -> None:
    secrets = names("url", "token", "secretive", "pin", "header", "overridden")
    plugins = tmp_path / "plugins"
    (plugins / "acme_wiki-1.0.dist-info").mkdir(parents=True)
    (plugins / "acme_wiki.py").write_text(WIKI)
    (plugins / "acme_wiki-1.0.dist-info" / "METADATA").write_text("Name: acme-wiki\nVersion: 1.0\n")
    (plugins / "acme_wiki-1.0.dist-info" / "entry_points.txt").write_text(
        "[freshkb.connectors]\nwiki = acme_wiki:WikiConnector\n"
    )
    source = {
        "id": "wiki",
        "type": "wiki",
        "url": f"https://bot:{quoted(secrets['url'])}@wiki.example.org/api?sig={quoted(secrets['url'])}",
        "token": "${WIKI_API_TOKEN}",
        "secretive": secrets["secretive"],
        # Only the variable's name says that this value is secret.
        "pin": "${WIKI_PASSWORD}",
        "headers": {"Authorization": f"Bearer {secrets['header']}"},
    }
    environ = {"WIKI_API_TOKEN": secrets["token"], "WIKI_PASSWORD": secrets["pin"], "PREFECT_API_URL": ""}
    write(tmp_path, sources=[source])
    every = [*EVERY, ["sources", "sample", "wiki"]]
    commands = with_json([c for c in every if c[0] not in ("watch", "serve", "reindex")], soak=soak)
    printed, codes = run(tmp_path, commands, environ)
    assert codes["sync"] == 1 and codes["ls"] == codes["status"] == codes["show a.md"] == 0
    assert "gave up half-way" in printed and "said 403" in printed
    assert codes["sources check"] == codes["sources sample wiki"] == 1
    assert "credential   token: environment variable WIKI_API_TOKEN" in printed
    assert "credential   headers.Authorization: the configuration" in printed
    assert (tmp_path / ".freshkb" / "reports" / "report.html").exists()
    write(tmp_path, sources=[{**source, "away": True}])
    more, codes = run(
        tmp_path,
        with_json([["plan"], ["sync"], ["doctor"], ["verify"], ["runs"], ["sources", "check"]]),
        environ,
    )
    assert "was refused" in more
    # Pydantic's message about a setting that is wrong repeats it.
    write(tmp_path, sources=[{**source, "token": [secrets["token"]], "url": 7, "pin": {"x": secrets["pin"]}}])
    refused, codes = run(tmp_path, [["config", "check"]], environ)
    assert codes["config check"] == 2
    assert found_in(printed + more + refused, tmp_path, secrets) == set()


def test_a_prefect_api_that_does_not_answer(tmp_path: Path, soak: bool) -> None:
    secrets = names("url", "key", "auth")
    write(tmp_path)
    environ = {
        "PREFECT_API_URL": f"http://admin:{quoted(secrets['url'])}@127.0.0.1:9/api",
        "PREFECT_API_KEY": secrets["key"],
        "PREFECT_API_AUTH_STRING": f"admin:{secrets['auth']}",
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    printed, codes = run(tmp_path, [["doctor"], ["doctor", "--json"], ["sync"], ["serve"]], environ)
    assert codes["sync"] == codes["serve"] == codes["doctor"] == 1
    assert "http://admin:***@127.0.0.1:9/api does not answer" in printed
    assert "Traceback" not in printed
    unreadable = ("http://admin:{}@127.0.0.1:port/api", "http://admin:{}@[::1/api")
    for wrong in unreadable if soak else unreadable[:1]:
        url = wrong.format(quoted(secrets["url"]))
        more, codes = run(tmp_path, [["doctor"]], {**environ, "PREFECT_API_URL": url})
        assert codes["doctor"] == 1 and "does not answer" in more and "Traceback" not in more
        printed += more
    assert found_in(printed, tmp_path, secrets) == set()


def test_ways_to_owners_that_do_not_answer(tmp_path: Path) -> None:
    secrets = names("password", "apprise password", "apprise token")
    given = {name: quoted(secret) for name, secret in secrets.items()}
    told = f"json://kb:{given['apprise password']}@127.0.0.1:9/{given['apprise token']}"
    notify = {
        "from": "kb@example.org",
        "smtp": f"smtp://kb:{given['password']}@127.0.0.1:9",
        "owners": {"user:anna": {"email": "anna@example.org", "apprise": [told]}},
    }
    files = [{"id": "docs", "type": "files", "root": "docs", "owner": "user:anna"}]
    write(tmp_path, notify=notify, sources=files)
    (tmp_path / "docs" / "a.md").write_text("---\nlast_reviewed: 2020-01-01\n---\n# Page\n\nOf leave.\n")
    commands = [["config", "show"], ["sync"], ["notify"], ["notify", "--json"], ["notify", "-v"], ["runs"]]
    printed, codes = run(tmp_path, commands, {"PREFECT_API_URL": ""}, "apprise")
    assert codes["sync"] == 0 and codes["notify"] == 1
    assert "The mail server 127.0.0.1:9 cannot be used" in printed
    assert "Apprise could not deliver it." in printed
    (tmp_path / "owners.csv").write_text(f"owner;email;apprise\nuser:anna;x;{told}\n")
    write(tmp_path, notify={**notify, "owners": "owners.csv"}, sources=files)
    more, codes = run(tmp_path, [["notify"], ["config", "check"]], {"PREFECT_API_URL": ""})
    assert set(codes.values()) == {2} and "owners.csv:2: email: 'x' is no mail address" in more
    assert found_in(printed + more, tmp_path, secrets) == set()


def test_an_unforeseen_error_shows_none_either(tmp_path: Path) -> None:
    write(tmp_path, index={"store": "qdrant", "url": "http://127.0.0.1:9", "api_key": "K4narienv0gel-99"})
    script = (
        "import sys; sys.argv = ['freshkb', 'sync']\n"
        "from pathlib import Path\n"
        "from index.store.qdrant.store import QdrantStore\n"
        "def broken(self, *_):\n"
        "    if not Path('.freshkb/ledger.db').exists():\n"
        "        return []\n"
        "    raise RuntimeError(f'{self._api_key} \\x1b[31m')\n"
        "QdrantStore._marks = QdrantStore.collections = QdrantStore.published = broken\n"
        "from flows.cli import main\nmain()"
    )
    done = forks.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment() | {"PREFECT_API_URL": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "RuntimeError: *** \\x1b[31m" in done.stderr
    assert "K4narienv0gel" not in done.stderr
    assert os.fsencode("K4narienv0gel") not in (tmp_path / ".freshkb" / "ledger.db").read_bytes()
