"""The package that applications import, and the command line by its name."""

from __future__ import annotations

import subprocess
import sys

import freshkb
from index.errors import FreshkbError
from index.search.hits import SearchHit
from index.search.knowledge_base import KnowledgeBase
from tests.commands import environment


def test_the_package_gives_what_applications_need() -> None:
    assert freshkb.KnowledgeBase is KnowledgeBase
    assert freshkb.SearchHit is SearchHit
    assert freshkb.FreshkbError is FreshkbError
    assert not hasattr(freshkb, "Workspace")


def test_importing_it_imports_nothing_heavy() -> None:
    script = (
        "import sys; before = set(sys.modules); import freshkb; first = set(sys.modules) - before;"
        "from freshkb import KnowledgeBase; heavy = {'torch', 'numpy', 'prefect', 'typer', 'unstructured'};"
        "print(sorted(n for n in first if n.startswith('index')), heavy & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True
    )
    assert ran.stdout.strip() == "[] set()"


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "freshkb", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    assert ran.stdout.startswith("freshkb ")
