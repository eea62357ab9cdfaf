"""Core statements, compiled once and given to the driver itself: the hot path pays for SQL only.

SQLAlchemy says what a statement is in the words of the database and keeps the connection; it takes no part
in the execution of one, whose results come as the driver gives them (PEP 249).
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any, Final, TypeVar, cast

from sqlalchemy import ClauseElement, Connection, Insert, Select, Table, bindparam, insert
from sqlalchemy.dialects import sqlite

from connector.errors import StoreUnavailable

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)

Found = TypeVar("Found")
Row = Mapping[str, Any]
"""One row by the names of its columns."""


class Statement:
    """One Core statement. Parameters are given by name; values reach SQLite unconverted.

    Whatever reads closes its cursor: one that stays open keeps the reader at what it saw then.
    """

    __slots__ = ("_columns", "_constants", "_names", "text")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        self._constants = {name: one for name, one in compiled.params.items() if one is not None}
        self._columns = tuple(clause.selected_columns.keys()) if isinstance(clause, Select) else ()

    def run(self, connection: Connection, **values: Any) -> sqlite3.Cursor:
        """Execute with a value for every name."""
        given = self._constants | values if self._constants else values
        return driver(connection).execute(self.text, [given[name] for name in self._names])

    def insert(self, connection: Connection, **values: Any) -> int:
        """Execute; the number of the row that it made."""
        return int(self.run(connection, **values).lastrowid or 0)

    def all(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Every row that it finds."""
        return self.run(connection, **values).fetchall()

    def first(self, connection: Connection, **values: Any) -> tuple[Any, ...] | None:
        """The first row that it finds."""
        with closing(self.run(connection, **values)) as cursor:
            return cast("tuple[Any, ...] | None", cursor.fetchone())

    def each(self, connection: Connection, **values: Any) -> Generator[Row]:
        """Every row that it finds, by the names of the columns, read one by one."""
        with closing(self.run(connection, **values)) as cursor:
            for row in cursor:
                yield dict(zip(self._columns, row))

    def rows(self, connection: Connection, **values: Any) -> list[Row]:
        """As ``all``, by the names of the columns."""
        return list(self.each(connection, **values))

    def row(self, connection: Connection, **values: Any) -> Row | None:
        """As ``first``, by the names of the columns."""
        found = self.first(connection, **values)
        return None if found is None else dict(zip(self._columns, found))


def there(found: Found | None) -> Found:
    """A row that must be there. Raises ``StoreUnavailable`` where it is not."""
    if found is None:
        raise StoreUnavailable("the database lacks a row that it must have")
    return found


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)


def fresh(table: Table) -> Insert:
    """An insert of one row with every column but a generated ``id``."""
    names = [one.name for one in table.c if one.name != "id"]
    return insert(table).values({name: bindparam(name) for name in names})


def micros(at: dt.datetime) -> int:
    """Microseconds since 1970 in UTC; ``at`` must be aware."""
    return (at - _EPOCH) // _MICROSECOND


def micros_now() -> int:
    """Microseconds since 1970, by the clock of this machine."""
    return micros(dt.datetime.now(dt.UTC))


def instant(micros: int) -> dt.datetime:
    """The reverse of ``micros``."""
    return _EPOCH + micros * _MICROSECOND
