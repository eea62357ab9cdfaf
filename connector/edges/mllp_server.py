"""The listening side of MLLP over mutual TLS.

Each connection is one task that reads, hands a frame to ``receive``, writes the answer and only then goes
on: so answers keep the order of the messages, memory stays flat, and while one connection waits for its
commit the others go on (they share it).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from socket import socket

from connector.edges.acceptor import Acceptor, OnRefused, peer_of
from connector.edges.tls import Peer
from connector.errors import FrameError, FrameTooLarge
from connector.mllp import BrokenOff, Event, Frame, Framer, Junk, TooLarge, frame

Receive = Callable[[bytes, Peer], Awaitable[bytes | None]]
Fault = Callable[[Peer, FrameError], Awaitable[bytes | None]]
TooLong = Callable[[bytes, Peer, FrameTooLarge], Awaitable[bytes | None]]

_READ = 65536


class MllpEvent(StrEnum):
    """What ``on_event`` is told about a connection."""

    OPENED = "opened"
    CLOSED = "closed"  # by the peer, or by us after an answer of None
    LOST = "lost"  # reset or cut
    IDLE = "idle"  # nothing came for ``idle_timeout``
    SLOW_FRAME = "slow frame"  # a frame took longer than ``frame_timeout``
    SLOW_READER = "slow reader"  # the peer does not read its answers
    DRAINED = "drained"  # by us, at the end
    OVERLOADED = "overloaded"  # the unfinished frames of all connections pass ``held_bytes``
    CUT = "cut"  # by us, at the end: what was in hand took longer than the grace
    FAILED = "failed"  # ``receive`` or ``fault`` raised; the detail is the name of the error


OnEvent = Callable[[MllpEvent, Peer, str], None]


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """Limits of a listener: bytes, connections and seconds.

    ``frame_bytes``: content of one frame; ``held_bytes``: unfinished frames of all connections together.
    ``idle_timeout``: between frames; ``frame_timeout``: for a whole frame from its first byte;
    ``write_timeout``: for an answer.
    """

    frame_bytes: int = 16 * 1024 * 1024
    held_bytes: int = 64 * 1024 * 1024
    connections: int = 1000
    idle_timeout: float = 3600.0
    frame_timeout: float = 60.0
    write_timeout: float = 30.0
    handshake_timeout: float = 5.0


async def close_on_fault(peer: Peer, error: FrameError) -> None:
    """The default ``fault``: close the connection."""


class MllpServer:
    """Listens on a socket and gives each frame to ``receive``.

    ``receive(payload, peer)``: returns the acknowledgment to send, b"" for none, None to close.
    ``fault(peer, error)``: bytes outside a frame, a frame broken off, FrameTooLarge; returns as ``receive``.
    ``too_long(head, peer, error)``: takes FrameTooLarge instead, where given; ``head`` is the first bytes of
    that frame (at most 4,096), enough to read MSH and refuse it by its control id.
    Blank bytes between frames are no fault. ``on_event(event, peer, detail)`` and
    ``on_refused(reason, address)`` tell what happens; no detail holds a value of a message.
    """

    def __init__(
        self,
        sock: socket,
        context: ssl.SSLContext,
        receive: Receive,
        *,
        fault: Fault = close_on_fault,
        too_long: TooLong | None = None,
        limits: MllpLimits | None = None,
        on_event: OnEvent | None = None,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.limits = limits or MllpLimits()
        self.receive = receive
        self.fault = fault
        self.too_long = too_long
        self.on_event: OnEvent = on_event or (lambda event, peer, detail: None)
        self.acceptor = Acceptor(
            sock,
            context,
            self._protocol,
            on_refused,
            handshake_timeout=self.limits.handshake_timeout,
            limit=self.limits.connections,
        )
        self.held = 0
        self._connections: dict[asyncio.Task[None], _Connection] = {}

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

    def _protocol(self, over: Callable[[], None]) -> asyncio.BaseProtocol:
        return _MllpProtocol(self, over)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        task = asyncio.create_task(connection.run(), name="mllp")
        self._connections[task] = connection
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).abort()


class _MllpProtocol(asyncio.StreamReaderProtocol):
    """asyncio's stream protocol that also tells the acceptor when the connection is over."""

    def __init__(self, server: MllpServer, over: Callable[[], None]) -> None:
        super().__init__(asyncio.StreamReader(limit=_READ), server._serve)
        self._over_callback = over

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._over_callback()


