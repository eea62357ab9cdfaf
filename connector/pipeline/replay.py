"""A person puts back what is out of its lane: to be translated again, or to be sent again.

Both go on under what they had: the same correlation, the same control ids, the same place in the lane. So
a partner that has it already takes it as repeated.
"""

from __future__ import annotations

from connector.pipeline.entries import Trail
from connector.pipeline.ports import Clock, Entry
from connector.store import Direction, Store


class Replay:
    """Replays in one lane for one ``operator``, whose name goes into the audit trail."""

    def __init__(self, store: Store, clock: Clock, link: str, direction: Direction, operator: str) -> None:
        self._store, self._link, self._direction = store, link, direction
        self._trail, self._operator = Trail(clock, link, direction), operator

    async def message(self, inbox_id: int) -> None:
        """Translate a received message again: one that was untranslatable, or whose messages are all out.

        Raises ``ConnectorError`` if it is not there or not in a state for this.
        """
        await self._store.replay_translation(inbox_id, [self._entry("message", inbox_id)])

    async def delivery(self, outbox_id: int) -> None:
        """Send again what was refused or delivered. Raises ``ConnectorError`` as ``message`` does."""
        await self._store.replay_delivery(outbox_id, [self._entry("delivery", outbox_id)])

    async def dead(self) -> int:
        """Put every dead letter of the lane back, the oldest first; how many there were."""
        count = 0
        while letters := await self._letters():
            for kind, number in letters:
                await (self.message if kind == "message" else self.delivery)(number)
            count += len(letters)
        return count

    async def _letters(self) -> list[tuple[str, int]]:
        received, made = await self._store.dead_letters(self._link, self._direction)
        parked = {one.inbox_id for one in made}
        untranslated = [("message", one.id) for one in received if one.id not in parked]
        return untranslated + [("delivery", one.id) for one in made]

    def _entry(self, kind: str, number: int) -> Entry:
        actor = {"role": "operator", "name": self._operator}
        return self._trail.did("operator:message:replayed", actor=actor, kind=kind, number=number)
