"""The store's door for feeds of the audit log: what lies behind a repository, and how far it surely has it.

The log itself is what waits; a feed is one row that says up to which entry nothing waits any more. It stands
in the database of the log, so that a backup brings back both as they were together: a mark in a file of its
own would lie beyond the end of a log that was restored, and what is written there anew would never be sent.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects.sqlite import insert

from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.statement import Statement, instant, micros, there
from connector.store.tables import Feed, table

_FEED: Final = table(Feed)
_C: Final = _FEED.c
_ADD: Final = Statement(
    insert(_FEED).values({one.name: bindparam(one.name) for one in _C}).on_conflict_do_nothing()
)
_ONE: Final = Statement(select(*_C).where(_C.name == bindparam("feed")))
_ADVANCE: Final = Statement(
    update(_FEED)
    .where(_C.name == bindparam("feed"), _C.seq < bindparam("to"))
    .values(seq=bindparam("to"), at=bindparam("now"))
)
_MARK: Final = Statement(
    update(_FEED)
    .where(_C.name == bindparam("feed"))
    .values(reason=bindparam("why"), since=bindparam("began"))
)
_LENGTH: Final = text("SELECT coalesce(max(seq), 0) FROM audit_entry")  # the table is the audit package's
_BEFORE: Final = text("SELECT coalesce(min(seq) - 1, 0) FROM audit_entry")
_AFTER: Final = text("SELECT seq, entry, hash FROM audit_entry WHERE seq > :after ORDER BY seq LIMIT :limit")
_OTHERS: Final = text(
    "SELECT 1 FROM audit_entry WHERE seq > :after AND json_extract(entry, '$.tag') NOT LIKE :but LIMIT 1"
)
_NEXT: Final = text("SELECT entry FROM audit_entry WHERE seq > :after ORDER BY seq LIMIT 1")


class Logged(NamedTuple):
    """One entry of the audit log, as it lies there."""

    seq: int
    entry: str  # canonical JSON
    hash: bytes


@dataclass(frozen=True, slots=True)
class FeedMark:
    """How far a repository surely has the log.

    ``seq``: the last entry; ``at``: since when that is known; ``reason``: the name of the error for which
    nothing moves, "" where it does; ``since``: when that began.
    """

    name: str
    seq: int
    at: dt.datetime
    reason: str = ""
    since: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """What a repository does not surely have yet: how many entries, and since when the first of them is
    there; None: nothing."""

    entries: int
    oldest: dt.datetime | None = None

    def seconds(self, now: dt.datetime) -> float:
        """How old the first of them is."""
        return max((now - self.oldest).total_seconds(), 0.0) if self.oldest else 0.0


class Feeding(Door):
    """What feeds know and do."""

    async def begin_feed(self, name: str, now: dt.datetime, *, whole: bool) -> FeedMark:
        """The mark of a feed. A new one begins before the first entry (``whole``) or behind the last."""

        def work(unit: Unit) -> FeedMark:
            seq = int(unit.connection.execute(_BEFORE if whole else _LENGTH).scalar_one())
            _ADD.run(unit.connection, name=name, seq=seq, at=micros(now), reason="", since=None)
            return there(_mark(unit.connection, name))

        return await self._write(work)

    async def advance_feed(self, name: str, seq: int, now: dt.datetime, entries: Drafts = ()) -> None:
        """The repository surely has everything up to this entry. Never takes anything back."""
        await self._step(
            entries, lambda unit: _ADVANCE.run(unit.connection, feed=name, to=seq, now=micros(now))
        )

    async def mark_feed(
        self, name: str, reason: str, since: dt.datetime | None, entries: Drafts = ()
    ) -> None:
        """Say why nothing moves, or that it does (""), together with its entries."""
        began = None if since is None else micros(since)
        await self._step(entries, lambda unit: _MARK.run(unit.connection, feed=name, why=reason, began=began))

    async def feed(self, name: str) -> FeedMark | None:
        """The mark of a feed; None where it never began."""
        return await self._read(lambda connection: _mark(connection, name))

    async def logged(self, after: int, limit: int) -> Sequence[Logged]:
        """Entries behind one, in order, at most ``limit``."""

        def work(connection: Connection) -> Sequence[Logged]:
            rows = connection.execute(_AFTER, {"after": after, "limit": limit})
            return [Logged(int(seq), str(entry), bytes(digest)) for seq, entry, digest in rows]

        return await self._read(work)

    async def log_length(self) -> int:
        """The number of the last entry; 0 where there is none. For who asks often."""
        return await self._glance(_length)

    async def lag(self, seq: int) -> Lag:
        """What lies behind an entry."""
        return await self._read(lambda connection: _lag(connection, seq))

    async def waits(self, after: int, but: str) -> bool:
        """Whether there are entries behind one whose tag does not begin with ``but``."""
        asked = {"after": after, "but": f"{but}%"}
        return await self._read(lambda connection: connection.execute(_OTHERS, asked).first() is not None)


def _length(connection: Connection) -> int:
    return int(connection.execute(_LENGTH).scalar_one())


def _lag(connection: Connection, seq: int) -> Lag:
    row = connection.execute(_NEXT, {"after": seq}).first()
    if row is None:
        return Lag(0)
    entry: Any = json.loads(row[0])
    return Lag(_length(connection) - seq, dt.datetime.fromisoformat(entry["time"]))


def _mark(connection: Connection, name: str) -> FeedMark | None:
    row = _ONE.row(connection, feed=name)
    if row is None:
        return None
    since = None if row["since"] is None else instant(row["since"])
    return FeedMark(row["name"], row["seq"], instant(row["at"]), row["reason"], since)
