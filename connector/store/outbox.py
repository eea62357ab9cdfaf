"""Guaranteed delivery: lanes in strict order, and what is known about each attempt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final

from sqlalchemy import Connection, bindparam, case, func, select, text, update

from connector.errors import Erased
from connector.store.cipher import Cipher, Record
from connector.store.commits import Unit
from connector.store.inbox import InboxRows, missing, new_uid, packed, unpacked
from connector.store.keyring import Keyring
from connector.store.lanes import LaneRows, link_lane
from connector.store.records import Acknowledgment, Delivery, Direction, OutboxItem, Outgoing, State
from connector.store.statement import Row, Statement, fresh, micros, there
from connector.store.tables import OPEN, PARKED, Outbox, OutboxLane, table

_OUTBOX: Final = table(Outbox)
_C: Final = _OUTBOX.c
_LATER: Final = ("intended_at", "delivered_at", "version_of", "data_key", "payload", "meta")
_BARE: Final = tuple(one for one in _C if one.name not in _LATER)
_ROW: Final = (*_BARE, _C.data_key, _C.payload, _C.meta)
_WAY: Final = (_C.link == bindparam("link"), _C.direction == bindparam("direction"))
_IN_LANE: Final = table(OutboxLane)

_INSERT: Final = Statement(fresh(_OUTBOX))
_QUEUE: Final = Statement(
    select(*_ROW)
    .select_from(_IN_LANE)
    .join(_OUTBOX, _C.id == _IN_LANE.c.outbox_id)
    .where(_IN_LANE.c.lane == bindparam("lane"))
    .order_by(_IN_LANE.c.outbox_id)
    .limit(bindparam("limit"))
)
_WHOLE: Final = Statement(select(*_ROW).where(_C.id == bindparam("id")))
_DEAD: Final = Statement(select(*_ROW).where(*_WAY, text(PARKED)).order_by(_C.id).limit(bindparam("limit")))
_ONE: Final = Statement(select(*_BARE).where(_C.id == bindparam("id")))
_OF_INBOX: Final = (_C.inbox_id == bindparam("inbox_id"), _C.direction != Direction.ANSWER.value)
_STATES: Final = Statement(
    select(func.sum(case((text(OPEN), 1), else_=0)), func.sum(case((text(PARKED), 1), else_=0)))
    .select_from(_OUTBOX)
    .where(*_OF_INBOX)
)
_ROW_IS: Final = update(_OUTBOX).where(_C.id == bindparam("row"))
_INTEND: Final = Statement(
    _ROW_IS.values(delivery="sending", attempts=bindparam("attempt"), intended_at=bindparam("at"))
)
_WAIT: Final = Statement(
    _ROW_IS.values(delivery="queued", next_attempt_at=bindparam("at"), reason=bindparam("why"))
)
_DELIVER: Final = Statement(
    _ROW_IS.values(
        delivery="delivered", acknowledgment=bindparam("said"), delivered_at=bindparam("at"), reason=""
    )
)
_NOT_TAKEN: Final = Statement(
    _ROW_IS.values(delivery=bindparam("now"), acknowledgment=bindparam("said"), reason=bindparam("why"))
)
_REPLACE: Final = Statement(
    update(_OUTBOX)
    .where(_C.inbox_id == bindparam("of"), _C.direction == bindparam("direction"), text(PARKED))
    .values(delivery="replaced")
)
_ELSEWHERE: Final = Statement(
    select(_C.id, _C.lanes)
    .where(*_WAY, text(OPEN), _C.id > bindparam("after"), _C.lanes != bindparam("lane"))
    .order_by(_C.id)
    .limit(bindparam("limit"))
)
_RELANE: Final = Statement(_ROW_IS.values(lanes=bindparam("lane")))
_TOLD: Final = Statement(
    select(_C.id).where(
        _C.inbox_id == bindparam("inbox_id"),
        text(f"direction = '{Direction.ANSWER}' AND delivery = '{Delivery.DELIVERED}'"),
    )
)
_ACKNOWLEDGE: Final = Statement(_ROW_IS.values(acknowledgment=bindparam("said")))

IS_OPEN: Final = (Delivery.QUEUED, Delivery.SENDING)
TALLIES: Final = {
    Delivery.QUEUED: "queued",
    Delivery.SENDING: "queued",
    Delivery.REFUSED: "stopped",
    Delivery.DELIVERED: "sent",
    Delivery.DEAD: "parked",
}


class OutboxRows:
    """The outbox: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, keys: Keyring, inbox: InboxRows) -> None:
        self._cipher, self._inbox = cipher, inbox
        self.lanes = LaneRows(keys)

    def add(
        self, unit: Unit, inbox: Row, outgoing: Sequence[Outgoing], direction: Direction | None = None
    ) -> list[tuple[int, str]]:
        """Put what was made of a received message at the end of its lanes; rows and commitments to payloads.

        ``direction``: where it is not that of the message, as for an answer to it.
        """
        link, way = inbox["link"], str(direction or inbox["direction"])
        made = []
        for one in outgoing:
            uid, lanes = new_uid(), self.lanes.indexes(link, way, one.lanes)
            record = self._cipher.new("outbox", known_by(uid, way), link, inbox["received_at"])
            row = _INSERT.insert(
                unit.connection,
                uid=uid,
                inbox_id=inbox["id"],
                link=link,
                direction=way,
                delivery="queued",
                acknowledgment="pending",
                reason="",
                attempts=0,
                next_attempt_at=0,
                intended_at=None,
                delivered_at=None,
                version_of=None,
                lanes=lanes,
                data_key=record.wrapped,
                payload=record.seal("payload", one.payload),
                meta=record.seal("meta", packed(one.meta)),
            )
            self.lanes.enter(unit.connection, row, link, way, lanes)
            made.append((row, record.commitment(one.payload)))
        unit.count(link, way, queued=len(outgoing))
        return made

    def heads(
        self,
        connection: Connection,
        link: str,
        direction: Direction,
        now: dt.datetime,
        limit: int,
        besides: Collection[int],
    ) -> list[OutboxItem]:
        """What may go out now and is in nobody's hand, the oldest first."""
        found = self.lanes.heads(connection, link, direction, now, limit + len(besides))
        rows = [row for row in found if row not in besides][:limit]
        return [self._item(there(_WHOLE.row(connection, id=row))) for row in rows]

    def queue(
        self, connection: Connection, link: str, direction: Direction, now: dt.datetime, limit: int
    ) -> list[OutboxItem]:
        """The head of the link's lane and what comes behind it, up to the first that may not go out."""
        lane = link_lane(link, str(direction))
        found = _QUEUE.rows(connection, lane=lane, limit=limit)
        return [self._item(row) for row in takewhile(lambda row: _due(row, now), found)]

    def dead(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[OutboxItem]:
        """The dead letters of a link and direction, the oldest first."""
        rows = _DEAD.rows(connection, link=link, direction=str(direction), limit=limit)
        found = []
        for row in rows:
            with suppress(Erased):  # nobody can send it again
                found.append(self._item(row))
        return found

    def payload(self, connection: Connection, row: int) -> bytes:
        """The message as it goes out. Raises ``ConnectorError`` if there is no such row."""
        found = _WHOLE.row(connection, id=row)
        if found is None:
            raise missing("outbox")
        return self.record(found).open("payload", found["payload"])

    def _item(self, row: Row) -> OutboxItem:
        record = self.record(row)
        return OutboxItem(
            id=row["id"],
            uid=row["uid"],
            inbox_id=row["inbox_id"],
            payload=record.open("payload", row["payload"]),
            meta=unpacked(record.open("meta", row["meta"])),
            attempts=row["attempts"],
            unsure=row["delivery"] == Delivery.SENDING,
        )

    def intend(self, unit: Unit, row: int, attempt: int, at: dt.datetime) -> None:
        """It is about to be sent."""
        self._moved(unit, row, Delivery.SENDING, IS_OPEN)
        _INTEND.run(unit.connection, row=row, attempt=attempt, at=micros(at))

    def retry(self, unit: Unit, row: int, at: dt.datetime, reason: str) -> None:
        """It did not work; its lanes wait until ``at``."""
        self._moved(unit, row, Delivery.QUEUED, IS_OPEN)
        _WAIT.run(unit.connection, row=row, at=micros(at), why=reason)
        self.lanes.stand(unit.connection, row)

    def deliver(self, unit: Unit, row: int, at: dt.datetime, said: Acknowledgment) -> int:
        """The partner has taken it; the row of the message that it was made of."""
        found = self._moved(unit, row, Delivery.DELIVERED, IS_OPEN)
        _DELIVER.run(unit.connection, row=row, at=micros(at), said=str(said))
        self.lanes.leave(unit.connection, row, found["lanes"])
        self._settle(unit, found, at)
        return int(found["inbox_id"])

    def bury(self, unit: Unit, row: int, reason: str, said: Acknowledgment) -> None:
        """The partner will never take it: it leaves its lanes."""
        found = self._moved(unit, row, Delivery.DEAD, IS_OPEN)
        self._not_taken(unit, row, Delivery.DEAD, reason, said)
        self.lanes.leave(unit.connection, row, found["lanes"])
        self._settle(unit, found, None, reason)

    def refuse(self, unit: Unit, row: int, reason: str, said: Acknowledgment) -> None:
        """The partner does not take it: its lanes stop."""
        self._moved(unit, row, Delivery.REFUSED, IS_OPEN)
        self._not_taken(unit, row, Delivery.REFUSED, reason, said)
        self.lanes.stand(unit.connection, row)

    def skip(self, unit: Unit, row: int) -> None:
        """A person lets the lanes go on without it."""
        found = self._moved(unit, row, Delivery.DEAD, (Delivery.REFUSED,))
        self._not_taken(unit, row, Delivery.DEAD, found["reason"], Acknowledgment(found["acknowledgment"]))
        self.lanes.leave(unit.connection, row, found["lanes"])
        self._settle(unit, found, None, found["reason"])

    def _not_taken(self, unit: Unit, row: int, now: Delivery, reason: str, said: Acknowledgment) -> None:
        _NOT_TAKEN.run(unit.connection, row=row, now=str(now), said=str(said), why=reason)

    def into_one_lane(self, unit: Unit, link: str, direction: Direction, after: int, limit: int) -> list[int]:
        """Move open messages behind the row ``after`` into the link's lane; which."""
        lane, way = link_lane(link, str(direction)), {"link": link, "direction": str(direction)}
        found = _ELSEWHERE.all(unit.connection, **way, lane=lane, after=after, limit=limit)
        for row, lanes in found:
            self.lanes.leave(unit.connection, row, lanes)
            _RELANE.run(unit.connection, row=row, lane=lane)
            self.lanes.enter(unit.connection, row, link, str(direction), lane)
        return [int(row) for row, _ in found]

    def replay(self, unit: Unit, row: int) -> None:
        """Back into its lanes, at the place it had: before everything that came after it."""
        found = self._moved(unit, row, Delivery.QUEUED, (Delivery.DEAD, Delivery.DELIVERED, Delivery.REFUSED))
        _WAIT.run(unit.connection, row=row, at=0, why="")
        if found["delivery"] == Delivery.REFUSED:
            self.lanes.stand(unit.connection, row)
        else:
            self.lanes.enter(unit.connection, row, found["link"], found["direction"], found["lanes"])
        self._settle(unit, found, None)

    def say_again(self, unit: Unit, inbox_id: int) -> None:
        """Hand over once more what the sender of a message was told of it, if it was: it asks again."""
        for (row,) in _TOLD.all(unit.connection, inbox_id=inbox_id):
            self.replay(unit, row)

    def acknowledged(self, unit: Unit, row: int, said: Acknowledgment) -> None:
        """What the partner's application said of a message that it had taken."""
        if _ONE.first(unit.connection, id=row) is None:
            raise missing("outbox")
        _ACKNOWLEDGE.run(unit.connection, row=row, said=str(said))

    def _moved(self, unit: Unit, row: int, state: Delivery, of: Sequence[Delivery]) -> Row:
        found = _ONE.row(unit.connection, id=row)
        if found is None or found["delivery"] not in of:
            raise missing("outbox")
        before, after = TALLIES[Delivery(found["delivery"])], TALLIES[state]
        if before != after:
            unit.count(found["link"], found["direction"], **{before: -1, after: 1})
        return found

    def state_of(self, unit: Unit, inbox_id: int) -> State:
        """The state of a translated message follows from those of the messages made of it."""
        waiting, dead = there(_STATES.first(unit.connection, inbox_id=inbox_id))
        return State.TRANSLATED if waiting else State.DEAD if dead else State.DELIVERED

    def replace(self, unit: Unit, row: Row) -> None:
        """The message is translated again: what was refused of its first translation counts no more."""
        gone = _REPLACE.run(unit.connection, of=row["id"], direction=row["direction"]).rowcount
        unit.count(row["link"], row["direction"], parked=-gone)

    def _settle(self, unit: Unit, found: Row, at: dt.datetime | None, reason: str = "") -> None:
        if found["direction"] == Direction.ANSWER:
            return
        state = self.state_of(unit, found["inbox_id"])
        self._inbox.settle(unit, found["inbox_id"], state, reason if state is State.DEAD else "", at)

    def record(self, row: Row) -> Record:
        """The ciphertexts of a row."""
        bound = known_by(row["uid"], row["direction"])
        return self._cipher.of("outbox", bound, row["link"], row["data_key"])


def _due(row: Row, now: dt.datetime) -> bool:
    return bool(row["delivery"] != Delivery.REFUSED and row["next_attempt_at"] <= micros(now))


def known_by(uid: str, direction: str) -> str:
    """What ciphertexts are bound to; the direction as well: none can be put into the other of its partner."""
    return f"{uid}:{direction}"
