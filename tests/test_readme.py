"""The README's commands work, and print what the README says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from flows.cli.app import application
from tests.soak import LONG

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FRESHKB = Path(sys.executable).with_name("freshkb")
COMMANDS = sorted(typer.main.get_group(application()).commands)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"| `freshkb {command}` |" in README
    found = typer.main.get_group(application()).commands[command]
    assert found.help


def test_the_readme_names_no_command_that_is_not_there() -> None:
    named = set(
        re.findall(r"`?freshkb ([a-z]+)", "\n".join(blocks("sh") + re.findall(r"`freshkb [a-z]+", README)))
    )
    assert named <= set(COMMANDS)


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    named = re.findall(r"^make ([a-z]+)$|`make ([a-z]+)`", README, flags=re.M)
    assert {name for pair in named for name in pair if name} <= targets


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def run(home: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "FRESHKB_"))}
    done = subprocess.run(arguments, cwd=home, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


#: {mode: {question: uri}}: the best hit for each argument. It runs in the process of the README's own lines,
#: because each loads the model.
FIRST_HITS = """
import json, sys
from freshkb import KnowledgeBase
with KnowledgeBase.open("freshkb.yaml") as kb:
    def first(question, mode):
        return kb.search(question, k=1, mode=mode)[0].uri
    print(json.dumps({mode: {q: first(q, mode) for q in sys.argv[1:]} for mode in ("hybrid", "sparse")}))
"""


@LONG
def test_the_walk_through_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """As the demo does in the short form, with the same handbook and the same changes, and a stand-in for
    the model."""
    home = tmp_path / "kb"
    run(tmp_path, str(FRESHKB), "init", "kb")
    shutil.copytree(ROOT / "examples" / "handbook", home / "handbook")
    shutil.copy(ROOT / "examples" / "freshkb.yaml", home / "freshkb.yaml")
    run(home, str(FRESHKB), "sync")
    # With the words of the question counted, the words alone lead to the travel policy and the rental terms.
    answers = {
        "how much leave do I get?": "people/benefits.html",
        "what do I get when I am on call?": "engineering/on-call.org",
        "what would I do in my first week?": "people/onboarding.md",
    }
    (snippet,) = blocks("python")
    *printed, hits = run(home, sys.executable, "-c", snippet + FIRST_HITS, *answers).splitlines()
    assert "fresh" in "\n".join(printed)
    assert json.loads(hits) == {"hybrid": answers, "sparse": answers}
    travel = home / "handbook" / "policies" / "travel.md"
    travel.write_text(travel.read_text(encoding="utf-8").replace("38 euros", "42 euros"), encoding="utf-8")
    people = home / "handbook" / "people"
    (people / "onboarding.md").rename(people / "your-first-weeks.md")
    (home / "handbook" / "operations" / "returns.md").unlink()
    (shown,) = blocks("console")
    for part in filter(None, shown.split("$ freshkb ")):
        command, _, expected = part.partition("\n")
        assert expected.strip() in run(home, str(FRESHKB), *command.split())
