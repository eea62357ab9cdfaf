"""How a message reaches its partner: the two ways, and what each says of what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import DeliveryError
from connector.pipeline.ports import V2Sender
from connector.pipeline.replies import USUAL, Replies, decide
from connector.store import JournalEntry, OutboxItem


@dataclass(frozen=True, slots=True)
class Told:
    """What the partner said: facts for the audit trail, the versions it gave to resources, and what the
    journal keeps of it."""

    facts: Mapping[str, Any]
    versions: Mapping[str, str]
    journal: Sequence[JournalEntry] = ()


class ToV2:
    """Sends by MLLP; the partner's reply table says what an answer or a failure does."""

    def __init__(self, sender: V2Sender, replies: Replies = USUAL) -> None:
        self._sender, self._replies = sender, replies

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
        return Told({"acknowledgment": answer.code}, {})
