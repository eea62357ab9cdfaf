"""Many messages that come together, in a frame or a file, with an envelope or without (HL7 v2.5.1, 2.10.3).

They are taken one after the other, each with a commit and an outcome of its own, and answered together. An
envelope that contradicts itself or its counts may have lost something on its way: then nothing is taken.
Where we are unable to work the rest is not tried, so that nothing overtakes what the sender sends again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from connector.errors import ConnectorError, UnableToWork
from connector.hl7v2 import envelope
from connector.pipeline.entries import Trail, dtm, reason
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock, Ids
from connector.pipeline.taking import Outcome, Source, Taking
from connector.store import Direction, Store

_IN = Direction.TO_FHIR
_log = structlog.get_logger(__name__)


class Gone(NamedTuple):
    """What became of all of them, in their order, and the one answer; None: close the connection."""

    answer: bytes | None
    outcomes: Sequence[Outcome]


async def _at_once() -> None:
    """The pace of what need not wait."""


class Batches:
    """Takes files, batches and streams of messages."""

    def __init__(self, taking: Taking, store: Store, clock: Clock, ids: Ids) -> None:
        self._taking, self._store, self._clock, self._ids = taking, store, clock, ids

    async def take(
        self, link: Link, content: bytes, source: Source, pace: Callable[[], Awaitable[None]] = _at_once
    ) -> Gone:
        """Take all messages of ``content``; ``pace`` is awaited before each."""
        read = envelope.read(content)
        correlation = self._ids()
        groups: list[list[Outcome]] = []
        stopped: ConnectorError | None = None
        for batch in read.batches:
            found = []
            for payload in batch.messages:
                if read.faults or stopped:
                    found.append(self._taking.refusal(link, payload, [stopped] if stopped else read.faults))
                    continue
                await pace()
                outcome = await self._taking.take(link, payload, source)
                found.append(outcome)
                if isinstance(outcome.error, UnableToWork):
                    stopped = outcome.error
            groups.append(found)
        outcomes = [one for found in groups for one in found]
        if not await self._recorded(link, read, outcomes, source, correlation):
            return Gone(None, outcomes)
        if any(one.answer is None for one in outcomes):
            return Gone(None, outcomes)
        return Gone(self._answer(link, read, groups, correlation), outcomes)

    async def _recorded(
        self,
        link: Link,
        read: envelope.Content,
        outcomes: Sequence[Outcome],
        source: Source,
        correlation: str,
    ) -> bool:
        trail = Trail(self._clock, link.name, _IN)
        counts = {
            "messages": len(outcomes),
            "taken": sum(one.code == "AA" and not one.duplicate for one in outcomes),
            "duplicates": sum(one.duplicate for one in outcomes),
        }
        try:
            if read.faults:
                worst, faults = read.faults[0], len(read.faults)
                entry = trail.refused(
                    "message:v2:refused", worst, correlation, actor=source.actor, faults=faults, **counts
                )
                await self._store.refuse(link.name, _IN, reason(worst), self._clock(), [entry])
            else:
                entry = trail.did("message:v2:batched", correlation, actor=source.actor, **counts)
                await self._store.record([entry])
        except UnableToWork as failure:  # each message that was taken has its own entry
            _log.error("a batch could not be recorded", link=link.name, exc=failure)
            return not read.faults
        return True

    def _answer(
        self, link: Link, read: envelope.Content, groups: Sequence[Sequence[Outcome]], correlation: str
    ) -> bytes:
        told = [
            [one.answer for one in found if one.answer and (link.batch_answers == "all" or one.code != "AA")]
            for found in groups
        ]
        return envelope.answer(read, told, control_id=correlation[:20], at=dtm(self._clock()))
