"""Takes over a store of the first form, whose data keys the key-encryption key itself had wrapped.

Every data key is wrapped anew by the key of its partner and day, in the transaction that migrates: all of it
or nothing. What lies in the columns is not touched, and the keys of the blind indexes stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, RowMapping

from connector.store import keyrows
from connector.store.chance import fresh_key
from connector.store.cipher import FIRST, context
from connector.store.keyring import DAY_MICROS, DayKey
from connector.store.keyrows import KeyRow
from connector.store.keys import FileKeyProvider, KeyProvider

_TOGETHER: Final = 1000
Known = Callable[[RowMapping], str]

# table: its columns that say which record it is and of which day, and how they say it
KNOWN_BY: Final[dict[str, tuple[str, Known]]] = {
    "inbox": ("uid, content, received_at AS at", lambda row: f"{row['uid']}:{row['content'].hex()}"),
    "outbox": (
        "uid, direction, (SELECT received_at FROM inbox WHERE inbox.id = inbox_id) AS at",
        lambda row: f"{row['uid']}:{row['direction']}",
    ),
    "quarantine": ("uid, received_at AS at", lambda row: str(row["uid"])),
    "conflict": ("uid, at", lambda row: str(row["uid"])),
    "journal_resource": ("resource, 0 AS at", lambda row: str(row["resource"].hex())),
    "journal_text": ("uid, 0 AS at", lambda row: str(row["uid"])),
}


class Adopting:
    """Works on the connection that migrates. ``file``: the key of the store so far; ``micros``: now."""

    def __init__(self, connection: Connection, keys: KeyProvider, file: FileKeyProvider, micros: int) -> None:
        self._connection, self._keys, self._file, self._micros = connection, keys, file, micros
        self._made: dict[tuple[str, int], DayKey] = {}
        self._uses: dict[int, int] = {}

    def adopt(self) -> None:
        """Wrap every data key anew. Raises ``KeyUnavailable``, ``Tampered``."""
        for table in KNOWN_BY:
            for row in self._rows(table):
                self._one(table, row)
        for number, times in self._uses.items():
            self._connection.exec_driver_sql("UPDATE wrapped_key SET uses = ? WHERE id = ?", (times, number))

    def _rows(self, table: str) -> Iterator[RowMapping]:
        names, last = KNOWN_BY[table][0], 0
        sql = (
            f"SELECT rowid AS place, link, data_key, {names} FROM {table}"  # noqa: S608 - words of ours
            f" WHERE rowid > ? ORDER BY rowid LIMIT {_TOGETHER}"
        )
        while some := self._connection.exec_driver_sql(sql, (last,)).mappings().all():
            yield from some
            last = some[-1]["place"]

    def _one(self, table: str, row: RowMapping) -> None:
        bound = context(table, KNOWN_BY[table][1](row), row["link"])
        data_key = self._file.unwrap_first(row["data_key"], FIRST + bound)
        day_key = self._day_key(row["link"], (row["at"] or self._micros) // DAY_MICROS)
        self._uses[day_key.number] = self._uses.get(day_key.number, 0) + 1
        self._connection.exec_driver_sql(
            f"UPDATE {table} SET data_key = ? WHERE rowid = ?",  # noqa: S608 - words of ours
            (day_key.wrap(data_key, bound), row["place"]),
        )

    def _day_key(self, partner: str, day: int) -> DayKey:
        known = self._made.get((partner, day))
        if known is None:
            key, number, name = fresh_key(), keyrows.new_number(), keyrows.name_of(day)
            wrapped = self._keys.wrap(key, keyrows.context(number, partner, name))
            kek = keyrows.kek_of(self._connection, wrapped, self._micros)
            row = KeyRow(number, partner, name, 0, wrapped, False, kek)
            keyrows.put(self._connection, row, self._micros)
            known = self._made[partner, day] = DayKey(number, partner, day, 0, key)
        return known
