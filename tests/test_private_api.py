"""Private API of others that we and our tests use: each name has a line here, which fails when it moves."""

from __future__ import annotations

import ast
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from index.uncollected import uncollected
from tests.ready import STATEMENTS
from tests.test_layers import ROOT, parsed, sources

#: (our module, name) → why there is no public way.
USED = {
    (
        "flows/serve.py",
        "_tmp_dir",
    ): "Prefect's runner has no setting for its folder, which is one for all users",
    ("connectors/ingest/confluence.py", "_get_space_ids_and_keys"): "only run() asks for spaces by key",
    ("connectors/ingest/microsoft.py", "_filter_channels"): "only run_async() asks for channels",
    ("connectors/ingest/microsoft.py", "_get_channel_files_folder_sync"): "as above",
    ("connectors/ingest/microsoft.py", "_list_channels_sync"): "as above",
    ("index/parse/nlp.py", "_get_nlp"): "unstructured's only way to another pipeline is to download one",
}

#: Documented, whatever their names look like.
DOCUMENTED = {"_exit", "_replace", "_asdict"}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def named(node: ast.AST) -> str | None:
    """The name that this node gives to something of its own."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
            return name
    return None


def test_nothing_private_of_others_is_used_but_what_is_listed() -> None:
    ours, used, imported = set(DOCUMENTED), set(), set()
    for path in sources():
        module = path.relative_to(ROOT).as_posix()
        # The garbage collector would look at each tree several times.
        with uncollected():
            for node in ast.walk(parsed(path)):
                if isinstance(node, _OF_NAMES) and (name := named(node)) is not None:
                    ours.add(name)
                if isinstance(node, ast.Attribute) and private(node.attr):
                    used.add((module, node.attr))
                elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] not in OURS:
                    names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                    imported |= {(module, name) for name in names if private(name)}
            del node
    assert {(module, name) for module, name in used if name not in ours} == USED.keys()
    assert imported == set()


_OF_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute)
OURS = {path.relative_to(ROOT).parts[0] for path in sources()}


def source(package: str, *below: str) -> ast.Module:
    """A module of another package, which is not imported."""
    found = find_spec(package)
    assert found is not None and found.origin is not None
    with uncollected():
        return ast.parse(Path(found.origin).parent.joinpath(*below).read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> dict[str, str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: ast.unparse(node) for node in ast.walk(tree) if isinstance(node, kinds)}


def test_prefects_runner_keeps_its_files_in_its_tmp_dir() -> None:
    (runner,) = (
        node
        for node in source("prefect", "runner", "runner.py").body
        if isinstance(node, ast.ClassDef) and node.name == "Runner"
    )
    methods = functions(runner)
    assert "self._tmp_dir: Path = " in methods["__init__"]
    # Looked at only when it starts, so it can be set before.
    assert "self._tmp_dir.mkdir(parents=True, exist_ok=True)" in methods["__aenter__"]
    assert "shutil.rmtree(str(self._tmp_dir)" in methods["__aexit__"]


def test_unstructured_asks_one_function_for_its_pipeline() -> None:
    found = functions(source("unstructured", "nlp", "tokenize.py"))
    assert "_get_nlp" in found
    users = {name for name, text in found.items() if "_get_nlp()" in text and name != "_get_nlp"}
    assert users, "nobody asks it any more"
    others = {name for name, text in found.items() if "spacy.load" in text} - {"_get_nlp"}
    assert all(name in found["_get_nlp"] for name in others), f"{others} load a pipeline, too"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            "confluence",
            "_get_space_ids_and_keys _paginate_v2_results _get_docs_ids_within_one_space _permissions_cache",
        ),
        (
            "sharepoint",
            "_filter_channels _get_channel_files_folder_sync _list_channels_sync _graph_get _get_drive_item",
        ),
        ("onedrive", "_fetch_file get_root_sync get_token"),
        ("slack", "_validate_channels _get_granted_scopes _messages_to_file_data"),
    ],
)
def test_unstructured_ingest_has_what_our_services_call_and_replace(module: str, names: str) -> None:
    """A method that is replaced, and has another name in a new release, would be itself again in silence."""
    tree = source("unstructured_ingest", "processes", "connectors", f"{module}.py")
    found = set(functions(tree)) | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(names.split()) <= found


def test_the_tests_find_what_they_use_of_others() -> None:
    scheduling: Any = import_module("xdist.scheduler").LoadFileScheduling
    assert callable(scheduling._split_scope)
    rewrite: Any = import_module("_pytest.assertion.rewrite")
    assert all(map(callable, (rewrite._read_pyc, rewrite._rewrite_test, rewrite._write_pyc)))
    assert {"_execute_child", "_try_wait", "_internal_poll", "_close_pipe_fds"} <= vars(
        subprocess.Popen
    ).keys()
    known = len(STATEMENTS)
    with sa.create_engine("sqlite://").connect() as connection:
        connection.execute(sa.select(sa.literal(1).label("compiled_by_this_test")))
    assert len(STATEMENTS) == known + 1
