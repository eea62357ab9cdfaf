"""Lanes: who stands where, and which lane may go on.

An open message stands in one lane or in several, and goes out when nothing older stands in any of them. For
each lane with something in it there is one row that says what its head makes of it: when it is due and what
blocks it. The rows change in the transactions that move messages, so that finding what may go out next
is one look at an index, whatever waits.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from connector.store.cipher import BlindIndex, framed
from connector.store.keyring import Keyring
from connector.store.records import Delivery, Direction, LaneState
from connector.store.statement import Row, Statement, instant, micros, there
from connector.store.tables import Inbox, Lane, Outbox, OutboxLane, table

INDEX_BYTES: Final = 32
STOPPED: Final = "stopped"
BEHIND: Final = "behind"

_LANE: Final = table(Lane)
_STAND: Final = table(OutboxLane)
_INBOX: Final = table(Inbox)
_L: Final = _LANE.c
_O: Final = table(Outbox).c
_SAME: Final = _L.lane == bindparam("which")
_GOING: Final = (
    _L.link == bindparam("link"),
    _L.direction == bindparam("direction"),
    _L.blocked == bindparam("blocked"),
)
_AS_HEAD: Final = (_O.lanes, _O.delivery, _O.next_attempt_at, _O.reason, _O.attempts)
_STANDING: Final[dict[str, Any]] = {
    name: bindparam(f"new_{name}") for name in ("due_at", "blocked", "reason", "attempts")
}

_ENTER: Final = Statement(insert(_STAND).values(lane=bindparam("lane"), outbox_id=bindparam("outbox_id")))
_NEW: Final = upsert(_LANE)
_LENGTHEN: Final = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["lane"],
        set_={
            "depth": _L.depth + 1,
            "head": case((_NEW.excluded.head < _L.head, _NEW.excluded.head), else_=_L.head),
        },
    ).returning(_L.head, _L.depth)
)
_LEAVE: Final = Statement(
    delete(_STAND).where(_STAND.c.lane == bindparam("lane"), _STAND.c.outbox_id == bindparam("row"))
)
_BEHIND: Final = (_STAND.c.lane == bindparam("lane"), _STAND.c.outbox_id > bindparam("row"))
_FIRST: Final = Statement(
    select(_STAND.c.outbox_id, *_AS_HEAD)
    .join(table(Outbox), _O.id == _STAND.c.outbox_id)
    .where(*_BEHIND)
    .order_by(_STAND.c.outbox_id)
    .limit(1)
)
_HEAD: Final = Statement(select(_L.head).where(_SAME))
_ONE: Final = Statement(select(_L.head, _L.blocked, _L.due_at).where(_SAME))
_ROW: Final = Statement(select(_O.id, *_AS_HEAD).where(_O.id == bindparam("row")))
_SHORTEN: Final = Statement(
    update(_LANE).where(_SAME).values(depth=_L.depth - 1, head=bindparam("first"), **_STANDING)
)
_END: Final = Statement(delete(_LANE).where(_SAME))
_MAKE: Final = Statement(update(_LANE).where(_SAME, _L.head == bindparam("row")).values(**_STANDING))
_AT_ONCE: Final = Statement(
    select(_L.head).where(*_GOING, _L.due_at == 0).order_by(_L.head).limit(bindparam("limit"))
)
_AGAIN: Final = Statement(
    select(_L.head)
    .where(*_GOING, _L.due_at > 0, _L.due_at <= bindparam("now"))
    .order_by(_L.due_at)
    .limit(bindparam("limit"))
)
_NEXT: Final = Statement(
    select(_L.due_at).where(*_GOING, _L.due_at > bindparam("now")).order_by(_L.due_at).limit(1)
)
_OTHER: Final = Statement(
    select(_L.lane)
    .where(_L.link == bindparam("link"), _L.direction == bindparam("direction"), _L.lane != bindparam("lane"))
    .limit(1)
)
_SHOWN: Final = Statement(
    select(*_LANE.c, _O.delivery, _INBOX.c.received_at)
    .join(table(Outbox), _O.id == _L.head)
    .join(_INBOX, _INBOX.c.id == _O.inbox_id)
    .where(*_GOING)
    .order_by(_L.due_at.desc(), _L.head.desc())
    .limit(bindparam("limit"))
)


class _Head(NamedTuple):
    """A row of the outbox as the head of its lanes."""

    id: int
    lanes: bytes
    delivery: str
    next_attempt_at: int
    reason: str
    attempts: int

    def makes(self, *, first: bool) -> dict[str, Any]:
        """What it makes of its lanes. ``first``: in all of them."""
        blocked = STOPPED if self.delivery == Delivery.REFUSED else "" if first else BEHIND
        return {
            "new_due_at": self.next_attempt_at,
            "new_blocked": blocked,
            "new_reason": self.reason,
            "new_attempts": self.attempts,
        }


def link_lane(link: str, direction: str) -> bytes:
    """The index of the one lane of a link and direction. Nothing in it is a secret, so it needs no key."""
    return hashlib.sha256(framed(link) + framed(direction)).digest()


def split(lanes: bytes) -> list[bytes]:
    """The indexes of a row's lanes."""
    return [lanes[at : at + INDEX_BYTES] for at in range(0, len(lanes), INDEX_BYTES)]


