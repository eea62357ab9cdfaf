"""The idempotent receiver: a message is taken once, and a repeated one gets the answer of the first."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, exists, select, text, update

from connector.errors import DuplicateControlId, Erased, MovedOn
from connector.store.cipher import BlindIndex, Cipher, Record
from connector.store.commits import Unit
from connector.store.keyring import Keyring
from connector.store.records import (
    Accepted,
    Acknowledgment,
    Direction,
    InboxItem,
    InboxKey,
    Listed,
    Owed,
    Received,
    State,
)
from connector.store.statement import Row, Statement, fresh, instant, micros, there
from connector.store.tables import DEAD, OWED, WAITING, Inbox, Quarantine, table

_INBOX: Final = table(Inbox)
_C: Final = _INBOX.c
_LATER: Final = ("control", "meta", "answer", "lost", "payload")  # what most have no need of
_ROW: Final = tuple(one for one in _C if one.name not in _LATER)
_SAME_CONTROL: Final = _C.control == bindparam("control")

_SEEN: Final = Statement(
    select(
        select(_C.id).where(_SAME_CONTROL, _C.content == bindparam("content")).scalar_subquery(),
        exists().where(_SAME_CONTROL),
    )
)
_INSERT: Final = Statement(fresh(_INBOX))
_ONE: Final = Statement(select(*_ROW, _C.answer).where(_C.id == bindparam("id")))
_STATE: Final = Statement(select(_C.state).where(_C.id == bindparam("id")))
_LANE: Final = (_C.link == bindparam("link"), _C.direction == bindparam("direction"))
_PENDING: Final = Statement(
    select(*_ROW, _C.payload, _C.meta).where(*_LANE, text(WAITING)).order_by(_C.id).limit(bindparam("limit"))
)
_DEAD: Final = Statement(
    select(*_ROW, _C.meta, _C.lost).where(*_LANE, text(DEAD)).order_by(_C.id).limit(bindparam("limit"))
)
_RECENT: Final = Statement(select(*_ROW, _C.meta, _C.lost).order_by(_C.id.desc()).limit(bindparam("limit")))
_PAYLOAD: Final = Statement(select(*_ROW, _C.payload).where(_C.id == bindparam("id")))
_MARK: Final = Statement(
    update(_INBOX)
    .where(_C.id == bindparam("row"))
    .values(state=bindparam("state"), reason=bindparam("reason"))
)
_DONE: Final = Statement(
    update(_INBOX)
    .where(_C.id == bindparam("row"))
    .values(state=bindparam("state"), reason="", done_at=bindparam("at"), lost=bindparam("lost"))
)
_SETTLE: Final = Statement(
    update(_INBOX)
    .where(_C.id == bindparam("row"))
    .values(state=bindparam("state"), reason=bindparam("reason"), done_at=bindparam("at"))
)
_OWED: Final = Statement(
    select(*_ROW, _C.payload, _C.meta).where(*_LANE, text(OWED)).order_by(_C.id).limit(bindparam("limit"))
)
_ANSWERED: Final = Statement(
    update(_INBOX).where(_C.id == bindparam("row")).values(acknowledgment=bindparam("said"))
)
_QUARANTINE: Final = Statement(fresh(table(Quarantine)))

# which tally counts a row in which state
TALLIES: Final = {
    State.WAITING: "waiting_translation",
    State.TRANSLATED: "waiting_delivery",
    State.DELIVERED: "delivered",
    State.DEAD: "dead",
}


def new_uid() -> str:
    """A random id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


