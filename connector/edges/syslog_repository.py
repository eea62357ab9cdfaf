"""An audit record repository that takes syslog over TLS (IHE ITI-20, RFC 5425).

Messages go out at once. That they were read is known when the connection has ended in order, so it is ended
whenever somebody wants to know, and made anew for the next message; one that breaks says nothing of what went
over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connector.edges.addresses import Dial, dial
from connector.edges.syslog_connection import Confirmation, SyslogConnection
from connector.errors import DeliveryError, EntryNotSendable, NoAnswer, PartnerUnreachable
from connector.pipeline.feeding import Taken
from connector.store import Logged

Write = Callable[[Logged], bytes]
Frame = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class SyslogPlace:
    """Where a repository is. ``server_name``: the name in its certificate; "": the host."""

    host: str
    port: int
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class SyslogManners:
    """How it is talked to. Seconds: to connect with the handshake, for it to take what is written, for its
    answer to our goodbye, and after which TCP gives it up; ``confirmation``: what of its end says that it
    has read everything; ``message_bytes``: the longest message that it takes."""

    connect: float = 10.0
    write: float = 30.0
    goodbye: float = 10.0
    dead: float = 30.0
    confirmation: Confirmation = "close_notify"
    message_bytes: int = 1024 * 1024


USUAL: Final = SyslogManners()


class SyslogRepository:
    """``write``: an entry as a message; ``frame``: a message as it goes over the stream."""

    def __init__(
        self,
        place: SyslogPlace,
        context: ssl.SSLContext,
        write: Write,
        frame: Frame,
        manners: SyslogManners = USUAL,
        *,
        dial: Dial = dial,
    ) -> None:
        self._place, self._context, self._manners, self._dial = place, context, manners, dial
        self._write, self._frame = write, frame
        self._connection: SyslogConnection | None = None

    async def hand(self, entries: Sequence[Logged]) -> Taken:
        """Write the entries to the connection, up to the first that cannot be said."""
        data, handed, error = await asyncio.to_thread(self._said, entries)
        if data:
            connection = await self._ready()
            with _in_time("the repository does not read"):
                async with asyncio.timeout(self._manners.write):
                    await connection.write(data)
        return Taken(handed, 0, error)

    async def settle(self) -> None:
        """End the connection. Raises DeliveryError where it is not known that everything was read."""
        connection, self._connection = self._connection, None
        if connection is None:
            raise NoAnswer("the connection was ended before anybody knew what was read")
        with _in_time("the repository does not answer the goodbye in time", NoAnswer):
            async with asyncio.timeout(self._manners.goodbye):
                await connection.part(self._manners.confirmation)

    def check(self) -> None:
        """Raises DeliveryError where the connection has ended by itself."""
        if self._connection is not None:
            self._connection.check()

    async def drop(self) -> None:
        """End the connection at once."""
        self.cut()
        self._connection = None

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connection on."""
        self._context = context

    def cut(self) -> None:
        """End the connection at once: the repository may not be talked to any more."""
        if self._connection is not None:
            self._connection.cut()

    async def _ready(self) -> SyslogConnection:
        if self._connection is None:
            place = self._place
            name = place.server_name or place.host
            with _in_time("the repository does not connect in time"):
                async with asyncio.timeout(self._manners.connect):
                    self._connection = await SyslogConnection.open(
                        place.host, place.port, self._context, name, self._dial, self._manners.dead
                    )
        return self._connection

    def _said(self, entries: Sequence[Logged]) -> tuple[bytes, int, DeliveryError | None]:
        """The frames of the entries, up to which one, and what is wrong with the next."""
        frames, handed = list[bytes](), 0
        for one in entries:
            try:
                message = self._write(one)
            except Exception as error:
                what = f"an entry cannot be said as a message ({type(error).__name__})"
                return b"".join(frames), handed, EntryNotSendable(what, location=f"entry {one.seq}")
            if len(message) > self._manners.message_bytes:
                fix = "raise message_bytes to what the repository takes"
                wrong = EntryNotSendable("a message is too long", fix=fix, location=f"entry {one.seq}")
                return b"".join(frames), handed, wrong
            frames.append(self._frame(message))
            handed = one.seq
        return b"".join(frames), handed, None


@contextlib.contextmanager
def _in_time(otherwise: str, kind: type[DeliveryError] = PartnerUnreachable) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise kind(otherwise) from None
