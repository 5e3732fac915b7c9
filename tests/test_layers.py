"""The layers: imports between packages and rooms point one way, and each SDK has one home."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from index.uncollected import uncollected

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

#: The rooms of `index`, from the bottom up: a room imports only those before it.
ROOMS = [
    "cores",
    "idle",
    "uncollected",
    "redact",
    "printable",
    "phrase",
    "batched",
    "model",
    "errors",
    "precedence",
    "records",
    "outcome",
    "actor",
    "disk",
    "signed",
    "anchors",
    "freshness",
    "retention",
    "payload",
    "proof",
    "embed",
    "parse",
    "config",
    "people",
    "chunk",
    "ledger",
    "store",
    "attachments",
    "sizes",
    "workspace",
    "checkpoints",
    "run",
    "lookup",
    "hold",
    "sync",
    "sources",
    "purge",
    "audit",
    "notify",
    "health",
    "search",
    "erase",
    "upkeep",
    "backup",
    "reindex",
    "verify",
]

#: SDK → the only places that import it.
HOMES: dict[str, str | tuple[str, ...]] = {
    "prefect": "flows/",
    "qdrant_client": "index/store/",
    "qdrant_edge": "index/store/",
    "unstructured": "index/parse/",
    "spacy": "index/parse/",
    "pypdf": "index/parse/",
    "pypdfium2": "index/parse/",
    "sentence_transformers": "index/embed/torch_model.py",
    "torch": "index/embed/torch_model.py",
    "huggingface_hub": "index/",
    "jinja2": ("index/audit/report/", "flows/ui/", "index/notify/"),
    "starlette": "flows/ui/",
    "uvicorn": "flows/ui/",
    "apprise": "index/notify/",
    "tokenizers": "index/embed/tokenizer.py",
    "transformers": "index/embed/tokenizer.py",
    "openvino": "index/embed/openvino_model.py",
    "cryptography": "index/signed/",
    "pyrage": "index/backup/age.py",
    "sqlalchemy": ("index/ledger/", "connectors/sql/"),
    "alembic": "index/ledger/",
    "watchdog": "connectors/watching.py",
    "httpx": ("connectors/remote/webdav.py", "connectors/ingest/"),
    "asyncssh": "connectors/remote/sftp.py",
    "fsspec": "connectors/remote/sftp.py",
    "smbclient": "connectors/remote/smb.py",
    "smbprotocol": "connectors/remote/smb.py",
    "httpcore": "connectors/web/",
    "protego": "connectors/web/robots.py",
    "trafilatura": "connectors/web/text.py",
    "obstore": "connectors/objects/",
    "unstructured_ingest": "connectors/ingest/",
    "office365": "connectors/ingest/",
    "msal": "connectors/ingest/",
    "atlassian": "connectors/ingest/",
    "typer": "flows/cli/",
    "rich": "flows/cli/",
}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements below, in functions, too. Expressions are most of a tree, and hold none."""
    for part in ("body", "handlers", "orelse", "finalbody", "cases"):
        for node in getattr(tree, part, ()):
            yield node
            yield from statements(node)


class Seen(NamedTuple):
    """What these tests ask of a module. Its tree is not kept: the garbage collector would look at the trees
    of all modules again and again, which takes longer than to parse them."""

    says: bool
    imports: tuple[str, ...]


@functools.cache
def seen(path: Path) -> Seen:
    with uncollected():
        tree = parsed(path)
        return Seen(bool(ast.get_docstring(tree)), tuple(imported(tree, path)))


def imported(tree: ast.Module, path: Path) -> Iterator[str]:
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "index":
                yield from (f"index.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(f"{allowed}.")


def test_imports_point_one_way_and_each_sdk_has_one_home() -> None:
    wrong = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        permitted = (*ALLOWED[name.partition("/")[0]], *MORE.get(name, ()))
        for module in seen(path).imports:
            top = module.partition(".")[0]
            if top in PACKAGES and not any(within(module, one) for one in permitted):
                wrong.append(f"{name} imports {module}")
            home = HOMES.get(top)
            if home is not None and not name.startswith(home):
                wrong.append(f"{name} imports {module}, which belongs into {home}")
    assert wrong == []


def room(module: str) -> str:
    return module.split(".")[1]


def test_a_room_of_the_index_imports_only_rooms_before_it() -> None:
    wrong = []
    for path in sorted((ROOT / "index").rglob("*.py")):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        if name == "index.__init__":
            continue
        for module in seen(path).imports:
            other = module.startswith("index.") and room(module) != room(name)
            if other and ROOMS.index(room(module)) >= ROOMS.index(room(name)):
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_every_room_is_in_its_place() -> None:
    found = {
        path.stem
        for path in (ROOT / "index").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - {"__init__"} == set(ROOMS)


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources()}
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 300} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in sources() if not seen(path).says]
    assert silent == []
