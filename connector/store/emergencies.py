"""Who broke the glass, and until when: on the disk, so that commands, the API and a restart know it."""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from connector.errors import MovedOn
from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.records import Broken
from connector.store.statement import Statement, instant, micros
from connector.store.tables import Emergency, table

_EMERGENCY: Final = table(Emergency)
_C: Final = _EMERGENCY.c
_FORGET: Final = Statement(delete(_EMERGENCY).where(_C.ends_at <= bindparam("now")))
_ADD: Final = Statement(
    insert(_EMERGENCY).values({one.name: bindparam(one.name) for one in _C}).on_conflict_do_nothing()
)
_END: Final = Statement(
    delete(_EMERGENCY).where(
        _C.realm == bindparam("whose"), _C.name == bindparam("called"), _C.ends_at > bindparam("now")
    )
)
_LAST: Final = Statement(select(*_C).where(_C.ends_at > bindparam("now")).order_by(_C.ends_at))


class Emergencies(Door):
    """The store's door for emergencies. One that is over is as if it were not there."""

    async def break_glass(self, broken: Broken, entries: Drafts) -> None:
        """Keep who broke the glass. Raises ``MovedOn`` where the same person did and it still lasts."""
        await self._step(entries, lambda unit: _break(unit, broken))

    async def end_emergency(self, realm: str, name: str, now: dt.datetime, entries: Drafts) -> bool:
        """End it before its time; whether it lasted still. The entries are recorded only if it did."""

        def work(unit: Unit) -> bool:
            found = _END.run(unit.connection, whose=realm, called=name, now=micros(now)).rowcount
            unit.record(entries if found else ())
            return bool(found)

        return await self._write(work)

    async def emergencies(self, now: dt.datetime) -> list[Broken]:
        """All that last, those first that end first."""
        return await self._read(lambda connection: _lasting(connection, now))


def _break(unit: Unit, broken: Broken) -> None:
    _FORGET.run(unit.connection, now=micros(broken.since))
    added = _ADD.run(
        unit.connection,
        realm=broken.realm,
        name=broken.name,
        reason=broken.reason,
        since=micros(broken.since),
        ends_at=micros(broken.until),
    )
    if not added.rowcount:
        raise MovedOn("the glass is broken already", fix="end that first; nothing is prolonged in silence")


def _lasting(connection: Connection, now: dt.datetime) -> list[Broken]:
    return [
        Broken(row["realm"], row["name"], row["reason"], instant(row["since"]), instant(row["ends_at"]))
        for row in _LAST.rows(connection, now=micros(now))
    ]
