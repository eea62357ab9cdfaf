"""Who was let in by TLS, told to the audit trail without an entry for each connection."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.edges.tls import Peer
from connector.pipeline.entries import instant, partner, seen
from connector.pipeline.ports import Clock, Entry
from connector.store import Store

PERIOD: Final = 3600.0  # seconds in which a certificate that comes again is only counted
_KNOWN: Final = 10_000  # certificates that are counted; one beyond is told of anew


@dataclass(slots=True)
class _Came:
    peer: Peer
    since: float  # when it was last told of
    unsaid: int = 0  # times since then


class Admitted:
    """One listener. The first connection of a certificate is on record before anything it sends is more than
    read; those that follow within ``PERIOD`` are counted, and their number is told with the next one."""

    def __init__(
        self,
        store: Store,
        where: str,
        clock: Clock,
        link_of: Callable[[Peer], str],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """``link_of``: for which link a peer speaks, "" where that is not known from its certificate."""
        self._store, self._where, self._clock = store, where, clock
        self._link_of, self._seconds = link_of, seconds
        self._came: OrderedDict[str, _Came] = OrderedDict()

    async def __call__(self, peer: Peer) -> None:
        """A peer was let in. Raises ``StoreUnavailable``, ``AuditRefused``: then it must not stay."""
        now, came = self._seconds(), self._came.get(peer.fingerprint)
        if came is not None and now - came.since < PERIOD:
            came.unsaid += 1
            return
        await self._store.record([self._entry(peer, 1 + (came.unsaid if came else 0))])
        self._came[peer.fingerprint] = _Came(peer, now)
        if len(self._came) > _KNOWN:
            _, gone = self._came.popitem(last=False)
            await self._tell([gone])

    async def tell(self) -> None:
        """Tell what is only counted yet."""
        await self._tell(list(self._came.values()))

    async def _tell(self, came: list[_Came]) -> None:
        if entries := [self._entry(one.peer, one.unsaid) for one in came if one.unsaid]:
            await self._store.record(entries)
        for one in came:
            one.unsaid = 0

    def _entry(self, peer: Peer, count: int) -> Entry:
        link = self._link_of(peer)
        what = {"listener": self._where, "count": count, **({"link": link} if link else {})}
        actor = partner(peer) if link else seen(peer)
        return Entry(instant(self._clock()), "tls:peer:admitted", actor, what, "success", "", "")
