"""The behaviour of every embedder, the stand-in of the tests included; then that of the real one."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pytest

from index.embed import conversion, openvino_model, torch_model, way
from index.embed.batching import batches
from index.embed.embedder import Embedder, fingerprint, resolve_dtype
from index.embed.identity import DEFAULT, ModelIdentity
from index.embed.openvino_model import BATCH_TOKENS
from index.errors import EmbedderError
from index.workspace import Embedding
from tests.commands import environment
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


def test_the_processor_computes_by_openvino(identity: ModelIdentity, real: Embedder) -> None:
    assert torch_model.gpu() is None, "there is a GPU"
    assert isinstance(real._model(), openvino_model.OpenVinoModel)
    assert way.describe(identity, "float32").startswith("by OpenVINO on the processor, in float32")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few texts are many batches."""
    monkeypatch.setattr(openvino_model, "BATCH_TOKENS", 256)


def test_vectors_do_not_depend_on_the_batch(real: Embedder, small_batches: None) -> None:
    texts = [f"Passage {number}. " + "It says something. " * number for number in range(0, 40, 3)]
    together = real.embed_documents(texts)
    assert real.embed_documents(texts[::-1])[::-1] == pytest.approx(together, abs=TOLERANCE)
    for number in (0, 7, 13):
        assert real.embed_documents([texts[number]])[0] == pytest.approx(together[number], abs=TOLERANCE)


def test_blanks_around_a_text_are_none_of_its_meaning(real: Embedder) -> None:
    vectors = real.embed_documents(["A text.", "\n\nA text.\n\n"])
    assert vectors[0] == pytest.approx(vectors[1], abs=TOLERANCE)


def test_an_interruption_between_batches_stops_the_rest(real: Embedder, small_batches: None) -> None:
    texts = TEXTS[3:] * 4
    calls: list[int] = []

    def stop(number: int) -> None:
        calls.append(number)
        raise KeyboardInterrupt

    for _ in range(4):  # As often as there are streams, and more: each gets its requests back.
        with pytest.raises(KeyboardInterrupt):
            real.embed_documents(texts, stop)
    assert len(calls) == 4 and calls[0] < len(texts)
    assert len(real.embed_query("The next one works.")) == 384
    assert real.embed_documents(texts).shape == (len(texts), 384)


def test_threads_share_one_model(identity: ModelIdentity, real: Embedder) -> None:
    shared = Embedder(identity, "float32")
    found: dict[int, np.ndarray] = {}
    asked: list[list[float]] = []

    def embed(number: int) -> None:
        found[number] = shared.embed_documents(TEXTS[number : number + 4] * 2)

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(0, 12, 2)]
    threads += [
        threading.Thread(target=lambda: asked.append(shared.embed_query("How much leave?"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = real.embed_documents(TEXTS)
    for number, vectors in found.items():
        assert vectors[:4] == pytest.approx(expected[number : number + 4], abs=TOLERANCE)
        assert vectors[-4:] == pytest.approx(expected[number : number + 4], abs=TOLERANCE)
    assert len(found) == 6
    for vector in asked:
        assert vector == pytest.approx(real.embed_query("How much leave?"), abs=TOLERANCE)
    assert len(asked) == 4


def test_a_question_waits_for_no_more_than_the_batches_under_way(real: Embedder, small_batches: None) -> None:
    """The batches that end between a question and its answer were under way when it was asked."""
    texts = ["Passage of some length. " * 40 for _ in range(24)]
    first, ended, done = threading.Event(), 0, threading.Event()

    def count(_: int) -> None:
        nonlocal ended
        ended += 1
        first.set()

    def embed() -> None:
        real.embed_documents(texts, count)
        done.set()

    thread = threading.Thread(target=embed)
    thread.start()
    assert first.wait(60)
    before = ended
    real.embed_query("How much leave?")
    assert ended - before <= openvino_model.streams() + 1
    assert not done.is_set(), "the batches had ended before"
    thread.join()


def test_a_fingerprint_names_model_and_precision(identity: ModelIdentity) -> None:
    assert Embedder(identity, "float32").fingerprint == fingerprint(identity, "float32")
    assert fingerprint(identity, "bfloat16") != fingerprint(identity, "float32")


def test_a_precision_is_taken_as_it_is_set_or_found_out(identity: ModelIdentity) -> None:
    assert resolve_dtype("bfloat16", identity) == "bfloat16"
    found = conversion.ensure(identity)
    faster = found.seconds.get("bf16", math.inf) < found.seconds["f32"]
    assert resolve_dtype("auto", identity) == ("bfloat16" if faster else "float32")


def test_batches_hold_every_text_once_within_the_budget() -> None:
    lengths = [number * 37 % 255 + 1 for number in range(500)] + [5000]
    found = list(batches(lengths, BATCH_TOKENS))
    assert sorted(index for batch in found for index in batch) == list(range(501))
    assert found[0] == [500]
    for batch in found[1:]:
        assert max(lengths[index] for index in batch) * len(batch) <= BATCH_TOKENS


OFFLINE = """
import pathlib, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        sys.stderr.write(f"{event} {arguments}\\n")
        raise AssertionError("network")
sys.addaudithook(refuse)
from index.embed.embedder import Embedder, identify
embedder = Embedder(identify(sys.argv[1], pathlib.Path(sys.argv[2])), "float32")
embedder.warm()
print(embedder.embed_documents(["A text."]).shape)
heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "openvino_telemetry.main"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_default_model_needs_no_network_no_torch_and_says_nothing(tmp_path: Path, real: Embedder) -> None:
    real.warm()
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE, DEFAULT, str(tmp_path)],
        env={**os.environ, "HF_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("(1, 384)\n[]\n", "")
    assert not (tmp_path / "intel").exists(), "OpenVINO's telemetry has been here"


class Failing:
    """A model that is lost."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def documents(self, texts: Sequence[str]) -> Generator[tuple[list[int], np.ndarray]]:
        yield [0], np.ones((1, 384), dtype=np.float32)
        raise self.error

    def query(self, text: str) -> np.ndarray:
        raise self.error


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory"), MemoryError(), OSError(28, "No space left on device")]
)
def test_whatever_the_model_raises_is_an_embedder_error(
    identity: ModelIdentity, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(way, "load", lambda *_: Failing(error))
    embedder = Embedder(identity, "float32")
    with pytest.raises(EmbedderError, match=type(error).__name__):
        embedder.embed_documents(["x", "y"])
    with pytest.raises(EmbedderError, match="run the command again"):
        embedder.embed_query("x")


COMMANDS = """
import sys
from flows.cli import main
sys.argv[0] = "freshkb"
for arguments in (["sync"], ["search", "annual leave"]):
    sys.argv[1:] = [*arguments, "--json"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
    heavy = sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules))
    print(*arguments, heavy, file=sys.stderr, flush=True)
"""


def test_no_command_imports_torch_once_the_model_is_converted(tmp_path: Path, real: Embedder) -> None:
    real.warm()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nEmployees accrue four hours.", encoding="utf-8")
    (tmp_path / "freshkb.yaml").write_text(
        "version: 1\nsources: [{id: docs, type: files, root: ./docs}]\n", encoding="utf-8"
    )
    run = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    said = run.stderr.splitlines()
    assert "sync []" in said and said[-1] == "search annual leave []", run.stderr
    for found in ('"embedded": 1', "accrue four hours"):
        assert found in run.stdout, run.stdout
