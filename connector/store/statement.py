"""Core statements, compiled once and handed to the driver as they are: the hot path pays for SQL only."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, CursorResult, Insert, Table, bindparam, insert
from sqlalchemy.dialects import sqlite

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


class Statement:
    """One Core statement. Parameters are given by name; values reach SQLite unconverted."""

    __slots__ = ("_constants", "_names", "text")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        self._constants = {name: one for name, one in compiled.params.items() if one is not None}

    def run(self, connection: Connection, **values: Any) -> CursorResult[*tuple[Any, ...]]:
        """Execute with a value for every name."""
        given = self._constants | values if self._constants else values
        return connection.exec_driver_sql(self.text, tuple([given[name] for name in self._names]))


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
