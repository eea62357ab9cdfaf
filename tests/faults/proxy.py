"""A TCP proxy between the connector and a partner simulator, which does to bytes what networks do to them.

It passes on what both sides encrypt and understands nothing of it; bytes are counted as they lie on the wire.
Each new connection takes the next of ``plan``; with none left, it is clean.

    async with Proxy(partner.port).running() as proxy:
        proxy.plan.append(Faults(down=Cut(0, "silence")))     # the partner's bytes never arrive
        ... connect to proxy.port ...
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

_AT_ONCE = struct.pack("ii", 1, 0)
How = Literal["reset", "close", "silence"]


@dataclass(frozen=True)
class Cut:
    """After so many bytes of one direction: RST to both sides, FIN to both sides, or nothing any more while
    both sides believe in their connection (half-open)."""

    after: int
    how: How = "reset"


@dataclass(frozen=True)
class Faults:
    """What happens to one connection.

    ``refuse``: reset as soon as it is accepted. ``latency``: seconds before each read is passed on. ``up``:
    from the connector to the partner, ``down``: back. ``piece`` and ``pause``: only so many bytes are taken
    at a time towards the partner, with so many seconds between them (slow read).
    """

    refuse: bool = False
    latency: float = 0.0
    up: Cut | None = None
    down: Cut | None = None
    piece: int = 0
    pause: float = 0.0


@dataclass
class Carried:
    """Bytes that went over one connection."""

    up: int = 0
    down: int = 0


@dataclass
class Proxy:
    """``target``: the port of the partner on loopback; ``carried``: a count for each connection, in order."""

    target: int
    plan: deque[Faults] = field(default_factory=deque)
    carried: list[Carried] = field(default_factory=list)
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=4096)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self._writers.append(writer)
        faults = self.plan.popleft() if self.plan else Faults()
        carried = Carried()
        self.carried.append(carried)
        if faults.refuse:
            _reset(writer)
            return
        with contextlib.suppress(OSError):
            partner_reader, partner = await asyncio.open_connection("127.0.0.1", self.target, limit=4096)
            self._writers.append(partner)
            await _Conversation(faults, carried, (writer, partner)).run((reader, partner_reader))
        self._tasks.discard(task)


class _Conversation:
    """One connection on both of its sides."""

    def __init__(
        self, faults: Faults, carried: Carried, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    ) -> None:
        self._faults, self._carried = faults, carried
        self._connector, self._partner = writers
        self._silent = asyncio.Event()

    async def run(self, readers: tuple[asyncio.StreamReader, asyncio.StreamReader]) -> None:
        await asyncio.gather(self._up(readers[0]), self._down(readers[1]))

    async def _up(self, reader: asyncio.StreamReader) -> None:
        piece = self._faults.piece or 65536
        while chunk := await self._read(reader, piece):
            kept = self._before(self._faults.up, self._carried.up, chunk)
            self._carried.up += len(kept)
            await self._pass(self._partner, kept)
            if self._over(self._faults.up, self._carried.up):
                return
            await asyncio.sleep(self._faults.pause)
        self._end(self._partner)

    async def _down(self, reader: asyncio.StreamReader) -> None:
        if self._over(self._faults.down, 0):
            return
        while chunk := await self._read(reader, 65536):
            kept = self._before(self._faults.down, self._carried.down, chunk)
            self._carried.down += len(kept)
            await self._pass(self._connector, kept)
            if self._over(self._faults.down, self._carried.down):
                return
        self._end(self._connector)

    async def _read(self, reader: asyncio.StreamReader, most: int) -> bytes:
        try:
            chunk = await reader.read(most)
        except OSError:
            return b""
        await asyncio.sleep(self._faults.latency)
        return chunk

    async def _pass(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        if chunk and not self._silent.is_set():
            with contextlib.suppress(OSError):
                writer.write(chunk)
                await writer.drain()

    def _before(self, cut: Cut | None, carried: int, chunk: bytes) -> bytes:
        return chunk if cut is None else chunk[: max(0, cut.after - carried)]

    def _over(self, cut: Cut | None, carried: int) -> bool:
        """Do what the cut says, if its byte was reached."""
        if cut is None or carried < cut.after:
            return False
        if cut.how == "silence":
            self._silent.set()
        for writer in (self._connector, self._partner):
            if cut.how == "reset":
                _reset(writer)
            elif cut.how == "close":
                writer.close()
        return True

    def _end(self, writer: asyncio.StreamWriter) -> None:
        """One side said goodbye, which a silent network does not tell."""
        if not self._silent.is_set():
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
