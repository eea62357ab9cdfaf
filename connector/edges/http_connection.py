"""One connection to an HTTP/1.1 partner: a request at a time, each with its whole answer.

Whatever comes that was not asked for ends the connection. Sources: RFC 9112.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, Literal, cast

from connector.edges.http_reading import Answer, AnswerReader
from connector.errors import AnswerNotUnderstood

Phase = Literal["connect", "tls", "write", "answer", "body"]
Enter = Callable[[Phase], None]

_PIECE: Final = 64 * 1024  # bytes written at once, as asyncio's TLS takes whatever it is given


class HttpConnection(asyncio.Protocol):
    """What asyncio connects. ``limit``: bytes of an answer's content."""

    def __init__(self, limit: int) -> None:
        self._reader = AnswerReader(limit)
        self._awaited = False  # an answer is to come
        self._full = self._cut = False  # too much is unsent; the answer came before everything was
        self._over = False  # the partner sends nothing more
        self._failed: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._poll = select.poll()
        self.gone = asyncio.Event()
        self.transport: asyncio.Transport

    async def exchange(self, request: bytes, enter: Enter) -> Answer:
        """Send a request and wait for its answer; ``enter`` is told of each phase.

        Raises OSError (the connection broke) and AnswerNotUnderstood (not HTTP, cut short, encoded, or over
        the limit). The connection is of no use after that, nor when it was cancelled.
        """
        self._reader.begin()
        self._awaited = self._failed is None  # it may be over already
        enter("write")
        await self._write(request)
        enter("answer")
        while self._awaited and not self._reader.status:
            await self._news()
        while self._awaited:
            enter("body")
            await self._news()
        if self._failed is not None and not self._reader.whole:
            raise self._failed
        return self._reader.answer

    @property
    def usable(self) -> bool:
        """Whether another request may be sent, as far as we know."""
        return not (self._reader.last or self._cut or self._over or self.transport.is_closing())

    @property
    def quiet(self) -> bool:
        """Whether the partner has said nothing that was not read yet, such as goodbye."""
        return not self._poll.poll(0)

    def abort(self) -> None:
        """Close at once; ``gone`` tells when that is done."""
        self.transport.abort()

    # --- called by asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: of TCP, or of TLS after its handshake."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_PIECE)
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._awaited:
            self._heard(lambda: self._reader.feed(data))
        else:
            self.abort()

    def pause_writing(self) -> None:
        """The partner reads more slowly than we write."""
        self._full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._full = False
        self._wake()

    def eof_received(self) -> None:
        """The partner said goodbye: asyncio closes our side too."""
        self._over = True

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, for whatever reason."""
        self.gone.set()
        if self._awaited and self._reader.status and error is None:
            self._heard(self._reader.end)
        else:
            self._fail(error or ConnectionResetError())

    # --- what came ------------------------------------------------------------------------------------

    def _heard(self, read: Callable[[], None]) -> None:
        try:
            read()
        except AnswerNotUnderstood as error:
            self._fail(error)
        else:
            self._awaited = not self._reader.whole
            self._wake()

    def _fail(self, error: Exception) -> None:
        self._failed, self._awaited = error, False
        self.abort()
        self._wake()

    async def _write(self, request: bytes) -> None:
        done = 0
        while self._awaited and done < len(request):
            self.transport.write(request[done : done + _PIECE])
            done += _PIECE
            while self._full and self._awaited:
                await self._news()
        self._cut = self._full or done < len(request)

    async def _news(self) -> None:
        """Wait until something happens."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
