"""The server stack's files, checked without a container engine.

Prefect's server is started as `docker-compose.yml` says, on loopback, beside a real PostgreSQL; every health
check that can be run outside its container is run against the thing it checks.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import compose_spec
import pytest
import yaml

from index.config import load
from tests.soak import LONG

if TYPE_CHECKING:
    from tests.postgres import Server

pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SECRETS = {"POSTGRES_PASSWORD": "the-postgres-password", "QDRANT_API_KEY": "the-qdrant-key"}
SERVICES = ["qdrant", "postgres", "prefect-server", "watcher"]
OURS = ["prefect-server", "watcher"]


def interpolated(value: Any) -> Any:
    """As compose reads it: variables filled in, ``$$`` as ``$``. Raises KeyError for one that is missing."""
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        return SECRETS[match["name"]] if match["default"] is None else match["default"]

    return re.sub(r"\$(?:\$|\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)\})", replaced, value)


TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
HEAD = TEXT.partition("\nname:")[0]
COMPOSE = interpolated(yaml.safe_load(TEXT))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


def locked(package: str) -> str:
    match = re.search(rf"(?m)^{package}==([\w.]+)", (ROOT / "requirements.lock").read_text())
    assert match, package
    return match[1]


# ── The files ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_compose_file_is_valid() -> None:
    compose = compose_spec.PyCompose.from_json(json.dumps(COMPOSE))
    compose.validate()
    assert sorted(compose.service_names()) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_whole_version(name: str) -> None:
    assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?", service(name)["image"])


def test_images_fit_the_locked_packages() -> None:
    minor = locked("qdrant-client").rpartition(".")[0]
    assert service("qdrant")["image"].startswith(f"qdrant/qdrant:v{minor}.")
    version = re.search(r'(?m)^version = "(.+)"', (ROOT / "pyproject.toml").read_text())
    assert version
    assert {service(name)["image"] for name in OURS} == {f"freshkb:{version[1]}"}


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_watched_restarted_and_confined(name: str) -> None:
    about = service(name)
    assert about["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(about["healthcheck"])
    assert about["restart"] == "unless-stopped"
    assert about["cap_drop"] == ["ALL"]
    assert about["security_opt"] == ["no-new-privileges:true"]
    user = str(about.get("user", ""))
    assert user.partition(":")[0] not in ("", "0", "root") or about["image"].endswith("-unprivileged")


@pytest.mark.parametrize("name", SERVICES)
def test_memory_and_logs_are_limited(name: str) -> None:
    assert re.fullmatch(r"[1-9]\d*g", service(name)["mem_limit"])
    logging = service(name)["logging"]
    assert logging["driver"] == "json-file"
    assert re.fullmatch(r"[1-9]\d*m", logging["options"]["max-size"])
    assert int(logging["options"]["max-file"]) >= 2


def test_services_wait_until_what_they_need_is_healthy() -> None:
    assert set(service("watcher")["depends_on"]) == {"qdrant", "postgres", "prefect-server"}
    for about in COMPOSE["services"].values():
        assert all(need == {"condition": "service_healthy"} for need in about.get("depends_on", {}).values())


def test_ports_are_open_on_loopback_only() -> None:
    ports = [port for about in COMPOSE["services"].values() for port in about.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_must_be_given_and_stand_in_no_address() -> None:
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}[^}}]*\}}", TEXT)
        assert uses
        assert all(use.startswith(f"${{{name}:?") for use in uses)
    assert not re.findall(r"://[^/\s]*:[^/\s]*@", TEXT)


def test_documents_and_configuration_are_mounted_read_only() -> None:
    mounted = {volume.split(":")[1]: volume.split(":")[2:] for volume in service("watcher")["volumes"]}
    assert mounted == {
        "/documents": ["ro"],
        "/etc/freshkb/freshkb.yaml": ["ro"],
        "/var/lib/freshkb": [],
    }


def test_mounted_files_of_the_repository_exist() -> None:
    for about in COMPOSE["services"].values():
        for volume in about.get("volumes", []):
            if volume.startswith("."):
                assert (ROOT / volume.split(":")[0]).exists(), volume


def test_the_stacks_configuration_is_valid_and_names_its_services() -> None:
    config = load(ROOT / "examples" / "stack" / "freshkb.yaml", SECRETS, ROOT)
    assert config.index.url is not None
    addresses = [config.index.url, config.ledger, service("watcher")["environment"]["PREFECT_API_URL"]]
    assert [urlsplit(str(address)).hostname for address in addresses] == [
        "qdrant",
        "postgres",
        "prefect-server",
    ]
    assert str(config.state_dir) == "/var/lib/freshkb"
    assert config.sources[0].connector.model_dump()["root"] == "/documents"


def test_the_file_says_which_user_reads_the_documents() -> None:
    (user,) = re.findall(r"useradd --uid (\d+) \S+ --shell \S+ (\w+)", DOCKERFILE)
    assert user[1] == service("watcher")["user"]
    assert f"read by user {user[0]}, group {user[0]}," in HEAD
    assert service("watcher")["group_add"] == [user[0]]
    assert "${DOCUMENTS_GROUP:-" in TEXT and "DOCUMENTS_GROUP=" in HEAD


def test_the_file_says_how_to_reach_the_reports_and_another_model() -> None:
    config = load(ROOT / "examples" / "stack" / "freshkb.yaml", SECRETS, ROOT)
    assert f"docker compose cp watcher:{config.reports} ." in HEAD
    (mount,) = re.findall(r"# - (\S*/models/\S+)", TEXT)
    # The comment on it holds once the line is no comment any more.
    changed = yaml.safe_load(TEXT.replace(f"# - {mount}", f"- {mount}"))
    assert changed["services"]["watcher"]["volumes"][-1] == mount
    assert mount.endswith(":ro") and "embedding.model" in HEAD
    assert "docker compose run --rm watcher freshkb reindex" in HEAD


def test_health_is_more_than_an_answer_of_the_ledger() -> None:
    (check,) = re.findall(r"(?m)^HEALTHCHECK .*CMD (.+)$", DOCKERFILE)
    assert ["CMD", *json.loads(check)] == service("watcher")["healthcheck"]["test"]
    assert json.loads(check)[:3] == ["freshkb", "status", "--check"]


def test_the_image_is_pinned_unprivileged_and_offline() -> None:
    bases = re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)
    assert all(re.fullmatch(r"python:3\.12\.\d+-slim-bookworm", base) for base in bases)
    assert len(set(bases)) == 1
    assert re.findall(r"(?m)^USER (\S+)", DOCKERFILE) == [service("watcher")["user"]]
    for setting in ("HF_HUB_OFFLINE=1", "TRANSFORMERS_OFFLINE=1", "DO_NOT_TRACK=1", "SCARF_NO_ANALYTICS=1"):
        assert setting in DOCKERFILE


def test_the_image_is_built_of_files_that_are_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        line.split()[1:-1]
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    names = {name for line in copied for name in line}
    assert names == allowed
    assert all((ROOT / name).exists() for name in names)


# ── The commands ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_commands(name: str, tmp_path: Path) -> None:
    commands = [service(name)["command"]]
    if service(name)["healthcheck"]["test"][1] == "freshkb":
        commands.append(service(name)["healthcheck"]["test"][1:])
    for program, *arguments in commands:
        done = run([str(BIN / program), *arguments, "--help"], {"PREFECT_HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr


def test_prefect_knows_every_setting_that_the_stack_gives_it(tmp_path: Path) -> None:
    view = run([str(BIN / "prefect"), "config", "view", "--show-defaults"], {"PREFECT_HOME": str(tmp_path)})
    known = set(re.findall(r"PREFECT_\w+", view.stdout))
    given = {key for name in OURS for key in service(name)["environment"] if key.startswith("PREFECT_")}
    given |= set(re.findall(r"(PREFECT_\w+)=", DOCKERFILE))
    assert given <= known | {"PREFECT_HOME"}


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_qdrants_health_check_tells_ready_from_not_ready(status: int, healthy: bool) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            assert passes(service("qdrant"), {"6333": str(server.server_port)}) is healthy
        finally:
            server.shutdown()
            thread.join()
    assert asked == ["/readyz"]


def test_qdrants_health_check_fails_when_nothing_listens() -> None:
    assert not passes(service("qdrant"), {"6333": free_port()})


@LONG
@pytest.mark.timeout(240)
def test_prefects_server_starts_as_the_stack_starts_it(postgresql: Server, tmp_path: Path) -> None:
    from tests.postgres import PASSWORD

    database = postgresql.create_database().rpartition("@")[2]
    there = {
        SECRETS["POSTGRES_PASSWORD"]: PASSWORD,
        "postgres:5432/prefect": database,
        "4200": free_port(),
        "0.0.0.0": "127.0.0.1",
        "/tmp": str(tmp_path),
    }
    with started(service("prefect-server"), there, tmp_path / "server.log"):
        # Each check is a process: there is none before something listens.
        end = time.monotonic() + 180
        while not listens(int(there["4200"])) and time.monotonic() < end:
            time.sleep(0.1)
        assert becomes_healthy(service("prefect-server"), there)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(command: list[str], environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )


def replaced(text: str, there: Mapping[str, str]) -> str:
    """The text with the containers' addresses and folders replaced by those of this machine, in one pass."""
    return re.sub("|".join(map(re.escape, there)), lambda match: there[match[0]], text)


def passes(about: Mapping[str, Any], there: Mapping[str, str]) -> bool:
    """Whether a service's health check passes."""
    _, program, *arguments = about["healthcheck"]["test"]
    command = [sys.executable if program == "python" else program, *(replaced(a, there) for a in arguments)]
    return run(command).returncode == 0


def becomes_healthy(about: Mapping[str, Any], there: Mapping[str, str], seconds: float = 180) -> bool:
    """As the engine does it: the check again and again until it passes."""
    end = time.monotonic() + seconds
    while not (healthy := passes(about, there)) and time.monotonic() < end:
        time.sleep(0.5)
    return healthy


@contextmanager
def started(about: Mapping[str, Any], there: Mapping[str, str], log: Path) -> Iterator[None]:
    """The service's command with its environment, at the places of this machine."""
    program, *arguments = about["command"]
    environment = {key: replaced(value, there) for key, value in about["environment"].items()}
    inherited = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(BIN / program), *(replaced(argument, there) for argument in arguments)],
            env={
                **inherited,
                "HOME": str(log.parent),
                "PREFECT_HOME": str(log.parent / "home"),
                **environment,
            },
            cwd=log.parent,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
