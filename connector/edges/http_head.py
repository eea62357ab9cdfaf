"""The head of a request: how large it may be, and the answer to one that is not taken.

What is refused here never reaches an application: it is told to the audit log and answered with an
OperationOutcome, and the connection is closed. Sources: RFC 9110 (414), RFC 6585 (431), RFC 9112.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope, Send

from connector.edges import http_answers
from connector.edges.http_ports import Peer
from connector.errors import AddressTooLong, ConnectorError, HeadIncomplete, HeadTooLarge, RequestError

OnFault = Callable[[Peer | None, ConnectorError], Awaitable[None]]

_log: Final = structlog.get_logger(__name__)
_WHERE: Final = "http.head"


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """What the head of one request may take: bytes, header fields, bytes of its address, seconds."""

    size: int = 32 * 1024
    fields: int = 64
    url: int = 4096
    seconds: float = 10.0

    def judge(self, scope: Scope) -> RequestError | None:
        """Why a request of this head is not taken; None where it is."""
        headers, query = scope["headers"], scope["query_string"]
        url = len(scope["raw_path"]) + len(query) + bool(query)
        if url > self.url:
            fix = f"send at most {self.url} bytes, what is longer in the body"
            return AddressTooLong("the address is too long", fix=fix, location="http.url")
        size = url + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > self.size or len(headers) > self.fields:
            return self.too_large()
        return None

    def too_large(self) -> HeadTooLarge:
        """Of a head that passes a limit."""
        fix = f"send at most {self.size} bytes in at most {self.fields} header fields"
        return HeadTooLarge("the head of the request is too large", fix=fix, location=_WHERE)

    def too_slow(self) -> HeadIncomplete:
        """Of a head that did not end."""
        what, fix = (
            "the head of the request did not come to its end",
            f"send it within {self.seconds:g} seconds",
        )
        return HeadIncomplete(what, fix=fix, location=_WHERE)


def not_http() -> RequestError:
    """Of what cannot be read."""
    return RequestError("this is not HTTP/1.1", fix="speak HTTP/1.1 as RFC 9112 says", location=_WHERE)


@dataclass(frozen=True, slots=True)
class Refusing:
    """An ASGI application that answers whatever it is given with the error in ``scope["state"]["fault"]``."""

    on_fault: OnFault | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error: ConnectorError = scope["state"]["fault"]
        if self.on_fault is not None:
            error = await self._told(self.on_fault, scope["state"].get("peer"), error)
        answer = http_answers.refusal([error], token_sent=False)
        answer.headers["connection"] = "close"
        await answer(scope, receive, send)

    async def _told(self, tell: OnFault, peer: Peer | None, error: ConnectorError) -> ConnectorError:
        try:
            await tell(peer, error)
        except ConnectorError as failure:
            return failure
        except Exception as failure:  # it is refused in any case, and its text may not be logged
            _log.error("a refusal could not be recorded", exc=failure)
            return failed()
        return error


def failed() -> ConnectorError:
    """Of an application that raised."""
    return ConnectorError(
        "the server failed; nothing was taken", fix="tell its operators the time of this answer"
    )


def scope_of(peer: Peer | None, error: ConnectorError) -> dict[str, Any]:
    """The scope of a request that could not be read as far as its end."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        "state": {"peer": peer, "fault": error},
    }
