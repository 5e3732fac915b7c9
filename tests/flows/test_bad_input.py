"""Broken or hostile input ends a command with one clear sentence: no traceback, no signal, no wait."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Ended, environment, forked

MINIMAL = "version: 1\nembedding: {dtype: float32}\nsources:\n  - {id: docs, type: files, root: docs}\n"


def merges(first: str, levels: int, width: int) -> str:
    """Blocks of which each one merges the one before it, several times."""
    lines = [f"m0: &m0 {first}"]
    for n in range(1, levels):
        lines.append(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * width)}]}}")
    return "\n".join(lines) + "\n"


#: {name: (the configuration, the message)}
CONFIGURATIONS = {
    "brackets": ("[" * 200_000, "freshkb.yaml:1: it is nested too deeply"),
    "braces": ("{" * 200_000, "freshkb.yaml:1: it is nested too deeply"),
    "dashes": ("- " * 200_000, "freshkb.yaml:1: it is nested too deeply"),
    "closed": (f"{MINIMAL}x: {'[' * 100_000}{']' * 100_000}", "freshkb.yaml:5: it is nested too deeply"),
    "merges": (merges("{k: v}", 40, 9), "m0: unknown key"),
    "wide merges": (
        merges(str({f"k{n}": 1 for n in range(500)}), 40, 90),
        "it is too large: more than 20,000 values",
    ),
    "itself": ("a: &a {<<: *a}\n", "freshkb.yaml:1: it is nested too deeply"),
    "aliases": (f"a: &a [1]\nb: [{'*a,' * 200_000}]", "freshkb.yaml:2: it is too large"),
    "keys": ("".join(f"k{n}: 1\n" for n in range(90_000)), "freshkb.yaml:20000: it is too large"),
    "sixties": (f"version: 1{':1' * 400_000}", "freshkb.yaml:1: a value that is not text is longer than"),
    "digits": (f"version: {'1' * 900_000}", "freshkb.yaml:1: a value that is not text is longer than"),
    "variables": (f"{MINIMAL}state_dir: '{'${BIG}' * 100}'\n", "the values of its variables come to"),
    "size": ("#" * 1_000_001, "freshkb.yaml is larger than 1,000,000 bytes"),
    "url": (f"{MINIMAL}index: {{store: qdrant, url: 'http://[::1'}}", "freshkb.yaml:5: index.url: 'http://[::1'"),
    "port": (f"{MINIMAL}index: {{store: qdrant, url: 'http://h:99999'}}", "it has a port that is no number"),
    "host": (f"{MINIMAL}index: {{store: qdrant, url: 'http://:1'}}", "freshkb.yaml:5: index.url: 'http://:1'"),
    "ledger": (f"{MINIMAL}ledger: 'postgresql+psycopg://u:p@[h/db'\n", "freshkb.yaml:5: ledger: 'postgresql"),
    "ledger port": (f"{MINIMAL}ledger: 'postgresql+psycopg://u:p/w@h/db'\n", "are written %3A %2F"),
    "bool": ("version: !!bool maybe\n", "freshkb.yaml:1: not valid YAML: 'maybe' is no bool"),
}  # fmt: skip


@pytest.mark.timeout(600)
def test_a_configuration_that_is_a_bomb_or_broken_is_refused(tmp_path: Path) -> None:
    for name, (text, _) in CONFIGURATIONS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "freshkb.yaml").write_text(text)
    commands = [["config", "check", "--config", f"{name}/freshkb.yaml"] for name in CONFIGURATIONS]
    ended = forked(tmp_path, commands, {"BIG": "x" * 100_000})
    for (name, (_, said)), end in zip(CONFIGURATIONS.items(), ended, strict=True):
        assert end.code == 2, (name, end)
        assert said in end.printed, (name, end.printed[:500])
        assert "Traceback" not in end.printed and len(end.printed) < 20_000, name


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FRESHKB_INDEX__URL", "http://[::1", "environment variable FRESHKB_INDEX__URL: 'http://[::1'"),
        ("FRESHKB_LEDGER", "postgresql+psycopg://h:0/x", "variable FRESHKB_LEDGER: 'postgresql"),
        ("FRESHKB_DEFAULTS__FRESHNESS__FIELD", "[" * 100_000, "FRESHNESS__FIELD: it is nested too"),
        ("FRESHKB_DEFAULTS__FRESHNESS", "{a: " * 30_000, "DEFAULTS__FRESHNESS: it is nested"),
        ("FRESHKB_DEFAULTS__OWNER", os.fsdecode(b"\xff"), "FRESHKB_DEFAULTS__OWNER: is not UTF-8 text"),
        ("OWNER", os.fsdecode(b"\xff"), "has the value of OWNER in it, which is not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_the_environment_puts_in_goes_through_the_same_checks(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    (tmp_path / "freshkb.yaml").write_text(
        f"{MINIMAL}defaults: {{owner: '${{OWNER:-x}}'}}\nindex: {{store: qdrant}}"
    )
    (end,) = forked(tmp_path, [["config", "check"]], {"FRESHKB_INDEX__URL": "http://h", variable: value})
    assert end.code == 2 and said in end.printed and "Traceback" not in end.printed, end


def test_an_argument_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nOf leave.\n")
    (tmp_path / "docs" / os.fsdecode(b"caf\xe9.md")).write_text("# B\n\nOf coffee.\n")
    (tmp_path / "freshkb.yaml").write_text(MINIMAL)
    bad = os.fsdecode(b"\xff")
    commands = {
        "search": ["search", bad],
        "--owner": ["search", "leave", "--owner", bad],
        "--source": ["ls", "--source", bad],
        "--by": ["review", "a.md", "--by", bad],
        "--note": ["review", "a.md", "--by", "anna", "--note", bad],
        "--approve": ["sync", "--approve", bad],
        "show": ["show", os.fsdecode(b"caf\xe9.md")],
        "review": ["review", "a.md", os.fsdecode(b"caf\xe9.md"), "--by", "anna"],
    }
    synced, *ended, shown, out = forked(
        tmp_path,
        [
            ["sync"],
            *commands.values(),
            ["show", "caf%E9.md"],
            ["audit", "--fail-on", "never", "--out", os.fsdecode(b"r\xe9ports")],
        ],
        {"PREFECT_API_URL": ""},
    )
    assert synced.code == 0, synced
    for name, end in zip(commands, ended, strict=True):
        assert end.code == 2, (name, end)
        assert "is not UTF-8 text" in end.printed and "Traceback" not in end.printed, (name, end)
    assert {e.command[0] for e in ended if "prints the uri: caf%E9.md" in e.printed} == {"show", "review"}
    assert shown.code == 0 and "Of coffee." in shown.printed
    assert out.code == 0 and (tmp_path / os.fsdecode(b"r\xe9ports") / "report.md").exists()


def test_it_is_so_with_bytes_of_a_real_command_line(tmp_path: Path) -> None:
    (tmp_path / "freshkb.yaml").write_text(MINIMAL)
    program = str(Path(sys.executable).with_name("freshkb"))
    for arguments in ([b"search", b"\xff"], [b"search", b"x", b"--owner", b"\xff\xfe"]):
        done = subprocess.run([program, *arguments], cwd=tmp_path, env=environment(), capture_output=True)
        assert (
            done.returncode == 2 and b"is not UTF-8 text" in done.stderr and b"Traceback" not in done.stderr
        )


def test_a_library_is_told_too(tmp_path: Path) -> None:
    from index.errors import ConfigError
    from index.search.knowledge_base import KnowledgeBase

    (tmp_path / "freshkb.yaml").write_text(MINIMAL)
    with KnowledgeBase.open(tmp_path / "freshkb.yaml") as kb, pytest.raises(ConfigError, match="not Unicode"):
        kb.search("\udcff")


def test_an_end_is_told_apart_from_a_signal(tmp_path: Path) -> None:
    """The tests above rely on it."""
    (tmp_path / "freshkb.yaml").write_text(MINIMAL)
    ended = forked(tmp_path, [["config", "check"], ["config", "check", "--bogus"]], {})
    assert [(type(e), e.code) for e in ended] == [(Ended, 0), (Ended, 2)]
