"""The house keeps its directions: who may import whom, and where each SDK lives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("connectors", "index", "flows", "freshkb")

#: package → what of ours it may import.
ALLOWED = {
    "connectors": ("connectors",),
    "index": ("index", "connectors.base"),
    "flows": ("flows", "index", "connectors"),
    "freshkb": ("index",),
}

#: Modules that may import more than their package.
MORE = {"freshkb/__main__.py": ("flows.cli",)}

#: SDK → the only place that imports it.
HOMES = {
    "prefect": "flows/",
    "qdrant_client": "index/store/",
    "qdrant_edge": "index/store/",
    "unstructured": "index/parse/",
    "spacy": "index/parse/",
    "pypdfium2": "index/parse/",
    "sentence_transformers": "index/embed.py",
    "torch": "index/embed.py",
    "huggingface_hub": "index/",
    "jinja2": "index/report/",
    "tokenizers": "index/tokens.py",
    "transformers": "index/tokens.py",
    "sqlalchemy": "index/ledger/",
    "alembic": "index/ledger/",
    "watchdog": "connectors/watching.py",
    "typer": "flows/cli/",
    "rich": "flows/cli/",
}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(f"{allowed}.")


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way_and_each_sdk_has_one_home(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    package = name.partition("/")[0]
    for module in imports(path):
        if module.partition(".")[0] in PACKAGES:
            permitted = (*ALLOWED[package], *MORE.get(name, ()))
            allowed = any(within(module, one) for one in permitted)
            assert allowed, f"{name} imports {module}"
        home = HOMES.get(module.partition(".")[0])
        assert home is None or name.startswith(home), f"{name} imports {module}, which belongs into {home}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [p for p in sources() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert silent == []
