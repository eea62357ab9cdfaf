"""One HTTP/1.1 request to a partner and its whole answer, bounded in time and in size.

What both HTTP clients of the connector stand on: nothing is followed (redirects), kept (cookies), unpacked
(content encodings) or taken from the environment (proxies), nothing is logged, and whatever goes wrong is one
of our errors. Sources: RFC 9110, RFC 8446 (alerts).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

import httpx2

from connector.edges.addresses import Dial, dial
from connector.edges.http_connection import HttpConnection, Phase
from connector.edges.http_reading import Answer
from connector.errors import DeliveryError, PartnerRefusedUs, PartnerUnreachable

_KEEP_ALIVE: Final = 4.0  # seconds; shorter than what servers commonly grant, so that we hang up first
_NO_FAULT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # it only hung up


class Waits(NamedTuple):
    """Seconds that each phase of a request may take, however slowly it drips."""

    connect: float = 10.0  # to the partner's port
    tls: float = 10.0  # the handshake
    write: float = 30.0  # to send the request
    answer: float = 30.0  # from there to the end of the answer's head
    body: float = 30.0  # to read the rest

    @property
    def longest(self) -> float:
        """All of them together: how long a request waits for a connection that others use."""
        return sum(self)


WAITS: Final = Waits()


class BoundedTransport:
    """Sends requests to one server over mutual TLS and reads each answer whole, up to ``answer_limit`` bytes.

    ``url``: of the server (http: without TLS), of which ``path`` is the path without a slash at its end;
    ``waits``: how long each phase may take; ``connections``: how many are open at once, and kept;
    ``server_name``: the name in the server's certificate, where it is not the host of ``url``; ``dial``:
    connects.
    """

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext,
        *,
        waits: Waits = WAITS,
        answer_limit: int,
        connections: int = 8,
        server_name: str = "",
        dial: Dial = dial,
    ) -> None:
        self._dial = dial
        self._server, self.path = httpx2.URL(url), target_of(url).rstrip("/")
        self._named = self._server.netloc.decode("ascii")
        self._host = self._server.raw_host.decode("ascii")
        self._server_name, self._context = server_name or self._host, _for_http(context)
        self._waits, self._limit = waits, answer_limit
        self._turns = asyncio.Semaphore(connections)
        self._open: set[HttpConnection] = set()
        self._free: deque[tuple[float, HttpConnection]] = deque()  # until when; the last one is used first

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every request from now on, over new connections."""
        self._context = _for_http(context)
        while self._free:
            self._part(self._free.pop()[1])

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """The answer to a request, whatever its status. ``target``: path and query.

        Raises PartnerUnreachable (no connection, or it broke or stayed silent), PartnerRefusedUs (TLS),
        AddressNotAllowed, AnswerNotUnderstood (not HTTP, cut short, encoded, or over the limit).
        """
        phase = _Phase(self._waits)
        request = self._head(method, target, headers, len(body)) + body
        try:
            async with phase.limit, self._turns:
                return await self._exchange(request, phase)
        except TimeoutError:
            raise PartnerUnreachable(f"the partner did not answer in time ({phase.name})") from None
        except OSError as error:
            raise broken(error) from None

    def cut(self) -> None:
        """End every connection at once; requests under way fail as if the server had hung up."""
        self._free.clear()
        for one in tuple(self._open):
            self._part(one)

    async def aclose(self) -> None:
        """Close every connection."""
        closing = tuple(self._open)
        self.cut()
        for one in closing:
            await one.gone.wait()

    def _head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        lines = [f"{method} {target or '/'} HTTP/1.1", f"Host: {self._named}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if length:
            lines.append(f"Content-Length: {length}")
        said = "".join(lines)
        if " " in target or not (said.isascii() and said.isprintable()):  # a line more, or another request
            raise PartnerUnreachable("the request cannot be written in HTTP")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    async def _exchange(self, request: bytes, phase: _Phase) -> Answer:
        context = self._context
        connection = self._kept() or await self._connected(context, phase)
        try:
            answer = await connection.exchange(request, phase.enter)
        except BaseException:
            self._part(connection)
            raise
        if context is self._context and connection.usable:
            self._free.append((time.monotonic() + _KEEP_ALIVE, connection))
        else:
            self._part(connection)
        return answer

    def _kept(self) -> HttpConnection | None:
        """A connection from before that is still of use."""
        now = time.monotonic()
        while self._free and self._free[0][0] <= now:
            self._part(self._free.popleft()[1])
        while self._free:
            _, connection = self._free.pop()
            if connection.usable and connection.quiet:
                return connection
            self._part(connection)
        return None

    async def _connected(self, context: ssl.SSLContext, phase: _Phase) -> HttpConnection:
        secure = self._server.scheme == "https"
        phase.enter("connect")
        connected = await self._dial(self._host, self._server.port or (443 if secure else 80))
        phase.enter("tls" if secure else "write")
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: HttpConnection(self._limit),
            sock=connected,
            ssl=context if secure else None,
            server_hostname=self._server_name if secure else None,
            ssl_handshake_timeout=2 * self._waits.tls if secure else None,  # that of the phase ends first
        )
        self._open.add(connection)
        return connection

    def _part(self, connection: HttpConnection) -> None:
        connection.abort()
        self._open.discard(connection)


class _Phase:
    """Where a request stands; each phase moves the limit, so that none can use up another's time."""

    def __init__(self, waits: Waits) -> None:
        self.name, self._waits = "waiting for a connection", waits
        self.limit = asyncio.timeout(waits.longest)

    def enter(self, phase: Phase) -> None:
        """Its time begins, unless it has begun."""
        if phase != self.name:
            self.name = phase
            self.limit.reschedule(asyncio.get_running_loop().time() + getattr(self._waits, phase))


def target_of(url: str) -> str:
    """Path and query of an address, as a request names them."""
    return httpx2.URL(url).raw_path.decode("ascii")


def broken(error: Exception) -> DeliveryError:
    """What a failed exchange means. Only our own words and the reasons of OpenSSL are in the text."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, _NO_FAULT):
        return PartnerRefusedUs(f"tls: {_tls_reason(error)}", fix="compare both trust anchors")
    return PartnerUnreachable(f"the connection failed: {type(error).__name__}")


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or "protocol error"


def _for_http(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context
