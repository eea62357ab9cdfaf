"""What lost where both sides changed the same element: kept, sealed, for a person to see."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, or_, select, update

from connector.errors import Erased
from connector.store.cipher import BlindIndex, Cipher
from connector.store.commits import Unit
from connector.store.inbox import missing, new_uid
from connector.store.keyring import Keyring
from connector.store.records import Clash
from connector.store.statement import Statement, fresh, instant, micros
from connector.store.tables import Conflict, table

_CONFLICT: Final = table(Conflict)
_C: Final = _CONFLICT.c
_INSERT: Final = Statement(fresh(_CONFLICT))
_LISTED: Final = Statement(
    select(*_C)
    .where(_C.link == bindparam("link"), _C.state == bindparam("state"), _C.id > bindparam("after"))
    .order_by(_C.id)
    .limit(bindparam("limit"))
)
_STATE: Final = Statement(select(_C.state).where(_C.uid == bindparam("uid")))
_ONE: Final = Statement(select(*_C).where(_C.id == bindparam("row")))
_MARK: Final = Statement(
    update(_CONFLICT)
    .where(_C.id == bindparam("row"), or_(_C.state == bindparam("of"), bindparam("of") == ""))
    .values(state=bindparam("now_state"))
)


class ClashRows:
    """The conflicts: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, keys: Keyring) -> None:
        self._cipher = cipher
        self._resource = BlindIndex(keys, "conflict.resource")

    def add(self, unit: Unit, one: Clash) -> int:
        """Keep what lost; the number of its row, 0 where it is kept already."""
        uid = one.uid or new_uid()
        if one.uid and self.states(unit.connection, [uid]):
            return 0
        record = self._cipher.new("conflict", uid, one.link, micros(one.at))
        kept = msgspec.json.encode({"resource": one.resource, "value": one.value})
        return _INSERT.insert(
            unit.connection,
            uid=uid,
            link=one.link,
            resource=self._resource.of(one.link, one.resource),
            path=one.path,
            winner=one.winner,
            state=one.state,
            at=micros(one.at),
            data_key=record.wrapped,
            value=record.seal("value", kept),
            source=one.source,
        )

    def states(self, connection: Connection, uids: Iterable[str]) -> dict[str, str]:
        """The states of those that are kept, by uid."""
        return {uid: str(row[0]) for uid in uids for row in _STATE.all(connection, uid=uid)}

    def one(self, connection: Connection, row: int) -> Clash | None:
        """One conflict."""
        found = _ONE.row(connection, row=row)
        return self._clash(found) if found else None

    def listed(self, connection: Connection, link: str, state: str, after: int, limit: int) -> list[Clash]:
        """Those in a state, the oldest first, behind the row ``after``."""
        rows = _LISTED.rows(connection, link=link, state=state, after=after, limit=limit)
        found = []
        for row in rows:
            with suppress(Erased):
                found.append(self._clash(row))
        return found

    def mark(self, unit: Unit, row: int, state: str, of: str = "") -> None:
        """A person or the next exchange has settled it. Raises ``MovedOn`` if it is not there, in ``of``."""
        if not _MARK.run(unit.connection, row=row, now_state=state, of=of).rowcount:
            raise missing("conflict")

    def _clash(self, row: Any) -> Clash:
        record = self._cipher.of("conflict", row["uid"], row["link"], row["data_key"])
        kept = msgspec.json.decode(record.open("value", row["value"]), type=_Kept)
        return Clash(
            link=row["link"],
            resource=kept.resource,
            path=row["path"],
            value=kept.value,
            winner=row["winner"],
            state=row["state"],
            at=instant(row["at"]),
            id=row["id"],
            uid=row["uid"],
        )


class _Kept(msgspec.Struct):
    """What is sealed in one column, since the key of a resource is as much a secret as the value."""

    resource: str
    value: bytes
