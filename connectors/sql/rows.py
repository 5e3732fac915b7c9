"""The user's query, wrapped: the columns that it gives, its rows as entries, one row by its id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from connectors.base import Entry, SourceUnavailable
from connectors.sql import identifiers
from connectors.sql.content import bytes_of, content_of
from connectors.sql.database import Snapshot
from connectors.sql.moments import Moment, moment
from connectors.sql.settings import SqlSettings

_TEXT_FORMAT = "text/markdown"
_EMPTY = hashlib.sha256(b"").hexdigest()
#: PostgreSQL's codes of types.
_BYTES, _TEXTS = 17, (25, 1042, 1043)


def _whole(text: str) -> int:
    if not -(1 << 63) <= (number := int(text)) < 1 << 63:
        raise ValueError
    return number


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if number.is_finite() and abs(number.adjusted()) > identifiers.LENGTH_MAX:
        raise ValueError
    return number


#: Of types whose values Python may write otherwise than the database: the type of a parameter, and the value
#: of a text that Python has written.
_VALUES: dict[int, tuple[sa.types.TypeEngine[Any], Callable[[str], object]]] = {
    **dict.fromkeys((20, 21, 23), (sa.BigInteger(), _whole)),
    700: (sa.REAL(), float),
    701: (sa.Double(), float),
    1700: (sa.Numeric(), _decimal),
    1082: (sa.Date(), date.fromisoformat),
    1114: (sa.DateTime(), datetime.fromisoformat),
    1184: (sa.DateTime(timezone=True), datetime.fromisoformat),
    2950: (sa.Uuid(), UUID),
}
#: What says something of a document: name of the property, and of the key of `columns`.
_SAYING = ("title", "owner", "url")


class Found(NamedTuple):
    """A row with this id, and its content when that is not too large."""

    entry: Entry
    body: object


class Rows:
    """A query as a database understands it now."""

    def __init__(self, settings: SqlSettings, source: str, snapshot: Snapshot) -> None:
        """Raises SourceUnavailable when the query lacks a column that the settings name."""
        self._settings = settings
        query = _literal(settings.query)
        # With a parameter: PostgreSQL takes several statements where there is none.
        everything = sa.select(sa.text("*")).select_from(sa.text(query).columns().subquery("q"))
        described = snapshot.columns(everything.where(sa.literal(1) == 0))
        self._types = dict(described)
        self._given = [name for name, _ in described]
        self._source = source
        named = settings.columns
        wanted = {key: column for key, column in named.model_dump().items() if column is not None}
        names = {key: self._column(column, f"columns.{key}") for key, column in wanted.items()}
        asked = {column: self._column(column, "metadata") for column in settings.metadata}
        here = dict.fromkeys([*names.values(), *asked.values()])
        self._q = sa.text(query).columns(*(sa.column(name) for name in here)).subquery("q")
        self._id = self._q.c[names["id"]]
        self._id_type = self._types[names["id"]]
        self._dialect = snapshot.dialect
        self._saying = [(key, names[key]) for key in _SAYING if key in names] + list(asked.items())
        content = names["text" if named.text is not None else "file"]
        if snapshot.dialect == "postgresql" and named.text is not None and self._types[content] == _BYTES:
            raise self._wrong(f"its column {content!r} holds bytes: name it as columns.file")
        self._content = content_of(
            self._q.c[content], snapshot.dialect, is_text=named.text is not None, utf8=snapshot.utf8
        )
        self._updated_at = self._q.c[names["updated_at"]] if "updated_at" in names else None
        self._format = self._q.c[names["format"]] if "format" in names else None

    # ── Questions ─────────────────────────────────────────────────────────────────────────────────────

    def entries(self, snapshot: Snapshot, errors: MutableSequence[str]) -> Iterator[Entry]:
        """Every row as an entry, in the database's order. A row that identifies no document becomes a
        sentence in `errors`."""
        now, nameless = self._now(snapshot), 0
        for row in snapshot.rows(self._listing()):
            if row[0] is None:
                nameless += 1
                continue
            try:
                yield self._entry(row, identifiers.text_of(row[0]), now)
            except ValueError as error:
                errors.append(str(error))
        if nameless:
            errors.append(
                f"{nameless:,} rows have no id: {self._id.name!r} is NULL. Leave them out of the query, or "
                "give them one."
            )

    def find(self, snapshot: Snapshot, identifier: str) -> list[Entry]:
        """The rows with this id: one or none, unless ids are not unique."""
        found = self._with_id(snapshot, self._listing(), identifier)
        now = self._now(snapshot) if found else 0
        return [self._entry(row, identifier, now) for row in found]

    def read(self, snapshot: Snapshot, identifier: str, max_size: int) -> list[Found]:
        """The same with their contents. One above `max_size` bytes is not read where the database counts."""
        body, size = self._content.body, self._content.size
        if size is not None:
            body = sa.case((size <= max_size, body))
        listing = self._listing()
        found = self._with_id(snapshot, listing.add_columns(body.label("body")), identifier)
        now = self._now(snapshot) if found else 0
        return [Found(self._entry(row, identifier, now), row[-1]) for row in found]

    # ── Statements ────────────────────────────────────────────────────────────────────────────────────

    def _listing(self) -> sa.Select[Any]:
        """Id, time, format, size, hash or content, and what the source says: in this order."""
        nothing = sa.null()
        size, digest = self._content.size, self._content.digest
        fingerprint: sa.ColumnElement[Any] | None = None
        if self._updated_at is None:
            fingerprint = self._content.body if digest is None else digest
        columns = (self._id, self._updated_at, self._format, size, fingerprint)
        return sa.select(
            *((nothing if column is None else column).label(f"c{at}") for at, column in enumerate(columns)),
            *(self._q.c[name].label(f"p{at}") for at, (_, name) in enumerate(self._saying)),
        )

    def _with_id(self, snapshot: Snapshot, query: sa.Select[Any], identifier: str) -> list[sa.Row[Any]]:
        for condition, given in self._conditions(identifier):
            rows = snapshot.few(query.where(condition), {"id": given})
            if found := [row for row in rows if row[0] is not None and str(row[0]) == identifier]:
                return found
        return []

    def _conditions(self, identifier: str) -> Iterator[tuple[sa.ColumnElement[bool], object]]:
        """What rows with this id meet: conditions that an index of the id's column may answer come first."""
        same = sa.cast(self._id, sa.Text if self._dialect != "mysql" else sa.String) == _given(sa.Text())
        if self._dialect != "postgresql":
            yield self._id == _given(sa.types.NullType()), identifier
            yield same, identifier
        elif self._id_type in _VALUES:
            type, value = _VALUES[self._id_type]
            try:
                given = value(identifier)
            except (ValueError, ArithmeticError):
                # No value of this type is written so.
                return
            yield self._id == sa.cast(_given(type), type), given
        elif self._id_type in _TEXTS:
            # Of no type, so that it takes the column's: blanks at the end of a CHAR do not count.
            yield self._id == _given(sa.types.NullType()), identifier
        else:
            yield same, identifier

    def _now(self, snapshot: Snapshot) -> int:
        return 0 if self._updated_at is None else snapshot.now()

    def _column(self, name: str, key: str) -> str:
        """The query's column of this name; letters may be in another case when that leaves one."""
        near = [given for given in self._given if given.lower() == name.lower()]
        found = [given for given in near if given == name] or near
        if len(found) == 1:
            return found[0]
        if found:
            raise self._wrong(f"it gives {len(found)} columns {name!r} ({key}); rename them with AS")
        given = ", ".join(dict.fromkeys(self._given)) or "none"
        raise self._wrong(f"it gives no column {name!r} ({key}); it gives: {given}")

    def _wrong(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"The query of source {self._source!r} cannot be used: {why}.")

    # ── Entries ───────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, row: Sequence[Any], identifier: str, now: int) -> Entry:
        _, updated_at, format, size, fingerprint, *rest = row
        counted = self._content.size is not None
        changed = None if updated_at is None else moment(updated_at)
        if self._updated_at is not None:
            size = (size or 0) if counted else None
            token = _token(changed, size, now)
        elif self._content.digest is None:
            body = bytes_of(fingerprint)
            size, token = len(body), hashlib.sha256(body).hexdigest()
        else:
            size, token = size or 0, fingerprint or _EMPTY
        # The columns that say something, without the content that `read` appends.
        said = {
            name: _text(value)
            for (name, _), value in zip(self._saying, rest, strict=False)
            if value is not None
        }
        return Entry(
            identifiers.encode(identifier),
            token,
            size,
            None if changed is None else changed.at,
            None,
            said if self._saying else None,
            self._format_of(format),
        )

    def _format_of(self, stated: object) -> str | None:
        """The row's own format, else the one of all rows; None where the uri's suffix tells."""
        given = "" if stated is None else str(stated).strip()
        given = given or self._settings.format or ""
        if not given:
            return _TEXT_FORMAT if self._settings.columns.text is not None else None
        return given if "/" in given else f".{given.rpartition('.')[2]}"


def _literal(query: str) -> str:
    """The query for `sa.text`, which takes ``:name`` for a parameter; a comment at its end ends with it."""
    return query.replace(":", "\\:") + "\n"


def _token(changed: Moment | None, size: int | None, now: int) -> str | None:
    """None while another change may get the same time."""
    return None if changed is None or not changed.settled(now) else f"{changed.text} {size}"


def _given(type: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam("id", type_=type)


def _text(value: object) -> str:
    """The value of a property, without what no text may hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    said = value.isoformat() if isinstance(value, date) else str(value)
    return said.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "�")
