"""The journal: what is known about each resource, and the v2 message that last spoke of it.

Both are found by blind index. A message is kept once, whatever number of resources it spoke of, and only as
long as it is the last to speak of one; the resources it spoke of are sealed with it, so that it cannot be
given out for another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, exists, select
from sqlalchemy.dialects.sqlite import insert

from connector.errors import Erased, JournalMoved, Tampered
from connector.store.cipher import BlindIndex, Cipher
from connector.store.commits import Unit
from connector.store.inbox import new_uid
from connector.store.keyring import Keyring
from connector.store.records import JournalEntry, Origin, Saw
from connector.store.statement import Statement, fresh, instant, micros
from connector.store.tables import JournalMessage, JournalResource, JournalText, table

_RESOURCE: Final = table(JournalResource)
_TEXT: Final = table(JournalText)
_MESSAGE: Final = table(JournalMessage)
_INDEX_BYTES: Final = 32
_COUNT_BYTES: Final = 4

_TOGETHER: Final = 32  # keys in one statement
_PLACES: Final = [f"resource_{place}" for place in range(_TOGETHER)]
_KNOWN: Final = Statement(
    select(_RESOURCE.c.resource, _RESOURCE.c.data_key, _RESOURCE.c.content).where(
        _RESOURCE.c.resource.in_([bindparam(place) for place in _PLACES]),
        _RESOURCE.c.link == bindparam("link"),
    )
)
_WRAPPED: Final = Statement(
    select(_RESOURCE.c.resource, _RESOURCE.c.data_key).where(
        _RESOURCE.c.resource.in_([bindparam(place) for place in _PLACES])
    )
)
_NEW: Final = insert(_RESOURCE)
_KNOW: Final = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["resource"],
        set_={name: _NEW.excluded[name] for name in ("data_key", "content", "inbox_id")},
    )
)
_FORGET: Final = Statement(delete(_RESOURCE).where(_RESOURCE.c.resource == bindparam("resource")))
_SAID: Final = Statement(
    select(_TEXT.c.uid, _TEXT.c.data_key, _TEXT.c.message)
    .join(_MESSAGE, _MESSAGE.c.text_uid == _TEXT.c.uid)
    .where(
        _MESSAGE.c.resource == bindparam("resource"),
        _MESSAGE.c.family == bindparam("family"),
        _TEXT.c.link == bindparam("link"),
    )
)
_TEXT_OF: Final = Statement(
    select(_MESSAGE.c.text_uid).where(
        _MESSAGE.c.resource == bindparam("resource"), _MESSAGE.c.family == bindparam("family")
    )
)
_KEEP: Final = Statement(fresh(_TEXT))
_SPEAKS: Final = insert(_MESSAGE)
_LATER: Final = case(
    (_SPEAKS.excluded.told_at > _MESSAGE.c.told_at, _SPEAKS.excluded.told_at), else_=_MESSAGE.c.told_at
)
_SAY: Final = Statement(
    _SPEAKS.on_conflict_do_update(
        index_elements=["resource", "family"],
        set_={"text_uid": _SPEAKS.excluded.text_uid, "told_at": _LATER},
    )
)
_TOLD: Final = Statement(
    select(_MESSAGE.c.told_at).where(
        _MESSAGE.c.resource == bindparam("resource"), _MESSAGE.c.family == bindparam("family")
    )
)
_DROP: Final = Statement(
    delete(_TEXT).where(
        _TEXT.c.uid == bindparam("text"),
        ~exists().where(_MESSAGE.c.text_uid == bindparam("text")),
    )
)


class JournalRows:
    """The journal: every method works on a connection of its caller."""

    def __init__(self, cipher: Cipher, keys: Keyring) -> None:
        self._cipher = cipher
        self._resource = BlindIndex(keys, "journal_resource.resource")
        self._spoken = BlindIndex(keys, "journal_message.resource")

    def write(
        self, unit: Unit, entries: Sequence[JournalEntry], origin: Origin, saw: Mapping[bytes, bytes]
    ) -> None:
        """Remember what the entries say, the later ones over the earlier.

        ``saw``: what was read for it. Raises ``JournalMoved`` where something of that would be written over
        that is not what was read any more.
        """
        self._unmoved(unit.connection, {self._resource.of(one.link, one.resource) for one in entries}, saw)
        last: dict[tuple[bytes, str], tuple[str, bytes, int]] = {}
        for entry in entries:
            self._content(unit, entry, self._resource.of(entry.link, entry.resource), origin)
            if entry.message is not None:
                index = self._spoken.of(entry.link, entry.resource, entry.family)
                at = micros(entry.told_at) if entry.told_at else 0
                last[index, entry.family] = entry.link, entry.message, at
        spoken: dict[tuple[str, bytes, int], list[tuple[bytes, str]]] = {}
        for where, said in last.items():
            spoken.setdefault(said, []).append(where)
        for (link, message, at), by in spoken.items():
            self._message(unit, link, message, by, at, origin)

    def _unmoved(self, connection: Connection, written: Set[bytes], saw: Mapping[bytes, bytes]) -> None:
        asked = [index for index in written if index in saw]
        for start in range(0, len(asked), _TOGETHER):
            some = asked[start : start + _TOGETHER]
            places = some + [b""] * (_TOGETHER - len(some))
            now = dict(_WRAPPED.all(connection, **dict(zip(_PLACES, places))))
            if any(now.get(index, b"") != saw[index] for index in some):
                raise JournalMoved("what was read is not what is known any more", fix="read it again")

    def resources(
        self, connection: Connection, link: str, keys: Iterable[str], saw: Saw | None = None
    ) -> dict[str, bytes]:
        """The contents that are known, by key. ``saw``: takes down what was read."""
        indexes = {self._resource.of(link, key): key for key in keys}
        asked, found = list(indexes), {}
        saw = {} if saw is None else saw
        saw |= dict.fromkeys((index for index in asked if index not in saw), b"")
        for start in range(0, len(asked), _TOGETHER):
            some = asked[start : start + _TOGETHER]
            some += [b""] * (_TOGETHER - len(some))
            for index, data_key, sealed in _KNOWN.all(connection, link=link, **dict(zip(_PLACES, some))):
                saw[index] = saw[index] or data_key
                with suppress(Erased):  # it is not known any more
                    record = self._cipher.of("journal_resource", index.hex(), link, data_key)
                    found[indexes[index]] = record.open("content", sealed)
        return found

    def prior_message(self, connection: Connection, link: str, resource: str, family: str) -> bytes | None:
        """The last v2 text of the family that spoke of the resource."""
        index = self._spoken.of(link, resource, family)
        row = _SAID.first(connection, resource=index, family=family, link=link)
        if row is None:
            return None
        uid, data_key, sealed = row
        try:
            plain = self._cipher.of("journal_text", uid, link, data_key).open("message", sealed)
        except Erased:
            return None
        start = _COUNT_BYTES + _INDEX_BYTES * int.from_bytes(plain[:_COUNT_BYTES], "big")
        if index not in _split(plain[_COUNT_BYTES:start]):
            raise Tampered("a message is given out for another resource", location="journal_message.text_uid")
        return plain[start:]

    def _content(self, unit: Unit, entry: JournalEntry, index: bytes, origin: Origin) -> None:
        if entry.content is None:
            _FORGET.run(unit.connection, resource=index)
            return
        record = self._cipher.new("journal_resource", index.hex(), entry.link, origin.at)
        sealed = record.seal("content", entry.content)
        kept = {"data_key": record.wrapped, "content": sealed, "inbox_id": origin.row}
        _KNOW.run(unit.connection, resource=index, link=entry.link, **kept)

    def told_at(
        self, connection: Connection, link: str, keys: Iterable[str], family: str
    ) -> dt.datetime | None:
        """The latest time at which a message of the family said that something happened to one of them."""
        found = [
            int(row[0])
            for key in keys
            for row in _TOLD.all(connection, resource=self._spoken.of(link, key, family), family=family)
        ]
        latest = max(found, default=0)
        return instant(latest) if latest else None

    def _message(
        self,
        unit: Unit,
        link: str,
        message: bytes,
        by: Sequence[tuple[bytes, str]],
        at: int,
        origin: Origin,
    ) -> None:
        uid = new_uid()
        record = self._cipher.new("journal_text", uid, link, origin.at)
        indexes = [index for index, _ in by]
        plain = len(indexes).to_bytes(_COUNT_BYTES, "big") + b"".join(indexes) + message
        _KEEP.run(
            unit.connection,
            uid=uid,
            link=link,
            data_key=record.wrapped,
            message=record.seal("message", plain),
            inbox_id=origin.row,
        )
        before = {text for index, family in by for text in self._speak(unit, index, family, uid, at)}
        for text in before:
            _DROP.run(unit.connection, text=text)

    def _speak(self, unit: Unit, index: bytes, family: str, uid: str, at: int) -> list[str]:
        before = [str(row[0]) for row in _TEXT_OF.all(unit.connection, resource=index, family=family)]
        _SAY.run(unit.connection, resource=index, family=family, text_uid=uid, told_at=at)
        return before


def _split(indexes: bytes) -> set[bytes]:
    return {indexes[at : at + _INDEX_BYTES] for at in range(0, len(indexes), _INDEX_BYTES)}
