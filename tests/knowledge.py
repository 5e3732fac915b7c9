"""A small knowledge base for tests: a real folder, ledger, store and parser, and a fast embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

from index.config import Config, load
from index.model import Point
from index.outcome import RunReport
from index.parse import Parser
from index.parse.walls.walls import DOCUMENTS, Wall
from index.records import Document
from index.run import Run
from index.sizes import Sizes
from index.sync.sync import sync
from index.workspace import Workspace
from tests.embedders import HashEmbedder

Answer = TypeVar("Answer")

#: Of libyaml, where there is one: a configuration is written for each workspace.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Clock:
    """Time that passes only when a test lets it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


def done(work: Callable[[], Answer]) -> Future[Answer]:
    """The future of work that is done at once."""
    future: Future[Answer] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


class Shared:
    """A parser that outlives the workspaces that use it, so that its child is started once."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self.parsed: list[str] = []
        """The format of each document that was parsed."""
        self.asked = 0
        """Mails that were asked for what is attached to them."""

    def warm(self) -> None:
        self._parser.warm()

    def parse(self, path: Path, format: str, timeout_seconds: float | None = None) -> Any:
        self.parsed.append(format)
        return self._parser.parse(path, format, timeout_seconds)

    def submit(self, path: Path, format: str, timeout_seconds: float | None = None) -> Future[Any]:
        """One document after the other, so that calls have an order."""
        return done(lambda: self.parse(path, format, timeout_seconds))

    def enclosed(self, path: Path, format: str, timeout_seconds: float | None = None) -> Future[Any]:
        self.asked += 1
        return self._parser.enclosed(path, format, timeout_seconds)

    def content(
        self, path: Path, format: str, number: int, into: Path, timeout_seconds: float | None = None
    ) -> Future[Any]:
        return self._parser.content(path, format, number, into, timeout_seconds)

    def walls(self) -> list[Wall]:
        return self._parser.walls()

    def folders(self) -> list[Path]:
        """Where the running children are given their documents."""
        return [
            folder for child in self._parser._resting for folder in (child.folder, child.folder / DOCUMENTS)
        ]

    def close(self) -> None: ...

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, *_: object) -> None: ...


class Knowledge:
    """One knowledge base below `home`, with a source ``docs`` in ``home/docs``."""

    def __init__(self, home: Path, parser: Parser) -> None:
        self.home = home
        self.docs = home / "docs"
        self.docs.mkdir(parents=True)
        self.parser = Shared(parser)
        self.clock = Clock()
        self.embedders: list[HashEmbedder] = []
        self.sizes = Sizes()
        self.settings: dict[str, Any] = {
            "version": 1,
            # Told, so that no processor has to be asked which precision it likes.
            "embedding": {"dtype": "float32"},
            "sources": [{"id": "docs", "type": "files", "root": "./docs"}],
        }

    @property
    def source(self) -> dict[str, Any]:
        found: dict[str, Any] = self.settings["sources"][0]
        return found

    def config(self) -> Config:
        return load(self.config_text(), {}, self.home)

    def config_text(self) -> Path:
        """The file with the settings, which need not be valid. Threads that open workspaces side by side
        leave it as it is."""
        path, text = self.home / "freshkb.yaml", yaml.dump(self.settings, Dumper=DUMPER)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        return path

    @contextmanager
    def workspace(self, **parts: Any) -> Iterator[Workspace]:
        def embedder(*args: Any) -> HashEmbedder:
            self.embedders.append(HashEmbedder(*args))
            return self.embedders[-1]

        with Workspace(
            self.config(),
            now=self.clock,
            parser=self.parser,
            embedder=embedder,
            sizes=self.sizes,
            **parts,
        ) as workspace:
            yield workspace

    def write(self, uri: str, text: str) -> Path:
        path = self.docs / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def sync(self, **options: Any) -> RunReport:
        with self.workspace() as workspace:
            return sync(Run(workspace, "sync"), **options)

    def ask(self, question: Callable[[Workspace], Answer]) -> Answer:
        with self.workspace() as workspace:
            return question(workspace)

    def documents(self) -> dict[str, Document]:
        return {d.uri: d for d in self.ask(lambda m: list(m.ledger.documents.find()))}

    def points(self) -> dict[str, Point]:
        return {p.id: p for p in self.ask(_points)}

    def texts(self) -> dict[str, str]:
        """{uri: text}: the chunks of each document, joined in order."""
        parts: dict[str, dict[int, str]] = {}
        for point in self.points().values():
            metadata = point.payload["metadata"]
            parts.setdefault(metadata["uri"], {})[metadata["chunk_index"]] = point.payload["page_content"]
        return {uri: "".join(texts[i] for i in sorted(texts)) for uri, texts in parts.items()}


def _points(workspace: Workspace) -> list[Point]:
    collection = workspace.ledger.collections.current()
    if collection is None:
        return []
    with workspace.store.session(collection.name) as session:
        return list(session.scroll(vectors=True))


def counts(report: RunReport, source: str = "docs") -> dict[str, int]:
    """The counts of a run, zeros left out; chunks beside documents."""
    found = next(s for s in report.json()["sources"] if s["source"] == source)
    names = (
        "added",
        "updated",
        "moved",
        "deleted",
        "expired",
        "touched",
        "unchanged",
        "refused",
        "quarantined",
        "skipped",
        "held",
        "withheld",
    )
    shown = {name: found[name] for name in names if found[name]}
    return shown | {"embedded": report.json()["chunks"]["embedded"]}
