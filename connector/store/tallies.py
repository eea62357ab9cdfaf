"""Counts that cost nothing to read: kept by the transactions that change what they count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from connector.store.records import Counts, Direction
from connector.store.statement import Statement
from connector.store.tables import Tally, table

_TALLY: Final = table(Tally)
_INSERT: Final = insert(_TALLY)
_ADD: Final = Statement(
    _INSERT.on_conflict_do_update(
        index_elements=["link", "direction", "name"],
        set_={"value": _TALLY.c.value + _INSERT.excluded.value},
    )
)
_ALL: Final = Statement(select(_TALLY.c.link, _TALLY.c.direction, _TALLY.c.name, _TALLY.c.value))
_NAMES: Final = frozenset(one.name for one in fields(Counts))


def add(connection: Connection, changes: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the counts, by (link, direction, name)."""
    for (link, direction, name), by in changes.items():
        if by:
            _ADD.run(connection, link=link, direction=direction, name=name, value=by)


def read(connection: Connection) -> dict[tuple[str, Direction], Counts]:
    """All counts."""
    found: defaultdict[tuple[str, Direction], dict[str, int]] = defaultdict(dict)
    for link, direction, name, value in _ALL.all(connection):
        if name in _NAMES:
            found[link, Direction(direction)][name] = value
    return {lane: Counts(**values) for lane, values in found.items()}
