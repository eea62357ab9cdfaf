"""A hospital over MLLP and TLS that does what a script says, and keeps a ledger of what it got.

``plan`` holds a step for each message that comes, in turn; with none left, it says AA. A step is a function
of what was heard; the ones below are those of the partner-fault table.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connector.hl7v2.tree import Message
from connector.mllp import frame


@dataclass
class Heard:
    """One message, and the connection that it came over."""

    message: Message
    writer: asyncio.StreamWriter
    partner: MllpPartner
    unanswered: set[str]  # control ids that came over this connection

    def ack(self, code: str, *, identity: str | None = None, more: str = "", wants: str = "") -> bytes:
        """An acknowledgment as a block. ``identity``: another MSA-2; ``more``: what stands after MSA-2;
        ``wants``: its MSH-15 and MSH-16."""
        self.partner.said += 1
        head = rf"MSH|^~\&|HIS|STV|CONNECTOR|DEMO|20261123||ACK|A{self.partner.said}|P|2.5.1"
        named = self.message.control_id if identity is None else identity
        self.unanswered.discard(named)
        block = frame(f"{head}{'|||' + wants if wants else ''}\rMSA|{code}|{named}{more}\r".encode())
        self.partner.sizes.append(len(block))
        return block

    async def say(self, *blocks: bytes) -> None:
        """Write these bytes."""
        for block in blocks:
            self.writer.write(block)
        await self.writer.drain()


Step = Callable[[Heard], Awaitable[None]]


@dataclass
class MllpPartner:
    """``got``: the control ids in the order they came, repeats among them; ``confirmed``: control ids of its
    acknowledgments that were acknowledged; ``most``: the most messages without an answer on one connection;
    ``connections``: how many there were; ``crowd``: the most at once."""

    context: ssl.SSLContext
    plan: deque[Step] = field(default_factory=deque)
    got: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    connections: int = 0
    crowd: int = 0
    most: int = 0
    said: int = 0
    sizes: list[int] = field(default_factory=list)  # of its acknowledgments, as blocks
    port: int = 0
    _open: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def times(self) -> list[int]:
        """How often each message came, in the order of their first coming."""
        return list(Counter(self.got).values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MllpPartner]:
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self.context, ssl_shutdown_timeout=0.2
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.drop()
            await server.wait_closed()

    def drop(self) -> None:
        """Cut all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        self._open += 1
        self.crowd = max(self.crowd, self._open)
        waiting: asyncio.Queue[Heard] = asyncio.Queue()
        answering = asyncio.create_task(self._answer(waiting))
        self._tasks.add(answering)
        try:
            await self._hear(reader, writer, waiting)
        except (OSError, EOFError):
            self._open -= 1

    async def _hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: asyncio.Queue[Heard]
    ) -> None:
        unanswered: set[str] = set()
        while True:
            block = await reader.readuntil(b"\x1c\r")
            message = Message.parse(block[1:-2].decode())
            acknowledged = message.first("MSA")
            if acknowledged is not None:
                self.confirmed.append(acknowledged.value(2))
                continue
            self.got.append(message.control_id)
            self.messages.append(message)
            unanswered.add(message.control_id)
            self.most = max(self.most, len(unanswered))
            self.heard.append(Heard(message, writer, self, unanswered))
            waiting.put_nowait(self.heard[-1])

    async def _answer(self, waiting: asyncio.Queue[Heard]) -> None:
        while True:
            heard = await waiting.get()
            step = self.plan.popleft() if self.plan else answer("AA")
            try:
                await step(heard)
            except OSError:
                return


# --- what a partner may do ----------------------------------------------------------------------------


def answer(
    code: str, condition: str = "", *, place: str = "", text: str = "", identity: str | None = None
) -> Step:
    """An acknowledgment of this code, with a condition of table 0357 at a place, or words in MSA-3."""
    error = f"\rERR||{place}|{condition}^x^HL70357|E" if condition else ""

    async def step(heard: Heard) -> None:
        await heard.say(heard.ack(code, identity=identity, more=f"|{text}{error}"))

    return step


def says(*made: Callable[[Heard], bytes]) -> Step:
    """All of these, one after the other."""

    async def step(heard: Heard) -> None:
        await heard.say(*(make(heard) for make in made))

    return step


def raw(content: bytes) -> Step:
    """These very bytes."""
    return says(lambda heard: content)


async def silence(heard: Heard) -> None:
    """No acknowledgment at all."""


def after(seconds: float, step: Step) -> Step:
    """The same, later."""

    async def late(heard: Heard) -> None:
        await asyncio.sleep(seconds)
        await step(heard)

    return late


def in_pieces(size: int, seconds: float = 0.0, *, only: int | None = None) -> Step:
    """AA in pieces of so many bytes; ``only`` the first so many of its bytes, then an abrupt end."""

    async def step(heard: Heard) -> None:
        block = heard.ack("AA")[:only]
        for start in range(0, len(block), size):
            await heard.say(block[start : start + size])
            await asyncio.sleep(seconds)
        if only is not None:
            heard.writer.transport.abort()

    return step


async def goes(heard: Heard) -> None:
    """Closes instead of answering, as TLS asks it to be done."""
    heard.writer.close()


async def goes_without_a_word(heard: Heard) -> None:
    """Closes instead of answering, without TLS's close_notify."""
    heard.writer.transport.abort()


async def answers_and_goes_without_a_word(heard: Heard) -> None:
    """Answers, and closes without TLS's close_notify."""
    await heard.say(heard.ack("AA"))
    heard.writer.transport.abort()


def commits(application: str, *, later: float = 0.0, wants: str = "AL|NE") -> Step:
    """CA at once, and the application acknowledgment ``later`` as a message of its own; "": never."""

    async def step(heard: Heard) -> None:
        await heard.say(heard.ack("CA"))
        if application:
            await asyncio.sleep(later)
            await heard.say(heard.ack(application, wants=wants))

    return step
