"""One HTTP/1.1 request to a partner and its whole answer, bounded in time and in size.

What both HTTP clients of the connector stand on: nothing is followed (redirects), kept (cookies), unpacked
(content encodings) or taken from the environment (proxies), and whatever goes wrong is one of our errors.
Sources: RFC 9110, RFC 8446 (alerts).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import h11
import httpx2

from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    PartnerRefusedUs,
    PartnerUnreachable,
)

_KEEP_ALIVE: Final = 4.0  # seconds; shorter than what servers commonly grant, so that we hang up first
_KEPT: Final = frozenset({b"content-type", b"etag", b"location", b"retry-after"})
_PHASES: Final = {  # by the events of httpcore
    "connection.connect_tcp.started": "connect",
    "connection.start_tls.started": "tls",
    "http11.send_request_headers.started": "write",
    "http11.receive_response_headers.started": "answer",
    "http11.receive_response_body.started": "body",
}
_NO_FAULT: Final = (  # the partner hung up, or OpenSSL only waited for more: anyio leaves these in the chain
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)


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


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends requests over mutual TLS and reads each answer whole, up to ``answer_limit`` bytes.

    ``waits``: how long each phase may take; ``connections``: how many are open at once, and kept.
    ``server_name``: the name in the partner's certificate, where it is not the host of the address. An
    answer keeps only the headers that are read.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        waits: Waits = WAITS,
        answer_limit: int,
        connections: int = 8,
        server_name: str = "",
    ) -> None:
        self._connections, self._waits, self._limit = connections, waits, answer_limit
        self._context, self._inner = context, self._transport(context)
        self._retired: list[httpx2.AsyncHTTPTransport] = []
        self._cutting: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._extensions = {"sni_hostname": server_name} if server_name else {}

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every request from now on, over new connections."""
        self._context = context
        self._retired.append(self._inner)
        self._inner = self._transport(context)

    def cut(self) -> None:
        """End every connection at once; requests under way fail as if the partner had hung up."""
        self.reload(self._context)
        retired, self._retired = self._retired, []
        for one in retired:
            task = asyncio.get_running_loop().create_task(one.aclose())
            self._cutting.add(task)
            task.add_done_callback(self._cutting.discard)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, whatever its status.

        Raises PartnerUnreachable (no connection, or it broke or stayed silent), PartnerRefusedUs (TLS),
        AnswerNotUnderstood (not HTTP, cut short, encoded, or over the limit).
        """
        await self._close_retired()
        self._busy += 1
        phase = _Phase(self._waits)
        request.extensions = {**self._extensions, "trace": phase}
        try:
            async with phase.limit:
                return await self._exchange(self._inner, request)
        except TimeoutError:
            raise PartnerUnreachable(f"the partner did not answer in time ({phase.name})") from None
        except (httpx2.TransportError, OSError) as error:
            raise broken(error) from None
        finally:
            self._busy -= 1
            await phase.close()

    async def aclose(self) -> None:
        """Close every connection."""
        self._retired.append(self._inner)
        self._busy = 0
        await self._close_retired()

    async def _exchange(self, inner: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        answer = await inner.handle_async_request(request)
        try:
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise AnswerNotUnderstood("the partner's answer is compressed, which was not asked for")
            body = await self._whole(answer)
        finally:
            await answer.aclose()
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() in _KEPT]
        return httpx2.Response(answer.status_code, headers=headers, content=body, request=request)

    async def _whole(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > self._limit:
                raise AnswerNotUnderstood(f"the partner's answer is longer than {self._limit} bytes")
        return bytes(body)

    async def _close_retired(self) -> None:
        while self._retired and not self._busy:
            await self._retired.pop().aclose()

    def _transport(self, context: ssl.SSLContext) -> httpx2.AsyncHTTPTransport:
        limits = httpx2.Limits(
            max_connections=self._connections,
            max_keepalive_connections=self._connections,
            keepalive_expiry=_KEEP_ALIVE,
        )
        return httpx2.AsyncHTTPTransport(verify=context, trust_env=False, http2=False, limits=limits)


class _Phase:
    """Where a request stands; each phase moves the limit, so that none can use up another's time."""

    def __init__(self, waits: Waits) -> None:
        self.name, self._waits = "waiting for a connection", waits
        self.limit = asyncio.timeout(waits.longest)
        self._bare: Any = None  # a connection without TLS yet, which httpcore forgets when it is cancelled

    async def close(self) -> None:
        """Close what is only half a connection."""
        if self._bare is not None:
            await self._bare.aclose()

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Told by httpcore."""
        if event == "connection.connect_tcp.complete":
            self._bare = info["return_value"]
        name = _PHASES.get(event, self.name)
        if name == "write":
            self._bare = None
        if name != self.name:
            self.name = name
            self.limit.reschedule(asyncio.get_running_loop().time() + getattr(self._waits, name))


def broken(error: Exception) -> DeliveryError:
    """What a failed exchange means. Only our own words and the reasons of OpenSSL are in the text."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _NO_FAULT):
            return PartnerRefusedUs(f"tls: {_tls_reason(cause)}", fix="compare both trust anchors")
    if any(isinstance(cause, h11.RemoteProtocolError) for cause in causes):
        return AnswerNotUnderstood("the partner's answer is not HTTP or was cut short")
    return PartnerUnreachable(f"the connection failed: {type(error).__name__}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or "protocol error"
