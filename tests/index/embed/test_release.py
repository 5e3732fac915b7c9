"""The model is let go when nothing uses it, and loaded again for the next text."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.embed import way
from index.embed.embedder import Embedder
from index.embed.identity import ModelIdentity
from index.embed.openvino_model import streams
from tests.commands import environment
from tests.soak import LONG

#: Megabytes that the default model, converted, holds at least: its weights alone have 45 in half precision.
HELD_MB = 40


class Model:
    """A model that says when a batch has begun, and waits until it may end."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def documents(self, texts: Sequence[str]) -> Generator[tuple[list[int], np.ndarray]]:
        for index, _ in enumerate(texts):
            self.begun.set()
            assert self.go.wait(60)
            yield [index], np.ones((1, 384), np.float32)

    def query(self, text: str) -> np.ndarray:
        return np.ones(384, np.float32)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """Those that were loaded."""
    loaded: list[Model] = []

    def load(*_: Any) -> Model:
        loaded.append(Model())
        return loaded[-1]

    monkeypatch.setattr(way, "load", load)
    return loaded


def test_a_released_model_is_loaded_again_for_the_next_text(
    identity: ModelIdentity, models: list[Model]
) -> None:
    embedder = Embedder(identity, "float32")
    embedder.release()
    for number in (1, 2):
        embedder.embed_query("How much leave?")
        embedder.embed_query("How much leave?")
        assert len(models) == number
        embedder.release()


def test_a_model_is_not_released_while_it_computes(identity: ModelIdentity, models: list[Model]) -> None:
    embedder = Embedder(identity, "float32")
    with ThreadPoolExecutor(1) as threads:
        embedding = threads.submit(embedder.embed_documents, ["a", "b"])
        while not models:
            time.sleep(0.001)
        (model,) = models
        assert model.begun.wait(60)
        embedder.release()
        embedder.embed_query("Beside it.")
        embedder.release()
        model.go.set()
        assert embedding.result(60).shape == (2, 384)
        assert models == [model]
    embedder.release()
    embedder.embed_query("After it.")
    assert len(models) == 2


def test_a_failure_to_load_leaves_no_user_behind(
    identity: ModelIdentity, models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder(identity, "float32")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No memory"):
        patch.setattr(way, "load", lambda *_: (_ for _ in ()).throw(OSError("No memory")))
        embedder.embed_query("How much leave?")
    embedder.embed_query("How much leave?")
    embedder.release()
    embedder.embed_query("How much leave?")
    assert len(models) == 2


def test_it_is_released_by_itself_after_its_time(identity: ModelIdentity, models: list[Model]) -> None:
    embedder = Embedder(identity, "float32", 0.01)
    embedder.warm()
    for thread in threading.enumerate():
        if thread.name == "idle":
            thread.join(60)
    embedder.warm()
    assert len(models) == 2


# ── The real one ──────────────────────────────────────────────────────────────────────────────────────

_RESIDENT = """
import json, sys
from pathlib import Path
from index.embed.embedder import Embedder
from index.embed.identity import DEFAULT, identify

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

embedder = Embedder(identify(DEFAULT, Path(sys.argv[1])), "float32")
texts = [f"Passage {number}. " + "It says something. " * 40 for number in range(int(sys.argv[2]))]
found = []
for _ in range(int(sys.argv[3])):
    vectors = embedder.embed_documents(texts)
    before = resident()
    embedder.release()
    found.append([before, resident(), float(vectors[5] @ vectors[5])])
assert "torch" not in sys.modules
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_released_model_is_given_back_each_time(
    identity: ModelIdentity, real: Embedder, tmp_path: Path, soak: bool
) -> None:
    real.warm()  # So that it is converted.
    texts, times = (64, 3) if soak else (16, 2)  # More than one batch.
    done = subprocess.run(
        [sys.executable, "-c", _RESIDENT, str(tmp_path), str(texts), str(times)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert all(before - after >= HELD_MB for before, after, _ in found), found
    assert [length for _, _, length in found] == pytest.approx([1] * times, abs=1e-4)
    # Nor does it add up.
    assert found[-1][1] - found[0][1] < HELD_MB, found


@LONG
def test_a_question_does_not_wait_for_the_batches_behind_it(real: Embedder) -> None:
    """With a few batches, `test_embedder` shows it."""
    texts = [f"Passage {number}. " + "It says something. " * 60 for number in range(60 * streams())]
    batches: list[int] = []
    first = threading.Event()

    def done(number: int) -> None:
        batches.append(number)
        first.set()

    real.warm()
    with ThreadPoolExecutor(1) as threads:
        embedding = threads.submit(real.embed_documents, texts, done)
        assert first.wait(60)
        before = len(batches)
        real.embed_query("How much leave?")
        meanwhile = len(batches) - before
        assert not embedding.done()
        embedding.result()
    # At most one on each stream, and some while this thread waits for its turn.
    assert meanwhile <= 4 * streams() < len(batches) // 2, (meanwhile, len(batches))
