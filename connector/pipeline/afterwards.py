"""What a v2 partner's application says of a message whose delivery a commit acknowledgment has ended.

In enhanced mode (HL7 v2.5.1 2.9.3) CA says that the partner has stored a message, and its application says
later what it did with it. Where the profile calls a message delivered at CA, the delivery has ended, and what
comes later goes into the second column: the acknowledgment, pending until then.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from connector.errors import ConnectorError, PartnerRefusedMessage
from connector.pipeline.entries import Trail, about_whom
from connector.pipeline.ports import Clock
from connector.store import Acknowledgment, Direction, OutboxItem, Store

MEMORY: Final = 10_000  # messages whose application acknowledgment may still come

_CODES: Final = frozenset({"AA", "AE", "AR"})
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Committed:
    row: int
    correlation: str
    whom: Mapping[str, Any]
    recorded: asyncio.Event = field(default_factory=asyncio.Event)  # its delivery is on the disk


class Afterwards:
    """One link's messages that a CA has ended. What is not known here any more, as after a restart, stays
    pending."""

    def __init__(self, link: str, store: Store, clock: Clock) -> None:
        self._store = store
        self._trail = Trail(clock, link, Direction.TO_V2)
        self._waiting: OrderedDict[str, _Committed] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def expect(self, item: OutboxItem) -> Callable[[], None]:
        """A message was committed; call what is returned when that is on the disk."""
        committed = _Committed(item.id, str(item.meta.get("correlation", "")), about_whom(item.meta))
        self._waiting[str(item.meta.get("control_id", ""))] = committed
        while len(self._waiting) > MEMORY:
            self._waiting.popitem(last=False)
        return committed.recorded.set

    def overheard(self, code: str, control_id: str) -> bool:
        """As ``heard``, of what came over a connection of the partner's own; whether it is expected."""
        if control_id not in self._waiting or code not in _CODES:
            return False
        task = asyncio.create_task(self._keep(control_id, code))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _keep(self, control_id: str, code: str) -> None:
        try:
            await self.heard(control_id, code)
        except ConnectorError as error:  # it stays pending
            _log.error("an application acknowledgment could not be kept", code=code, exc=error)

    async def heard(self, control_id: str, code: str) -> None:
        """The application said AA, AE or AR: on the disk and audited when this returns.

        What was never expected, or is settled already, changes nothing. Raises ``UnableToWork``.
        """
        found = self._waiting.get(control_id)
        if found is None:
            return
        await found.recorded.wait()
        what = {"number": found.row, "acknowledgment": code, **found.whom}
        if code == "AA":
            said = Acknowledgment.POSITIVE
            entry = self._trail.did("delivery:v2:processed", found.correlation, **what)
        else:
            said = Acknowledgment.NEGATIVE
            error = PartnerRefusedMessage("the partner's application refused what it had committed")
            entry = self._trail.failed("delivery:v2:processed", error, found.correlation, **what)
        await self._store.acknowledged(found.row, said, [entry])
        self._waiting.pop(control_id, None)
