"""Logging in over HTTPS: ``GET /login``, ``GET /login/callback``, ``POST /logout``.

The cookies are ``__Host-`` ones: for this host alone, over TLS alone, for no script (RFC 6265bis). That of a
login under way must come along from the provider (Lax); that of the session never comes along from anywhere
else (Strict), which is why the page behind a login leads on by itself and is no redirect.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.edges.http_ports import Peer
from connector.edges.login_desk import LoginDesk
from connector.edges.login_sessions import BEGUN_SECONDS
from connector.edges.login_token import refused
from connector.edges.operator_answers import PREFIX, ours, peer_of, problem
from connector.errors import ConnectorError, Forbidden, IssuerUnavailable, TokenMisplaced, UntrustedPeer
from connector.profile.login import CALLBACK

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
SESSION: Final = "__Host-session"
UNDER_WAY: Final = "__Host-login"
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_LONGEST: Final = 2048  # characters of a parameter
_PAGE: Final = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>connector</title>
<meta http-equiv="refresh" content="0;url={PREFIX}/me"></head>
<body><p>You are logged in. <a href="{PREFIX}/me">Go on</a>.</p></body></html>
"""

_log: Final = structlog.get_logger(__name__)


def cookie_of(request: Request, name: str) -> str:
    """The value of one of our cookies; "" where there is none. Raises ``TokenMisplaced`` for two of them."""
    found = []
    for header in request.headers.getlist("cookie"):
        for pair in header.split(";"):
            key, _, value = pair.strip().partition("=")
            found += [value] if key == name else []
    if len(found) > 1:
        raise TokenMisplaced("a cookie comes twice", fix="log in anew", location="http.cookie")
    return found[0] if found and _SECRET.match(found[0]) else ""


def check_origin(request: Request, origin: str) -> None:
    """Whether a request that changes something comes from a page of ours. Raises ``Forbidden``."""
    if request.headers.getlist("origin") != [origin]:
        fix = "send it from a page of this server, with its Origin"
        raise Forbidden("the request comes from another site", fix=fix, location="http.origin")


def routes(desk: LoginDesk) -> list[Route]:
    """The addresses, to be added to the application behind our own TLS acceptor."""

    async def begin(request: Request) -> Response:
        where, begun = await desk.begin(_peer(request))
        answer = Response(status_code=303, headers={"location": where})
        _set(answer, UNDER_WAY, begun.browser, "Lax", BEGUN_SECONDS)
        return answer

    async def back(request: Request) -> Response:
        said, peer = _said(request), _peer(request)
        secret, session = await desk.back(said, cookie_of(request, UNDER_WAY), peer)
        if before := cookie_of(request, SESSION):
            await desk.end(before, peer)
        answer = Response(_PAGE, media_type="text/html")
        _set(answer, UNDER_WAY, "", "Lax", 0)
        _set(answer, SESSION, secret, "Strict", int((session.until - session.began).total_seconds()))
        return answer

    async def end(request: Request) -> Response:
        check_origin(request, desk.origin)
        await desk.end(cookie_of(request, SESSION), _peer(request))
        answer = Response(status_code=204)
        _set(answer, SESSION, "", "Strict", 0)
        return answer

    return [
        Route(LOGIN, _guarded(desk, begin), methods=["GET"]),
        Route(CALLBACK, _guarded(desk, back), methods=["GET"]),
        Route(LOGOUT, _guarded(desk, end), methods=["POST"]),
    ]


def _guarded(
    desk: LoginDesk, answer: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Every exception becomes an answer here, after the audit log heard of it."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:
            failure = ours(error)
        try:
            await desk.refuse(failure, peer_of(request), f"{request.method} {request.url.path}")
        except Exception as unheard:
            failure = ours(unheard)
        return problem(_told(failure), request, "", 0, {})

    return endpoint


def _told(failure: ConnectorError) -> ConnectorError:
    """What the person hears: of a provider that is out of reach, neither why nor where."""
    if not isinstance(failure, IssuerUnavailable):
        return failure
    _log.warning("the OpenID provider cannot be used", exc=failure)
    fix = "try again later; the operators of this server see why in its log"
    return IssuerUnavailable("nobody can log in now", fix=fix)


def _peer(request: Request) -> Peer:
    peer = peer_of(request)
    if peer is None:
        what, fix = "the connection has no verified client certificate", "connect with mutual TLS"
        raise UntrustedPeer(what, fix=fix, location="http.connection")
    return peer


def _said(request: Request) -> dict[str, str]:
    """The query of the provider's answer. Raises ``LoginRefused``."""
    listed = request.query_params.multi_items()
    said = dict(listed)
    if len(said) != len(listed) or any(len(value) > _LONGEST for value in said.values()):
        raise refused("the provider's answer says something twice, or too long")
    return said


def _set(answer: Response, name: str, value: str, samesite: str, seconds: int) -> None:
    said = f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={samesite}; Max-Age={seconds}"
    answer.headers.append("set-cookie", said)
