"""A table of documents in a real database, and connectors of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.base import Context
from connectors.sql.connector import SqlConnector

OLD = datetime(2026, 1, 1, 12, tzinfo=UTC)
COLUMNS = {"id": "id", "title": "title", "owner": "owner", "updated_at": "updated_at", "url": "url"}


class Table:
    """The table ``pages``, written by somebody else's connection."""

    def __init__(self, url: str, folder: Path, closing: ExitStack) -> None:
        self.url, self._folder, self._closing = url, folder, closing
        writing = url.replace("sqlite:///", f"sqlite:///{folder}/")
        self.engine = sa.create_engine(writing, poolclass=sa.pool.NullPool)
        closing.callback(self.engine.dispose)
        self.on_sqlite = self.engine.dialect.name == "sqlite"
        self._changes = 0
        binary, moment = ("BLOB", "TEXT") if self.on_sqlite else ("BYTEA", "TIMESTAMPTZ")
        self.run(
            f"CREATE TABLE pages (id TEXT, body TEXT, file {binary}, format TEXT, title TEXT, owner TEXT, "
            f"last_reviewed TEXT, url TEXT, updated_at {moment})"
        )

    def run(self, statement: str, **given: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), given)

    def put(self, id: str | None, content: str | bytes, updated_at: Any = None) -> None:
        """A row of this id alone, with another time of its own."""
        self._changes += 1
        changed = updated_at or OLD + timedelta(seconds=self._changes)
        column = "body" if isinstance(content, str) else "file"
        self.run("DELETE FROM pages WHERE id = :id", id=id)
        self.run(
            f"INSERT INTO pages (id, {column}, updated_at) VALUES (:id, :content, :at)",
            id=id,
            content=content,
            at=str(changed) if self.on_sqlite else changed,
        )

    def connector(self, content: str = "text", *, max_size: int = 100_000, **settings: Any) -> SqlConnector:
        """Of its texts, or its files, with all columns that say something, unless told otherwise."""
        column = {"text": "body", "file": "file"}[content]
        given = {
            "url": self.url,
            "query": "SELECT * FROM pages",
            "columns": {**COLUMNS, content: column},
            **settings,
        }
        read = SqlConnector.settings_model.model_validate(given)
        made = SqlConnector(read, Context("pages", self._folder, max_size))
        self._closing.callback(made.close)
        return made


@contextmanager
def table(url: str, folder: Path) -> Iterator[Table]:
    with ExitStack() as closing:
        yield Table(url, folder, closing)
