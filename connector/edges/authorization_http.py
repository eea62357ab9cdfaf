"""The token endpoint over HTTPS, the keys it signs with, and what it says of itself.

``POST /oauth/token`` (RFC 6749, 4.4), ``GET /oauth/jwks`` (RFC 7517), ``GET
/.well-known/oauth-authorization-server`` (RFC 8414, RFC 8705). A token leaves when its assertion is spent and
the audit log has it, in one transaction; a refusal is told to the audit log before its answer.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connector.edges import authorization_assertion, authorization_form, http_body
from connector.edges.authorization_clients import GRANT
from connector.edges.authorization_keys import SigningKeys
from connector.edges.authorization_limits import Flood, Limiter, network_of
from connector.edges.authorization_server import METHODS, AuthorizationServer, Granted
from connector.edges.tls import Peer
from connector.errors import (
    AssertionInvalid,
    AssertionReplayed,
    AudienceNotGranted,
    BodyIncomplete,
    BodyTooLarge,
    ClientNotAuthenticated,
    ConnectorError,
    GrantNotOffered,
    Overloaded,
    ScopeNotGranted,
    TokenRefused,
    TooManyTokens,
    UnableToWork,
    UnsupportedInteraction,
)
from connector.pipeline.entries import PLACE, client, instant, reason, seen, short
from connector.pipeline.ports import Clock, Entry
from connector.profile.authorization import Authorization
from connector.store import Store

TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
JWKS: Final = "/oauth/jwks"
METADATA: Final = "/.well-known/oauth-authorization-server"
ISSUED: Final = "oauth:token:issued"
REFUSED: Final = "oauth:token:refused"
IN_HAND: Final = 32  # requests worked on at the same time
_NOT_STORED: Final = {"cache-control": "no-store", "pragma": "no-cache"}  # RFC 6749, 5.1
_CODES: Final = (  # RFC 6749, 5.2; RFC 8707, 2; the first that fits
    (ClientNotAuthenticated, "invalid_client"),
    (GrantNotOffered, "unsupported_grant_type"),
    (ScopeNotGranted, "invalid_scope"),
    (AudienceNotGranted, "invalid_target"),
    (TooManyTokens, "temporarily_unavailable"),
    (TokenRefused, "invalid_request"),
    (UnsupportedInteraction, "invalid_request"),
    (BodyTooLarge, "invalid_request"),
    (BodyIncomplete, "invalid_request"),
    (UnableToWork, "temporarily_unavailable"),
    (ConnectorError, "server_error"),
)
_SAID: Final = (AssertionInvalid, AssertionReplayed)  # of what fails after the signature was found good
_log: Final = structlog.get_logger(__name__)


class Limits(NamedTuple):
    """How often each client and each address may ask."""

    clients: Limiter
    addresses: Limiter
    flood: Flood

    @classmethod
    def of(cls, chosen: Authorization, seconds: Callable[[], float]) -> Limits:
        """As the settings say. ``seconds``: a clock that only grows."""
        return cls(
            Limiter(chosen.client_requests, seconds),
            Limiter(chosen.address_requests, seconds),
            Flood(seconds),
        )


class TokenEndpoint:
    """The endpoint's state: who gives out tokens, where it is written down, and how much is in hand."""

    def __init__(
        self, server: AuthorizationServer, chosen: Authorization, store: Store, clock: Clock, limits: Limits
    ) -> None:
        self._server, self._chosen, self._store = server, chosen, store
        self._clock, self._limits = clock, limits
        self._in_hand = 0

    async def answer(self, request: Request) -> Response:
        """A token, or why there is none."""
        try:
            return _json(200, (await self._issued(request)).body)
        except Exception as error:  # further out, frameworks would log what they do not know
            failure = error
        return await self._refuse(request, _ours(failure))

    async def _issued(self, request: Request) -> Granted:
        peer = _peer(request)
        if peer is None:
            raise ClientNotAuthenticated("the connection shows no certificate", fix="connect with mutual TLS")
        self._limits.addresses.take(network_of(peer.address))
        authorization_form.check_head(request)
        if self._in_hand >= IN_HAND:
            raise Overloaded("too many requests are in hand", fix="send fewer at the same time")
        self._in_hand += 1
        try:
            form = await self._form(request)
            token = await self._server.token(form, peer)
            self._limits.clients.take(token.client)
            await self._write_down(token, peer)
            return token
        finally:
            self._in_hand -= 1

    async def _form(self, request: Request) -> Mapping[str, str]:
        chosen = self._chosen
        return authorization_form.read(await http_body.read(request, chosen.body_bytes, chosen.body_seconds))

    async def _write_down(self, token: Granted, peer: Peer) -> None:
        """Before the token leaves. Raises ``AssertionReplayed``, ``StoreUnavailable``, ``AuditRefused``."""
        now = self._clock()
        what = {
            "audience": token.audience,
            "scope": token.scope,
            "token": token.jti,
            "kid": token.kid,
            "method": token.method,
            "seconds": token.seconds,
        }
        entries = [Entry(instant(now), ISSUED, client(token.client, peer), what, "success", "", "")]
        if token.proven is None:
            await self._store.record(entries)
            return
        ends = dt.datetime.fromtimestamp(token.proven.ends_at, dt.UTC)
        await self._store.spend(token.client, token.proven.jti, ends, now, entries)

    async def _refuse(self, request: Request, error: ConnectorError) -> Response:
        count = self._limits.flood.tells() if isinstance(error, TooManyTokens) else 1
        try:
            if count:
                await self._store.record([self._refusal(request, error, count)])
        except Exception as unheard:
            error = _ours(unheard)
        return refusal(error, request)

    def _refusal(self, request: Request, error: ConnectorError, count: int) -> Entry:
        what: dict[str, Any] = {"error": code_of(error), "why": short(error.what, PLACE), "count": count}
        return Entry(
            instant(self._clock()), REFUSED, seen(_peer(request)), what, "refused", reason(error), ""
        )


