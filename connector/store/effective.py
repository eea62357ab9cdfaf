"""Which settings and profiles are in force, by the hashes of their files: so that a change is seen as one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from connector.store import keyrows
from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.statement import Statement
from connector.store.tables import Effective, table

_EFFECTIVE: Final = table(Effective)
_C: Final = _EFFECTIVE.c
_NEW: Final = insert(_EFFECTIVE)
_PUT: Final = Statement(
    _NEW.values(name=bindparam("of"), sha256=bindparam("now")).on_conflict_do_update(
        index_elements=["name"], set_={"sha256": _NEW.excluded.sha256}
    )
)
_GONE: Final = Statement(delete(_EFFECTIVE).where(_C.name == bindparam("of")))
_ALL: Final = Statement(select(_C.name, _C.sha256))
_LAST: Final = "SELECT json_extract(entry, '$.time') FROM audit_entry ORDER BY seq DESC LIMIT 1"

Told = Callable[[str, str, str], Any]


class Changing(Door):
    """The store's door for what is in force."""

    async def take_effect(self, files: Mapping[str, str], told: Told, besides: Drafts = ()) -> None:
        """From now on these are in force, and no others. ``files``: their hashes, by name.

        ``told``: makes the audit entry of one out of its name, the hash before and the one now ("" for
        none); ``besides``: entries that come first. All of it is on record, or nothing is in force.
        """

        def work(unit: Unit) -> None:
            before = {str(name): str(sha256) for name, sha256 in _ALL.all(unit.connection)}
            unit.record(besides)
            for name in sorted(files.keys() | before.keys()):
                unit.record([told(name, before.get(name, ""), files.get(name, ""))])
            for name, sha256 in files.items():
                _PUT.run(unit.connection, of=name, now=sha256)
            for name in before.keys() - files.keys():
                _GONE.run(unit.connection, of=name)

        await self._write(work)

    async def tell_trouble(self, draft: Callable[[str, int], Any]) -> None:
        """Put on record how many callers the disk or the audit log refused since this was last done: as soon
        as something can be put on record again. ``draft``: of the name of the error and their number."""
        if self._writer is None or not (found := self._writer.take_trouble()):
            return
        try:
            await self._write(lambda unit: unit.record([draft(*one) for one in sorted(found.items())]))
        except BaseException:
            self._writer.take_trouble()  # it may be of this very attempt, and comes again
            self._writer.add_trouble(found)
            raise

    async def last_recorded(self) -> dt.datetime | None:
        """The time of the last entry of the audit log; None: there is none."""
        found = await self._read(lambda connection: connection.exec_driver_sql(_LAST).first())
        return dt.datetime.fromisoformat(found[0]) if found else None

    async def key_in_use(self) -> tuple[str, str]:
        """Provider and name of the key-encryption key that wraps now, as the store knows it."""
        found = await self._read(keyrows.latest)
        return (found[1], found[2]) if found else ("", "")
