"""The settings of a database as a source. Importing them loads no library of a database."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.base import ConnectorSettings, check_url

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\+[A-Za-z][A-Za-z0-9]*)?")
#: The first word of a query, after blanks and comments.
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_EXAMPLE = "postgresql://user@host/database or sqlite:///file.db"


class Columns(BaseModel):
    """Names of columns that the query gives, by what they hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Says which row is which document: unique, never NULL."""
    text: str | None = None
    """The document, where it is text."""
    file: str | None = None
    """The document, where it is bytes: a PDF, a Word file."""
    format: str | None = None
    """The type of its bytes: a content type, a suffix or a file name."""
    title: str | None = None
    """Shown with each hit, where the document has no title of its own."""
    owner: str | None = None
    """The person or group that answers for the document, where it names none itself."""
    updated_at: str | None = None
    """Another one whenever the row's document is another one."""
    url: str | None = None
    """The link that a person opens."""

    @model_validator(mode="after")
    def _one_content(self) -> Columns:
        if (self.text is None) == (self.file is None):
            raise ValueError("needs `text` or `file`, and not both: a query with both makes two sources")
        return self


class SqlSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"url"})

    url: str = Field(repr=False)
    """The database, as SQLAlchemy spells it; ``sqlite:///file.db`` is relative to the configuration."""
    query: str
    """One SELECT, each of whose rows is a document."""
    columns: Columns
    """The columns of the query that hold the documents and what is said of them."""
    metadata: tuple[str, ...] = ()
    """Further columns that say something of the document, by front-matter names: last_reviewed …"""
    format: str | None = None
    """The type of every row's bytes, as a content type or a suffix; texts are Markdown without it."""
    timeout: float = Field(default=300, gt=0)
    """Seconds that the database may take for one statement, or for one portion of a long answer."""

    @field_validator("url")
    @classmethod
    def _url_names_a_database(cls, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if not rest or not _SCHEME.fullmatch(scheme):
            raise ValueError(f"is not the url of a database, such as {_EXAMPLE}")
        if scheme.lower().partition("+")[0] == "sqlite":
            if not rest.partition("?")[0].startswith("/") or rest.strip("/") in ("", ":memory:"):
                raise ValueError("names no file: sqlite:///file.db, or sqlite:////folder/file.db")
            return url
        return check_url(url, (scheme.lower(),), host=False)

    @field_validator("query")
    @classmethod
    def _query_selects(cls, query: str) -> str:
        found = _FIRST_WORD.match(query)
        if found is None or found[1].lower() not in ("select", "with"):
            raise ValueError("does not begin with SELECT or WITH; a source is only read")
        return query.rstrip().rstrip(";").rstrip()
