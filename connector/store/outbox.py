"""Guaranteed delivery: lanes in strict order, and what is known about each attempt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, literal_column, select, text, update

from connector.store.cipher import Cipher, Record
from connector.store.commits import Unit
from connector.store.inbox import InboxRows, missing, new_uid, packed, unpacked
from connector.store.records import Direction, OutboxItem, Outgoing, State
from connector.store.statement import Statement, fresh, micros
from connector.store.tables import DEAD, OPEN, Outbox, table

_OUTBOX: Final = table(Outbox)
_C: Final = _OUTBOX.c
_BARE: Final = (_C.id, _C.uid, _C.inbox_id, _C.link, _C.direction, _C.state, _C.attempts)
_ROW: Final = (*_BARE, _C.next_attempt_at, _C.data_key, _C.payload, _C.meta)
_LANE: Final = (_C.link == bindparam("link"), _C.direction == bindparam("direction"))

_INSERT: Final = Statement(fresh(_OUTBOX))
_HEAD: Final = Statement(select(*_ROW).where(*_LANE, text(OPEN)).order_by(_C.id).limit(1))
_QUEUE: Final = Statement(select(*_ROW).where(*_LANE, text(OPEN)).order_by(_C.id).limit(bindparam("limit")))
_DEAD: Final = Statement(select(*_ROW).where(*_LANE, text(DEAD)).order_by(_C.id).limit(bindparam("limit")))
_ONE: Final = Statement(select(*_BARE).where(_C.id == bindparam("id")))
_STATES: Final = Statement(
    select(literal_column(f"sum({OPEN})"), literal_column(f"sum({DEAD})"))
    .select_from(_OUTBOX)
    .where(_C.inbox_id == bindparam("inbox_id"))
)
_ROW_IS: Final = update(_OUTBOX).where(_C.id == bindparam("row"))
_INTEND: Final = Statement(
    _ROW_IS.values(state="intended", attempts=bindparam("attempt"), intended_at=bindparam("at"))
)
_WAIT: Final = Statement(
    _ROW_IS.values(state="waiting", next_attempt_at=bindparam("at"), reason=bindparam("why"))
)
_DELIVER: Final = Statement(_ROW_IS.values(state="delivered", delivered_at=bindparam("at"), reason=""))
_BURY: Final = Statement(_ROW_IS.values(state="dead", reason=bindparam("why")))
_REPLACE: Final = Statement(
    update(_OUTBOX).where(_C.inbox_id == bindparam("of"), text(DEAD)).values(state="replaced")
)

IS_OPEN: Final = (State.WAITING, State.INTENDED)
TALLIES: Final = {
    State.WAITING: "queued",
    State.INTENDED: "queued",
    State.DELIVERED: "sent",
    State.DEAD: "parked",
}


class OutboxRows:
    """The outbox: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, inbox: InboxRows) -> None:
        self._cipher, self._inbox = cipher, inbox

    def add(self, unit: Unit, inbox: RowMapping, outgoing: Sequence[Outgoing]) -> None:
        """Put what was made of a received message at the end of its lane."""
        link, direction = inbox["link"], inbox["direction"]
        for one in outgoing:
            uid = new_uid()
            record = self._cipher.new("outbox", _known_by(uid, direction), link)
            _INSERT.run(
                unit.connection,
                uid=uid,
                inbox_id=inbox["id"],
                link=link,
                direction=direction,
                state="waiting",
                reason="",
                attempts=0,
                next_attempt_at=0,
                intended_at=None,
                delivered_at=None,
                data_key=record.wrapped,
                payload=record.seal("payload", one.payload),
                meta=record.seal("meta", packed(one.meta)),
            )
        unit.count(link, direction, queued=len(outgoing))

    def due(
        self, connection: Connection, link: str, direction: Direction, now: dt.datetime
    ) -> OutboxItem | None:
        """The head of the lane, if its time has come; nothing overtakes it."""
        row = _HEAD.run(connection, link=link, direction=str(direction)).mappings().first()
        if row is None or row["next_attempt_at"] > micros(now):
            return None
        return self._item(row)

    def queue(
        self, connection: Connection, link: str, direction: Direction, now: dt.datetime, limit: int
    ) -> list[OutboxItem]:
        """The head of the lane and what comes behind it, up to the first whose time has not come."""
        found = _QUEUE.run(connection, link=link, direction=str(direction), limit=limit).mappings().all()
        due = takewhile(lambda row: row["next_attempt_at"] <= micros(now), found)
        return [self._item(row) for row in due]

    def dead(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[OutboxItem]:
        """The dead letters of the lane, the oldest first."""
        rows = _DEAD.run(connection, link=link, direction=str(direction), limit=limit).mappings().all()
        return [self._item(row) for row in rows]

    def _item(self, row: RowMapping) -> OutboxItem:
        record = self._record(row)
        return OutboxItem(
            id=row["id"],
            uid=row["uid"],
            inbox_id=row["inbox_id"],
            payload=record.open("payload", row["payload"]),
            meta=unpacked(record.open("meta", row["meta"])),
            attempts=row["attempts"],
            unsure=row["state"] == State.INTENDED,
        )

    def intend(self, unit: Unit, row: int, attempt: int, at: dt.datetime) -> None:
        """It is about to be sent."""
        self._moved(unit, row, State.INTENDED, IS_OPEN)
        _INTEND.run(unit.connection, row=row, attempt=attempt, at=micros(at))

    def retry(self, unit: Unit, row: int, at: dt.datetime, reason: str) -> None:
        """It did not work; the lane waits until ``at``."""
        self._moved(unit, row, State.WAITING, IS_OPEN)
        _WAIT.run(unit.connection, row=row, at=micros(at), why=reason)

    def deliver(self, unit: Unit, row: int, at: dt.datetime) -> None:
        """The partner has taken it."""
        found = self._moved(unit, row, State.DELIVERED, IS_OPEN)
        _DELIVER.run(unit.connection, row=row, at=micros(at))
        self._settle(unit, found["inbox_id"])

    def bury(self, unit: Unit, row: int, reason: str) -> None:
        """The partner will never take it: it leaves the lane."""
        found = self._moved(unit, row, State.DEAD, IS_OPEN)
        _BURY.run(unit.connection, row=row, why=reason)
        self._settle(unit, found["inbox_id"], reason)

    def replay(self, unit: Unit, row: int) -> None:
        """Back into the lane, at the place it had: before everything that came after it."""
        found = self._moved(unit, row, State.WAITING, (State.DEAD, State.DELIVERED))
        _WAIT.run(unit.connection, row=row, at=0, why="")
        self._settle(unit, found["inbox_id"])

    def _moved(self, unit: Unit, row: int, state: State, of: Sequence[State]) -> RowMapping:
        found = _ONE.run(unit.connection, id=row).mappings().first()
        if found is None or found["state"] not in of:
            raise missing("outbox")
        before, after = TALLIES[State(found["state"])], TALLIES[state]
        if before != after:
            unit.count(found["link"], found["direction"], **{before: -1, after: 1})
        return found

    def state_of(self, unit: Unit, inbox_id: int) -> State:
        """The state of a translated message follows from those of the messages made of it."""
        waiting, dead = _STATES.run(unit.connection, inbox_id=inbox_id).one()
        return State.TRANSLATED if waiting else State.DEAD if dead else State.DELIVERED

    def replace(self, unit: Unit, row: RowMapping) -> None:
        """The message is translated again: what was refused of its first translation counts no more."""
        gone = _REPLACE.run(unit.connection, of=row["id"]).rowcount
        unit.count(row["link"], row["direction"], parked=-gone)

    def _settle(self, unit: Unit, inbox_id: int, reason: str = "") -> None:
        state = self.state_of(unit, inbox_id)
        self._inbox.settle(unit, inbox_id, state, reason if state is State.DEAD else "")

    def _record(self, row: RowMapping) -> Record:
        known_by = _known_by(row["uid"], row["direction"])
        return self._cipher.of("outbox", known_by, row["link"], row["data_key"])


def _known_by(uid: str, direction: str) -> str:
    """The direction is bound as well: a ciphertext cannot be put into the other lane of its partner."""
    return f"{uid}:{direction}"
