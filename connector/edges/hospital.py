"""The hospital as deliveries see it: v2 messages go out over MLLP, and its answers are read as a whole."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, Self

import structlog

from connector.edges.mllp_client import Keeping, MllpClient, MllpTimeouts
from connector.edges.mllp_connection import Reply
from connector.edges.mllp_pool import MllpPool
from connector.errors import AnswerNotUnderstood, ConnectorError
from connector.hl7v2.ack import Ack, ack
from connector.hl7v2.tree import Message
from connector.mllp import Acknowledgment, Mode, Stray, StrayAnswer
from connector.mllp.exchange import APPLICATION_CODES, POSITIVE_CODES
from connector.pipeline import replies
from connector.pipeline.entries import dtm
from connector.pipeline.ports import Clock, Ids
from connector.pipeline.replies import Replies
from connector.profile.receiver import V2Receiver
from connector.store import Acknowledgment as Said

_log: Final = structlog.get_logger(__name__)

Heard = Callable[[str, str], Awaitable[None]]

_PATIENCE: Final = 2.0  # seconds
_AT_SUCCESS: Final = frozenset({"AL", "SU"})  # MSH-15, table 0155: when a commit acknowledgment is wanted


class HospitalSide:
    """Sends v2 messages and reads the whole answer, with the errors it names.

    ``mode``: which answers our messages ask for; ``strays``: how many answers settled nothing, by why.
    """

    def __init__(
        self,
        client: MllpClient | MllpPool,
        mode: Mode = Mode.ORIGINAL,
        strays: Mapping[Stray, int] = MappingProxyType({}),
        finish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._client, self._mode, self.strays, self._finish = client, mode, strays, finish

    @classmethod
    def of(
        cls,
        link: str,
        to: V2Receiver,
        context: ssl.SSLContext,
        clock: Clock,
        ids: Ids,
        afterwards: Heard | None = None,
    ) -> Self:
        """The side that a profile's ``[v2.to]`` speaks of. ``afterwards``: hears (control id, code) of
        application acknowledgments of what a CA had settled."""
        discarded, confirming = Discarded(link), Confirming(clock, ids, afterwards or _unheard)
        clients = [
            MllpClient(
                to.host,
                to.port,
                context,
                to.server_name,
                timeouts_of(to),
                keeping=Keeping(to.keep, to.idle_seconds, to.keep_alive_seconds),
                limit=to.acknowledgment_bytes,
                on_stray=discarded,
                confirm=confirming if to.acknowledgments.application else None,
            )
            for _ in range(to.connections)
        ]
        return cls(MllpPool(clients), mode_of(to), discarded.strays, confirming.close)

    async def send(self, payload: bytes, control_id: str) -> Ack:
        """The acknowledgment, whatever its code. Raises ``DeliveryError``."""
        answer = await self._client.send(payload, control_id, self._mode)
        try:
            return replies.read(answer.payload.decode("utf-8", "replace"))
        except ConnectorError as error:
            raise AnswerNotUnderstood("the answer is no acknowledgment", location=error.location) from None

    def heard(self, code: str, control_id: str) -> bool:
        """An acknowledgment came over a connection of the partner's own, as enhanced mode allows; whether a
        message waits for it here. Of an answer that came so the code alone is known."""
        if self._mode is Mode.ORIGINAL or code not in APPLICATION_CODES:
            return False
        payload = rf"MSH|^~\&{chr(13)}MSA|{code}|{control_id}{chr(13)}".encode()
        return self._client.overheard(payload, control_id)

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connections on."""
        self._client.reload(context)

    def cut(self) -> None:
        """End all connections at once."""
        self._client.cut()

    async def close(self) -> None:
        """Close the connections, when what came last is settled."""
        if self._finish is not None:
            await self._finish()
        await self._client.close()


class Discarded:
    """Counts the answers that settle nothing, and tells the operational log of the 1st, 2nd, 4th, 8th ...

    A partner that answers everything twice must not fill the disk.
    """

    def __init__(self, link: str) -> None:
        self._link = link
        self.strays: Counter[Stray] = Counter()

    def __call__(self, answer: StrayAnswer) -> None:
        """One more; nothing of it is kept."""
        self.strays[answer.reason] += 1
        count, code = self.strays[answer.reason], answer.code
        if answer.reason is Stray.AFTERWARDS and code not in POSITIVE_CODES:
            _log.warning("a committed message was refused later", link=self._link, code=code, count=count)
        elif answer.reason is not Stray.AFTERWARDS and not count & (count - 1):
            _log.warning(
                "answer discarded", link=self._link, state=answer.reason.value, code=code, count=count
            )


class Confirming:
    """Answers an application acknowledgment that comes as a message of its own with a commit acknowledgment,
    where its MSH-15 asks for one (v2.5.1 2.9.3).

    What comes after a CA has ended the delivery is confirmed when ``afterwards`` has it on the disk. What a
    delivery still waits for is confirmed at once: were we to crash before that is noted, the message would
    go out again under its control id and be answered again.
    """

    def __init__(self, clock: Clock, ids: Ids, afterwards: Heard) -> None:
        self._clock, self._ids, self._afterwards = clock, ids, afterwards
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, answer: Acknowledgment | StrayAnswer, reply: Reply) -> None:
        """An answer came."""
        if answer.code not in APPLICATION_CODES:
            return
        if isinstance(answer, Acknowledgment):
            self._confirm(answer.payload, reply)
            return
        task = asyncio.create_task(self._settle(answer, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait a moment for what came last; what is not on the disk by then stays unconfirmed."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _settle(self, answer: StrayAnswer, reply: Reply) -> None:
        try:
            await self._afterwards(answer.control_id, answer.code)
        except ConnectorError as error:  # unconfirmed, so the partner says it again
            _log.error("an application acknowledgment could not be kept", code=answer.code, exc=error)
            return
        self._confirm(answer.payload, reply)

    def _confirm(self, payload: bytes, reply: Reply) -> None:
        """The commit acknowledgment, byte for byte in the control id, where one is wanted."""
        try:
            received = Message.parse(payload.decode("latin-1"))
        except ConnectorError:
            return
        if received.msh.value(15).strip() in _AT_SUCCESS:
            text = ack(received, "CA", control_id=self._ids()[:20], at=dtm(self._clock()))
            reply(text.encode("latin-1", "replace"))


async def _unheard(control_id: str, code: str) -> None:
    """Nobody asks what comes afterwards."""


def replies_of(to: V2Receiver) -> Replies:
    """The reply table of a profile."""
    return Replies(to.replies, to.duplicates == "delivered")


def committed_of(to: V2Receiver) -> Said:
    """What a CA leaves open: whether the partner's application has something to say of success, too."""
    if mode_of(to) is not Mode.COMMIT:
        return Said.POSITIVE
    return Said.PENDING if to.acknowledgments.application in _AT_SUCCESS else Said.NOT_OWED


def mode_of(to: V2Receiver) -> Mode:
    """Which answer ends a delivery."""
    asked = to.acknowledgments
    if not asked.accept:
        return Mode.ORIGINAL
    return Mode.APPLICATION if asked.delivered == "application" else Mode.COMMIT


def timeouts_of(to: V2Receiver) -> MllpTimeouts:
    """How long to wait. Where none of the commit tells of success, the first answer is the application's."""
    asked = to.acknowledgments
    only = mode_of(to) is Mode.APPLICATION and asked.accept not in _AT_SUCCESS
    first = asked.application_seconds if only else to.acknowledgment_seconds
    return MllpTimeouts(to.connect_seconds, to.write_seconds, first, asked.application_seconds)
