"""The store's door for comparing: what lies in a row, against what the audit log committed to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.errors import MovedOn
from connector.store.commits import Unit
from connector.store.door import Door, Drafts

_RECEIVED: Final = "SELECT id, uid, content, link, data_key, payload, 0 AS made FROM inbox WHERE id = ?"
_MADE: Final = "SELECT id, uid, direction, link, data_key, payload, 1 AS made FROM outbox WHERE id = ?"
_SAID: Final = (  # the table is the audit package's
    "SELECT entry FROM audit_entry WHERE json_extract(entry, '$.tag') IN ({tags})"
    " AND instr(entry, '\"content') > 0 ORDER BY seq"
)
_TAKEN: Final = ("message:v2:received", "message:fhir:received", "operator:message:edited")
_SENT: Final = ("message:v2:translated", "message:fhir:translated", "operator:message:edited")


class Said(NamedTuple):
    """An entry that commits to a row. ``same``: to what lies there now."""

    seq: int
    time: str
    tag: str
    same: bool


class Committing(Door):
    """Comparing records with the commitments to them."""

    async def compared(self, row: int, entries: Drafts, *, made: bool) -> list[Said]:
        """The entries that commit to a received message, or to a ``made`` one, the oldest first.

        ``entries``: who asks, on record before anything is read. Each entry of the log is looked at. Raises
        ``MovedOn`` (no such row), ``Erased`` and ``Tampered``.
        """

        def work(connection: Connection) -> list[Said]:
            found = connection.exec_driver_sql(_MADE if made else _RECEIVED, (row,)).mappings().first()
            if found is None:
                raise MovedOn("there is no such message", fix='see "connector queue find"')
            record = (self._outbox if made else self._inbox).record(dict(found))
            now = record.commitment(record.open("payload", found["payload"]))
            return list(_said(connection, row, now, made=made))

        def ask(unit: Unit) -> None:
            unit.record(entries)

        await self._write(ask)
        return await self._read(work)


def _said(connection: Connection, row: int, now: str, *, made: bool) -> Iterator[Said]:
    tags = ", ".join(f"'{tag}'" for tag in (_SENT if made else _TAKEN))
    for (text,) in connection.exec_driver_sql(_SAID.format(tags=tags)):
        entry = json.loads(text)
        said = _commitment(entry["object"], entry["tag"], row, made=made)
        if said:
            yield Said(entry["seq"], entry["time"], entry["tag"], said == now)


def _commitment(about: dict[str, Any], tag: str, row: int, *, made: bool) -> str:
    """What an entry commits to in this row; "" for nothing."""
    edited = tag == "operator:message:edited"
    if edited and (about["kind"] == "delivery") != made:
        return ""
    if about.get("number") == row and (made if edited else not made):
        return str(about.get("content", ""))
    if (made or edited) and row in about.get("numbers", ()):
        return str(about["contents"][about["numbers"].index(row)])
    return ""
