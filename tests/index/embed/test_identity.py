"""Which model a name means: the packaged one, a folder, the local cache of the hub, or a download."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from index.embed.identity import CHUNK_TOKENS_MAX, DEFAULT, PACKAGE, identify
from index.errors import ConfigError, EmbedderError
from index.model import digest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_model(folder: Path, *, hidden: int = 8, modules: bool = True, prompts: bool = False) -> Path:
    """The files of a model that identification reads; the weights are no weights."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files: dict[str, object] = {
        "config.json": {"hidden_size": hidden, "max_position_embeddings": 128},
        "tokenizer.json": {"version": "1.0"},
        "tokenizer_config.json": {"model_max_length": 1000000000000000019884624838656},
    }
    if modules:
        kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense"}
        files["modules.json"] = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(kinds.items())
        ]
        files["1_Pooling/config.json"] = {
            "word_embedding_dimension": hidden,
            "pooling_mode_cls_token": True,
            "pooling_mode_mean_tokens": True,
        }
        files["2_Dense/config.json"] = {"in_features": 2 * hidden, "out_features": 5}
        files["sentence_bert_config.json"] = {"max_seq_length": 100}
    if prompts:
        files["config_sentence_transformers.json"] = {"prompts": {"query": "query: ", "passage": "passage: "}}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


# ── The packaged model ────────────────────────────────────────────────────────────────────────────────


def test_the_default_model_is_the_packaged_one(tmp_path: Path) -> None:
    found = identify(DEFAULT, tmp_path)
    assert found.model == DEFAULT
    assert found.dimension == 384
    assert found.max_tokens == 256
    assert PACKAGE in found.folder.parts
    assert identify("all-MiniLM-L6-v2", tmp_path) == found


def test_identification_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from index.embed.embedder import Embedder, fingerprint, identify\n"
        f"found = identify({DEFAULT!r}, pathlib.Path({str(tmp_path)!r}))\n"
        "Embedder(found, 'float32'); fingerprint(found, 'float32')\n"
        f"heavy = {{'torch', 'transformers', 'huggingface_hub', 'tokenizers', 'numpy', {PACKAGE!r}}}\n"
        "print(sorted((heavy | {'sentence_transformers'}) & set(sys.modules)))\n"
    )
    run = python(code)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    first = identify(DEFAULT, tmp_path / "state")
    (cache,) = (tmp_path / "state").iterdir()
    known = json.loads(cache.read_text(encoding="utf-8"))
    weights = next(path for path in known["files"] if path.endswith("model.safetensors"))
    known["files"][weights][-1] = "0" * 64
    cache.write_text(json.dumps(known), encoding="utf-8")
    assert identify(DEFAULT, tmp_path / "state") == first, "a damaged note was believed"
    cache.write_text(json.dumps({"check": digest(known["files"]), "files": known["files"]}), encoding="utf-8")
    with pytest.raises(EmbedderError, match="damaged"):
        identify(DEFAULT, tmp_path / "state")
    cache.write_text("no JSON", encoding="utf-8")
    assert identify(DEFAULT, tmp_path / "state") == first


def test_the_hashes_are_kept_in_the_cache_of_the_user_that_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = identify(DEFAULT)
    (kept,) = (tmp_path / "cache" / "freshkb" / "hashes").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    before = kept.stat().st_ino, kept.stat().st_mtime_ns
    assert identify(DEFAULT) == first
    assert identify(str(write_model(tmp_path / "other"))).dimension == 5
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before, "each model has a note of its own"

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert identify(DEFAULT) == first


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = identify(DEFAULT, tmp_path).folder
    copy = tmp_path / "site" / PACKAGE
    shutil.copytree(packaged, copy / "model")
    (copy / "__init__.py").write_text("", encoding="utf-8")
    with (copy / "model" / "model.safetensors").open("r+b") as file:
        file.seek(45_000_000)
        (byte,) = file.read(1)
        file.seek(45_000_000)
        file.write(bytes([byte ^ 1]))
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(EmbedderError, match=r"damaged.*pip install --force-reinstall"):
        identify(DEFAULT, tmp_path)


# ── Folders ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_says_its_dimension_limit_and_prompt(tmp_path: Path) -> None:
    found = identify(str(write_model(tmp_path / "model", prompts=True)), tmp_path)
    assert (found.dimension, found.max_tokens, found.document_prompt) == (5, 100, "passage: ")
    plain = identify(str(write_model(tmp_path / "plain", modules=False)), tmp_path)
    assert (plain.dimension, plain.max_tokens, plain.document_prompt) == (8, 128, "")


