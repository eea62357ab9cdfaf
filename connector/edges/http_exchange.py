"""One HTTP/1.1 request to a partner and its whole answer, bounded in time and in size.

What both HTTP clients of the connector stand on: nothing is followed (redirects), kept (cookies), unpacked
(content encodings) or taken from the environment (proxies), and whatever goes wrong is one of our errors.
Sources: RFC 9110 (status codes, Retry-After), RFC 8446 (alerts).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import h11
import httpx2

from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
)

LONGEST_WAIT: Final = 3600.0  # seconds; nobody who says "come back tomorrow" may stop a lane until then
_KEEP_ALIVE: Final = 4.0  # seconds; shorter than what servers commonly grant, so that we hang up first
_KEPT: Final = frozenset({b"content-type", b"etag", b"location", b"retry-after"})

_UNWELCOME: Final = frozenset({401, 403, 407})
_FINAL: Final = frozenset({400, 404, 405, 410, 413, 415, 422})
_PASSING: Final = frozenset({408, 409, 412, 425, 429})
_NO_FAULT: Final = (  # the partner hung up, or OpenSSL only waited for more: anyio leaves these in the chain
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends requests over mutual TLS and reads each answer whole, up to ``answer_limit`` bytes.

    ``connect_seconds`` and ``answer_seconds``: how long a connection and an answer may take; a request is
    given up after their sum, however slowly its answer drips. ``server_name``: the name in the partner's
    certificate, where it is not the host of the address. An answer keeps only the headers that are read.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        connect_seconds: float,
        answer_seconds: float,
        answer_limit: int,
        server_name: str = "",
    ) -> None:
        self._inner = _transport(context)
        self._retired: list[httpx2.AsyncHTTPTransport] = []
        self._busy = 0
        self._seconds = connect_seconds + answer_seconds
        self._limit = answer_limit
        waits = {"connect": connect_seconds, "pool": connect_seconds}
        waits |= {"read": answer_seconds, "write": answer_seconds}
        self._extensions = {"timeout": waits, **({"sni_hostname": server_name} if server_name else {})}

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every request from now on, over new connections."""
        self._retired.append(self._inner)
        self._inner = _transport(context)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, whatever its status.

        Raises PartnerUnreachable (no connection, or it broke or stayed silent), PartnerRefusedUs (TLS),
        AnswerNotUnderstood (not HTTP, cut short, encoded, or over the limit).
        """
        await self._close_retired()
        request.extensions = {**request.extensions, **self._extensions}
        self._busy += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(self._inner, request)
        except (httpx2.TransportError, OSError) as error:
            raise broken(error) from None
        finally:
            self._busy -= 1

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


def _transport(context: ssl.SSLContext) -> httpx2.AsyncHTTPTransport:
    limits = httpx2.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=_KEEP_ALIVE)
    return httpx2.AsyncHTTPTransport(verify=context, trust_env=False, http2=False, limits=limits)


def broken(error: Exception) -> DeliveryError:
    """What a failed exchange means. Only our own words and the reasons of OpenSSL are in the text."""
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return PartnerUnreachable("the partner did not answer in time")
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


def refusal(status: int, *, after: str = "", issue: str = "", location: str = "") -> DeliveryError:
    """The error for a status that is no success; ``after``: Retry-After as sent.

    ``issue``: the code of the partner's OperationOutcome, ``location``: the entry that it is about.
    """
    said = f"the partner answers {status}{f' ({issue})' if issue else ''}"
    if status in _UNWELCOME:
        fix = "check the client id, key, scopes and certificate that the partner knows"
        return PartnerRefusedUs(said, fix=fix, location=location)
    if status in _FINAL:
        fix = "see the partner's log; replay it when it is mended"
        return PartnerRefusedMessage(said, fix=fix, location=location)
    if status in _PASSING or 500 <= status <= 599:
        return PartnerBusy(said, location=location, after=retry_after(after))
    fix = "set base to the address of the endpoint itself" if 300 <= status <= 399 else ""
    return AnswerNotUnderstood(said, fix=fix, location=location)


def retry_after(text: str) -> float | None:
    """Seconds from now, 0 to ``LONGEST_WAIT``, of a Retry-After header (RFC 9110, 10.2.3); None: none."""
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text[:300]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)
