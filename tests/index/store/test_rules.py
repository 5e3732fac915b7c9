"""Rules on the code of the stores: calls that it never makes, imports that it never costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.store.fusion import fuse

STORE = Path(__file__).resolve().parents[3] / "index" / "store"


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(STORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.name}:{node.lineno}", node


def test_nothing_is_deleted_by_filter() -> None:
    for path in STORE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert "FilterSelector" not in names, path
        assert not {name for name in names if name.endswith("_by_filter")}, path


def test_a_server_is_told_to_delete_in_one_place_and_by_ids() -> None:
    deletes = [
        (where, node)
        for where, node in calls()
        if isinstance(node.func, ast.Attribute)
        and node.func.attr == "delete"
        and ast.unparse(node.func.value) == "self._client"
    ]
    [(_, delete)] = deletes
    assert ast.unparse(delete.args[1]) == "chosen"
    [made] = [node for _, node in calls() if ast.unparse(node.func) == "models.PointIdsList"]
    assert [keyword.arg for keyword in made.keywords] == ["points"]


def test_every_write_to_a_server_waits_and_is_checked() -> None:
    waits = [
        (where, keyword) for where, node in calls() for keyword in node.keywords if keyword.arg == "wait"
    ]
    assert all(isinstance(k.value, ast.Constant) and k.value.value is True for _, k in waits), waits
    writes = {f"self._client.{name}" for name in ("upsert", "delete", "create_payload_index")}
    checked = [ast.unparse(node.args[0]) for _, node in calls() if ast.unparse(node.func) == "completed"]
    for where, node in calls():
        if ast.unparse(node.func) in writes:
            assert "wait" in {keyword.arg for keyword in node.keywords}, where
            assert ast.unparse(node) in checked, where


def test_importing_the_store_and_opening_an_embedded_one_stays_light(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from index.store import bm25, open_store; "
        "store = open_store('edge', path=Path(sys.argv[1])); store.instance('kb'); store.collections(); "
        "heavy = {'qdrant_client', 'numpy', 'torch', 'asyncio', 'httpx', 'filelock'} & set(sys.modules); "
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=STORE.parents[1], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_fusion_sums_reciprocal_ranks_and_keeps_equals_in_order() -> None:
    assert fuse([]) == []
    assert fuse([["a"], []], k=10) == [("a", 0.1)]
    fused = fuse([["a", "b", "c"], ["d", "c", "b"]], k=10)
    assert [identifier for identifier, _ in fused] == ["b", "c", "a", "d"]
    assert dict(fused) == pytest.approx(
        {"a": 1 / 10, "b": 1 / 11 + 1 / 12, "c": 1 / 12 + 1 / 11, "d": 1 / 10}
    )
