"""The units of `examples/systemd`: read by systemd where it is there, and held against what freshkb needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "examples" / "systemd"
OURS = ["freshkb-serve.service", "freshkb-sync.service", "freshkb-watch.service"]
SERVICES = [*OURS, "prefect-server.service"]
#: Where the units and the documentation install freshkb.
PREFIX = "/opt/freshkb"

#: They would keep the parser from making namespaces for its children, and from mapping users in them.
AGAINST_THE_PARSER = {
    "RestrictNamespaces",
    "SystemCallFilter",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProcSubset",
    "PrivateUsers",
    "PrivateNetwork",
    "MemoryDenyWriteExecute",
}


def settings(name: str) -> dict[str, list[str]]:
    """Every setting of a unit, whatever its section, with its values."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def setting(name: str, key: str) -> str:
    (value,) = settings(name)[key]
    return value


def test_the_units_are_these() -> None:
    assert sorted(path.name for path in UNITS.iterdir()) == sorted([*SERVICES, "freshkb-sync.timer"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        # A program that is not there would be all that is said.
        text = unit.read_text(encoding="utf-8").replace(PREFIX, sys.prefix)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    for unit in sorted(tmp_path.iterdir()):
        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=120
        )
        assert (said.returncode, said.stdout + said.stderr) == (0, ""), unit.name


@pytest.mark.parametrize("name", OURS)
def test_a_unit_runs_one_of_our_commands(name: str) -> None:
    command = setting(name, "ExecStart").removeprefix(f"{PREFIX}/bin/freshkb ")
    assert command in COMMANDS
    assert name == f"freshkb-{command}.service"


def test_the_timer_starts_the_sync_and_its_time_is_one_that_systemd_reads() -> None:
    # Without `Unit=`, a timer starts the service of its own name.
    assert set(settings("freshkb-sync.timer")) == {
        "Description",
        "OnCalendar",
        "RandomizedDelaySec",
        "Persistent",
        "WantedBy",
    }
    assert setting("freshkb-sync.timer", "WantedBy") == "timers.target"
    assert setting("freshkb-sync.service", "Type") == "oneshot"
    assert setting("freshkb-sync.service", "SuccessExitStatus") == "3"


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(name: str) -> None:
    found = settings(name)
    for key in (
        "NoNewPrivileges",
        "PrivateTmp",
        "PrivateDevices",
        "RestrictSUIDSGID",
        "ProtectKernelModules",
    ):
        assert found[key] == ["yes"], key
    assert found["ProtectSystem"] == ["strict"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["User"] == ["freshkb"]
    assert (found["UMask"], found["StateDirectoryMode"]) == (["0077"], ["0700"])


@pytest.mark.parametrize("name", OURS)
def test_the_parser_keeps_its_walls_and_a_batch_comes_to_its_end(name: str) -> None:
    found = settings(name)
    assert not AGAINST_THE_PARSER & set(found)
    # To all processes at once, SIGTERM would end the parser in the middle of the batch.
    assert found["KillMode"] == ["mixed"]
    minutes = re.fullmatch(r"(\d+)min", setting(name, "TimeoutStopSec"))
    assert minutes and int(minutes[1]) >= 2
    # The documents may lie in a home folder.
    assert found["ProtectHome"] == ["read-only"]


def test_the_documentation_installs_what_the_units_name() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for needed in (PREFIX, "examples/systemd", "/etc/freshkb/freshkb.yaml", "state_dir: /var/lib/freshkb"):
        assert needed in text
    enabled = " ".join(re.findall(r"systemctl enable --now (.+)", text))
    assert set(re.findall(r"[\w-]+\.(?:service|timer)", enabled)) <= {path.name for path in UNITS.iterdir()}
    assert {"freshkb-serve.service", "freshkb-sync.timer", "freshkb-watch.service"} <= set(enabled.split())
