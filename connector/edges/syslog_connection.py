"""One connection over which syslog goes, and what can be known of its end.

Sources: RFC 5425 (4.4, closure), RFC 8446 (6.1) and RFC 5246 (7.2.1), tcp(7): TCP_USER_TIMEOUT, TIOCOUTQ.

A receiver of syslog acknowledges nothing. That TCP took bytes says that a kernel has them, and not that
anybody reads. But a receiver MUST answer our ``close_notify`` with its own, and TLS is in order: so when that
answer comes, its process has read all that went before. Nothing else in RFC 5425 says as much. That what was
read is kept too, nothing says at all.

asyncio's own TLS does not tell an orderly end from one that was cut off, so TLS is spoken here over buffers.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import ssl
import struct
import termios
from typing import Final, Literal, cast

from connector.edges.addresses import Dial
from connector.edges.mllp_client import failures
from connector.errors import AnswerNotUnderstood, DeliveryError, NoAnswer, PartnerUnreachable

Confirmation = Literal["close_notify", "end of stream"]

_PIECE: Final = 256 * 1024  # bytes that are encrypted at once
_PEACE: Final = 1.0  # seconds for the receiver to close the connection after its goodbye
_LOOK: Final = 0.002  # seconds between two looks at what TCP has not seen acknowledged
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER


class SyslogConnection(asyncio.Protocol):
    """A connection that is open. Made by ``open``; ended by ``part`` or ``cut``."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._agreed = False  # the handshake is done
        self._came, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._over = asyncio.Event()  # nothing more comes
        self._notified = False  # because the receiver said so in TLS
        self._failed: Exception | None = None
        self._ended = asyncio.Event()  # the receiver's side of TCP
        self._lost: Exception | None = None  # by a reset
        self._transport: asyncio.Transport

    @classmethod
    async def open(
        cls, host: str, port: int, context: ssl.SSLContext, server_name: str, dial: Dial, dead: float
    ) -> SyslogConnection:
        """Connect, with a handshake. ``dead``: seconds after which TCP gives up a peer that says nothing.

        Raises PartnerUnreachable, PartnerRefusedUs, AddressNotAllowed; not bounded in time.
        """
        with failures():
            sock = await dial(host, port)
            try:
                _watch(sock, dead)
                made = cls(context, server_name)
                await asyncio.get_running_loop().create_connection(lambda: made, sock=sock)
            except BaseException:
                sock.close()
                raise
            try:
                await made._shake_hands()
            except BaseException:
                made.cut()
                raise
        return made

    def check(self) -> None:
        """Raises what ended the connection, if it has ended."""
        if self._over.is_set():
            raise self._end()

    async def write(self, data: bytes) -> None:
        """Done when the kernel has taken it. Raises DeliveryError; the connection is of no use then."""
        self.check()
        with failures():
            for at in range(0, len(data), _PIECE):
                self._tls.write(data[at : at + _PIECE])
                self._flush()
                await self._writable.wait()
                self.check()

    async def part(self, confirmation: Confirmation) -> None:
        """End the connection; when this returns, the receiver has read everything that was written.

        Raises DeliveryError where that is not known; not bounded in time.
        """
        try:
            with failures():
                await self._taken()
                self.check()  # an end that the receiver began says nothing of what it had read by then
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._tls.unwrap()
                self._flush()
                if confirmation == "end of stream":
                    self._transport.write_eof()
                await self._over.wait()
                self._check_end(confirmation)
                await self._closed()
                await self._taken()
        except BaseException:
            self.cut()
            raise
        self._transport.close()

    def cut(self) -> None:
        """End it at once: what was not sent yet is thrown away."""
        with contextlib.suppress(OSError):
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()
        self._finished()

    # --- called by asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, of TCP alone."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._incoming.write(data)
        self._hear()

    def eof_received(self) -> bool:
        """TCP ends; our side of it stays open until we close it."""
        self._incoming.write_eof()
        self._hear()
        self._ended.set()
        return True

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has taken everything."""
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, for whatever reason."""
        self._lost = error
        self._ended.set()
        self._finished(error or ConnectionResetError())

    # --- TLS over buffers --------------------------------------------------------------------------------

    async def _shake_hands(self) -> None:
        while True:
            self._came.clear()
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                self._flush()  # the alert that says why
                raise
            else:
                break
            await self._came.wait()
            if self._failed is not None:
                raise self._failed
        self._agreed = True
        self._flush()
        self._hear()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._transport.write(data)

    def _hear(self) -> None:
        """A receiver of syslog says nothing but how it ends."""
        self._came.set()
        if not self._agreed or self._over.is_set():
            return
        try:
            if self._tls.read(1):
                what = "the repository talks, which no receiver of syslog does"
                self._finished(AnswerNotUnderstood(what, fix="compare the port"))
            else:
                self._notified = True
                self._finished()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLZeroReturnError:
            self._notified = True
            self._finished()
        except ssl.SSLError as error:
            self._finished(error)

    def _finished(self, error: Exception | None = None) -> None:
        if not self._over.is_set():
            self._failed = error
        self._over.set()
        self._came.set()
        self._writable.set()

    # --- how it ended ------------------------------------------------------------------------------------

    def _end(self) -> DeliveryError:
        if isinstance(self._failed, DeliveryError):
            return self._failed
        try:
            with failures():
                if self._failed is not None:
                    raise self._failed
        except DeliveryError as error:
            return error
        return PartnerUnreachable("the repository ended the connection")

    def _check_end(self, confirmation: Confirmation) -> None:
        if self._notified:
            return
        cut_off = isinstance(self._failed, ssl.SSLEOFError)
        if confirmation == "end of stream" and cut_off:
            return
        if cut_off:
            raise NoAnswer(
                "the repository does not answer the goodbye, so nobody knows what it has read",
                fix='if it never does, set confirmation = "end of stream" for this feed',
            )
        raise self._end()

    async def _closed(self) -> None:
        """Wait until the receiver has closed its side of TCP: in peace, as it read everything, or, where it
        answered without having read, by a reset. One that keeps it open has thrown nothing away."""
        if not self._transport.is_closing():
            self._transport.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PEACE):
                await self._ended.wait()
        if isinstance(self._lost, Exception):
            raise self._lost

    async def _taken(self) -> None:
        """Wait until the peer's TCP has everything. One whose process went away before it read all of that
        resets the connection instead, or closed it before we said goodbye."""
        while self._unacknowledged():  # noqa: ASYNC110 - TCP tells nobody
            await asyncio.sleep(_LOOK)

    def _unacknowledged(self) -> int:
        """Bytes that the peer's TCP has not acknowledged yet."""
        if self._transport.is_closing():
            raise self._failed if isinstance(self._failed, OSError) else ConnectionResetError()
        sock: socket.socket = self._transport.get_extra_info("socket")
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionResetError(number, "the connection broke")
        buffered = self._transport.get_write_buffer_size()
        return buffered + int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0])


def _watch(sock: socket.socket, dead: float) -> None:
    """Have TCP give up after that long, whether something is under way or not."""
    options: list[tuple[int, int, int]] = [
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(dead * 1000))),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(dead / 2))),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(dead / 8))),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    ]
    for level, option, value in options:
        sock.setsockopt(level, option, value)
