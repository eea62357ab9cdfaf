"""The store's door for its keys: what wraps them, wrapping them anew, and whether all of them still open."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.errors import ConnectorError, Erased, KeysOutOfReach
from connector.store import keyrows
from connector.store.adopting import KNOWN_BY
from connector.store.cipher import context
from connector.store.commits import Unit
from connector.store.door import Door
from connector.store.keyrows import KeyRow
from connector.store.keys import Wrapped, wipe
from connector.store.statement import instant, micros_now

_LOOKED: Final = 500  # records that one reading opens
_KEKS: Final = (
    "SELECT k.id, k.provider, k.key_id, k.since,"
    " (SELECT count(*) FROM wrapped_key AS w WHERE w.kek = k.id AND w.destroyed_at IS NULL)"
    " FROM kek AS k ORDER BY k.id"
)
_LEFT: Final = "kek <> ? AND destroyed_at IS NULL"
_ALIVE: Final = "destroyed_at IS NULL"
_ANEW: Final = "UPDATE wrapped_key SET kek = ?, wrapped = ? WHERE id = ? AND kek = ? AND destroyed_at IS NULL"
_COUNTS: Final = "SELECT count(*), count(destroyed_at), max(uses) FROM wrapped_key WHERE day <> ''"

Draft = Callable[[str, dict[str, Any]], Any]


class Kek(NamedTuple):
    """A key-encryption key. ``wraps``: how many keys are lost without it."""

    row: int
    provider: str
    key_id: str
    since: dt.datetime | None  # None: since before this was written down
    wraps: int


class Keys(NamedTuple):
    """What there is. ``keks``: in the order in which they became current, the last one is it."""

    keks: list[Kek]
    days: int
    destroyed: int
    most_uses: int


class Fault(NamedTuple):
    """Something that does not open: a wrapped key, or the record of a table."""

    what: str
    error: ConnectorError


class Rotating(Door):
    """Key-encryption keys and the keys that they wrap. ``draft`` makes an audit entry of tag and object."""

    async def keys(self) -> Keys:
        """What wraps what."""

        def read(connection: Connection) -> Keys:
            found = connection.exec_driver_sql(_KEKS).all()
            keks = [Kek(row, name, key, instant(at) if at else None, n) for row, name, key, at, n in found]
            days, destroyed, most = connection.exec_driver_sql(_COUNTS).one()
            return Keys(keks, days, destroyed, most or 0)

        return await self._read(read)

    async def rotate_keys(self, draft: Draft) -> str:
        """A new key-encryption key becomes the current one; its name. What is wrapped stays as it is.

        Raises what the provider raises, ``ConfigurationError`` where it is to be made elsewhere.
        """
        provider = self._desk.provider
        key_id = await asyncio.to_thread(provider.rotate)
        await self._current(provider.name, key_id, draft, anew=True)
        return key_id

    async def rewrap(self, draft: Draft) -> int:
        """Wrap anew what the current key-encryption key does not wrap, while the store is in use; how much.

        Broken off, it goes on where it was. Raises what the provider raises.
        """
        provider = self._desk.provider
        kek = await self._current(provider.name, await asyncio.to_thread(provider.current), draft)
        count, last = 0, -1
        while rows := await self._page(f"{_LEFT} AND w.id > ?", kek, last):
            wrapped = await asyncio.to_thread(self._wrapped_anew, rows)
            count += await self._kept(kek, rows, wrapped)
            last = rows[-1].number
        if count:
            await self._say(draft("keys:rewrapped", {"count": count}))
        return count

    async def _page(self, where: str, *values: int) -> list[KeyRow]:
        return await self._read(lambda connection: keyrows.page(connection, where, *values))

    async def _kept(self, kek: int, rows: Sequence[KeyRow], wrapped: Sequence[Wrapped]) -> int:
        return await self._write(lambda unit: _keep(unit, kek, rows, wrapped))

    async def _say(self, entry: Any) -> None:
        await self._write(lambda unit: unit.record([entry]))

    def _wrapped_anew(self, rows: Sequence[KeyRow]) -> list[Wrapped]:
        done = []
        for row in rows:
            key = self._desk.provider.unwrap(row.wrapped, row.context)
            try:
                done.append(self._desk.provider.wrap(key, row.context))
            finally:
                wipe(key)
        return done

    async def _current(self, provider: str, key_id: str, draft: Draft, *, anew: bool = False) -> int:
        """The row of the key-encryption key that wraps now; a new one is put on record."""

        def keep(unit: Unit) -> int:
            known = keyrows.latest(unit.connection)
            if not anew and known is not None and known[1:] == (provider, key_id):
                return known[0]
            unit.record([draft("keys:rotated", {"provider": provider, "key": key_id})])
            return keyrows.new_kek(unit.connection, provider, key_id, micros_now())

        return await self._write(keep)

    async def forget_keys(self, draft: Draft) -> list[str]:
        """Take key-encryption keys of the current provider away that wrap nothing any more; which.

        Raises ``ConfigurationError`` where that is to be done elsewhere.
        """
        provider, found = self._desk.provider, (await self.keys()).keks
        needed = {one.key_id for one in found if one.wraps or one is found[-1]}
        asked = dict.fromkeys(one.key_id for one in found if one.provider == provider.name)
        gone = [key_id for key_id in asked if key_id not in needed]
        for key_id in gone:
            if await asyncio.to_thread(provider.forget, key_id):
                await self._say(draft("keys:forgotten", {"provider": provider.name, "key": key_id}))
        return gone

    async def verify_keys(self, draft: Draft, *, records: bool) -> tuple[int, list[Fault]]:
        """Unwrap every key, with ``records`` every data key too; how many, and what does not open."""
        count, last = 0, -1
        faults: list[Fault] = []
        while rows := await self._page(f"{_ALIVE} AND w.id > ?", last):
            faults += await asyncio.to_thread(self._unopened, rows)
            count, last = count + len(rows), rows[-1].number
        for table in KNOWN_BY if records else ():
            more, found = await self._table(table)
            count, faults = count + more, faults + found
        await self._say(draft("keys:verified", {"count": count, "faults": len(faults)}))
        return count, faults

    def _unopened(self, rows: Sequence[KeyRow]) -> list[Fault]:
        found = []
        for row in rows:
            try:
                wipe(self._desk.provider.unwrap(row.wrapped, row.context))
            except KeysOutOfReach:
                raise
            except ConnectorError as error:
                found.append(Fault(f"key of {row.partner} {row.day}" if row.day else "root", error))
        return found

    async def _table(self, table: str) -> tuple[int, list[Fault]]:
        count, last = 0, 0
        faults: list[Fault] = []
        names, known = KNOWN_BY[table]
        sql = (
            f"SELECT rowid AS place, link, data_key, {names} FROM {table}"  # noqa: S608 - words of ours
            f" WHERE rowid > ? AND data_key <> x'' ORDER BY rowid LIMIT {_LOOKED}"
        )

        def looked(connection: Connection) -> tuple[int, int, list[Fault]]:
            rows = connection.exec_driver_sql(sql, (last,)).mappings().all()
            found = []
            for row in rows:
                try:
                    bound = context(table, known(row), row["link"])
                    key = self._keys.reading(row["data_key"]).unwrap(row["data_key"], bound)
                    wipe(key)
                except Erased:
                    pass
                except ConnectorError as error:
                    found.append(Fault(f"{table} {row['place']}", error))
            return len(rows), rows[-1]["place"] if rows else 0, found

        while True:
            some, last, found = await self._read(looked)
            if not some:
                return count, faults
            count, faults = count + some, faults + found


def _keep(unit: Unit, kek: int, rows: Sequence[KeyRow], wrapped: Sequence[Wrapped]) -> int:
    return sum(
        unit.connection.exec_driver_sql(_ANEW, (kek, new.blob, row.number, row.kek)).rowcount
        for row, new in zip(rows, wrapped)
    )
