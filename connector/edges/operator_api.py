"""The operators' API: what the commands do, over HTTPS, for who has the scope (RFC 6750, RFC 9457).

Each request goes the same way: the TLS peer is known, the token is checked, its scope covers the route, and
only then is the query or the body read. JSON in and out; a refusal is ``application/problem+json`` and is
told to the audit log before the answer. No text of an answer holds a value of what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Address

from connector.edges import http_body, operator_acts, operator_looks
from connector.edges import operator_asks as asks
from connector.edges.challenge import challenge
from connector.edges.http_ports import Peer
from connector.edges.oauth import Principal
from connector.edges.operator_desk import Asked, Desk, Json
from connector.edges.operator_guard import OperatorGuard
from connector.errors import (
    ConnectorError,
    Forbidden,
    NothingThere,
    Overloaded,
    Unauthenticated,
    UnsupportedContent,
    UnsupportedInteraction,
    UntrustedPeer,
)
from connector.pipeline.entries import instant, reason, seen
from connector.pipeline.operate import Operator
from connector.pipeline.ports import Entry
from connector.profile.operators import OperatorScope

PREFIX: Final = "/operator"

_log: Final = structlog.get_logger(__name__)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)
_PROBLEM: Final = "application/problem+json"
_SMALL: Final = 64 * 1024  # bytes of a body that holds no message
_TAGS: Final = (
    (Unauthenticated, "access:token:refused"),
    (Forbidden, "access:scope:refused"),
    (UntrustedPeer, "tls:peer:refused"),
    (ConnectorError, "operator:request:refused"),
)


class Route(NamedTuple):
    """An address, the scope that it needs, the form that it takes, and what answers."""

    method: str
    path: str
    scope: OperatorScope
    takes: type[msgspec.Struct]
    answer: Callable[[Desk, Asked], Awaitable[Json]]
    large: bool = False  # the body holds a whole message


READ: Final[OperatorScope] = "operator:read"
CONTENT: Final[OperatorScope] = "operator:content"
ACT: Final[OperatorScope] = "operator:act"
EDIT: Final[OperatorScope] = "operator:edit"

# What people write, as the reason of a look, goes in a body: addresses end up in the logs of others.
ROUTES: Final = (
    Route("GET", "/lanes", READ, asks.Lanes, operator_looks.lanes),
    Route("GET", "/findings", READ, asks.Ways, operator_looks.why),
    Route("GET", "/counts", READ, asks.Ways, operator_looks.counts),
    Route("GET", "/refused", READ, asks.Refused, operator_looks.refused),
    Route("GET", "/pauses", READ, asks.Nothing, operator_looks.pauses),
    Route("GET", "/messages", READ, asks.Messages, operator_looks.messages),
    Route("GET", "/messages/{number}", READ, asks.Nothing, operator_looks.message),
    Route("POST", "/messages/{number}/content", CONTENT, asks.Reason, operator_looks.message_content),
    Route("GET", "/deliveries", READ, asks.Deliveries, operator_looks.deliveries),
    Route("GET", "/deliveries/{number}", READ, asks.Nothing, operator_looks.delivery),
    Route("POST", "/deliveries/{number}/content", CONTENT, asks.Reason, operator_looks.delivery_content),
    Route("POST", "/search", CONTENT, asks.Search, operator_looks.search),
    Route("GET", "/conflicts", READ, asks.Conflicts, operator_looks.conflicts),
    Route("GET", "/conflicts/{number}", READ, asks.Nothing, operator_looks.conflict),
    Route("POST", "/conflicts/{number}/content", CONTENT, asks.Reason, operator_looks.conflict_content),
    Route("POST", "/replay", ACT, asks.Replay, operator_acts.replay),
    Route("POST", "/edit", EDIT, asks.Edit, operator_acts.edit, large=True),
    Route("POST", "/skip", ACT, asks.Skip, operator_acts.skip),
    Route("POST", "/pause", ACT, asks.Pause, operator_acts.pause),
    Route("POST", "/resume", ACT, asks.Pause, operator_acts.resume),
    Route("POST", "/drain", ACT, asks.Drain, operator_acts.drain),
    Route("POST", "/conflicts/{number}", ACT, asks.Decide, operator_acts.decide),
)


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """What one request, and all together, may take."""

    message: int = 16 * 1024 * 1024  # bytes of a corrected copy
    body_seconds: float = 30.0
    in_hand: int = 8  # requests that are worked on at the same time


class OperatorApi:
    """The state of the API: who is asked for, what is looked at, and how much is in hand."""

    def __init__(self, desk: Desk, guard: OperatorGuard, limits: OperatorLimits) -> None:
        self._desk, self._guard, self._limits = desk, guard, limits
        self._in_hand = 0

    async def answer(self, route: Route, request: Request) -> Response:
        """What a route answers. Raises a ``ConnectorError`` where nothing was done, or not all of it."""
        peer = _peer(request)
        principal = await self._guard.check(request.headers.getlist("authorization"), peer)
        request.scope["principal"] = principal
        self._guard.may(principal, route.scope)
        if self._in_hand >= self._limits.in_hand:
            raise Overloaded("too many requests are in hand", fix="send fewer at the same time")
        self._in_hand += 1
        try:
            asked = Asked(_number(request), await self._what(route, request), self._acting(principal, peer))
            return Response(
                msgspec.json.encode(await route.answer(self._desk, asked)), media_type="application/json"
            )
        finally:
            self._in_hand -= 1

    async def _what(self, route: Route, request: Request) -> msgspec.Struct:
        if route.method == "GET":
            return asks.query(route.takes, request.query_params.multi_items())
        _check_content(request)
        asks.query(asks.Nothing, request.query_params.multi_items())
        most = _SMALL + (self._limits.message * 4 // 3 if route.large else 0)  # base64
        return asks.body(route.takes, await http_body.read(request, most, self._limits.body_seconds))

    def _acting(self, principal: Principal, peer: Peer | None) -> Callable[[str], Operator]:
        return lambda because: Operator(
            self._desk.store, self._desk.clock, principal.subject, because, _known_by(principal, peer)
        )

    async def refuse(self, request: Request, error: Exception, route: Route | None = None) -> Response:
        """The answer to any exception of a request, after the audit log heard of it."""
        failure = _ours(error)
        try:
            await self._desk.store.record([self._entry(request, failure, route)])
        except Exception as unheard:
            failure, error = _ours(unheard), unheard
        headers = dict(getattr(error, "headers", None) or {})  # Allow, of a 405
        return problem(failure, request, route, getattr(error, "status_code", 0), headers)

    def _entry(self, request: Request, error: ConnectorError, route: Route | None) -> Entry:
        principal: Principal | None = request.scope.get("principal")
        name = {"name": principal.subject} if principal else {}
        actor = {"role": "operator", **name, **_known_by(principal, _peer(request))}
        what = {"operation": f"{route.method} {PREFIX}{route.path}" if route else "none"}
        tag = next(tag for kind, tag in _TAGS if isinstance(error, kind))
        place = {"location": error.location} if error.location else {}
        time = instant(self._desk.clock())
        return Entry(time, tag, actor, {**what, **place}, "refused", reason(error), "")


def problem(
    error: ConnectorError, request: Request, route: Route | None, status: int, headers: dict[str, str]
) -> Response:
    """A refusal (RFC 9457): ``error`` is its name, ``detail`` what is wrong, ``fix`` what helps."""
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
        sent, scope = "authorization" in request.headers, route.scope if route else ""
        headers["www-authenticate"] = challenge(error, "operator", token_sent=sent, scope=scope)
    if code == 503:
        headers["retry-after"] = "5"
    body = msgspec.json.encode({name: value for name, value in said.items() if value})
    return Response(body, code, headers, _PROBLEM)


def _peer(request: Request) -> Peer | None:
    peer: Peer | None = request.scope.get("state", {}).get("peer")
    return peer


def _known_by(principal: Principal | None, peer: Peer | None) -> dict[str, str]:
    client = {"client": principal.client_id} if principal else {}
    return {**client, **(seen(peer) if peer else {})}


def _number(request: Request) -> int:
    """The number in the address; 0 where it has none. Raises ``NothingThere`` for what is no number."""
    found = request.path_params.get("number", "")
    if found and not _NUMBER.match(found):
        raise NothingThere("this is no number of a message", fix="list them first", location="http.url")
    return int(found or 0)


def _check_content(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or "content-encoding" in request.headers:
        fix = "send application/json, without content encoding"
        raise UnsupportedContent("this content is not taken", fix=fix, location="http.content-type")


def _ours(error: Exception) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, HTTPException):
        what = "there is nothing at this address for this method"
        return UnsupportedInteraction(what, fix="see README.md for what there is", location="http.url")
    _log.error("a request failed", exc=error)
    return ConnectorError("the server failed", fix="tell its operators the time of this answer")


def create_operator_app(desk: Desk, guard: OperatorGuard, limits: OperatorLimits | None = None) -> Starlette:
    """The ASGI application, to be mounted under ``PREFIX``. The TLS acceptor puts the peer into
    ``scope["state"]["peer"]``."""
    api = OperatorApi(desk, guard, limits or OperatorLimits())
    app = Starlette(routes=[_address(api, route) for route in ROUTES])
    app.router.redirect_slashes = False
    app.add_exception_handler(HTTPException, api.refuse)
    return app


def _address(api: OperatorApi, route: Route) -> Address:
    """Every exception becomes an answer here: further out, frameworks would log what they do not know."""

    async def endpoint(request: Request) -> Response:
        try:
            return await api.answer(route, request)
        except Exception as error:
            failure = error
        return await api.refuse(request, failure, route)

    return Address(route.path, endpoint, methods=[route.method])
