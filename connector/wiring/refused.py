"""Refused handshakes, told to the log and the audit trail without filling the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from connector.edges.tls import Peer
from connector.pipeline.entries import PLACE, instant, seen, short
from connector.pipeline.ports import Clock, Entry
from connector.store import Store

MOST: Final = 20  # audited one by one for each reason in a minute; of the others the number is
MINUTE: Final = 60.0  # seconds

_log: Final = structlog.get_logger(__name__)


class Refused:
    """Audits who was not let in: one by one up to ``MOST`` a minute for each reason, then their number.

    By reason, so that a flood of silent peers hides no partner whose certificate was refused. ``seconds``: a
    clock that never goes back.
    """

    def __init__(self, store: Store, where: str, clock: Clock, seconds: Callable[[], float]) -> None:
        self._store, self._where, self._clock, self._seconds = store, where, clock, seconds
        self._since = seconds()
        self._counts: Counter[str] = Counter()

    async def __call__(self, reason: str, address: str, peer: Peer | None) -> None:
        """A peer was not let in; who it was is known where only the profiles are against it."""
        entries = self._unsaid()
        self._counts[reason] += 1
        if self._counts[reason] <= MOST:
            _log.warning("handshake refused", address=address, code=reason)
            entries.append(
                self._entry({}, seen(peer) if peer else {"role": "peer", "address": address}, reason)
            )
        if entries:
            await self._store.record(entries)

    def _unsaid(self) -> list[Entry]:
        """How many more there were in the minute that is over."""
        now = self._seconds()
        if now - self._since < MINUTE:
            return []
        over, self._counts, self._since = self._counts, Counter(), now
        return [
            self._entry({"count": count - MOST}, {"role": "peer"}, reason)
            for reason, count in over.items()
            if count > MOST
        ]

    def _entry(self, what: Mapping[str, object], actor: Mapping[str, object], reason: str) -> Entry:
        target = {"listener": self._where, **what}
        return Entry(
            instant(self._clock()),
            "tls:handshake:refused",
            actor,
            target,
            "refused",
            short(reason, PLACE),
            "",
        )
