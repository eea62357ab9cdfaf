"""How a message reaches its partner: the two ways, and what each says of what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.errors import DeliveryError
from connector.pipeline.afterwards import Afterwards
from connector.pipeline.ports import V2Sender
from connector.pipeline.replies import USUAL, Replies, decide
from connector.store import Acknowledgment, JournalEntry, OutboxItem


@dataclass(frozen=True, slots=True)
class Told:
    """What the partner said: facts for the audit trail, the versions it gave to resources, and what the
    journal keeps of it. ``acknowledgment``: what its application has said so far; ``recorded``: to be called
    when all of that is on the disk; ``saw``: what was read for the journal's part, and ``again``: the same
    read anew, for when that has changed meanwhile."""

    facts: Mapping[str, Any]
    versions: Mapping[str, str]
    journal: Sequence[JournalEntry] = ()
    acknowledgment: Acknowledgment = Acknowledgment.POSITIVE
    recorded: Callable[[], None] | None = None
    saw: Mapping[bytes, bytes] = field(default_factory=dict)
    again: Callable[[], Awaitable[Told]] | None = None


class ToV2:
    """Sends by MLLP; the partner's reply table says what an answer or a failure does.

    ``committed``: what CA leaves open of the acknowledgment; ``afterwards``: who hears the rest.
    """

    def __init__(
        self,
        sender: V2Sender,
        replies: Replies = USUAL,
        committed: Acknowledgment = Acknowledgment.POSITIVE,
        afterwards: Afterwards | None = None,
    ) -> None:
        self._sender, self._replies = sender, replies
        self._committed, self._afterwards = committed, afterwards

    async def send(self, item: OutboxItem) -> Told:
        """Raises ``DeliveryError``, with the way the table gives it, for whatever does not say "taken"."""
        again = item.unsure or item.attempts > 0
        try:
            answer = await self._sender.send(item.payload, str(item.meta.get("control_id", "")))
        except DeliveryError as failure:
            raise decide(failure, self._replies) or failure from None
        refused = decide(answer, self._replies, again=again)
        if refused is not None:
            raise refused
        facts = {"acknowledgment": answer.code}
        if answer.code != "CA" or self._committed is Acknowledgment.POSITIVE:
            return Told(facts, {})
        recorded = self._afterwards.expect(item) if self._afterwards else None
        return Told(facts, {}, (), self._committed, recorded)
