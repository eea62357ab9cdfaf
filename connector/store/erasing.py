"""The store's door for erasing: data keys are destroyed, and with them what they protect.

A record's data key lies in its row, a day's in the table of wrapped keys. What is erased leaves its number,
link, times and state, so that counts and the audit log stay what they are; nobody can read it, find it or
send it again. A copy of the database from before has it still, as far as somebody has the keys for it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.errors import MovedOn
from connector.store.commits import Unit
from connector.store.door import Door
from connector.store.keyring import DAY_MICROS
from connector.store.records import About, Acknowledgment, Delivery, State
from connector.store.statement import micros_now

REASON: Final = "Erased"  # as the error of what was still to be delivered
_AT_ONCE: Final = 100  # records in one transaction, and numbers in one audit entry
_EPOCH: Final = dt.date(1970, 1, 1)
_LOG_SECONDS: Final = 5.0

_ONE: Final = "SELECT uid, state, acknowledgment FROM inbox WHERE id = ?"
_MADE: Final = "SELECT id, uid, delivery FROM outbox WHERE inbox_id = ?"
_FAMILY: Final = "SELECT id FROM inbox WHERE version_of = ? UNION SELECT version_of FROM inbox WHERE id = ?"
_OF_DAY: Final = (
    "SELECT id FROM inbox WHERE link = ? AND received_at >= ? AND received_at < ? AND data_key <> x''"
    " ORDER BY id"
)
_KEYS: Final = "SELECT id FROM wrapped_key WHERE partner = ? AND day = ? AND destroyed_at IS NULL"
_DESTROY: Final = (
    "UPDATE wrapped_key SET wrapped = x'', destroyed_at ="
    " max(?, 1 + (SELECT coalesce(max(destroyed_at), 0) FROM wrapped_key)) WHERE id = ?"
)
_NOT_OWED: Final = "UPDATE inbox SET acknowledgment = 'not owed' WHERE id = ? AND acknowledgment = 'pending'"
_WIPE: Final = (
    "UPDATE inbox SET data_key = x'', meta = x'', answer = x'', lost = NULL, payload = x'' WHERE id = ?",
    "UPDATE outbox SET data_key = x'', meta = x'', payload = x'' WHERE inbox_id = ?",
    "DELETE FROM journal_message WHERE text_uid IN (SELECT uid FROM journal_text WHERE inbox_id = ?)",
    "DELETE FROM journal_text WHERE inbox_id = ?",
    "DELETE FROM journal_resource WHERE inbox_id = ?",
)
_CONFLICT: Final = "DELETE FROM conflict WHERE source = ?"

Draft = Callable[[str, dict[str, Any]], Any]


class Gone(NamedTuple):
    """What was erased. ``log``: nothing of it is left in SQLite's log either."""

    records: int
    keys: int
    log: bool


