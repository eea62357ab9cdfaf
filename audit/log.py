"""Appending: inside the caller's transaction, so that a thing and its entry are both there or neither is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from audit import schema
from audit.canonical import canonical
from audit.clock import KnownError
from audit.entry import Drafted, entry
from audit.merkle import leaf_hash
from audit.tiles import fitting
from audit.vocabulary import check

if TYPE_CHECKING:  # who only verifies needs nothing but the standard library
    from sqlalchemy import Connection

BEFORE_THE_FIRST: Final = bytes(32)


class LogAltered(RuntimeError):
    """The log's table or its triggers are not as they were made."""


class AuditLog:
    """The log in the database of its caller. Holds no state: the head is read in each transaction."""

    def __init__(
        self,
        uncertainty: Callable[[], int | None] | None = None,
        check: Callable[[Drafted], None] = check,
    ) -> None:
        """``uncertainty``: the known error of the clock in milliseconds; asked of the system if not given.
        ``check``: raises ``EntryRefused`` for a draft that says what is not documented."""
        self._uncertainty, self._check = uncertainty or KnownError(), check

    def install(self, connection: Connection, *, new: bool = True) -> None:
        """Make table and triggers in a ``new`` database, or see that they are there.

        Raises ``LogAltered`` where they are missing or not as made: to repair that in silence would hide
        what was done meanwhile.
        """
        present = {str(name): str(sql) for name, sql in connection.exec_driver_sql(schema.PRESENT)}
        if new and not present:
            for sql in schema.CREATE.values():
                connection.exec_driver_sql(sql)
        elif wrong := schema.altered(present):
            raise LogAltered(f"altered: {', '.join(wrong)}")

    def append(self, connection: Connection, drafts: Sequence[Drafted]) -> None:
        """Add entries in the order given, numbered without gaps and chained by hash.

        Must run in a transaction that already writes (SQLite: ``BEGIN IMMEDIATE``), so that nobody else
        appends between the reading of the head and the commit. Raises ``EntryRefused``
        (also for an entry too long for a bundle of the tree), ``NotCanonical`` and what the database
        raises: the caller then rolls back.
        """
        if not drafts:
            return
        length, previous = self.head(connection)
        uncertainty = self._uncertainty()
        rows: list[tuple[int, str, bytes]] = []
        for seq, draft in enumerate(drafts, start=length + 1):
            self._check(draft)
            leaf = canonical(entry(draft, seq, previous, uncertainty))
            fitting(leaf)
            previous = leaf_hash(leaf)
            rows.append((seq, leaf.decode("utf-8"), previous))
        connection.exec_driver_sql(schema.APPEND, rows)

    def head(self, connection: Connection) -> tuple[int, bytes]:
        """Number and hash of the last entry; 0 and 32 zero bytes if there is none."""
        row = connection.exec_driver_sql(schema.HEAD).first()
        return (int(row[0]), bytes(row[1])) if row else (0, BEFORE_THE_FIRST)
