"""One MLLP connection that we made: writes a message at a time, and reads whatever comes at any time.

It reads while nothing is outstanding too: an application acknowledgment may come long after the commit
acknowledgment (HL7 v2.5.1 2.9.3), and a partner that goes away is noticed before the next message is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from connector.errors import AnswerNotUnderstood
from connector.mllp import (
    Acknowledgment,
    Event,
    Exchange,
    Frame,
    Framer,
    Junk,
    Stray,
    StrayAnswer,
    TooLarge,
    frame,
)

OnStray = Callable[[StrayAnswer], None]
Reply = Callable[[bytes], None]
Confirm = Callable[[Acknowledgment | StrayAnswer, Reply], None]

MOST_STRAYS: Final = 100  # answers in a row that settle nothing, before the partner is taken for mad
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: what was not read by the partner is thrown away
_CONFIRMED: Final = frozenset({Stray.AFTERWARDS, Stray.DUPLICATE, Stray.LATE})


class MllpConnection(asyncio.Protocol):
    """What asyncio connects.

    ``exchange``: what waits for an answer; ``limit``: bytes of an answer; ``on_stray``: told of answers that
    settle nothing; ``confirm``: told of every answer to what was sent here, and given a function that sends
    a commit acknowledgment of it, now or later.
    """

    def __init__(self, exchange: Exchange, limit: int, on_stray: OnStray, confirm: Confirm) -> None:
        self._exchange, self._on_stray, self._confirm = exchange, on_stray, confirm
        self._framer = Framer(limit)
        self._answers: asyncio.Queue[Acknowledgment | Exception] = asyncio.Queue()
        self._writable, self.gone = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._failed: Exception | None = None
        self._in_a_row = 0
        self.transport: asyncio.Transport

    @property
    def usable(self) -> bool:
        """Whether a message may still be written to it."""
        return self._failed is None and not self.transport.is_closing()

    @property
    def strays(self) -> int:
        """How many answers since the last one that counted belong to other messages."""
        return self._in_a_row

    def keep_alive(self, seconds: float) -> None:
        """Have TCP ask after that long without traffic whether the partner is there, and give up after four
        questions."""
        if not seconds:
            return
        self._set(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(seconds)))
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(seconds / 4)))
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)

    async def write(self, block: bytes) -> None:
        """Write a block. Raises OSError where the connection breaks."""
        self._in_a_row = 0
        self.transport.write(block)
        await self._writable.wait()
        if self._failed is not None:
            raise self._failed

    async def answer(self) -> Acknowledgment:
        """The next answer to what waits. Raises OSError, or AnswerNotUnderstood for what is none."""
        found = await self._answers.get()
        if isinstance(found, Exception):
            raise found
        return found

    def overheard(self, payload: bytes) -> None:
        """An answer to what waits here came over a connection of the partner's."""
        answer = self._exchange.received(payload)
        if isinstance(answer, Acknowledgment):
            self._answers.put_nowait(answer)

    def close(self) -> None:
        """Say goodbye; ``gone`` tells when the partner has said it too."""
        self.transport.close()

    def abort(self) -> None:
        """Close at once: no byte that still waits to be sent goes out any more."""
        self._set(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    # --- called by asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take all that is complete."""
        self._framer.receive(data)
        for event in self._framer.events():
            self._take(event)
            if self._failed is not None:
                return

    def pause_writing(self) -> None:
        """The partner reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, for whatever reason."""
        self.gone.set()
        self._fail(error or ConnectionResetError())

    def _set(self, level: int, option: int, value: int | bytes) -> None:
        sock = self.transport.get_extra_info("socket")
        if sock is not None:  # gone already
            with contextlib.suppress(OSError):  # a hint: what it would bring about, a timeout does too
                sock.setsockopt(level, option, value)

    # --- what came ------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, Frame):
            answer = self._exchange.received(event.payload)
            if isinstance(answer, StrayAnswer):
                self._stray(answer)
            else:
                self._in_a_row = 0
                self._answers.put_nowait(answer)
                self._confirm(answer, self._reply)
        elif isinstance(event, TooLarge):
            self._misunderstood(f"the answer passes the limit of {event.limit} bytes")
        elif not (isinstance(event, Junk) and event.blank):
            self._misunderstood("the partner does not answer in MLLP frames")

    def _stray(self, answer: StrayAnswer) -> None:
        self._on_stray(answer)
        self._in_a_row += 1
        if answer.reason is Stray.UNREADABLE:
            self._misunderstood("the answer is no acknowledgment", "MSA-1" if answer.control_id else "MSA")
        elif self._in_a_row >= MOST_STRAYS:
            self._misunderstood("the partner keeps acknowledging what was not sent", "MSA-2")
        elif answer.reason in _CONFIRMED:
            self._confirm(answer, self._reply)

    def _reply(self, payload: bytes) -> None:
        if self.usable:
            self.transport.write(frame(payload))

    def _misunderstood(self, what: str, location: str = "") -> None:
        self._fail(AnswerNotUnderstood(what, location=location))
        self.abort()

    def _fail(self, error: Exception) -> None:
        if self._failed is None:
            self._failed = error
            self._answers.put_nowait(error)
        self._writable.set()
