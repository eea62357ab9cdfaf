"""One witness of the audit log as the service knows it: when to ask it, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from audit import cosigning
from audit.cosigning import AnswerRefused, Standing
from audit.directory import Shard
from audit.notes import Key, Signature
from audit.witness import Answer
from connector.edges import http_reading

FIRST_PAUSE: Final = 1.0  # seconds before a witness that failed is asked again; doubled up to LONGEST_PAUSE
LONGEST_PAUSE: Final = 30.0
_TRIES: Final = 3  # times that it may say another size than the time before


class Asks(Protocol):
    """The connection to a witness."""

    async def ask(self, body: bytes) -> http_reading.Answer:
        """Its answer. Raises ``DeliveryError``."""
        ...

    async def close(self) -> None:
        """Ask no more."""
        ...


@dataclass(slots=True)
class Round:
    """One checkpoint that all witnesses are asked to cosign. ``lines``: what they answered, by their names;
    ``gathered``: it has been published with the cosignatures of as many as are required."""

    shard: Shard
    standing: Standing
    lines: dict[str, tuple[Signature, ...]] = field(default_factory=dict)
    gathered: bool = False

    @property
    def origin(self) -> str:
        """Which log."""
        return self.standing.head.origin


class Trouble(NamedTuple):
    """Why a witness did not cosign, and how often in a row. ``until``: when it may be asked again."""

    why: str
    times: int
    until: float


class Cosigner:
    """A witness. ``under_way``: what it is asked just now."""

    def __init__(self, name: str, keys: tuple[Key, ...], site: Asks) -> None:
        self.name, self.keys, self._site = name, keys, site
        self.under_way: tuple[Round, asyncio.Task[None]] | None = None
        self.disagrees: set[str] = set()  # logs of which it has seen another version
        self.troubles: dict[str, Trouble] = {}
        self._seen: dict[str, int] = {}

    def wants(self, one: Round, now: float) -> bool:
        """Whether it is to be asked now."""
        trouble = self.troubles.get(one.origin)
        free = self.under_way is None and self.name not in one.lines
        return free and (trouble is None or now >= trouble.until)

    def knew(self, origin: str, size: int) -> None:
        """It has cosigned this much, at some time before."""
        self._seen[origin] = size

    async def cosigned(self, one: Round) -> tuple[Signature, ...]:
        """Its cosignatures, checked.

        Raises ``Disagreed``, ``AnswerRefused``, ``DeliveryError``, and what reading the log raises.
        """
        standing, origin = one.standing, one.origin
        old = self._seen.get(origin, 0)
        if old > standing.head.size:
            old = 0  # it says then how much it has seen
        for _ in range(_TRIES):
            request = await asyncio.to_thread(cosigning.ask, standing, old, one.shard.read)
            said = await self._site.ask(request.written())
            answer = Answer(said.status, said.headers.get("content-type", ""), said.content)
            found = cosigning.understood(standing, old, self.keys, answer)
            if not isinstance(found, int):
                self._seen[origin] = standing.head.size
                return found
            self._seen[origin] = old = found
        raise AnswerRefused("it says another size each time")

    def well(self, origin: str) -> None:
        """It has cosigned."""
        self.troubles.pop(origin, None)
        self.disagrees.discard(origin)

    def ill(self, origin: str, why: str, now: float) -> Trouble:
        """It has not; ask again after a while."""
        times = self.troubles[origin].times + 1 if origin in self.troubles else 1
        pause = min(FIRST_PAUSE * 2 ** min(times - 1, 10), LONGEST_PAUSE)
        self.troubles[origin] = Trouble(why, times, now + pause)
        return self.troubles[origin]

    def forget_all_but(self, origins: Set[str]) -> None:
        """Years that are disposed of are no trouble any more."""
        for origin in self.troubles.keys() - origins:
            del self.troubles[origin]

    async def close(self) -> None:
        """Ask it no more."""
        if self.under_way is not None:
            self.under_way[1].cancel()
            await asyncio.gather(self.under_way[1], return_exceptions=True)
        await self._site.close()
