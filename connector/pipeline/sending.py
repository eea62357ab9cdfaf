"""How the resources of one link are sent, as its profile says; and who may make a message again just now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

from connector.profile.fhir import Fhir


@dataclass(frozen=True, slots=True)
class Sending:
    """How the resources of one link are sent.

    ``omit``: types that are not, while references to them stay. ``if_match``: updates name the version they
    were made over. ``read_first``: what was never seen there is read before it is written. ``revisions``: how
    often one message is made again because somebody else was faster.
    """

    delivery: Literal["transaction", "batch", "each", "message"] = "transaction"
    omit: frozenset[str] = frozenset()
    if_match: bool = True
    read_first: bool = False
    revisions: int = 5

    @classmethod
    def of(cls, fhir: Fhir) -> Sending:
        """As the profile says."""
        return cls(
            delivery=fhir.delivery,
            omit=frozenset(fhir.omit),
            if_match=fhir.updates.if_match,
            read_first=fhir.updates.read_before_update == "first",
            revisions=fhir.updates.revisions,
        )


SENDING: Final = Sending()


class Turn:
    """One of our messages at a time is made again, so that lanes do not fight over what they share."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock, self._mine = lock, False

    async def take(self) -> None:
        """Wait until nobody else has it; at once if it is ours already."""
        if not self._mine:
            await self._lock.acquire()
            self._mine = True

    def give(self) -> None:
        """Let the next one have it."""
        if self._mine:
            self._mine = False
            self._lock.release()
