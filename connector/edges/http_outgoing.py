"""What our own HTTP requests have in common: our TLS context only, no redirects, no endless answers.

An answer is untrusted input. It is read up to a limit and never unpacked (a few bytes of gzip can become
gigabytes), and one that breaks off is not taken for a whole one.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from connector.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    DeliveryError,
    PartnerBusy,
    PartnerRefusedUs,
    PartnerUnreachable,
)

ANSWER_LIMIT: Final = 16 * 1024 * 1024  # bytes
MAX_PATIENCE: Final = 24 * 3600.0  # seconds: a longer Retry-After is not believed


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Another transport whose answers end: at ``limit`` bytes, and only where they say they end."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int = ANSWER_LIMIT) -> None:
        self._inner = inner
        self._limit = limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            await answer.aclose()
            raise AnswerNotUnderstood("the answer is packed", fix="the partner must honour Accept-Encoding")
        stream = answer.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("an asynchronous transport gives asynchronous streams")
        return httpx2.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Bounded(stream, self._limit),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._left -= len(chunk)
                if self._left < 0:
                    break
                yield chunk
            else:
                return
        except (httpx2.NetworkError, httpx2.ProtocolError, ssl.SSLError):
            pass
        too_large = self._left < 0
        raise AnswerNotUnderstood(
            "the answer is larger than the limit" if too_large else "the answer broke off before its end"
        )

    async def aclose(self) -> None:
        await self._stream.aclose()


def transport(context: ssl.SSLContext, limit: int = ANSWER_LIMIT) -> BoundedTransport:
    """HTTP/1.1 over this TLS context and nothing else: no system trust store, no proxy, no retry."""
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigurationError(
            "the TLS context does not verify the server", fix="build it with tls.client_context"
        )
    return BoundedTransport(httpx2.AsyncHTTPTransport(verify=context, trust_env=False), limit)


def origin_of(url: str | httpx2.URL) -> str:
    """``https://host:port`` of an address (RFC 6454), with the port. Raises ``ConfigurationError``."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        parsed = httpx2.URL("")
    if parsed.scheme != "https" or not parsed.host or parsed.userinfo:
        raise ConfigurationError(
            "an address is no https address", fix="https://host[:port]/path, no user name"
        )
    return f"https://{parsed.host.lower()}:{parsed.port or 443}"


def unreachable(error: Exception, whom: str) -> DeliveryError:
    """What a failed request means: the TLS peer refuses us, it is not there, or it speaks no HTTP."""
    late = isinstance(error, httpx2.TimeoutException | TimeoutError)
    if not late and _tls_fault(error):
        fix = "compare the certificates and trust anchors of both sides"
        return PartnerRefusedUs(f"no TLS connection with the {whom}", fix=fix)
    if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol | httpx2.DecodingError):
        return AnswerNotUnderstood(f"the {whom} does not speak HTTP as we do")
    return PartnerUnreachable(f"the {whom} does not answer", fix="see whether it runs and can be reached")


_NO_FAULT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _tls_fault(error: BaseException | None) -> bool:
    """Whether one of the two ends refused the handshake, anywhere in the chain of causes."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _NO_FAULT):
            return True
        error = error.__cause__ or error.__context__
    return False


def busy(answer: httpx2.Response, whom: str, now: float) -> PartnerBusy:
    """A 429 or 5xx, with the time that Retry-After asks for."""
    return PartnerBusy(f"the {whom} answers {answer.status_code}", after=patience(answer, now))


def patience(answer: httpx2.Response, now: float) -> float | None:
    """Seconds of Retry-After (RFC 9110, 10.2.3: a number, or a date); None without or not to be believed."""
    text = answer.headers.get("retry-after", "").strip()
    number = text.isascii() and text.isdecimal() and len(text) < 10
    seconds = float(text) if number else _until(text, now)
    return seconds if 0 <= seconds <= MAX_PATIENCE else None


def _until(text: str, now: float) -> float:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return -1.0
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
