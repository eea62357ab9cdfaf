"""The ways by which application acknowledgments reach a v2 sender: its own connections, or its listener."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from connector.edges.mllp_client import MllpClient, MllpTimeouts
from connector.edges.tls import Peer
from connector.errors import AnswerNotUnderstood, ConnectorError, NoAnswer, PartnerUnreachable
from connector.hl7v2.ack import CODES, Ack
from connector.mllp import Mode
from connector.pipeline import replies
from connector.pipeline.answering import Answering, ToSender
from connector.pipeline.breaker import Pauses
from connector.pipeline.dispatch import Delivering, Rules
from connector.pipeline.links import Link, Links
from connector.pipeline.ports import Clock
from connector.pipeline.supervise import Lane
from connector.profile.sender import V2Answers
from connector.store import Direction, Store

Ours = Callable[[Peer], bool]
_PAUSES: Final = Pauses(0.5, 2.0, 10.0)  # short: who comes back does not wait long for its answers


class Listening(Protocol):
    """The listener, as far as answers need it."""

    async def post(self, payload: bytes, ours: Ours, address: str = "") -> Peer:
        """Write a frame over an open connection of one of ``ours``. Raises ``PartnerUnreachable``."""
        ...

    def talks_to(self, ours: Ours) -> bool:
        """Whether one of ``ours`` has a connection open."""
        ...


class OverConnections:
    """Says it over a connection that the sender has open (an unsolicited frame).

    ``ours``: whether a peer is this sender; ``confirmed``: whether its CA is waited for, at most ``seconds``.
    The CA comes back over any of its connections, as a frame that the receiver hands to ``heard``.
    """

    def __init__(self, ours: Ours, confirmed: bool, seconds: float) -> None:
        self._ours, self._confirmed, self._seconds = ours, confirmed, seconds
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._listening: Listening | None = None

    def listens(self, listening: Listening) -> None:
        """The listener to which the sender connects."""
        self._listening = listening

    def reachable(self, now: dt.datetime) -> bool:
        """Whether the sender has a connection open."""
        return self._listening is not None and self._listening.talks_to(self._ours)

    async def say(self, payload: bytes, control_id: str, connection: str) -> Ack | None:
        """As ``Sayer``. Raises ``PartnerUnreachable`` where no connection is open, ``NoAnswer``."""
        if self._listening is None:
            raise PartnerUnreachable("nothing listens yet")
        if not self._confirmed:
            await self._listening.post(payload, self._ours, connection)
            return None
        waiting = self._waiting[control_id] = asyncio.get_running_loop().create_future()
        try:
            await self._listening.post(payload, self._ours, connection)
            async with asyncio.timeout(self._seconds):
                return Ack(await waiting, control_id)
        except TimeoutError:
            raise NoAnswer("the sender did not confirm its answer in time") from None
        finally:
            del self._waiting[control_id]

    def heard(self, code: str, control_id: str) -> bool:
        """An acknowledgment came in from this sender; whether it is one that is waited for."""
        waiting = self._waiting.get(control_id)
        if waiting is None or waiting.done() or code not in CODES:
            return False
        waiting.set_result(code)
        return True

    def stopped(self) -> None:
        """The listener is closed: no confirmation comes any more."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PartnerUnreachable("the connector is stopping"))

    def reload(self, context: ssl.SSLContext) -> None:
        """It makes no connections."""

    def cut(self) -> None:
        """The listener cuts its connections."""

    async def close(self) -> None:
        """There is nothing of its own to close."""


class ToListener:
    """Says it to a listener of the sender, over a connection of our making."""

    def __init__(self, client: MllpClient, confirmed: bool) -> None:
        self._client, self._confirmed = client, confirmed

    async def say(self, payload: bytes, control_id: str, connection: str) -> Ack | None:
        """As ``Sayer``. Raises ``DeliveryError``."""
        if not self._confirmed:
            await self._client.hand_over(payload)
            return None
        answer = await self._client.send(payload, control_id, Mode.COMMIT)
        try:
            return replies.read(answer.payload.decode("utf-8", "replace"))
        except ConnectorError as error:
            raise AnswerNotUnderstood("the answer is no acknowledgment", location=error.location) from None

    def listens(self, listening: Listening) -> None:
        """It is not the listener that is spoken to."""

    def reachable(self, now: dt.datetime) -> bool:
        """To be tried at any time."""
        return True

    def heard(self, code: str, control_id: str) -> bool:
        """Its answers come over the connection that we made, never over one of its own."""
        return False

    def stopped(self) -> None:
        """It is not the listener that is spoken to."""

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connection on."""
        self._client.reload(context)

    def cut(self) -> None:
        """End the connection at once."""
        self._client.cut()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


SenderSide = OverConnections | ToListener


def side_of(
    answers: V2Answers, link: Link, links: Links, context: Callable[[], ssl.SSLContext]
) -> SenderSide:
    """The way that a profile's ``[v2.from.answers]`` names. ``context``: for a connection of ours."""
    confirmed = answers.accept == "AL"
    if answers.via == "same" or answers.port is None:
        return OverConnections(
            lambda peer: links.of_peer(peer) is link, confirmed, answers.acknowledgment_seconds
        )
    seconds = MllpTimeouts(connect=answers.connect_seconds, answer=answers.acknowledgment_seconds)
    client = MllpClient(answers.host, answers.port, context(), answers.server_name, seconds)
    return ToListener(client, confirmed)


def lane_of(link: Link, store: Store, clock: Clock, side: SenderSide, parallel: int) -> Lane:
    """Makes and hands over the application acknowledgments of a link. Each connection that messages came by
    is a lane of its own, so one that does not read holds up no other."""
    delivering = Delivering(
        link.name,
        Direction.ANSWER,
        store,
        clock,
        ToSender(side),
        _PAUSES,
        Rules(lane="patient", parallel=parallel, open=side.reachable),
        random.random,
    )
    return Lane(Answering(link, store, clock), delivering, clock)
