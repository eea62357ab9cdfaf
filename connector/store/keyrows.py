"""The tables of keys: which key-encryption keys there are, and what they wrap."""

from __future__ import annotations

import datetime as dt
import secrets
from contextlib import closing
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.errors import Erased, Tampered
from connector.store import keyring
from connector.store.cipher import framed
from connector.store.keyring import NONE, DayKey, Keyring, KeyWanted
from connector.store.keys import KeyProvider, Wrapped
from connector.store.statement import driver

_PAGE: Final = 50
_EPOCH: Final = dt.date(1970, 1, 1)
_ROW: Final = (
    "SELECT w.id, w.partner, w.day, w.uses, w.wrapped, k.provider, k.key_id, w.destroyed_at, w.kek"
    " FROM wrapped_key AS w JOIN kek AS k ON k.id = w.kek"
)
_ROOT: Final = f"{_ROW} WHERE w.partner = '' AND w.day = ''"
_ONE: Final = f"{_ROW} WHERE w.id = ?"
_CURRENT: Final = (
    f"{_ROW} WHERE w.partner = ? AND w.day = ? AND w.destroyed_at IS NULL AND w.uses < ?"
    " ORDER BY w.uses DESC, w.id LIMIT 1"
)
_PUT: Final = (
    "INSERT INTO wrapped_key (id, partner, day, kek, wrapped, uses, made_at) VALUES (?, ?, ?, ?, ?, 0, ?)"
)
_USED: Final = "UPDATE wrapped_key SET uses = uses + ? WHERE id = ? AND destroyed_at IS NULL"
_LAST_DESTROYED: Final = "SELECT max(destroyed_at) FROM wrapped_key WHERE destroyed_at IS NOT NULL"
_DESTROYED_SINCE: Final = "SELECT id FROM wrapped_key WHERE destroyed_at > ?"
_LATEST: Final = "SELECT id, provider, key_id FROM kek ORDER BY id DESC LIMIT 1"
_KNOWN: Final = "SELECT max(id) FROM kek WHERE provider = ? AND key_id = ?"
_NEW: Final = "INSERT INTO kek (provider, key_id, since) VALUES (?, ?, ?)"


class KeyRow(NamedTuple):
    """One row of ``wrapped_key``. ``kek``: the row of the key-encryption key that wraps it."""

    number: int
    partner: str
    day: str
    uses: int
    wrapped: Wrapped
    destroyed: bool
    kek: int

    @property
    def context(self) -> bytes:
        """What its wrapping is bound to."""
        return context(self.number, self.partner, self.day)


def context(number: int, partner: str, day: str) -> bytes:
    """What the wrapping of a key is bound to: it can be put into the place of no other."""
    return b"\x02" + b"".join(map(framed, ("wrapped_key", str(number), partner, day)))


def new_number() -> int:
    """For a key that is not there yet: 63 random bits, for the number is bound to what is wrapped."""
    return secrets.randbits(63) or 1


def name_of(day: int) -> str:
    """``2026-11-23`` of days since 1970."""
    return (_EPOCH + dt.timedelta(days=day)).isoformat()


def root(connection: Connection) -> KeyRow | None:
    """The root, which there is in every store that was opened once."""
    return _row(connection.exec_driver_sql(_ROOT).first())


def one(connection: Connection, number: int) -> KeyRow:
    """A day key. Raises ``Erased`` where it was destroyed, ``Tampered`` where there is none."""
    row = _row(connection.exec_driver_sql(_ONE, (number,)).first())
    if row is None:
        raise Tampered("a record names a key that there is not", location="wrapped_key.id")
    if row.destroyed:
        raise Erased("the key of this partner and day was destroyed")
    return row


def current(connection: Connection, partner: str, day: str) -> KeyRow | None:
    """The key that wraps for a partner and day, if there is one that may still do so."""
    return _row(connection.exec_driver_sql(_CURRENT, (partner, day, keyring.USES)).first())


def page(connection: Connection, where: str, *values: int) -> list[KeyRow]:
    """The next of those that a condition (words of ours) names, by their numbers."""
    sql = f"{_ROW} WHERE {where} ORDER BY w.id LIMIT {_PAGE}"
    found = [_row(row) for row in connection.exec_driver_sql(sql, values).all()]
    return [row for row in found if row is not None]


def latest(connection: Connection) -> tuple[int, str, str] | None:
    """The current key-encryption key: its row, provider and name."""
    found = connection.exec_driver_sql(_LATEST).first()
    return (int(found[0]), str(found[1]), str(found[2])) if found is not None else None


def put(connection: Connection, row: KeyRow, micros: int) -> None:
    """A new key."""
    values = (row.number, row.partner, row.day, row.kek, row.wrapped.blob, micros)
    connection.exec_driver_sql(_PUT, values)


def kek_of(connection: Connection, wrapped: Wrapped, micros: int) -> int:
    """The row of the key-encryption key that wrapped something, made where it was not known before.

    0 where another one has come since: what it wraps is to be wrapped again.
    """
    now = latest(connection)
    if now is not None and now[1:] == (wrapped.provider, wrapped.key_id):
        return now[0]
    known = connection.exec_driver_sql(_KNOWN, (wrapped.provider, wrapped.key_id)).scalar()
    return 0 if known is not None else new_kek(connection, wrapped.provider, wrapped.key_id, micros)


def new_kek(connection: Connection, provider: str, key_id: str, micros: int) -> int:
    """A key-encryption key becomes the current one; its row."""
    return int(connection.exec_driver_sql(_NEW, (provider, key_id, micros)).lastrowid)


def count(connection: Connection, ring: Keyring) -> None:
    """Say how often keys have wrapped, in the transaction whose records they are in.

    Raises ``KeyWanted`` where one was destroyed meanwhile: nothing may be kept that it wrapped.
    """
    alive = True
    for number, times in ring.unsaid().items():
        if not driver(connection).execute(_USED, (times, number)).rowcount:
            ring.drop(number)
            alive = False
    ring.said()
    if not alive:
        raise KeyWanted(NONE)


class Destroyed:
    """Keeps the keyring from using keys that somebody else has destroyed, by a look before each reading."""

    def __init__(self, ring: Keyring) -> None:
        self._ring, self._known = ring, 0

    def look(self, connection: Connection) -> None:
        """Drop what was destroyed since the last look."""
        with closing(driver(connection).execute(_LAST_DESTROYED)) as found:
            last = int(found.fetchone()[0] or 0)
        if last != self._known:
            for (number,) in connection.exec_driver_sql(_DESTROYED_SINCE, (self._known,)).all():
                self._ring.drop(int(number))
            self._known = last


def unwrapped(row: KeyRow, provider: KeyProvider) -> DayKey:
    """The key itself. Asks the provider; raises what it raises."""
    day = (dt.date.fromisoformat(row.day) - _EPOCH).days
    return DayKey(row.number, row.partner, day, row.uses, provider.unwrap(row.wrapped, row.context))


def _row(found: Any) -> KeyRow | None:
    if found is None:
        return None
    number, partner, day, uses, blob, provider, key_id, destroyed_at, kek = found
    wrapped = Wrapped(provider, key_id, blob)
    return KeyRow(number, partner, day, uses, wrapped, destroyed_at is not None, kek)
