"""The sending side of MLLP over mutual TLS: connections with one message outstanding on each."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.edges.acceptor import peer_of
from connector.edges.addresses import Dial, dial
from connector.edges.mllp_connection import Confirm, MllpConnection, OnStray
from connector.edges.tls import Peer
from connector.errors import (
    AnswerForAnother,
    ConnectorError,
    NoAnswer,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.mllp import Acknowledgment, Exchange, Mode, Stray, StrayAnswer, frame, read_msa
from connector.mllp.exchange import ReadAnswer

_GOODBYE: Final = 2.0  # seconds for the partner to close its side too
_PASSING: Final = frozenset(
    {
        "APPLICATION_DATA_AFTER_CLOSE_NOTIFY",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        "SSLV3_ALERT_BAD_RECORD_MAC",
        "TLSV1_ALERT_INTERNAL_ERROR",
        "TLSV1_ALERT_USER_CANCELLED",
        "UNEXPECTED_EOF_WHILE_READING",
    }
)
"""OpenSSL's reasons of a connection that broke; all others say that the two ends will never agree."""


@dataclass(frozen=True, slots=True)
class MllpTimeouts:
    """Seconds: for connecting with its handshake, for writing a message, for its answer, and for the
    application answer after a commit answer."""

    connect: float = 10.0
    write: float = 30.0
    answer: float = 30.0
    application: float = 60.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """What becomes of a connection after a message.

    ``keep``: it stays for the next one; ``idle``: seconds without a message after which it is closed, 0:
    never; ``probe``: seconds without traffic after which TCP asks whether the partner is there, 0: never.
    """

    keep: bool = True
    idle: float = 0.0
    probe: float = 60.0