class InboxRows:
    """The inbox: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, keys: Keyring) -> None:
        self._cipher = cipher
        self._control = BlindIndex(keys, "inbox.control")
        self._content = BlindIndex(keys, "inbox.content")

    def accept(self, unit: Unit, received: Received, answer: bytes, *, once: bool) -> Accepted:
        """Take a message, or find that it was taken. ``once``: raise ``DuplicateControlId`` for a control
        id that came before with another content."""
        control, content = self.indexes(received.direction, received.key)
        found = there(_SEEN.first(unit.connection, control=control, content=content))
        if found[0] is not None:
            return self._again(unit, received, int(found[0]))
        if once and found[1]:
            raise DuplicateControlId("another message came under this control id", location="MSH-10")
        uid = received.uid or new_uid()
        row, commitment = self.insert(unit, received, answer, uid, control, content)
        unit.count(received.link, received.direction, received=1, waiting_translation=1)
        return Accepted(row, False, answer, uid, commitment, bool(found[1]))

    def indexes(self, direction: Direction, key: InboxKey) -> tuple[bytes, bytes]:
        """The blind indexes of a key: of its control id, and of control id and content."""
        sender = (direction, key.partner, key.application, key.facility, key.control_id)
        return self._control.of(*sender), self._content.of(*sender, key.digest)

    def seen(self, connection: Connection, direction: Direction, key: InboxKey) -> tuple[bool, bool]:
        """Whether this very message came before, and whether any came under its control id."""
        control, content = self.indexes(direction, key)
        found = there(_SEEN.first(connection, control=control, content=content))
        return found[0] is not None, bool(found[1])

    def _again(self, unit: Unit, received: Received, row: int) -> Accepted:
        first = there(_ONE.row(unit.connection, id=row))
        unit.count(received.link, received.direction, duplicates=1)
        return Accepted(row, True, self.record(first).open("answer", first["answer"]), first["uid"])

    def insert(
        self,
        unit: Unit,
        received: Received,
        answer: bytes,
        uid: str,
        control: bytes,
        content: bytes,
        version_of: int | None = None,
    ) -> tuple[int, str]:
        """A row that waits for its translation; its number, and the commitment to its payload."""
        record = self._cipher.new(
            "inbox", _known_by(uid, content), received.link, micros(received.received_at)
        )
        row = _INSERT.insert(
            unit.connection,
            uid=uid,
            link=received.link,
            direction=str(received.direction),
            control=control,
            content=content,
            state="waiting",
            acknowledgment="pending" if received.owed else "not owed",
            reason="",
            received_at=micros(received.received_at),
            done_at=None,
            version_of=version_of,
            data_key=record.wrapped,
            payload=record.seal("payload", received.payload),
            answer=record.seal("answer", answer),
            meta=record.seal("meta", packed(received.meta)),
            lost=None,
        )
        return row, record.commitment(received.payload)

    def pending(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[InboxItem]:
        """What waits for its translation, the oldest first."""
        rows = _PENDING.rows(connection, link=link, direction=str(direction), limit=limit)
        return [self._item(row) for row in rows]

    def _item(self, row: Row) -> InboxItem:
        record = self.record(row)
        return InboxItem(
            id=row["id"],
            uid=row["uid"],
            payload=record.open("payload", row["payload"]),
            meta=unpacked(record.open("meta", row["meta"])),
            received_at=instant(row["received_at"]),
            revised=row["version_of"] is not None,
        )

    def payload(self, connection: Connection, row: int) -> bytes:
        """The message as it came. Raises ``MovedOn`` if there is no such row."""
        found = _PAYLOAD.row(connection, id=row)
        if found is None:
            raise missing("inbox")
        return self.record(found).open("payload", found["payload"])

    def listed(self, connection: Connection, limit: int) -> list[Listed]:
        """The latest messages of all links, the oldest of them first."""
        return [self.shown(row) for row in _RECENT.rows(connection, limit=limit)][::-1]

    def dead(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[Listed]:
        """The dead letters of a lane, the oldest first."""
        rows = _DEAD.rows(connection, link=link, direction=str(direction), limit=limit)
        return [self.shown(row) for row in rows]

    def shown(self, row: Row) -> Listed:
        """What people may see of a row."""
        meta, lost = self._told(row)
        return Listed(
            id=row["id"],
            uid=row["uid"],
            link=row["link"],
            direction=Direction(row["direction"]),
            state=State(row["state"]),
            received_at=instant(row["received_at"]),
            meta=meta,
            lost=lost,
            reason=row["reason"],
        )

    def _told(self, row: Row) -> tuple[dict[str, Any], list[str]]:
        """What is kept about a message; nothing where it was erased."""
        try:
            record = self.record(row)
            lost = record.open("lost", row["lost"]) if row["lost"] is not None else b"[]"
            return unpacked(record.open("meta", row["meta"])), msgspec.json.decode(lost, type=list[str])
        except Erased:
            return {}, []

    def waiting(self, unit: Unit, row: int) -> Row:
        """A row that waits for its translation. Raises ``MovedOn``."""
        return self._in(unit, row, (State.WAITING,))

    def past(self, unit: Unit, row: int) -> None:
        """A row does not wait for its translation any more. Raises ``MovedOn`` where it does."""
        if _STATE.first(unit.connection, id=row) == (State.WAITING.value,):
            raise missing("inbox")

    def done(self, unit: Unit, row: Row, state: State, lost: Sequence[str]) -> None:
        """It is translated; keep the locations that the other side cannot say."""
        sealed = self.record(row).seal("lost", msgspec.json.encode(list(lost))) if lost else None
        at = row["received_at"] if state is State.DELIVERED else None
        _DONE.run(unit.connection, row=row["id"], state=str(state), lost=sealed, at=at)
        _count(unit, row, state)

    def mark(self, unit: Unit, row: int, state: State, reason: str, *, of: Sequence[State]) -> Row:
        """Put a row that is in one of the states ``of`` into another. Raises ``MovedOn``."""
        found = self._in(unit, row, of)
        _MARK.run(unit.connection, row=row, state=str(state), reason=reason)
        _count(unit, found, state)
        return found

    def settle(self, unit: Unit, row: int, state: State, reason: str, at: dt.datetime | None) -> None:
        """Follow what became of the messages made of it; one that waits for its translation stays so."""
        found = self._in(unit, row, tuple(State))
        if found["state"] not in (State.WAITING, State.REPLACED, state):
            done = None if state is not State.DELIVERED else micros(at) if at else found["received_at"]
            _SETTLE.run(unit.connection, row=row, state=str(state), reason=reason, at=done)
            _count(unit, found, state)

    def owed(self, connection: Connection, link: str, direction: Direction, limit: int) -> list[Owed]:
        """What is settled and not answered yet, the oldest first."""
        rows = _OWED.rows(connection, link=link, direction=str(direction), limit=limit)
        return [self._owed(row) for row in rows]

    def _owed(self, row: Row) -> Owed:
        record = self.record(row)
        return Owed(
            id=row["id"],
            uid=row["uid"],
            direction=Direction(row["direction"]),
            payload=record.open("payload", row["payload"]),
            meta=unpacked(record.open("meta", row["meta"])),
            received_at=instant(row["received_at"]),
            state=State(row["state"]),
            reason=row["reason"],
        )

    def answered(self, unit: Unit, row: int, said: Acknowledgment) -> Row:
        """What the sender was told at last. Raises ``MovedOn`` where nothing is owed."""
        found = self._in(unit, row, (State.DELIVERED, State.DEAD))
        if found["acknowledgment"] != Acknowledgment.PENDING:
            raise missing("inbox")
        _ANSWERED.run(unit.connection, row=row, said=str(said))
        return found

    def _in(self, unit: Unit, row: int, states: Sequence[State]) -> Row:
        found = _ONE.row(unit.connection, id=row)
        if found is None or found["state"] not in states:
            raise missing("inbox")
        return found

    def quarantine(
        self, unit: Unit, link: str, payload: bytes, reason: str, fingerprint: str, at: dt.datetime
    ) -> tuple[int, str]:
        """Keep bytes that nobody can read; the number of the row, and the commitment to them."""
        uid = new_uid()
        record = self._cipher.new("quarantine", uid, link, micros(at))
        row = _QUARANTINE.insert(
            unit.connection,
            uid=uid,
            link=link,
            reason=reason,
            fingerprint=fingerprint,
            received_at=micros(at),
            data_key=record.wrapped,
            payload=record.seal("payload", payload),
        )
        unit.count(link, Direction.TO_FHIR, quarantined=1)
        return row, record.commitment(payload)

    def record(self, row: Row) -> Record:
        """The ciphertexts of a row."""
        return self._cipher.of("inbox", _known_by(row["uid"], row["content"]), row["link"], row["data_key"])


def _count(unit: Unit, row: Row, state: State) -> None:
    if row["state"] != state:
        changes = {TALLIES[State(row["state"])]: -1, TALLIES[state]: 1}
        unit.count(row["link"], row["direction"], **changes)


def _known_by(uid: str, content: bytes) -> str:
    """Both bound: a ciphertext follows neither another uid nor another key."""
    return f"{uid}:{content.hex()}"


def packed(meta: Mapping[str, Any]) -> bytes:
    """Small JSON."""
    return msgspec.json.encode(dict(meta))


def unpacked(meta: bytes) -> dict[str, Any]:
    """The reverse of ``packed``."""
    return msgspec.json.decode(meta, type=dict[str, Any])


def missing(name: str) -> MovedOn:
    """No row in a state in which this can be done: already done, or never there."""
    return MovedOn(f"no row of the {name} is in a state for this", fix="look at its state first")
