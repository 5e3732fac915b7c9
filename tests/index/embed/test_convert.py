"""Converted models against torch: the packaged one, small ones of each kind, and those that are refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from index.embed import conversion, convert, torch_model, way
from index.embed.conversion import Conversion
from index.embed.convert import Refused
from index.embed.embedder import Embedder, fingerprint
from index.embed.identity import ModelIdentity, identify
from index.embed.openvino_model import OpenVinoModel
from index.embed.probes import PASSAGES
from index.embed.torch_model import TorchModel
from index.errors import EmbedderError, ModelChanged
from index.run import Run
from index.sync.sync import sync
from index.workspace import Workspace
from tests.index.embed.test_embedder import TEXTS, TOLERANCE
from tests.knowledge import Knowledge
from tests.soak import LONG

#: What the tracer and the libraries say of each other.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning"
)


#: Cosine to torch in float32.
LIKE = 0.9999


@contextmanager
def _converted_here() -> Iterator[None]:
    def run(command: list[str], folder: Path) -> None:
        patch.setattr(sys, "argv", ["-c", *command[-3:]])
        try:
            convert.main()
        except SystemExit as ended:
            raise conversion.Unavailable(f"it ended with {ended.code}") from ended

    before = os.umask(0o077)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conversion, "_run", run)
            yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def exact(identity: ModelIdentity) -> TorchModel:
    return TorchModel(identity, "float32", "cpu")


@pytest.fixture(scope="module")
def real(identity: ModelIdentity) -> Embedder:
    """The real model, converted in this process if no other has done so: a child would import torch again."""
    with _converted_here(), suppress(conversion.Unavailable):
        conversion.ensure(identity)
    return Embedder(identity, "float32")


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    unit = [vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in (left, right)]
    found: np.ndarray = (unit[0] * unit[1]).sum(axis=-1)
    return found


def test_each_vector_is_that_of_sentence_transformers(real: Embedder, exact: TorchModel) -> None:
    texts = [text for text in TEXTS if "\ud83d" not in text]
    expected = exact.model.encode(texts, show_progress_bar=False)
    found = real.embed_documents(texts)
    assert cosines(found, expected).min() > LIKE
    assert found == pytest.approx(expected, abs=1e-4)
    questions = ["How much leave?", "", "漢字", "long " * 600]
    asked = np.array([real.embed_query(question) for question in questions])
    assert asked == pytest.approx(exact.model.encode_query(questions, show_progress_bar=False), abs=1e-4)


def test_a_text_is_cut_at_the_models_limit(
    identity: ModelIdentity, real: Embedder, exact: TorchModel
) -> None:
    # Two of the tokens are special.
    whole = "word " * (identity.max_tokens - 2)
    cut, longer = real.embed_documents([whole, whole + "and more " * 50])
    assert cut == pytest.approx(longer, abs=TOLERANCE)
    shorter, longest = real.embed_documents(["word " * 200, "\n".join(["A line.", "more " * 50_000])])
    assert cosines(cut, shorter) < 1 - TOLERANCE
    (expected,) = exact.together(["\n".join(["A line.", "more " * 50_000])])
    assert cosines(longest, expected) > LIKE


def test_bfloat16_is_faithful(identity: ModelIdentity, exact: TorchModel) -> None:
    short = Embedder(identity, "bfloat16").embed_documents(TEXTS[:5])
    assert short.dtype == np.float32
    assert cosines(short, exact.together(TEXTS[:5])).mean() > 0.9995


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path, cache: Path, here: None) -> None:
    (folder := tmp_path / "broken").mkdir()
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 384}', encoding="utf-8")
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    with pytest.raises(EmbedderError, match=f"'{folder}' in {folder} cannot be loaded"):
        Embedder(identify(str(folder)), "float32").warm()


# ── Models of other kinds ─────────────────────────────────────────────────────────────────────────────


SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "initializer_range": 0.5,
}


def make_model(
    folder: Path, tokenizer: Path, *, transformer: Any = None, include_prompt: bool = True
) -> ModelIdentity:
    """A small model of random weights with a dense layer and prompts, written as sentence-transformers does;
    a BERT unless `transformer` is another."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(7)
    parts = folder.with_name(f"{folder.name}-parts")
    (transformer or BertModel(BertConfig(**SIZES))).save_pretrained(parts)
    BertTokenizer(tokenizer_file=str(tokenizer), model_max_length=64).save_pretrained(parts)
    pooling = Pooling(32, "mean", include_prompt=include_prompt)
    modules = [Transformer(str(parts)), pooling, Dense(32, 24), Normalize()]
    prompts = {"query": "Question: ", "document": "Passage: "}
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder))
    shutil.rmtree(parts)
    return identify(str(folder), folder.parent)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, identity: ModelIdentity) -> ModelIdentity:
    """A model that tests read alone."""
    return make_model(tmp_path_factory.mktemp("models") / "small", identity.folder / "tokenizer.json")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "freshkb" / "models"


@pytest.fixture
def here() -> Iterator[None]:
    """Models are converted in this process, which has imported torch."""
    with _converted_here():
        yield


#: What a child of these tests does: every look-up and connection, and the import of telemetry, is noted.
LISTENING = """
import os, sys
LOCAL = ("socket.__new__", "socket.gethostname", "socket.bind")
def note(event, arguments):
    told = event == "import" and arguments[0].startswith("openvino_telemetry.")
    if told or (event.startswith("socket.") and event not in LOCAL):
        with open(os.environ["NOTES"], "a") as notes:
            print(event, arguments, file=notes)
sys.addaudithook(note)
"""


def listening(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Processes have this home with an empty cache, and note there whom they call."""
    patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    patch.setenv("PYTHONPATH", str(home / "site"))
    patch.setenv("NOTES", str(home / "notes"))
    patch.setenv("HOME", str(home))


@pytest.fixture(scope="module")
def by_child(small: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> tuple[Conversion, Path]:
    """The small model, converted by a child; and the child's home."""
    home = tmp_path_factory.mktemp("home")
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(LISTENING, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        listening(home, patch)
        return conversion.ensure(small), home


def test_a_model_with_prompts_and_a_dense_layer_is_converted_by_a_child_that_calls_nobody(
    small: ModelIdentity, by_child: tuple[Conversion, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, home = by_child
    assert (found.refused, found.dimension, found.max_tokens) == ("", 24, 64)
    assert (found.document_prompt, found.query_prompt) == ("Passage: ", "Question: ")
    assert not (home / "notes").exists(), (home / "notes").read_text()
    assert not (home / "intel").exists(), "OpenVINO's telemetry has been here"
    listening(home, monkeypatch)
    # What OpenVINO does when nobody keeps it from that.
    subprocess.run([sys.executable, "-c", "import openvino"], check=True)
    assert "openvino_telemetry.main" in (home / "notes").read_text()

    exact, converted = TorchModel(small, "float32", "cpu"), OpenVinoModel(found, "float32")
    asked = exact.model.encode_query(["How?", "x " * 100], show_progress_bar=False)
    assert cosines(np.stack([converted.query("How?"), converted.query("x " * 100)]), asked).min() > LIKE
    answers = exact.model.encode_document(list(PASSAGES), show_progress_bar=False)
    embedded = Embedder(small, "float32").embed_documents(list(PASSAGES))
    assert cosines(embedded, answers).min() > LIKE
    # The prompts are no ornament.
    assert cosines(converted.query("How?"), converted.together(["How?"])[0]) < LIKE


@pytest.mark.parametrize(
    ("f32", "bf16", "precision", "said"),
    [
        (2.0, 1.0, "bfloat16", "in bfloat16, 2.0 times as fast here as float32"),
        (1.0, 1.5, "float32", "in float32, 1.5 times as fast here as bfloat16"),
    ],
)
def test_bfloat16_is_computed_in_where_that_is_faster(
    small: ModelIdentity, cache: Path, here: None, monkeypatch: pytest.MonkeyPatch,
    f32: float, bf16: float, precision: str, said: str,
) -> None:  # fmt: skip
    """Instructions for it are no promise: some processors multiply half as fast with them."""
    times = [f32, bf16]
    monkeypatch.setattr(convert, "computes_bfloat16", lambda: True)
    monkeypatch.setattr(convert, "seconds", lambda model: times.pop(0))
    found = conversion.ensure(small)
    assert (found.precision, found.computes["float32"]) == (precision, "f32")
    assert found.computes["bfloat16"] == ("bf16" if precision == "bfloat16" else "f32")
    assert said in way.describe(small, "auto")
    assert said in way.describe(small, "bfloat16")
    assert way.choose(small).precision == precision
    as_asked = "in float32 as the index says; bfloat16 is 2.0 times as fast here"
    assert (as_asked if precision == "bfloat16" else said) in way.describe(small, "float32")


def test_the_precision_of_torch_on_a_processor_is_the_faster_one(
    small: ModelIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_model, "_has_bfloat16", lambda device: True)
    monkeypatch.setattr(torch_model, "FAITHFUL_SHORT", 0.99)
    for times, expected in (([2.0, 1.0], "bfloat16"), ([1.0, 1.5], "float32")):
        monkeypatch.setattr(torch_model, "seconds", lambda model, left=times: left.pop(0))
        assert torch_model.best_precision(small, "cpu") == expected
    monkeypatch.setattr(torch_model, "seconds", lambda model: 1.0)
    monkeypatch.setattr(torch_model, "FAITHFUL_SHORT", 1.01)
    assert torch_model.best_precision(small, "cpu") == "float32"


def test_a_vocabulary_without_a_tokenizer_needs_no_transformers_once_it_is_converted(
    small: ModelIdentity, cache: Path, tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    shutil.copytree(small.folder, folder)
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    words: dict[str, int] = whole["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(words, key=words.__getitem__)), encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    old = identify(str(folder), cache)
    expected = old.tokenizer().count(list(PASSAGES))
    assert not conversion.ensure(old).refused
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert old.tokenizer().count(list(PASSAGES)) == expected


@pytest.mark.parametrize("kind", ["unlike", pytest.param("longformer", marks=LONG)])
def test_a_model_that_cannot_be_converted_is_computed_by_torch_with_the_reason(
    tmp_path: Path,
    identity: ModelIdentity,
    cache: Path,
    here: None,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the short form one whose passages have another prompt once it is converted. A Longformer pads each
    batch to whole windows: the tracer sees the padding of one."""
    tokenizer, transformer = identity.folder / "tokenizer.json", None
    if kind == "longformer":
        from transformers import LongformerConfig, LongformerModel

        sizes = SIZES | {"num_hidden_layers": 1}
        transformer = LongformerModel(LongformerConfig(**sizes, attention_window=[8], pad_token_id=0))
    model = make_model(tmp_path / "long", tokenizer, transformer=transformer)
    if kind == "unlike":
        documents = OpenVinoModel.documents
        monkeypatch.setattr(
            OpenVinoModel, "documents", lambda self, texts: documents(self, [f"No. {text}" for text in texts])
        )
    embedder = Embedder(model, "float32")
    vectors = embedder.embed_documents(["A text.", "Another one, longer."])
    assert isinstance(embedder._model(), TorchModel)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    found = conversion.find(model)
    assert found is not None and found.refused
    assert [path.name for path in found.folder.iterdir()] == ["conversion.json"]
    assert f"by torch (precision float32), because OpenVINO cannot compute the model: {found.refused}" == (
        way.describe(model, "float32")
    )


def test_a_model_that_is_replaced_while_a_process_runs_is_neither_computed_nor_converted(
    small: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digested = hashlib.file_digest

    def file_digest(file: BufferedReader, name: str) -> Any:
        read.append(file.name)
        return digested(file, name)

    # Without a cache, so that torch computes.
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setattr(hashlib, "file_digest", file_digest)
    folder = Path(shutil.copytree(small.folder, tmp_path / "model"))
    known = identify(str(folder))
    embedder = Embedder(known, "float32")
    embedder.warm()
    assert len(read) == len(set(read)), "no file was read twice to be identified"
    embedder.release()
    weights = folder / "model.safetensors"
    save_file({name: -tensor for name, tensor in load_file(weights).items()}, tmp_path / "new")
    (tmp_path / "new").replace(weights)
    with pytest.raises(ModelChanged, match="was replaced while this process runs"):
        embedder.embed_query("How?")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelChanged, match="was replaced while this process runs"):
        conversion.ensure(known)
    assert not list((tmp_path / "cache").rglob("conversion.json"))


def test_a_prompt_that_the_pooling_leaves_out_is_refused(tmp_path: Path, identity: ModelIdentity) -> None:
    model = make_model(tmp_path / "out", identity.folder / "tokenizer.json", include_prompt=False)
    with pytest.raises(Refused, match="leaves out the prompt"):
        convert.convert(TorchModel(model, "float32", "cpu"), model, tmp_path)


def test_a_comparison_finds_each_difference(small: ModelIdentity, by_child: tuple[Conversion, Path]) -> None:
    """Another limit, another prompt, other weights: each is less than faithful."""
    exact = TorchModel(small, "float32", "cpu")
    folder = by_child[0].folder
    record = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))["record"]
    del record["files"]
    expected = convert._vectors(exact)

    def likeness(**changes: Any) -> list[float]:
        found = Conversion(folder, **{**record, "inputs": tuple(record["inputs"]), **changes})
        return convert._cosines_over(expected, OpenVinoModel(found, "float32"))

    assert convert._faithful(likeness())
    for changes in ({"max_tokens": 40}, {"document_prompt": ""}, {"query_prompt": "Passage: "}):
        assert not convert._faithful(likeness(**changes)), changes
    with pytest.raises(Refused, match="other tokens"):
        changed = Conversion(folder, **{**record, "max_tokens": 40})
        convert._compare_tokens(exact, OpenVinoModel(changed, "float32"), record)


# ── An index made by torch ────────────────────────────────────────────────────────────────────────────


def test_an_index_made_by_torch_opens_and_embeds_nothing_again(
    kb: Knowledge, identity: ModelIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        kb.write(f"{number}.md", f"# Title {number}\n\nEmployees accrue {number} hours of annual leave.")
    with monkeypatch.context() as patch:
        patch.setattr(way, "load", lambda identity, dtype: TorchModel(identity, dtype, "cpu"))
        with Workspace(kb.config(), parser=kb.parser) as workspace:
            assert sync(Run(workspace, "sync")).json()["chunks"]["embedded"] == 3
    kb.write("3.md", "# Pumps\n\nThe pump is switched off before the filter is changed.")
    with Workspace(kb.config(), parser=kb.parser) as workspace:
        assert sync(Run(workspace, "sync")).json()["chunks"]["embedded"] == 1
        collection = workspace.collection()
        assert collection is not None
        assert collection.embedding_fingerprint == fingerprint(identity, "float32")
        embedder = workspace.embedder(collection)
        assert isinstance(embedder, Embedder) and isinstance(embedder._model(), OpenVinoModel)