class MllpClient:
    """Sends messages to one partner over one connection and waits for their acknowledgments.

    Keeps its connection as ``keeping`` says and makes a new one where that is gone; it never tries a message
    twice by itself. ``server_name``: the name the partner's certificate must carry (default: ``host``).
    ``limit``: bytes of an answer. ``read``: takes (code, control id) out of an answer. ``on_stray``: told of
    answers that settle nothing. ``confirm``: sends commit acknowledgments of application acknowledgments.
    ``dial``: connects. Usable as an async context manager.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        server_name: str = "",
        timeouts: MllpTimeouts | None = None,
        *,
        keeping: Keeping = Keeping(),
        limit: int = 1024 * 1024,
        read: ReadAnswer = read_msa,
        on_stray: OnStray | None = None,
        confirm: Confirm | None = None,
        dial: Dial = dial,
    ) -> None:
        self._dial = dial
        self._host, self._port, self._context = host, port, context
        self._server_name = server_name or host
        self._timeouts, self._keeping, self._limit = timeouts or MllpTimeouts(), keeping, limit
        self._exchange = Exchange(read)
        self._tell: OnStray = on_stray or (lambda answer: None)
        self._confirm: Confirm = confirm or (lambda answer, reply: None)
        self._turn = asyncio.Lock()
        self._connection: MllpConnection | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._unknown = 0  # answers to nothing that was ever sent, during this message

    async def __aenter__(self) -> MllpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def peer(self) -> Peer | None:
        """Who is at the other end, while connected."""
        here = self._connection
        return peer_of(here.transport) if here is not None and here.usable else None

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connection on."""
        self._context = context

    def cut(self) -> None:
        """End the connection at once: its partner may not be talked to any more."""
        self._abort()

    async def send(self, payload: bytes, control_id: str, mode: Mode = Mode.ORIGINAL) -> Acknowledgment:
        """Send one message and return its final acknowledgment, positive or not.

        ``control_id``: MSH-10 of ``payload``, which the answer must echo; an answer that echoes another is
        told to ``on_stray`` and waited past. Raises FrameError (nothing was sent: the payload cannot be
        framed), PartnerUnreachable (no connection, or it broke), NoAnswer (silence), AnswerForAnother (only
        answers to what was never sent), AnswerNotUnderstood (what came is no acknowledgment) and
        PartnerRefusedUs (TLS). After an error the partner may have taken the message, so it is sent again
        under the same control id; the connection is closed by then, so that no late answer meets another
        message and no rest of this one is sent.
        """
        block = frame(payload)
        async with self._turn:
            self._awake()
            try:
                answer = await self._deliver(block, control_id, mode)
            except BaseException:
                self._exchange.give_up(control_id)
                self._abort()
                raise
            self._rest()
            return answer

    async def hand_over(self, payload: bytes) -> None:
        """Send one message that asks for no answer; done once the connection has taken it. Raises as ``send``
        does for what happens up to there."""
        block = frame(payload)
        async with self._turn:
            self._awake()
            try:
                with failures():
                    await self._write(await self._ready(), block)
            except BaseException:
                self._abort()
                raise
            self._rest()

    def overheard(self, payload: bytes, control_id: str) -> bool:
        """An acknowledgment came over a connection of the partner's; whether this is what waits for it."""
        here = self._connection
        waits = here is not None and control_id in self._exchange.waiting
        if here is not None and waits:
            here.overheard(payload)
        return waits

    async def close(self) -> None:
        """Close the connection, if there is one."""
        async with self._turn:
            self._awake()
            if self._connection is not None:
                self._connection.close()
                await self._parted(self._connection)
                self._connection = None

    async def _deliver(self, block: bytes, control_id: str, mode: Mode) -> Acknowledgment:
        with failures():
            connection = await self._ready()
            self._exchange.sent(control_id, mode)
            self._unknown = 0
            await self._write(connection, block)
            return await self._final(connection)

    async def _ready(self) -> MllpConnection:
        async with asyncio.timeout(self._timeouts.connect):
            return await self._connected()

    async def _write(self, connection: MllpConnection, block: bytes) -> None:
        async with asyncio.timeout(self._timeouts.write):
            await connection.write(block)

    async def _connected(self) -> MllpConnection:
        before = self._connection
        if before is not None:
            if before.usable:
                return before
            await self._parted(before)  # never two at once: some partners take one only
        connected = await self._dial(self._host, self._port)
        _, self._connection = await asyncio.get_running_loop().create_connection(
            lambda: MllpConnection(self._exchange, self._limit, self._stray, self._confirm),
            sock=connected,
            ssl=self._context,
            server_hostname=self._server_name,
            ssl_handshake_timeout=self._timeouts.connect,
            ssl_shutdown_timeout=_GOODBYE,
        )
        self._connection.keep_alive(self._keeping.probe)
        return self._connection

    async def _final(self, connection: MllpConnection) -> Acknowledgment:
        seconds = self._timeouts.answer
        while True:
            try:
                async with asyncio.timeout(seconds):
                    answer = await connection.answer()
            except TimeoutError:
                raise self._silent() from None
            if answer.final:
                return answer
            seconds = self._timeouts.application

    def _silent(self) -> ConnectorError:
        if self._unknown:
            return AnswerForAnother("the partner acknowledged other messages only", location="MSA-2")
        return NoAnswer("the partner did not answer in time")

    def _stray(self, answer: StrayAnswer) -> None:
        self._unknown += answer.reason is Stray.UNKNOWN
        self._tell(answer)

    def _rest(self) -> None:
        """The message is settled: close the connection now, later or not at all."""
        if self._connection is None:
            return
        if not self._keeping.keep:
            self._connection.close()
        elif self._keeping.idle:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._keeping.idle, self._connection.close)

    def _awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _parted(self, connection: MllpConnection) -> None:
        """Wait until a connection that ends is closed on our side; what lingers is cut."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await connection.gone.wait()
                return
        connection.abort()

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """What a connection raises, as errors of ours: PartnerUnreachable, or PartnerRefusedUs (TLS)."""
    try:
        yield
    except TimeoutError:
        raise PartnerUnreachable("the partner did not connect or read in time") from None
    except ssl.SSLError as error:
        raise _of_tls(error) from None
    except OSError as error:
        raise PartnerUnreachable(f"the connection failed: {type(error).__name__}") from None


def _of_tls(error: ssl.SSLError) -> ConnectorError:
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return PartnerRefusedUs(f"tls: {error.verify_message}", fix="compare both trust anchors")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or reason in _PASSING:
        return PartnerUnreachable(f"the connection failed: {reason or type(error).__name__}")
    return PartnerRefusedUs(f"tls: {reason or 'protocol error'}", fix="compare both trust anchors")
