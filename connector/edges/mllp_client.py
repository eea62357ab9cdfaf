"""The sending side of MLLP over mutual TLS: one connection, one message at a time, in order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from connector.edges.acceptor import peer_of
from connector.edges.tls import Peer
from connector.errors import (
    AnswerNotUnderstood,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.mllp import Acknowledgment, Exchange, Frame, Framer, Mode, Stray, frame, read_msa
from connector.mllp.exchange import ReadAnswer

OnStray = Callable[[Stray], None]

_READ = 65536


@dataclass(frozen=True, slots=True)
class MllpTimeouts:
    """Seconds: for connecting with its handshake, for writing a message, for each answer."""

    connect: float = 10.0
    write: float = 30.0
    answer: float = 30.0


class MllpClient:
    """Sends messages to one partner and waits for their acknowledgments.

    Keeps its connection and makes a new one where that is gone. ``server_name``: the name the partner's
    certificate must carry (default: ``host``). ``limit``: bytes of an answer. ``read``: takes (code,
    control id) out of an answer. ``on_stray``: told of answers that settle nothing.
    Usable as an async context manager.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        server_name: str = "",
        timeouts: MllpTimeouts | None = None,
        *,
        limit: int = 1024 * 1024,
        read: ReadAnswer = read_msa,
        on_stray: OnStray | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._context = context
        self._server_name = server_name or host
        self._timeouts = timeouts or MllpTimeouts()
        self._limit = limit
        self._exchange = Exchange(read)
        self._on_stray: OnStray = on_stray or (lambda reason: None)
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._framer = Framer(limit)

    async def __aenter__(self) -> MllpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def peer(self) -> Peer | None:
        """Who is at the other end, while connected."""
        return peer_of(self._streams[1].transport) if self._streams else None

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connection on."""
        self._context = context

    async def send(self, payload: bytes, control_id: str, mode: Mode = Mode.ORIGINAL) -> Acknowledgment:
        """Send one message and return its final acknowledgment, positive or not.

        ``control_id``: MSH-10 of ``payload``, which the answer must echo. Raises FrameError (nothing was
        sent: the payload cannot be framed), PartnerUnreachable (no connection, or it broke or stayed silent
        before the answer: the partner may have taken the message, so send it again under the same control
        id), PartnerRefusedUs (TLS), AnswerNotUnderstood (an answer that is no acknowledgment of it).
        After an error the connection is closed, so that no late answer meets the next message.
        """
        block = frame(payload)
        async with self._turn:
            try:
                return await self._deliver(block, control_id, mode)
            except BaseException:
                self._exchange.give_up(control_id)
                self._abort()
                raise

    async def close(self) -> None:
        """Close the connection, if there is one."""
        async with self._turn:
            if self._streams is None:
                return
            writer = self._streams[1]
            self._streams = None
            writer.close()
            try:
                await asyncio.wait_for(writer.wait_closed(), self._timeouts.write)
            except OSError:
                writer.transport.abort()  # the partner was faster, or does not say goodbye

    async def _deliver(self, block: bytes, control_id: str, mode: Mode) -> Acknowledgment:
        try:
            reader, writer = await self._connected()
            self._exchange.sent(control_id, mode)
            writer.write(block)
            async with asyncio.timeout(self._timeouts.write):
                await writer.drain()
            return await self._final(reader)
        except TimeoutError:
            raise PartnerUnreachable("the partner did not answer in time") from None
        except ssl.SSLError as error:
            raise PartnerRefusedUs(f"tls: {_tls_reason(error)}", fix="compare both trust anchors") from None
        except OSError as error:
            raise PartnerUnreachable(f"the connection failed: {type(error).__name__}") from None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._usable(*self._streams):
            return self._streams
        self._abort()
        self._framer = Framer(self._limit)
        async with asyncio.timeout(self._timeouts.connect):
            self._streams = await asyncio.open_connection(
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=self._server_name,
                ssl_handshake_timeout=self._timeouts.connect,
                ssl_shutdown_timeout=2.0,
            )
        return self._streams

    def _usable(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return not (reader.at_eof() or reader.exception() or writer.is_closing())

    async def _final(self, reader: asyncio.StreamReader) -> Acknowledgment:
        while True:
            async with asyncio.timeout(self._timeouts.answer):
                answer = await self._next_answer(reader)
            if answer.final:
                return answer

    async def _next_answer(self, reader: asyncio.StreamReader) -> Acknowledgment:
        while True:
            for event in self._framer.events():
                if isinstance(event, Frame):
                    answer = self._match(event.payload)
                    if answer is not None:
                        return answer
                elif not getattr(event, "blank", False):
                    raise AnswerNotUnderstood("the partner does not answer in MLLP frames")
            received = await reader.read(_READ)
            if not received:
                raise ConnectionResetError
            self._framer.receive(received)

    def _match(self, payload: bytes) -> Acknowledgment | None:
        answer = self._exchange.received(payload)
        if isinstance(answer, Acknowledgment):
            return answer
        self._on_stray(answer.reason)
        if answer.reason in (Stray.UNREADABLE, Stray.UNKNOWN):
            raise AnswerNotUnderstood(_WHY[answer.reason], location=_WHERE[answer.reason])
        return None

    def _abort(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


_WHY = {
    Stray.UNREADABLE: "the answer is no acknowledgment",
    Stray.UNKNOWN: "the answer is for a message that was not sent",
}
_WHERE = {Stray.UNREADABLE: "MSA-1", Stray.UNKNOWN: "MSA-2"}


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or "protocol error"
