"""What the demo asks the connector about itself: its store, opened for reading beside the running service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connector.demo.site import Site
from connector.store import Direction, FileKeyProvider, Store


@dataclass(frozen=True, slots=True)
class Listed:
    """One message that the connector took: how it stands, and how many locations were not said."""

    direction: str  # "to_fhir" | "to_v2"
    state: str
    lost: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The messages of one direction. ``received`` were taken, duplicates not among them."""

    received: int = 0
    duplicates: int = 0
    refused: int = 0
    waiting: int = 0  # for translation or delivery
    delivered: int = 0
    dead: int = 0
    sent: int = 0  # outgoing messages that were delivered: several may be made of one


class Status(Protocol):
    """The connector's own view."""

    async def counts(self) -> dict[str, Counted]:
        """By direction."""
        ...

    async def recent(self, limit: int) -> Sequence[Listed]:
        """The latest messages, the oldest of them first."""
        ...

    async def close(self) -> None:
        """Let the store go."""
        ...


class _NoLog:
    """The audit log of a store that is only read."""

    def install(self, connection: Any, *, new: bool) -> None:
        """Never asked."""

    def append(self, connection: Any, drafts: Sequence[Any]) -> None:
        """Never asked."""


class StoreStatus:
    """``Status`` of the one link of a site."""

    def __init__(self, site: Site) -> None:
        """Raises ``StoreUnavailable``, ``KeyUnavailable``."""
        keys = FileKeyProvider(site.folder / "kek.key")
        self._store = Store.open(site.store, keys, _NoLog(), read_only=True)

    async def counts(self) -> dict[str, Counted]:
        """See ``Status``."""
        found = await self._store.counts()
        by_direction = {}
        for direction in (Direction.TO_FHIR, Direction.TO_V2):
            links = [counts for (_, way), counts in found.items() if way is direction]
            by_direction[str(direction)] = Counted(
                received=sum(one.received for one in links),
                duplicates=sum(one.duplicates for one in links),
                refused=sum(one.refused for one in links),
                waiting=sum(one.waiting for one in links),
                delivered=sum(one.delivered for one in links),
                dead=sum(one.dead for one in links),
                sent=sum(one.sent for one in links),
            )
        return by_direction

    async def recent(self, limit: int) -> list[Listed]:
        """See ``Status``."""
        found = await self._store.recent(limit)
        return [Listed(str(one.direction), str(one.state), len(one.lost)) for one in found]

    async def close(self) -> None:
        """See ``Status``."""
        await self._store.close()
