"""The ways by which application acknowledgments reach a v2 sender: its own connections, or its listener."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from connector.edges.mllp_client import MllpClient
from connector.edges.tls import Peer
from connector.errors import AnswerNotUnderstood, ConnectorError, NoAnswer
from connector.hl7v2.ack import Ack
from connector.mllp import Mode
from connector.pipeline import replies

Post = Callable[[bytes, Callable[[Peer], bool], str], Awaitable[Peer]]


class OverConnections:
    """Says it over a connection that the sender has open (an unsolicited frame).

    ``ours``: whether a peer is this sender; ``confirmed``: whether its CA is waited for, at most ``seconds``.
    The CA comes back over any of its connections, as a frame that the receiver hands to ``heard``.
    """

    def __init__(self, ours: Callable[[Peer], bool], confirmed: bool, seconds: float) -> None:
        self._ours, self._confirmed, self._seconds = ours, confirmed, seconds
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self.post: Post = _nowhere

    async def say(self, payload: bytes, control_id: str, connection: str) -> Ack | None:
        """As ``Sayer``. Raises ``PartnerUnreachable`` where no connection is open, ``NoAnswer``."""
        if not self._confirmed:
            await self.post(payload, self._ours, connection)
            return None
        waiting = self._waiting[control_id] = asyncio.get_running_loop().create_future()
        try:
            await self.post(payload, self._ours, connection)
            async with asyncio.timeout(self._seconds):
                return Ack(await waiting, control_id)
        except TimeoutError:
            raise NoAnswer("the sender did not confirm its answer in time") from None
        finally:
            del self._waiting[control_id]

    def heard(self, code: str, control_id: str) -> bool:
        """An acknowledgment came in from this sender; whether it is one that is waited for."""
        waiting = self._waiting.get(control_id)
        if waiting is None or waiting.done() or code not in _COMMITS:
            return False
        waiting.set_result(code)
        return True


_COMMITS: Final = frozenset({"CA", "CE", "CR", "AA", "AE", "AR"})


async def _nowhere(payload: bytes, ours: Callable[[Peer], bool], address: str) -> Peer:
    raise ConnectorError("nothing listens yet")


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

    def heard(self, code: str, control_id: str) -> bool:
        """Its answers come over the connection that we made, never over one of its own."""
        return False

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()
