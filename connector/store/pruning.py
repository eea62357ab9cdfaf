"""What is done leaves after its time; what waits, failed or is held by anybody stays."""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import bindparam, delete, exists, select, text

from connector.store.commits import Unit
from connector.store.records import Delivery, Direction
from connector.store.statement import Statement, micros
from connector.store.tables import DONE, Inbox, Outbox, SearchIndex, table

_I: Final = table(Inbox).c
_O: Final = table(Outbox).c
_KEPT: Final = (Delivery.DELIVERED.value, Delivery.REPLACED.value)
_OLD: Final = Statement(
    select(_I.id)
    .where(
        _I.link == bindparam("link"),
        _I.direction == bindparam("direction"),
        text(DONE),
        _I.done_at < bindparam("before"),
        _I.acknowledgment != "pending",
        ~exists().where(_O.inbox_id == _I.id, *(_O.delivery != one for one in _KEPT)),
    )
    .order_by(_I.done_at)
    .limit(bindparam("limit"))
)
_DROP_MADE: Final = Statement(delete(table(Outbox)).where(_O.inbox_id == bindparam("row")))
_DROP: Final = Statement(delete(table(Inbox)).where(_I.id == bindparam("row")))

_UNINDEX: Final = Statement(
    delete(table(SearchIndex)).where(table(SearchIndex).c.inbox_id == bindparam("row"))
)


def prune(unit: Unit, link: str, direction: Direction, before: dt.datetime, limit: int) -> int:
    """Forget messages that were done ``before``, the oldest first, at most ``limit``; how many there were.

    With them goes what was made of them, and the memory that they were taken.
    """
    found = _OLD.all(unit.connection, link=link, direction=str(direction), before=micros(before), limit=limit)
    for (row,) in found:
        _DROP_MADE.run(unit.connection, row=row)
        _DROP.run(unit.connection, row=row)
        _UNINDEX.run(unit.connection, row=row)
    return len(found)
