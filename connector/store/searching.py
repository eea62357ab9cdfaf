"""Finding messages by what people say of them: state, reason, kind, time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, TextClause, bindparam, select, text

from connector.errors import Erased
from connector.store.inbox import InboxRows, unpacked
from connector.store.lanes import shown, split
from connector.store.outbox import OutboxRows
from connector.store.records import Acknowledgment, Delivery, Direction, Filter, Listed, Made, State
from connector.store.statement import Row, Statement, instant, micros
from connector.store.tables import DEAD, OPEN, PARKED, WAITING, Inbox, Outbox, table

Found = TypeVar("Found", Listed, Made)

_I: Final = table(Inbox).c
_O: Final = table(Outbox).c
_MOST: Final = 2**62

PIECE: Final = 1000  # rows that one read looks at: others read beside it
_TIMES: Final = (_I.received_at >= bindparam("since"), _I.received_at < bindparam("until"))
_ROWS: Final = tuple(one for one in _I if one.name not in ("control", "answer", "payload"))
_MADE: Final = (*(one for one in _O if one.name != "payload"), _I.received_at)


def _taken(*where: ColumnElement[bool] | TextClause) -> Statement:
    way = (_I.link == bindparam("link"), _I.direction == bindparam("direction"))
    return Statement(
        select(*_ROWS)
        .where(*way, *where, *_TIMES, _I.id > bindparam("after"))
        .order_by(_I.id)
        .limit(bindparam("limit"))
    )


def _made(*where: ColumnElement[bool] | TextClause) -> Statement:
    way = (_O.link == bindparam("link"), _O.direction == bindparam("direction"))
    return Statement(
        select(*_MADE)
        .join(table(Inbox), _I.id == _O.inbox_id)
        .where(*way, *where, *_TIMES, _O.id > bindparam("after"))
        .order_by(_O.id)
        .limit(bindparam("limit"))
    )


_BY_NUMBER: Final = _taken(_I.state == bindparam("state"))
_BY_STATE: Final = {State.WAITING: _taken(text(WAITING)), State.DEAD: _taken(text(DEAD))}
_ANY: Final = _made(_O.delivery == bindparam("delivery"))
_WAITS: Final = _made(text(OPEN), _O.delivery == bindparam("delivery"))
_BY_DELIVERY: Final = {
    Delivery.DEAD: _made(text(PARKED)),
    Delivery.QUEUED: _WAITS,
    Delivery.SENDING: _WAITS,
    Delivery.REFUSED: _WAITS,
}
_ONE: Final = Statement(
    select(*_MADE).join(table(Inbox), _I.id == _O.inbox_id).where(_O.id == bindparam("row"))
)
_MADE_OF: Final = Statement(
    select(*_MADE)
    .join(table(Inbox), _I.id == _O.inbox_id)
    .where(_O.inbox_id == bindparam("row"))
    .order_by(_O.id)
)
_OF_SOURCE: Final = (
    "SELECT id, '' FROM inbox WHERE uid = ?1 UNION ALL SELECT 0, id FROM outbox WHERE uid = ?1 LIMIT 1"
)
_TAKEN: Final = Statement(select(*_ROWS).where(_I.id == bindparam("row")))


class Piece(NamedTuple, Generic[Found]):
    """What one read found; ``after``: the row behind which to go on, 0 at the end."""

    found: list[Found]
    after: int


class Search:
    """Looks through inbox and outbox, on a connection of its caller."""

    def __init__(self, inbox: InboxRows, outbox: OutboxRows) -> None:
        self._inbox, self._outbox = inbox, outbox

    def received(self, connection: Connection, by: Filter, limit: int) -> Piece[Listed]:
        """Received messages in ``by.state`` (delivered, where none is named), the oldest first.

        Those that wait or are dead are found at once; others are looked for by their number, so name
        ``since`` or ``after``. ``kind`` is sealed: rows of other kinds are read and passed over, at most
        ``PIECE`` of them.
        """
        state = by.state or State.DELIVERED
        statement = _BY_STATE.get(state, _BY_NUMBER)
        with closing(statement.each(connection, state=str(state), limit=PIECE, **_asked(by))) as rows:
            return _piece((self._inbox.shown(row) for row in rows), by, limit)

    def made(self, connection: Connection, by: Filter, limit: int) -> Piece[Made]:
        """Made messages in ``by.delivery`` (dead, where none is named), the oldest first; as ``received``."""
        delivery = by.delivery or Delivery.DEAD
        statement = _BY_DELIVERY.get(delivery, _ANY)
        with closing(statement.each(connection, delivery=str(delivery), limit=PIECE, **_asked(by))) as rows:
            return _piece((self._made(row) for row in rows), by, limit)

    def one(self, connection: Connection, row: int) -> Made | None:
        """One made message."""
        found = _ONE.row(connection, row=row)
        return self._made(found) if found else None

    def made_of(self, connection: Connection, row: int) -> list[Made]:
        """The messages that were made of a received one."""
        return [self._made(one) for one in _MADE_OF.rows(connection, row=row)]

    def of_source(self, connection: Connection, uid: str) -> dict[str, Any]:
        """What is kept about the message, received or made, that has this uid."""
        found = connection.exec_driver_sql(_OF_SOURCE, (uid,)).first()
        one = (self.taken(connection, found[0]) or self.one(connection, found[1])) if found else None
        return one.meta if one else {}

    def taken(self, connection: Connection, row: int) -> Listed | None:
        """One received message."""
        found = _TAKEN.row(connection, row=row)
        return self._inbox.shown(found) if found else None

    def _made(self, row: Row) -> Made:
        direction, link = row["direction"], row["link"]
        return Made(
            id=row["id"],
            uid=row["uid"],
            inbox_id=row["inbox_id"],
            link=link,
            direction=Direction(direction),
            delivery=Delivery(row["delivery"]),
            acknowledgment=Acknowledgment(row["acknowledgment"]),
            reason=row["reason"],
            attempts=row["attempts"],
            next_attempt_at=instant(row["next_attempt_at"]) if row["next_attempt_at"] else None,
            received_at=instant(row["received_at"]),
            delivered_at=instant(row["delivered_at"]) if row["delivered_at"] else None,
            version_of=row["version_of"],
            lanes=tuple(shown(lane, link, direction) for lane in split(row["lanes"])),
            meta=self._meta(row),
        )

    def _meta(self, row: Row) -> dict[str, Any]:
        try:
            return unpacked(self._outbox.record(row).open("meta", row["meta"]))
        except Erased:
            return {}


def _asked(by: Filter) -> dict[str, object]:
    return {
        "link": by.link,
        "direction": str(by.direction),
        "after": by.after,
        "since": micros(by.since) if by.since else 0,
        "until": micros(by.until) if by.until else _MOST,
    }


def _piece(rows: Iterator[Found], by: Filter, limit: int) -> Piece[Found]:
    found: list[Found] = []
    seen = last = 0
    for one in rows:
        seen, last = seen + 1, one.id
        if by.reason in ("", one.reason) and by.kind in ("", one.meta.get("kind")):
            found.append(one)
        if len(found) == limit:
            return Piece(found, last)
    return Piece(found, last if seen == PIECE else 0)