class Erasing(Door):
    """``draft`` makes an audit entry of tag and object. ``even_waiting``: also what is still to be delivered,
    which then becomes a dead letter; otherwise that raises ``MovedOn`` and nothing is erased."""

    async def erase_about(
        self, asked: Iterable[About], draft: Draft, what: dict[str, Any], *, even_waiting: bool = False
    ) -> Gone:
        """Every message that is about one of these. ``what``: for the audit entries, a pseudonym."""
        wanted = list(asked)
        rows: set[int] = set()
        for one in wanted:
            last = 0
            while some := await self._some_about(one, last):
                rows |= {*some}
                last = some[-1]
        return await self._erased(sorted(rows), draft, what, even_waiting)

    async def _some_about(self, one: About, after: int) -> list[int]:
        return await self._read(lambda db: self._index.found(db, one, after, _AT_ONCE))

    async def erase_record(self, row: int, draft: Draft, *, even_waiting: bool = False) -> Gone:
        """A received message, its corrected copies, and what was made of them."""
        if await self._read(lambda db: db.exec_driver_sql(_ONE, (row,)).first()) is None:
            raise MovedOn("there is no such message", fix='see "connector queue find"')
        return await self._erased([row], draft, {"scope": "record"}, even_waiting)

    async def erase_day(
        self, partner: str, day: dt.date, draft: Draft, *, even_waiting: bool = False
    ) -> Gone:
        """What a partner sent on a day (UTC): its keys, then its records. Goes on where it was broken off."""
        start = (day - _EPOCH).days * DAY_MICROS
        asked = (partner, start, start + DAY_MICROS)
        found = await self._read(lambda db: db.exec_driver_sql(_OF_DAY, asked).all())
        rows, what = [int(row[0]) for row in found], {"scope": "day", "link": partner, "day": day.isoformat()}

        def destroy(unit: Unit) -> list[int]:
            keys = [int(key[0]) for key in unit.connection.exec_driver_sql(_KEYS, (partner, what["day"]))]
            for row in rows:
                self._put_out(unit, row, even_waiting)
            for number in keys:
                unit.connection.exec_driver_sql(_DESTROY, (micros_now(), number))
            if keys:
                unit.record([draft("keys:destroyed", {**what, "count": len(keys)})])
            return keys

        keys = await self._write(destroy)
        if not keys and not rows:
            raise MovedOn("there is nothing of this partner and day", fix="see the link's name and the day")
        for number in keys:
            self._keys.drop(number)
        done = await self._erased(rows, draft, what, even_waiting=True)
        return done._replace(keys=len(keys))

    async def _erased(
        self, rows: Sequence[int], draft: Draft, what: dict[str, Any], even_waiting: bool
    ) -> Gone:
        whole = await self._read(lambda db: _family(db, rows))
        if not even_waiting:
            await self._read(lambda db: _check(db, whole))
        for start in range(0, len(whole), _AT_ONCE):
            await self._piece(whole[start : start + _AT_ONCE], draft, what, even_waiting)
        return Gone(len(whole), 0, await asyncio.to_thread(_shortened, self._reader.path))

    async def _piece(
        self, rows: Sequence[int], draft: Draft, what: dict[str, Any], even_waiting: bool
    ) -> None:
        def erase(unit: Unit) -> None:
            for row in rows:
                self._put_out(unit, row, even_waiting)
                self._wipe(unit.connection, row)
            unit.record([draft("store:erased", {**what, "records": list(rows)})])

        await self._write(erase)

    def _put_out(self, unit: Unit, row: int, even_waiting: bool) -> None:
        """Nothing of it waits any more. Raises ``MovedOn`` where it waits and is not to be put out."""
        if not even_waiting:
            _check(unit.connection, [row])
        for made, _, delivery in unit.connection.exec_driver_sql(_MADE, (row,)).all():
            if delivery == Delivery.REFUSED:
                self._outbox.skip(unit, made)
            elif delivery in (Delivery.QUEUED, Delivery.SENDING):
                self._outbox.bury(unit, made, REASON, Acknowledgment.NEGATIVE)
        found = unit.connection.exec_driver_sql(_ONE, (row,)).one()
        if found[1] == State.WAITING:
            self._inbox.mark(unit, row, State.DEAD, REASON, of=(State.WAITING,))
        unit.connection.exec_driver_sql(_NOT_OWED, (row,))

    def _wipe(self, connection: Connection, row: int) -> None:
        uids = [str(connection.exec_driver_sql(_ONE, (row,)).one()[0])]
        uids += [str(made[1]) for made in connection.exec_driver_sql(_MADE, (row,))]
        for uid in uids:
            connection.exec_driver_sql(_CONFLICT, (uid,))
        for sql in _WIPE:
            connection.exec_driver_sql(sql, (row,))
        self._index.forget(connection, row)


def _check(connection: Connection, rows: Iterable[int]) -> None:
    if any(_waits(connection, row) for row in rows):
        raise MovedOn(
            "messages are among them that are still to be delivered or answered",
            fix="wait until they are, or say --even-waiting",
        )


def _waits(connection: Connection, row: int) -> bool:
    _, state, acknowledgment = connection.exec_driver_sql(_ONE, (row,)).one()
    made = {one[2] for one in connection.exec_driver_sql(_MADE, (row,))}
    is_open = bool(made & {Delivery.QUEUED, Delivery.SENDING, Delivery.REFUSED})
    return is_open or state == State.WAITING or acknowledgment == Acknowledgment.PENDING


def _family(connection: Connection, rows: Iterable[int]) -> list[int]:
    """With their corrected copies, and what they are corrected copies of."""
    known: set[int] = set()
    new = {*rows}
    while new:
        known |= new
        more = {one[0] for row in new for one in connection.exec_driver_sql(_FAMILY, (row, row))}
        new = {int(row) for row in more if row is not None} - known
    return sorted(known)


def _shortened(path: str) -> bool:
    """Copy the log of SQLite into the database and cut it off: what it had from before is gone."""
    try:
        with closing(sqlite3.connect(path, timeout=_LOG_SECONDS)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy
