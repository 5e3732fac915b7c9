"""The behaviour of every embedder, the stand-in of the tests included; then that of the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from index.embed.embedder import BATCH_TOKENS, Embedder, _batches, fingerprint, identify, resolve_dtype
from index.embed.identity import DEFAULT, ModelIdentity
from index.errors import EmbedderError
from index.workspace import Embedding
from tests.embedders import HashEmbedder

TEXTS = [
    "Employees accrue four hours of annual leave in each pay period.",
    "The pump is switched off before the filter is changed.",
    "word " * 1000,
    "",
    "x",
    "Surrogates \ud83d alone, ZWJ 👩‍🚀, 漢字.",
    *(f"Paragraph {number}: " + "text " * number for number in range(12)),
]

#: The same text in another batch differs in its last bits.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ModelIdentity:
    return identify(DEFAULT, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def real(identity: ModelIdentity) -> Embedder:
    return Embedder(identity, "float32")


@pytest.fixture(params=["real", "stand-in"])
def embedder(request: pytest.FixtureRequest, identity: ModelIdentity, real: Embedder) -> Embedding:
    return real if request.param == "real" else HashEmbedder(identity, "float32")


# ── Every embedder ────────────────────────────────────────────────────────────────────────────────────


def test_vectors_are_normalised_float32_in_the_order_of_the_texts(embedder: Embedding) -> None:
    vectors = embedder.embed_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for at in (0, 5, 16):
        (alone,) = embedder.embed_documents([TEXTS[at]])
        assert alone == pytest.approx(vectors[at], abs=TOLERANCE)


def test_no_texts_have_no_vectors(embedder: Embedding) -> None:
    assert embedder.embed_documents([]).shape == (0, embedder.dimension)


def test_a_question_is_nearest_to_its_answer(embedder: Embedding) -> None:
    question = np.array(embedder.embed_query("How much annual leave do employees accrue?"))
    assert question.shape == (embedder.dimension,)
    assert np.linalg.norm(question) == pytest.approx(1, abs=1e-5)
    assert int(np.argmax(embedder.embed_documents(TEXTS) @ question)) == 0


def test_progress_counts_every_text_once(embedder: Embedding) -> None:
    done: list[int] = []
    embedder.embed_documents(TEXTS, done.append)
    assert sum(done) == len(TEXTS)


# ── The real one ──────────────────────────────────────────────────────────────────────────────────────


def test_vectors_are_those_of_sentence_transformers(real: Embedder) -> None:
    texts = [text for text in TEXTS if "\ud83d" not in text]
    expected = real._model.encode(texts, show_progress_bar=False)
    assert real.embed_documents(texts) == pytest.approx(expected, abs=TOLERANCE)


def test_blanks_around_a_text_are_none_of_its_meaning(real: Embedder) -> None:
    vectors = real.embed_documents(["A text.", "\n\nA text.\n\n"])
    assert vectors[0] == pytest.approx(vectors[1], abs=TOLERANCE)


def test_an_interruption_between_batches_stops_the_rest(real: Embedder) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        real.embed_documents(TEXTS, stop)
    assert len(real.embed_query("The next one works.")) == 384


def test_threads_share_one_model(identity: ModelIdentity, real: Embedder) -> None:
    shared = Embedder(identity, "float32")
    found: dict[int, np.ndarray] = {}

    def embed(number: int) -> None:
        found[number] = shared.embed_documents(TEXTS[number : number + 4])

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(6, 12, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = real.embed_documents(TEXTS)
    for number, vectors in found.items():
        assert vectors == pytest.approx(expected[number : number + 4], abs=TOLERANCE)
    assert len(found) == len(threads)


def test_bfloat16_is_faithful(identity: ModelIdentity, real: Embedder) -> None:
    short = Embedder(identity, "bfloat16").embed_documents(TEXTS[:6])
    assert short.dtype == np.float32
    assert float((short * real.embed_documents(TEXTS[:6])).sum(axis=1).mean()) > 0.999


def test_a_fingerprint_names_model_and_precision(identity: ModelIdentity) -> None:
    assert Embedder(identity, "float32").fingerprint == fingerprint(identity, "float32")
    assert fingerprint(identity, "bfloat16") != fingerprint(identity, "float32")


def test_a_precision_is_taken_as_it_is_set_or_found_out(identity: ModelIdentity) -> None:
    assert resolve_dtype("bfloat16", identity) == "bfloat16"
    assert resolve_dtype("auto", identity) in ("bfloat16", "float32")


def test_a_model_that_cannot_be_loaded_is_named(identity: ModelIdentity, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
    broken = ModelIdentity("broken", "r", tmp_path, 384, 256, "t", identity.tokenizer_folder)
    with pytest.raises(EmbedderError, match=f"'broken' in {tmp_path} cannot be loaded"):
        Embedder(broken, "float32").warm()


def test_batches_hold_every_text_once_within_the_budget() -> None:
    lengths = [number * 37 % 255 + 1 for number in range(500)] + [5000]
    batches = list(_batches(lengths, BATCH_TOKENS))
    assert sorted(index for batch in batches for index in batch) == list(range(501))
    assert batches[0] == [500]
    for batch in batches[1:]:
        assert max(lengths[index] for index in batch) * len(batch) <= BATCH_TOKENS


OFFLINE = """
import pathlib, socket, sys
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from index.embed.embedder import Embedder, identify
embedder = Embedder(identify(sys.argv[1], pathlib.Path(sys.argv[2])), "float32")
embedder.warm()
print(embedder.embed_documents(["A text."]).shape)
"""


def test_the_default_model_needs_no_network_and_says_nothing(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE, DEFAULT, str(tmp_path)],
        env={**os.environ, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("(1, 384)\n", "")


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory"), MemoryError(), OSError(28, "No space left on device")]
)
def test_whatever_the_model_raises_is_an_embedder_error(identity: ModelIdentity, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    embedder = Embedder(identity, "float32")
    cpu = SimpleNamespace(type="cpu")
    embedder.__dict__["_model"] = SimpleNamespace(encode_document=fail, encode_query=fail, device=cpu)
    with pytest.raises(EmbedderError, match=type(error).__name__):
        embedder.embed_documents(["x"])
    with pytest.raises(EmbedderError, match="run the command again"):
        embedder.embed_query("x")
