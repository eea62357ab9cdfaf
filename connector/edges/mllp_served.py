"""One connection of the MLLP listener: a task that reads, hands a frame on, writes the answer, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from connector.edges.acceptor import peer_of
from connector.edges.tls import Peer
from connector.errors import FrameError, FrameTooLarge
from connector.mllp import BrokenOff, Event, Frame, Framer, Junk, TooLarge, frame

if TYPE_CHECKING:
    from connector.edges.mllp_server import MllpServer

READ = 65536


class MllpEvent(StrEnum):
    """What ``on_event`` is told about a connection."""

    OPENED = "opened"
    CLOSED = "closed"  # by the peer, or by us after an answer of None
    LOST = "lost"  # reset or cut
    IDLE = "idle"  # nothing came for ``idle_timeout``
    SLOW_FRAME = "slow frame"  # a frame took longer than ``frame_timeout``
    SLOW_READER = "slow reader"  # the peer does not read its answers
    DRAINED = "drained"  # by us, at the end
    UNWELCOME = "unwelcome"  # ``admit`` did not let it in
    OVERLOADED = "overloaded"  # the unfinished frames of all connections pass ``held_bytes``
    CUT = "cut"  # by us, at the end: what was in hand took longer than the grace
    FAILED = "failed"  # ``receive`` or ``fault`` raised; the detail is the name of the error


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


class Connection:
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
        self._turn = asyncio.Lock()  # nothing is posted between a frame and its answer

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._peer

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
            event, detail = await self._admitted(), ""
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

    async def _admitted(self) -> MllpEvent:
        over = await self._server.admit(self._peer)
        if over is None:
            return MllpEvent.UNWELCOME
        try:
            self._server.opened(self)
            return await self._converse()
        finally:
            self._server.shut(self)
            over()

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
                return await self._reader.read(READ)
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
            async with self._turn:
                answer = await self._answer(event)
                if answer is None:
                    return MllpEvent.CLOSED
                if answer and not await self._write(frame(answer)):
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

    async def post(self, payload: bytes) -> None:
        """Write what the peer did not ask for at this moment, once what is in hand is answered.

        Raises OSError where the connection does not take it.
        """
        block = frame(payload)
        async with self._turn:
            if self._draining or self._writer.is_closing():
                raise ConnectionResetError
            taken = await self._write(block)
        if not taken:
            self.abort()
            raise TimeoutError

    async def _write(self, block: bytes) -> bool:
        self._writer.write(block)
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
