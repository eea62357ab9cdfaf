"""The listening side of MLLP over mutual TLS.

Each connection is one task that reads, hands a frame to ``receive``, writes the answer and only then goes
on: so answers keep the order of the messages, memory stays flat, and while one connection waits for its
commit the others go on (they share it).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from socket import socket

from connector.edges.acceptor import Acceptor, OnAdmitted, OnRefused
from connector.edges.mllp_served import READ, Connection, MllpEvent, MllpLimits
from connector.edges.tls import Peer
from connector.errors import FrameError, FrameTooLarge, PartnerUnreachable

Receive = Callable[[bytes, Peer], Awaitable[bytes | None]]
Fault = Callable[[Peer, FrameError], Awaitable[bytes | None]]
TooLong = Callable[[bytes, Peer, FrameTooLarge], Awaitable[bytes | None]]
Admit = Callable[[Peer], Awaitable[Callable[[], None] | None]]
OnEvent = Callable[[MllpEvent, Peer, str], None]

__all__ = ["Connection", "MllpEvent", "MllpLimits", "MllpServer"]


async def welcome(peer: Peer) -> Callable[[], None] | None:
    """The default ``admit``: lets everybody in whose certificate is good."""
    return lambda: None


async def close_on_fault(peer: Peer, error: FrameError) -> None:
    """The default ``fault``: close the connection."""


class MllpServer:
    """Listens on a socket and gives each frame to ``receive``.

    ``receive(payload, peer)``: returns the acknowledgment to send, b"" for none, None to close.
    ``fault(peer, error)``: bytes outside a frame, a frame broken off, FrameTooLarge; returns as ``receive``.
    ``too_long(head, peer, error)``: takes FrameTooLarge instead, where given; ``head`` is the first bytes of
    that frame (at most 4,096), enough to read MSH and refuse it by its control id.
    ``admit(peer)``: asked once a connection, before anything is read; returns what to call when it is over,
    or None to close it.
    Blank bytes between frames are no fault. ``on_event(event, peer, detail)`` and
    ``on_refused(reason, address, peer)`` tell what happens; no detail holds a value of a message.
    """

    def __init__(
        self,
        sock: socket,
        context: ssl.SSLContext,
        receive: Receive,
        *,
        fault: Fault = close_on_fault,
        too_long: TooLong | None = None,
        admit: Admit = welcome,
        limits: MllpLimits | None = None,
        on_event: OnEvent | None = None,
        on_refused: OnRefused | None = None,
        on_admitted: OnAdmitted | None = None,
    ) -> None:
        self.limits = limits or MllpLimits()
        self.receive = receive
        self.fault = fault
        self.too_long = too_long
        self.admit = admit
        self.on_event: OnEvent = on_event or (lambda event, peer, detail: None)
        self.acceptor = Acceptor(
            sock,
            context,
            self._protocol,
            on_refused,
            handshake_timeout=self.limits.handshake_timeout,
            limit=self.limits.connections,
            on_admitted=on_admitted,
        )
        self.held = 0
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._talking: dict[Connection, None] = {}  # admitted, the oldest first

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: (ip, port)."""
        return self.acceptor.address

    @property
    def connections(self) -> int:
        """Connections being served."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to listen."""
        await self.acceptor.start()

    async def close(self, grace: float = 10.0) -> None:
        """Stop listening, finish the frames in hand, close; after ``grace`` seconds cut what is left."""
        await self.acceptor.close()
        for connection in self._connections.values():
            connection.drain()
        tasks = list(self._connections)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every handshake from now on."""
        self.acceptor.reload(context)

    async def post(self, payload: bytes, ours: Callable[[Peer], bool], address: str = "") -> Peer:
        """Write a frame that answers nothing at hand, over an open connection of one of ``ours``.

        That of ``address`` if it is still open, else the youngest. Returns who got it, once the connection
        has taken it; raises ``PartnerUnreachable`` where there is none or it breaks.
        """
        found = [one for one in reversed(self._talking) if ours(one.peer)]
        found.sort(key=lambda one: one.peer.address != address)
        if not found:
            raise PartnerUnreachable("the partner has no connection open", fix="wait until it comes back")
        try:
            await found[0].post(payload)
        except OSError as error:
            raise PartnerUnreachable(f"the connection failed: {type(error).__name__}") from None
        return found[0].peer

    def talks_to(self, ours: Callable[[Peer], bool]) -> bool:
        """Whether one of ``ours`` has a connection open."""
        return any(ours(one.peer) for one in self._talking)

    def opened(self, connection: Connection) -> None:
        """A connection may speak from here on."""
        self._talking[connection] = None

    def shut(self, connection: Connection) -> None:
        """A connection speaks no more."""
        self._talking.pop(connection, None)

    def _protocol(self, over: Callable[[], None]) -> asyncio.BaseProtocol:
        return _MllpProtocol(self, over)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        task = asyncio.create_task(connection.run(), name="mllp")
        self._connections[task] = connection
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).abort()


class _MllpProtocol(asyncio.StreamReaderProtocol):
    """asyncio's stream protocol that also tells the acceptor when the connection is over."""

    def __init__(self, server: MllpServer, over: Callable[[], None]) -> None:
        super().__init__(asyncio.StreamReader(limit=READ), server._serve)
        self._over_callback = over

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._over_callback()
