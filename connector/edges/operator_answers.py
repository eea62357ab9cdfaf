"""What refusals look like to people (RFC 9457), and who is at the other end."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connector.edges.challenge import challenge
from connector.edges.http_ports import Peer
from connector.errors import ConnectorError, Forbidden, Unauthenticated, UnsupportedInteraction
from connector.pipeline.entries import reason

PREFIX: Final = "/operator"

_log: Final = structlog.get_logger(__name__)
_PROBLEM: Final = "application/problem+json"


def problem(
    error: ConnectorError, request: Request, scope: str, status: int, headers: dict[str, str]
) -> Response:
    """A refusal: ``error`` is its name, ``detail`` what is wrong, ``fix`` what helps; ``scope``: what would
    have been enough; ``status``: 0 for that of the error."""
    code = status or error.answer.status
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": error.what,
        "error": reason(error),
        "fix": error.fix,
        "location": error.location,
    }
    if isinstance(error, Unauthenticated | Forbidden):
        sent = "authorization" in request.headers
        headers["www-authenticate"] = challenge(error, "operator", token_sent=sent, scope=scope)
    if code == 503:
        headers["retry-after"] = "5"
    body = msgspec.json.encode({name: value for name, value in said.items() if value})
    return Response(body, code, headers, _PROBLEM)


def peer_of(request: Request) -> Peer | None:
    """The TLS peer, as the acceptor left it; None: nobody is verified."""
    peer: Peer | None = request.scope.get("state", {}).get("peer")
    return peer


def ours(error: Exception) -> ConnectorError:
    """Any exception of a request as one of our errors; a foreign one is logged."""
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, HTTPException):
        what = "there is nothing at this address for this method"
        return UnsupportedInteraction(what, fix="see README.md for what there is", location="http.url")
    _log.error("a request failed", exc=error)
    return ConnectorError("the server failed", fix="tell its operators the time of this answer")
