"""Pauses that people have set: nothing goes out of a link, or nothing comes in, until they resume."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from connector.store.commits import Unit
from connector.store.records import Direction, Paused
from connector.store.statement import Statement, instant, micros
from connector.store.tables import Pause, table

INTAKE: Final = "intake"  # in the place of a direction

_PAUSE: Final = table(Pause)
_C: Final = _PAUSE.c
_NEW: Final = insert(_PAUSE)
_SET: Final = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["link", "direction"],
        set_={name: _NEW.excluded[name] for name in ("by", "reason", "at")},
    )
)
_UNSET: Final = Statement(
    delete(_PAUSE).where(_C.link == bindparam("link"), _C.direction == bindparam("direction"))
)
_ALL: Final = Statement(select(*_C).order_by(_C.link, _C.direction))


def put(unit: Unit, paused: Paused) -> None:
    """Pause, or say again who and why."""
    _SET.run(
        unit.connection,
        link=paused.link,
        direction=INTAKE if paused.intake else str(paused.direction or ""),
        by=paused.by,
        reason=paused.reason,
        at=micros(paused.at),
    )


def take(unit: Unit, link: str, direction: Direction | None, *, intake: bool) -> bool:
    """Let it go on; whether it was paused."""
    what = INTAKE if intake else str(direction or "")
    return bool(_UNSET.run(unit.connection, link=link, direction=what).rowcount)


def read(connection: Connection) -> list[Paused]:
    """All pauses: a row or two."""
    return [
        Paused(
            link=row["link"],
            direction=Direction(row["direction"]) if row["direction"] not in ("", INTAKE) else None,
            by=row["by"],
            reason=row["reason"],
            at=instant(row["at"]),
            intake=row["direction"] == INTAKE,
        )
        for row in _ALL.rows(connection)
    ]