def shown(lane: bytes, link: str, direction: str) -> str:
    """What people see of a lane."""
    return "link" if lane == link_lane(link, direction) else lane.hex()[:12]


class LaneRows:
    """The lanes: every method works on a connection of its caller."""

    def __init__(self, keys: Keyring) -> None:
        self._index = BlindIndex(keys, "lane.lane")

    def indexes(self, link: str, direction: str, names: Sequence[str]) -> bytes:
        """The blind indexes of lanes, one behind the other; of the link's lane where none is named."""
        if not names:
            return link_lane(link, direction)
        return b"".join(sorted({self._index.of(link, direction, name) for name in names}))

    def enter(self, connection: Connection, row: int, link: str, direction: str, lanes: bytes) -> None:
        """A message takes the place in its lanes that its number gives it: the last, if it is new."""
        changed: set[int] = set()
        for lane in split(lanes):
            _ENTER.run(connection, lane=lane, outbox_id=row)
            new = {"head": row, "depth": 1, "due_at": 0, "blocked": "", "reason": "", "attempts": 0}
            head, depth = there(_LENGTHEN.first(connection, lane=lane, link=link, direction=direction, **new))
            if head == row and (depth > 1 or len(lanes) > INDEX_BYTES):
                changed.add(row)
            if head == row and depth > 1:
                changed.add(int(there(_FIRST.first(connection, lane=lane, row=row))[0]))
        for one in changed:
            self.stand(connection, one)

    def leave(self, connection: Connection, row: int, lanes: bytes) -> None:
        """A message leaves its lanes, and who stands behind it moves up."""
        several: set[int] = set()
        for lane in split(lanes):
            _LEAVE.run(connection, lane=lane, row=row)
            found = _FIRST.first(connection, lane=lane, row=0)
            if found is None:
                _END.run(connection, which=lane)
                continue
            first = _Head(*found)
            _SHORTEN.run(connection, which=lane, first=first.id, **first.makes(first=True))
            if len(first.lanes) > INDEX_BYTES:
                several.add(first.id)
        for one in several:
            self.stand(connection, one)

    def stand(self, connection: Connection, row: int) -> None:
        """Write down what a message makes of the lanes whose head it is."""
        head = _Head(*there(_ROW.first(connection, row=row)))
        lanes = split(head.lanes)
        heads = [_HEAD.first(connection, which=lane) for lane in lanes]
        made = head.makes(first=all(one == (row,) for one in heads))
        for lane, first in zip(lanes, heads):
            if first == (row,):
                _MAKE.run(connection, which=lane, row=row, **made)

    def heads(
        self, connection: Connection, link: str, direction: Direction, now: dt.datetime, limit: int
    ) -> list[int]:
        """The rows that may go out now, the oldest first.

        What stands in the link's lane, from the time before patients had lanes, goes before all else.
        """
        before = _ONE.first(connection, which=link_lane(link, str(direction)))
        if before is not None:
            head, blocked, due_at = before
            return [int(head)] if not blocked and due_at <= micros(now) else []
        going = {"link": link, "direction": str(direction), "blocked": "", "limit": limit}
        found = {int(row[0]) for row in _AT_ONCE.all(connection, **going)}
        found |= {int(row[0]) for row in _AGAIN.all(connection, **going, now=micros(now))}
        return sorted(found)[:limit]

    def scattered(self, connection: Connection, link: str, direction: Direction) -> bool:
        """Whether anything stands in another lane than the link's."""
        lane = link_lane(link, str(direction))
        return _OTHER.first(connection, link=link, direction=str(direction), lane=lane) is not None

    def next_due(
        self, connection: Connection, link: str, direction: Direction, now: dt.datetime
    ) -> dt.datetime | None:
        """When the next of the lanes that wait for their time is due."""
        found = _NEXT.first(connection, link=link, direction=str(direction), blocked="", now=micros(now))
        return instant(found[0]) if found else None

    def listed(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[LaneState]:
        """Lanes that stopped, then those that wait for another, then those that go."""
        found: list[LaneState] = []
        for blocked in (STOPPED, BEHIND, ""):
            rows = _SHOWN.rows(
                connection, link=link, direction=str(direction), blocked=blocked, limit=limit - len(found)
            )
            found.extend(_states(rows))
        return found


def _states(rows: Sequence[Row]) -> Iterator[LaneState]:
    for row in rows:
        yield LaneState(
            link=row["link"],
            direction=Direction(row["direction"]),
            lane=shown(row["lane"], row["link"], row["direction"]),
            head=row["head"],
            depth=row["depth"],
            oldest=instant(row["received_at"]),
            delivery=Delivery(row["delivery"]),
            due_at=instant(row["due_at"]) if row["due_at"] else None,
            blocked=row["blocked"],
            reason=row["reason"],
            attempts=row["attempts"],
        )
