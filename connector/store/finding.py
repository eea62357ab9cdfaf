"""Finding messages by whom and what they are about, without keeping that: blind indexes.

For each identifier of a message there are two, each cut to 128 bits (RFC 2104, section 5), under keys of
their own for each kind: of the value, and of the value with its authority. Values are compared without regard
to case and to blanks around them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from connector.store.cipher import BlindIndex
from connector.store.keyring import Keyring
from connector.store.records import About, Kind

_BYTES: Final = 16
_NUMBERS: Final = {Kind.MRN: 1, Kind.ACCOUNT: 2, Kind.ACCESSION: 3, Kind.CONTROL_ID: 4}
_PUT: Final = "INSERT OR IGNORE INTO blind_index (kind, value, qualified, inbox_id) VALUES (?, ?, ?, ?)"
_FOUND: Final = (
    "SELECT DISTINCT inbox_id FROM blind_index WHERE kind = ? AND value = ? AND inbox_id > ?"
    " ORDER BY inbox_id LIMIT ?"
)
_FOUND_OF: Final = (
    "SELECT DISTINCT inbox_id FROM blind_index WHERE kind = ? AND value = ? AND qualified = ?"
    " AND inbox_id > ? ORDER BY inbox_id LIMIT ?"
)
_COPY: Final = (
    "INSERT OR IGNORE INTO blind_index (kind, value, qualified, inbox_id)"
    " SELECT kind, value, qualified, ? FROM blind_index WHERE inbox_id = ?"
)
_FORGET: Final = "DELETE FROM blind_index WHERE inbox_id = ?"


class IndexRows:
    """The indexes: every method works on a connection of its caller."""

    def __init__(self, ring: Keyring) -> None:
        self._value = {kind: BlindIndex(ring, f"search.{kind}") for kind in Kind}
        self._qualified = {kind: BlindIndex(ring, f"search.{kind}.authority") for kind in Kind}

    def put(self, connection: Connection, row: int, about: Iterable[About]) -> None:
        """What a received message is about."""
        rows = [
            (_NUMBERS[one.kind], self._of(one), self._whole(one), row) for one in about if normal(one.value)
        ]
        if rows:
            connection.exec_driver_sql(_PUT, rows)

    def copy(self, connection: Connection, row: int, of: int) -> None:
        """A corrected copy is about what its original is about, whatever else."""
        connection.exec_driver_sql(_COPY, (row, of))

    def found(self, connection: Connection, one: About, after: int, limit: int) -> list[int]:
        """The messages that are about it, behind the row ``after``; its authority counts if it is named."""
        kind, value = _NUMBERS[one.kind], self._of(one)
        if one.authority:
            values: tuple[object, ...] = (kind, value, self._whole(one), after, limit)
            rows = connection.exec_driver_sql(_FOUND_OF, values)
        else:
            rows = connection.exec_driver_sql(_FOUND, (kind, value, after, limit))
        return [int(row[0]) for row in rows.all()]

    def forget(self, connection: Connection, row: int) -> None:
        """It is not to be found any more."""
        connection.exec_driver_sql(_FORGET, (row,))

    def _of(self, one: About) -> bytes:
        return self._value[one.kind].of(normal(one.value))[:_BYTES]

    def _whole(self, one: About) -> bytes:
        return self._qualified[one.kind].of(normal(one.value), one.authority)[:_BYTES]


def normal(value: str) -> str:
    """How values are compared: NFKC, upper case, no blanks around."""
    return unicodedata.normalize("NFKC", value).strip().upper()
