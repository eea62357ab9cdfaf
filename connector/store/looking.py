"""Several questions to the journal of one link in one read: each way to the reader's thread has its price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import Connection

from connector.store.journal import JournalRows
from connector.store.records import Saw


class Look:
    """What the journal knows, asked where it is read. Not to be kept. ``saw``: what contents it read."""

    __slots__ = ("_connection", "_journal", "_link", "saw")

    def __init__(self, connection: Connection, journal: JournalRows, link: str) -> None:
        self._connection, self._journal, self._link = connection, journal, link
        self.saw: Saw = {}

    def resources(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The contents that are known, by key."""
        return self._journal.resources(self._connection, self._link, keys, self.saw)

    def told_at(self, keys: Iterable[str], family: str) -> dt.datetime | None:
        """The latest time at which a message of the family said that something happened to one of them."""
        return self._journal.told_at(self._connection, self._link, keys, family)

    def prior_message(self, resource: str, family: str) -> bytes | None:
        """The last v2 text of the family that spoke of the resource."""
        return self._journal.prior_message(self._connection, self._link, resource, family)
