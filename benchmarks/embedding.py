"""The engine's overhead over the model: a cold sync against `encode` on the same texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Bench, Row, best, seconds
from benchmarks.workplace import configure, embedded_texts, sync, workspace
from index.sync.collection import ensure

if TYPE_CHECKING:
    from index.embed.embedder import Embedder, ModelIdentity

#: Of the defaults of `encode`, which computes in fp32. A processor that is fast in bf16 is to use it.
WITH_BF16, WITHOUT_BF16 = 3.5, 2.0


def cold(bench: Bench) -> Iterator[Row]:
    """A first sync, model and parser warm, against `encode` at its defaults and at its best."""
    with bench.folder() as folder:
        bench.corpus.write(folder / "documents")
        texts = embedded_texts(configure(folder / "texts", folder / "documents"))
        embedder, dtype = _embedder(folder)
        embedder.warm()
        clock = _ColdSyncs(folder, embedder)
        plain = _encoding(embedder.identity, "float32", texts)
        # `encode` sorts by length itself, so that in fp32 its defaults are its best.
        works = [plain] if dtype == "float32" else [plain, _encoding(embedder.identity, dtype, texts)]
        _, defaults, *others = best(bench.scale.long_rounds, clock.sync, *works)
        (raw,) = others or [defaults]
    ours = len(texts) / min(clock.times)
    target = WITH_BF16 if dtype == "bfloat16" else WITHOUT_BF16
    subject = f"cold sync of {len(bench.corpus.documents)} documents"
    yield Row(
        f"{subject}, against encode at its defaults",
        ours / (len(texts) / defaults),
        "×",
        target,
        "≥",
        f"{ours:.1f} ({dtype}) and {len(texts) / defaults:.1f} chunks/s; {len(texts)} chunks",
    )
    yield Row(
        f"{subject}, against encode at the same precision, sorted",
        ours / (len(texts) / raw),
        "×",
        0.8,
        "≥",
        f"{ours:.1f} and {len(texts) / raw:.1f} chunks/s",
    )


class _ColdSyncs:
    """First syncs of the same documents, each in a knowledge base of its own with warm parts."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self.embedder = embedder
        self.times: list[float] = []

    def sync(self) -> None:
        home = self.folder / f"cold-{len(self.times)}"
        path = configure(home, self.folder / "documents", dtype=self.embedder.dtype)
        with workspace(path, lambda identity, dtype: self.embedder) as knowledge_base:
            ensure(knowledge_base)
            knowledge_base.parser.warm()
            self.times.append(seconds(lambda: sync(knowledge_base)))


def _embedder(folder: Path) -> tuple[Embedder, str]:
    """The engine's own, at the precision that it chooses here."""
    from index.embed.embedder import Embedder, resolve_dtype
    from index.embed.identity import DEFAULT, identify

    identity = identify(DEFAULT, folder)
    dtype = resolve_dtype("auto", identity)
    return Embedder(identity, dtype), dtype


def _encoding(identity: ModelIdentity, dtype: str, texts: Sequence[str]) -> Callable[[], object]:
    """`encode` of these texts by a model that is loaded and warm."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(identity.folder), local_files_only=True).to(getattr(torch, dtype))
    longest_first = sorted(texts, key=len, reverse=True)
    model.encode(longest_first[-8:], show_progress_bar=False)
    return lambda: model.encode(longest_first, show_progress_bar=False)
