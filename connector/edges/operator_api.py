"""The operators' API: what the commands do, over HTTPS, for who has the scope (RFC 6750, RFC 9457).

Each request goes the same way: the TLS peer is known, the token is checked, its scope covers the route, and
only then is the query or the body read. JSON in and out; a refusal is ``application/problem+json`` and is
told to the audit log before the answer. No text of an answer holds a value of what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Address

from connector.edges import http_body, operator_acts, operator_exports, operator_looks
from connector.edges import operator_asks as asks
from connector.edges.http_ports import Peer
from connector.edges.login_desk import LoginDesk
from connector.edges.oauth import Principal
from connector.edges.operator_answers import PREFIX, ours, peer_of, problem
from connector.edges.operator_desk import Asked, Desk, Json
from connector.edges.operator_entrance import Asking, Entrance
from connector.edges.operator_guard import OperatorGuard
from connector.errors import (
    ConnectorError,
    Forbidden,
    NothingThere,
    Overloaded,
    Unauthenticated,
    UnsupportedContent,
    UntrustedPeer,
)
from connector.pipeline.entries import instant, placed, reason, seen, shown
from connector.pipeline.operate import Operator
from connector.pipeline.ports import Entry
from connector.pipeline.tokens import Tokens
from connector.profile.operators import OperatorScope

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)
_SMALL: Final = 64 * 1024  # bytes of a body that holds no message
_TAGS: Final = (
    (Unauthenticated, "access:token:refused"),
    (Forbidden, "access:scope:refused"),
    (UntrustedPeer, "tls:peer:refused"),
    (ConnectorError, "operator:request:refused"),
)


__all__ = ["PREFIX", "ROUTES", "OperatorApi", "OperatorLimits", "Route", "create_operator_app"]


class Route(NamedTuple):
    """An address, the scope that it needs, the form that it takes, and what answers."""

    method: str
    path: str
    scope: OperatorScope
    takes: type[msgspec.Struct]
    answer: Callable[[Desk, Asked], Awaitable[Json | Response]]
    large: bool = False  # the body holds a whole message


READ: Final[OperatorScope] = "operator:read"
CONTENT: Final[OperatorScope] = "operator:content"
ACT: Final[OperatorScope] = "operator:act"
EDIT: Final[OperatorScope] = "operator:edit"
EXPORT: Final[OperatorScope] = "audit:export"

# What people write, as the reason of a look, goes in a body: addresses end up in the logs of others.
ROUTES: Final = (
    Route("GET", "/me", READ, asks.Nothing, operator_looks.me),
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
    Route("POST", "/audit/export", EXPORT, asks.Export, operator_exports.export),
    Route("POST", "/break-glass", READ, asks.Emergency, operator_acts.break_glass),
    Route("POST", "/break-glass/end", READ, asks.Nothing, operator_acts.end_emergency),
)


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """What one request, and all together, may take."""

    message: int = 16 * 1024 * 1024  # bytes of a corrected copy
    body_seconds: float = 30.0
    in_hand: int = 8  # requests that are worked on at the same time


class OperatorApi:
    """The state of the API: who is asked for, what is looked at, and how much is in hand."""

    def __init__(self, desk: Desk, entrance: Entrance, limits: OperatorLimits) -> None:
        self._desk, self._entrance, self._limits = desk, entrance, limits
        self._in_hand = 0
        self._tokens = Tokens(lambda entries: desk.store.record(entries))

    async def answer(self, route: Route, request: Request) -> Response:
        """What a route answers. Raises a ``ConnectorError`` where nothing was done, or not all of it."""
        peer = peer_of(request)
        asking = await self._entrance.check(request, peer)
        request.scope["asking"] = asking
        if asking.principal is not None and peer is not None:
            await self._accepted(asking, asking.principal, peer)
        self._entrance.may(asking, route.scope)
        if self._in_hand >= self._limits.in_hand:
            raise Overloaded("too many requests are in hand", fix="send fewer at the same time")
        self._in_hand += 1
        try:
            known_by = _known_by(asking, peer, route)
            what = await self._what(route, request)
            asked = Asked(
                _number(request), what, self._acting(asking, known_by), asking, asking.who(known_by)
            )
            said = await route.answer(self._desk, asked)
            if isinstance(said, Response):
                return said
            return Response(msgspec.json.encode(said), media_type="application/json")
        finally:
            self._in_hand -= 1

    async def _accepted(self, asking: Asking, principal: Principal, peer: Peer) -> None:
        """Put on record that a token counts, once for each."""
        actor = {"role": "operator", "name": asking.name, **_known_by(asking, peer, None)}
        at = instant(self._desk.clock())
        await self._tokens.accepted(
            principal,
            peer.fingerprint,
            lambda token: Entry(at, "access:token:accepted", actor, {"token": token}, "success", "", ""),
        )

    async def _what(self, route: Route, request: Request) -> msgspec.Struct:
        if route.method == "GET":
            return asks.query(route.takes, request.query_params.multi_items())
        _check_content(request)
        asks.query(asks.Nothing, request.query_params.multi_items())
        most = _SMALL + (self._limits.message * 4 // 3 if route.large else 0)  # base64
        return asks.body(route.takes, await http_body.read(request, most, self._limits.body_seconds))

    def _acting(self, asking: Asking, known_by: dict[str, Any]) -> Callable[[str], Operator]:
        return lambda because: Operator(self._desk.store, self._desk.clock, asking.name, because, known_by)

    async def refuse(self, request: Request, error: Exception, route: Route | None = None) -> Response:
        """The answer to any exception of a request, after the audit log heard of it."""
        failure = ours(error)
        try:
            await self._desk.store.record([self._entry(request, failure, route)])
        except Exception as unheard:
            failure, error = ours(unheard), unheard
        headers = dict(getattr(error, "headers", None) or {})  # Allow, of a 405
        scope = route.scope if route else ""
        return problem(failure, request, scope, getattr(error, "status_code", 0), headers)

    def _entry(self, request: Request, error: ConnectorError, route: Route | None) -> Entry:
        asking: Asking | None = request.scope.get("asking")
        peer = peer_of(request)
        known = {"role": "operator", "name": asking.name, **_known_by(asking, peer, route)} if asking else {}
        actor = known or seen(peer)
        what = {"operation": f"{route.method} {PREFIX}{route.path}" if route else "none"}
        tag = next(tag for kind, tag in _TAGS if isinstance(error, kind))
        time = instant(self._desk.clock())
        return Entry(time, tag, actor, {**what, **placed(error.location)}, "refused", reason(error), "")


def _known_by(asking: Asking | None, peer: Peer | None, route: Route | None) -> dict[str, Any]:
    said = asking.known_by(route.scope if route else None) if asking else {}
    return {**said, **shown(peer)}


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


def create_operator_app(
    desk: Desk,
    guard: OperatorGuard | None,
    limits: OperatorLimits | None = None,
    logins: LoginDesk | None = None,
) -> Starlette:
    """The ASGI application, to be mounted under ``PREFIX``, for who has a token (``guard``) and who is logged
    in (``logins``). The TLS acceptor puts the peer into ``scope["state"]["peer"]``."""
    api = OperatorApi(desk, Entrance(guard, logins, desk.glass), limits or OperatorLimits())
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