def test_a_model_of_long_texts_gets_chunks_of_a_useful_length(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", modules=False)
    (folder / "config.json").write_text(
        '{"hidden_size": 8, "max_position_embeddings": 8192}', encoding="utf-8"
    )
    assert identify(str(folder), tmp_path).max_tokens == CHUNK_TOKENS_MAX


def test_the_revision_of_a_folder_is_what_it_computes_with(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    first = identify(str(folder), tmp_path)
    (folder / "README.md").write_text("Read me.", encoding="utf-8")
    assert identify(str(folder), tmp_path) == first
    (folder / "model.safetensors").write_bytes(b"other weights")
    second = identify(str(folder), tmp_path)
    assert second.revision != first.revision
    assert second.tokenizer_fingerprint == first.tokenizer_fingerprint
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert identify(str(folder), tmp_path).tokenizer_fingerprint != first.tokenizer_fingerprint


def test_a_folder_without_a_model_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds no sentence-transformers model"):
        identify(str(tmp_path / "empty"), tmp_path)
    with pytest.raises(ConfigError, match=r"no model folder \./missing"):
        identify("./missing", tmp_path)
    with pytest.raises(ConfigError, match=r"no model folder ~nobody-here/missing"):
        identify("~nobody-here/missing", tmp_path)


# ── The hub ───────────────────────────────────────────────────────────────────────────────────────────


def write_cached(hub: Path, name: str) -> Path:
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return write_model(repository / "snapshots" / COMMIT)


def test_a_model_of_the_hub_is_taken_from_the_local_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library reads the environment once, when it is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = write_cached(tmp_path / "hub", "acme/words")
    named = write_cached(tmp_path / "hub", "sentence-transformers/short-name")
    assert identify("acme/words", tmp_path).folder == cached
    assert identify("short-name", tmp_path).folder == named


@pytest.mark.parametrize(
    ("environment", "below"),
    [
        ({"HF_HUB_CACHE": "{}/there"}, "there"),
        ({"HF_HOME": "{}/home"}, "home/hub"),
        ({"XDG_CACHE_HOME": "{}/xdg"}, "xdg/huggingface/hub"),
        ({"HOME": "{}"}, ".cache/huggingface/hub"),
    ],
)
def test_the_cache_lies_where_the_hubs_own_library_has_it(
    tmp_path: Path, environment: dict[str, str], below: str
) -> None:
    write_cached(tmp_path / below, "acme/words")
    none = dict.fromkeys(("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE"), "")
    said = {name: value.format(tmp_path) for name, value in environment.items()}
    code = "import os\n" + "".join(f"os.environ.pop({name!r}, None)\n" for name in none if name not in said)
    heavy = {
        "torch",
        "transformers",
        "tokenizers",
        "sentence_transformers",
        "huggingface_hub.file_download",
        "httpx",
    }
    code += (
        IDENTIFY.format(cache=str(tmp_path)) + f"import sys; print(sorted({heavy!r} & set(sys.modules)))\n"
    )
    run = python(code, **said, HF_HUB_OFFLINE="1")
    assert (run.stdout, run.stderr) == ("5\n[]\n", "")


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as a download asks for."""

    files: dict[str, bytes]
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        if path.startswith("/api/models/acme/words"):
            tree = [
                {"type": "file", "path": file, "size": len(data), "oid": "0"}
                for file, data in self.files.items()
            ]
            info = {
                "id": "acme/words",
                "sha": COMMIT,
                "siblings": [{"rfilename": file} for file in self.files],
            }
            body = json.dumps(tree if "/tree/" in path else info).encode()
        elif name in self.files:
            self.asked.append(name)
            body = self.files[name]
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test's output belongs to the test."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    model = write_model(tmp_path / "published")
    Hub.files = {
        path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()
    }
    Hub.files |= {"pytorch_model.bin": b"again", "onnx/model.onnx": b"onnx", "README.md": b"read me"}
    Hub.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


IDENTIFY = (
    "import pathlib\n"
    "from index.errors import EmbedderError\n"
    "from index.embed.identity import identify\n"
    "try: print(identify('acme/words', pathlib.Path({cache!r})).dimension)\n"
    "except EmbedderError as error: print(error)\n"
)


def test_a_model_that_is_nowhere_is_downloaded_with_a_word_on_it(tmp_path: Path, hub: str) -> None:
    code = IDENTIFY.format(cache=str(tmp_path))
    run = python(code, HF_ENDPOINT=hub, HF_HOME=str(tmp_path / "home"), HF_HUB_DISABLE_PROGRESS_BARS="1")
    assert run.stdout == "5\n", run.stderr
    assert "Downloading the model acme/words" in run.stderr
    assert "model.safetensors" in Hub.asked
    assert not {"pytorch_model.bin", "onnx/model.onnx", "README.md"} & set(Hub.asked)


def test_a_model_that_cannot_be_had_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    code = IDENTIFY.format(cache=str(tmp_path))
    run = python(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "home"))
    assert "'acme/words' is neither a folder nor in the local cache" in run.stdout
    assert f"Set embedding.model to a folder or to the default {DEFAULT}" in run.stdout