class _Connection:
    """One peer: read, receive, answer, in order."""

    def __init__(
        self, server: MllpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._peer = peer_of(writer.transport)
        self._framer = Framer(server.limits.frame_bytes)
        self._frame_began: float | None = None
        self._reading: asyncio.Timeout | None = None
        self._draining = False
        self._held = 0

    def drain(self) -> None:
        """Read nothing more; what is in hand goes on."""
        self._draining = True
        if self._reading is not None:
            self._reading.reschedule(asyncio.get_running_loop().time())

    def abort(self) -> None:
        """End the connection at once, if it has not ended."""
        self._account(0)
        self._writer.transport.abort()

    async def run(self) -> None:
        """Serve until either side ends it."""
        self._tell(MllpEvent.OPENED)
        try:
            event, detail = await self._converse(), ""
        except asyncio.CancelledError:
            self._tell(MllpEvent.CUT)
            raise
        except (OSError, EOFError) as error:
            event, detail = MllpEvent.LOST, type(error).__name__
        except (
            Exception
        ) as error:  # fail closed: no answer; the error's text may hold values, its name may not
            event, detail = MllpEvent.FAILED, type(error).__name__
        await self._finish(event)
        self._tell(event, detail)

    async def _converse(self) -> MllpEvent:
        while not self._draining:
            try:
                received = await self._read()
            except TimeoutError:
                return self._why_waiting_ended()
            if not received:
                await self._left_over()
                return MllpEvent.CLOSED
            self._framer.receive(received)
            ended = await self._answer_all()
            if ended is not None:
                return ended
            self._account(self._framer.held)
            if self._server.held > self._server.limits.held_bytes:
                return MllpEvent.OVERLOADED
        return MllpEvent.DRAINED

    def _account(self, held: int) -> None:
        self._server.held += held - self._held
        self._held = held

    async def _read(self) -> bytes:
        async with asyncio.timeout_at(self._deadline()) as self._reading:
            try:
                return await self._reader.read(_READ)
            finally:
                self._reading = None

    def _deadline(self) -> float:
        now = asyncio.get_running_loop().time()
        if not self._framer.inside:
            self._frame_began = None
            return now + self._server.limits.idle_timeout
        if self._frame_began is None:
            self._frame_began = now
        return self._frame_began + self._server.limits.frame_timeout

    def _why_waiting_ended(self) -> MllpEvent:
        if self._draining:
            return MllpEvent.DRAINED
        return MllpEvent.SLOW_FRAME if self._framer.inside else MllpEvent.IDLE

    async def _answer_all(self) -> MllpEvent | None:
        for event in self._framer.events():
            answer = await self._answer(event)
            if answer is None:
                return MllpEvent.CLOSED
            if answer and not await self._send(answer):
                return MllpEvent.SLOW_READER
            if self._draining:
                return MllpEvent.DRAINED
        return None

    async def _answer(self, event: Event) -> bytes | None:
        self._frame_began = None
        if isinstance(event, Frame):
            return await self._server.receive(event.payload, self._peer)
        if isinstance(event, Junk) and event.blank:
            return b""
        error = _error(event)
        if self._server.too_long and isinstance(event, TooLarge) and isinstance(error, FrameTooLarge):
            return await self._server.too_long(event.head, self._peer, error)
        return await self._server.fault(self._peer, error)

    async def _left_over(self) -> None:
        event = self._framer.close()
        if event is not None:
            await self._answer(event)

    async def _send(self, answer: bytes) -> bool:
        self._writer.write(frame(answer))
        try:
            async with asyncio.timeout(self._server.limits.write_timeout):
                await self._writer.drain()
        except TimeoutError:
            return False
        return True

    async def _finish(self, event: MllpEvent) -> None:
        if event not in (MllpEvent.CLOSED, MllpEvent.DRAINED, MllpEvent.IDLE):
            return  # nothing more is owed: the task's end aborts the connection
        self._writer.close()
        try:
            async with asyncio.timeout(self._server.limits.write_timeout):
                await self._writer.wait_closed()
        except OSError:
            return  # the peer was faster; TimeoutError is one too

    def _tell(self, event: MllpEvent, detail: str = "") -> None:
        self._server.on_event(event, self._peer, detail)


def _error(event: Junk | BrokenOff | TooLarge) -> FrameError:
    if isinstance(event, TooLarge):
        return FrameTooLarge(f"the frame passes the limit of {event.limit} bytes", fix="send less at once")
    if isinstance(event, BrokenOff):
        return FrameError(f"a frame broke off after {event.count} bytes", fix="end it with FS CR")
    return FrameError(f"{event.count} bytes outside a frame", fix="begin each message with VT")