def code_of(error: ConnectorError) -> str:
    """The error code of RFC 6749, 5.2."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def refusal(error: ConnectorError, request: Request) -> Response:
    """The answer (RFC 6749, 5.2). Until a client is known, it says nothing of what is known of clients."""
    code, status = code_of(error), error.answer.status
    headers: dict[str, str] = {}
    what, fix = error.what, error.fix
    if code == "invalid_client" and not isinstance(error, _SAID):
        what, fix = "the client is not authenticated", "the operators of this server see why in its audit log"
    if code in ("temporarily_unavailable", "server_error") and not isinstance(
        error, (TooManyTokens, Overloaded)
    ):
        what, fix = "no token can be given out now", "try again; the operators of this server see why"
    if "authorization" in request.headers and code == "invalid_client":
        status, headers["www-authenticate"] = 401, 'Basic realm="oauth"'
    if isinstance(error, UnsupportedInteraction):
        status, headers["allow"] = 405, "POST"
    if status in (429, 503):
        headers["retry-after"] = str(max(1, int(getattr(error, "after", None) or 5)))
    body = {"error": code, "error_description": f"{what} ({fix})" if fix else what}
    return _json(status, {name: _plain(text) for name, text in body.items()}, headers)


def _plain(text: str) -> str:
    """What an error_description may hold (RFC 6749, 5.2)."""
    return re.sub(r"[^\x20\x21\x23-\x5b\x5d-\x7e]", "'", text)


def _peer(request: Request) -> Peer | None:
    peer: Peer | None = request.scope.get("state", {}).get("peer")
    return peer


def _ours(error: Exception) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    _log.error("a token request failed", exc=error)
    return ConnectorError("the server failed", fix="tell its operators the time of this answer")


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, {**_NOT_STORED, **(headers or {})}, "application/json")


def metadata(chosen: Authorization) -> dict[str, Any]:
    """What the server says of itself (RFC 8414, section 2; RFC 8705, section 3.3)."""
    return {
        "issuer": chosen.issuer,
        "token_endpoint": chosen.token_url,
        "jwks_uri": f"{chosen.issuer}{JWKS}",
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(authorization_assertion.ALGORITHMS),
        "scopes_supported": sorted({scope for client in chosen.clients for scope in client.scopes}),
        "tls_client_certificate_bound_access_tokens": True,
    }


class _Address:
    """An ASGI application, so that the route takes every method, and every answer is one of OAuth's."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


def routes(endpoint: TokenEndpoint, chosen: Authorization, keys: SigningKeys) -> list[Route]:
    """The addresses, to be added to the application behind our own TLS acceptor."""

    async def jwks(request: Request) -> Response:
        return _shown(request, lambda: {"keys": [one.public for one in keys.verifying()]})

    async def described(request: Request) -> Response:
        return _shown(request, lambda: metadata(chosen))

    return [
        Route(TOKEN, _Address(endpoint.answer)),
        Route(JWKS, _Address(jwks)),
        Route(METADATA, _Address(described)),
    ]


def _shown(request: Request, document: Callable[[], Any]) -> Response:
    if request.method != "GET":
        return _json(405, {"error": "invalid_request"}, {"allow": "GET"})
    try:
        return _json(200, document())
    except Exception as error:
        failure = _ours(error)
    return refusal(failure, request)
