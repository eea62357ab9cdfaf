"""Corrected copies: a person mends a dead letter, and what it was stays beside what it became."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from connector.store.cipher import BlindIndex, Cipher, Record
from connector.store.commits import Unit
from connector.store.finding import IndexRows
from connector.store.inbox import InboxRows, missing, new_uid, packed, unpacked
from connector.store.keyring import Keyring
from connector.store.outbox import OutboxRows, known_by
from connector.store.records import Delivery, Direction, InboxKey, Received, State
from connector.store.statement import Row, Statement, fresh, micros
from connector.store.tables import Inbox, Outbox, table

_INBOX: Final = table(Inbox)
_OUTBOX: Final = table(Outbox)
_TAKEN: Final = Statement(select(*_INBOX.c).where(_INBOX.c.id == bindparam("row")))
_RETIRE: Final = Statement(
    update(_INBOX)
    .where(_INBOX.c.id == bindparam("row"))
    .values(state="replaced", acknowledgment="not owed", done_at=bindparam("at"))
)
_MADE: Final = Statement(
    select(*_OUTBOX.c, _INBOX.c.received_at)
    .join(_INBOX, _INBOX.c.id == _OUTBOX.c.inbox_id)
    .where(_OUTBOX.c.id == bindparam("row"))
)
_KEEP: Final = Statement(fresh(_OUTBOX))
_CORRECT: Final = Statement(
    update(_OUTBOX)
    .where(_OUTBOX.c.id == bindparam("row"))
    .values(data_key=bindparam("key"), meta=bindparam("new_meta"), payload=bindparam("new_payload"))
)
_NO_KEY: Final = InboxKey("", "", "", "", "")  # of a copy: nobody sends it again


class VersionRows:
    """Copies in inbox and outbox: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, keys: Keyring, inbox: InboxRows, outbox: OutboxRows) -> None:
        self._cipher, self._inbox, self._outbox = cipher, inbox, outbox
        self._content = BlindIndex(keys, "inbox.content")
        self._index = IndexRows(keys)

    def message(self, unit: Unit, row: int, payload: bytes, at: dt.datetime) -> tuple[int, str]:
        """A corrected copy of a received message that is dead, to be translated; the number of its row, and
        the commitment to it.

        What was made of the original counts no more. A sender that repeats the original still gets the
        first answer. Raises ``ConnectorError`` where it is not dead.
        """
        found = _TAKEN.row(unit.connection, row=row)
        if found is None or found["state"] != State.DEAD:
            raise missing("inbox")
        self._outbox.replace(unit, found)
        _RETIRE.run(unit.connection, row=row, at=micros(at))
        uid, record = new_uid(), self._inbox.record(found)
        meta = unpacked(record.open("meta", found["meta"]))
        received = Received(
            link=found["link"],
            direction=Direction(found["direction"]),
            key=_NO_KEY,
            payload=payload,
            meta=meta | ({"correlation": uid} if "correlation" in meta else {}),
            received_at=at,
            owed=found["acknowledgment"] == "pending",
        )
        answer, content = record.open("answer", found["answer"]), self._content.of("version", uid)
        copy, commitment = self._inbox.insert(
            unit, received, answer, uid, found["control"], content, version_of=row
        )
        self._index.copy(unit.connection, copy, row)
        unit.count(found["link"], found["direction"], dead=-1, waiting_translation=1)
        return copy, commitment

    def delivery(
        self, unit: Unit, row: int, payload: bytes, meta: dict[str, Any] | None
    ) -> tuple[int, str, str]:
        """A corrected copy in the place of a made message that was refused or is dead; it goes out again.

        It keeps its number, and so its place in its lanes; the original gets a new row, whose number this
        gives, with the commitments to the original and to the copy. ``meta``: None for that of the original.
        Raises ``ConnectorError`` in another state.
        """
        found = _MADE.row(unit.connection, row=row)
        if found is None or found["delivery"] not in (Delivery.DEAD, Delivery.REFUSED):
            raise missing("outbox")
        record = self._outbox.record(found)
        before = unpacked(record.open("meta", found["meta"]))
        kept, was = self._kept(unit, found, record.open("payload", found["payload"]), before)
        new = self._new(found, found["uid"])
        _CORRECT.run(
            unit.connection,
            row=row,
            key=new.wrapped,
            new_meta=new.seal("meta", packed(before if meta is None else meta)),
            new_payload=new.seal("payload", payload),
        )
        self._outbox.replay(unit, row)
        return kept, was, new.commitment(payload)

    def _kept(self, unit: Unit, found: Row, payload: bytes, meta: dict[str, Any]) -> tuple[int, str]:
        uid = new_uid()
        record = self._new(found, uid)
        values = {name: found[name] for name in found if name != "id"} | {
            "uid": uid,
            "delivery": Delivery.REPLACED.value,
            "version_of": found["id"],
            "data_key": record.wrapped,
            "meta": record.seal("meta", packed(meta)),
            "payload": record.seal("payload", payload),
        }
        return _KEEP.insert(unit.connection, **values), record.commitment(payload)

    def _new(self, found: Row, uid: str) -> Record:
        bound = known_by(uid, found["direction"])
        return self._cipher.new("outbox", bound, found["link"], found["received_at"])
