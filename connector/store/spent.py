"""Which client assertions were used, so that none gives a second token; across restarts, by blind index.

RFC 7523, section 3 (item 7), and SMART App Launch 2.2 ("Asymmetric authentication"): an assertion is known by
the client's id and its ``jti`` for as long as it could be valid.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from connector.errors import AssertionReplayed
from connector.store.cipher import BlindIndex
from connector.store.commits import Unit
from connector.store.keyring import Keyring
from connector.store.statement import Statement, micros
from connector.store.tables import SpentAssertion, table

KEPT: Final = dt.timedelta(hours=1)  # after their end, so that a clock set back brings none to life
_AT_ONCE: Final = 100  # forgotten with each one that comes

_SPENT: Final = table(SpentAssertion)
_C: Final = _SPENT.c
_SPEND: Final = Statement(
    insert(_SPENT)
    .values(assertion=bindparam("assertion"), ends_at=bindparam("ends_at"))
    .on_conflict_do_nothing()
)
_FORGET: Final = Statement(
    delete(_SPENT).where(
        _C.assertion.in_(
            select(_C.assertion)
            .where(_C.ends_at < bindparam("before"))
            .order_by(_C.ends_at)
            .limit(bindparam("limit"))
        )
    )
)


class SpentRows:
    """The assertions: every method works on a connection of its caller."""

    def __init__(self, keys: Keyring) -> None:
        self._assertion = BlindIndex(keys, "spent_assertion.assertion")

    def spend(self, unit: Unit, client: str, jti: str, ends_at: dt.datetime, now: dt.datetime) -> None:
        """Use an assertion, and forget some that ended ``KEPT`` ago.

        Raises ``AssertionReplayed`` for one that was used.
        """
        _FORGET.run(unit.connection, before=micros(now - KEPT), limit=_AT_ONCE)
        known = self._assertion.of(client, jti)
        if not _SPEND.run(unit.connection, assertion=known, ends_at=micros(ends_at)).rowcount:
            raise AssertionReplayed(
                "the client assertion was used before", fix="sign a new one, with a new jti, for each request"
            )
