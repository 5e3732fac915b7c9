"""A history of random changes to a table, faults among them: each listing is what the table holds then."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from connectors.base import Entry, SourceUnavailable
from connectors.sql import identifiers
from connectors.sql.connector import SqlConnector
from tests.connectors.sql.tables import COLUMNS, Table
from tests.soak import LONG

pytest_plugins = ["tests.postgres"]

STEPS = 200
IDS = ["a", "b/c", "b/d", "..", "x//y", "100%25", "Ä 1", "'q'"]


class Model:
    """The table as it should be: by id, text and title. And what a reader knew after the last listing."""

    def __init__(self, pages: Table, seed: int) -> None:
        self.pages, self.random = pages, Random(seed)
        self.rows: dict[str, tuple[str, str | None]] = {}
        self.fault = ""
        self.double: str | None = None
        """The id that two rows have."""
        self.steps = 0
        self.known: dict[str, tuple[Entry, str]] = {}

    def step(self) -> None:
        random, pages = self.random, self.pages
        identifier, other = random.sample(IDS, 2)
        if self.double in (identifier, other):
            # What is done to a row is done to both, and they may be none of a fault any more.
            self.mend()
        text = f"text {random.randrange(6)}"
        # Of two edits long ago each has a time of its own: no reader could tell them apart otherwise.
        self.steps += 1
        ago = random.choice([1, 30, 3_600, 86_400])
        at = datetime.now(UTC) - timedelta(seconds=ago - self.steps if ago > 60 else ago)
        match random.choice(["put", "put", "edit", "title", "rename", "delete", "fault", "mend", "mend"]):
            case "put":
                pages.put(identifier, text, at)
                self.rows[identifier] = text, None
            case "edit" if identifier in self.rows:
                # As a program whose times are whole seconds: two edits may get the same time.
                when = str(at.replace(microsecond=0)) if pages.on_sqlite else at.replace(microsecond=0)
                pages.run(
                    "UPDATE pages SET body = :body, updated_at = :at WHERE id = :id",
                    body=text, at=when, id=identifier,
                )  # fmt: skip
                self.rows[identifier] = text, self.rows[identifier][1]
            case "title" if identifier in self.rows:
                pages.run("UPDATE pages SET title = :title WHERE id = :id", title=text, id=identifier)
                self.rows[identifier] = self.rows[identifier][0], text
            case "rename" if identifier in self.rows and other not in self.rows:
                pages.run("UPDATE pages SET id = :new WHERE id = :old", new=other, old=identifier)
                self.rows[other] = self.rows.pop(identifier)
            case "delete":
                pages.run("DELETE FROM pages WHERE id = :id", id=identifier)
                self.rows.pop(identifier, None)
            case "fault" if not self.fault:
                self.fault = random.choice(["no id", "twice", "away"])
                if self.fault == "away":
                    pages.run("ALTER TABLE pages RENAME TO hidden")
                    pages.run("CREATE TABLE pages (other TEXT)")
                elif self.fault == "no id" or not self.rows:
                    self.fault = "no id"
                    pages.run("INSERT INTO pages (title) VALUES ('fault')")
                else:
                    self.double = random.choice(sorted(self.rows))
                    pages.run("INSERT INTO pages (id, title) VALUES (:id, 'fault')", id=self.double)
            case _:
                self.mend()
        if self.fault == "away":
            # Nobody writes meanwhile.
            self.check_away()
            self.mend()

    def mend(self) -> None:
        if self.fault == "away":
            self.pages.run("DROP TABLE pages")
            self.pages.run("ALTER TABLE hidden RENAME TO pages")
        self.pages.run("DELETE FROM pages WHERE title = 'fault'")
        self.fault, self.double = "", None

    def check_away(self) -> None:
        connector = self.pages.connector()
        with pytest.raises(SourceUnavailable):
            connector.list()
        connector.close()

    def check(self, connector: SqlConnector) -> None:
        listing = connector.list()
        found = {entry.uri: entry for entry in listing}
        assert listing.complete is not bool(self.fault)
        assert set(found) <= {identifiers.encode(identifier) for identifier in self.rows}
        if self.fault:
            return
        assert found.keys() == {identifiers.encode(identifier) for identifier in self.rows}
        for identifier, (text, title) in self.rows.items():
            uri = identifiers.encode(identifier)
            content = hashlib.sha256(text.encode()).hexdigest()
            said = {} if title is None else {"title": title}
            assert found[uri].properties == said
            assert found[uri].size == len(text)
            before = self.known.get(uri)
            if before is not None and before[0].token == found[uri].token is not None:
                assert before[1] == content, "an equal token of another text"
            self.known[uri] = found[uri], content
        uri = self.random.choice(IDS)
        assert connector.stat(identifiers.encode(uri)) == found.get(identifiers.encode(uri))


@pytest.mark.parametrize("dated", [True, pytest.param(False, marks=LONG)], ids=["dated", "hashed"])
def test_each_listing_is_the_table_of_that_moment(pages: Table, dated: bool, soak: bool) -> None:
    for seed in range(20 if soak else 1):
        model = Model(pages, seed)
        columns = {**COLUMNS, "text": "body", "updated_at": "updated_at" if dated else None}
        connector = pages.connector(columns=columns)
        # A server's steps take longer.
        for _ in range(STEPS if soak or pages.on_sqlite else STEPS // 4):
            model.step()
            model.check(connector)
        model.mend()
        model.check(connector)
        connector.close()
        pages.run("DELETE FROM pages")
