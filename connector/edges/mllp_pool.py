"""Several MLLP connections to one partner, where messages of different lanes go out at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from connector.edges.mllp_client import MllpClient
from connector.mllp import Acknowledgment, Mode


class MllpPool:
    """Several connections to one partner, each with one message outstanding: as many messages at once.

    The one used last is used first, so that those not needed go idle. One client stands for one connection.
    """

    def __init__(self, clients: Sequence[MllpClient]) -> None:
        self._clients, self._free = tuple(clients), list(reversed(clients))
        self._turns = asyncio.Semaphore(len(clients))

    async def send(self, payload: bytes, control_id: str, mode: Mode = Mode.ORIGINAL) -> Acknowledgment:
        """As ``MllpClient.send``, over a connection that is free or the first that becomes it."""
        async with self._turns:
            client = self._free.pop()
            try:
                return await client.send(payload, control_id, mode)
            finally:
                self._free.append(client)

    def overheard(self, payload: bytes, control_id: str) -> bool:
        """As ``MllpClient.overheard``."""
        return any(client.overheard(payload, control_id) for client in self._clients)

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connections on."""
        for client in self._clients:
            client.reload(context)

    def cut(self) -> None:
        """End all connections at once."""
        for client in self._clients:
            client.cut()

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.close() for client in self._clients))
