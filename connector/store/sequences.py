"""Which sequence number (MSH-13) comes next from each sender, found by blind index."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from connector.errors import SequenceNumberUnexpected
from connector.store.cipher import BlindIndex
from connector.store.commits import Unit
from connector.store.keyring import Keyring
from connector.store.statement import Statement
from connector.store.tables import Sequence, table

_SEQUENCE: Final = table(Sequence)
_C: Final = _SEQUENCE.c
_NEW: Final = insert(_SEQUENCE)
_EXPECT: Final = Statement(
    _NEW.on_conflict_do_update(index_elements=["link", "sender"], set_={"expected": _NEW.excluded.expected})
)
_EXPECTED: Final = Statement(
    select(_C.expected).where(_C.link == bindparam("link"), _C.sender == bindparam("sender"))
)


class SequenceRows:
    """The numbers: every method works on a connection of its caller."""

    def __init__(self, keys: Keyring) -> None:
        self._sender = BlindIndex(keys, "sequence.sender")

    def expect(self, unit: Unit, link: str, sender: str, number: int) -> None:
        """The next one of this sender has this number."""
        index = self._sender.of(link, sender)
        _EXPECT.run(unit.connection, link=link, sender=index, expected=number)

    def take(self, unit: Unit, link: str, sender: str, number: int) -> None:
        """This number comes in, and the one behind it is next.

        Raises ``SequenceNumberUnexpected`` for another than the one that is known to come next.
        """
        known = self.expected(unit.connection, link, sender)
        if known is not None and known > 0 and known != number:
            raise SequenceNumberUnexpected(
                "a message is missing" if number > known else "this number came before",
                fix="send the one whose number is in MSA-4",
                location="MSH-13",
                expected=known,
            )
        self.expect(unit, link, sender, number + 1)

    def expected(self, connection: Connection, link: str, sender: str) -> int | None:
        """The number of the next one; None: this sender is not known."""
        found = _EXPECTED.first(connection, link=link, sender=self._sender.of(link, sender))
        return int(found[0]) if found else None
