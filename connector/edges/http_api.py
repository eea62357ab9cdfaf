"""The FHIR side's way in: a FastAPI application behind our own TLS acceptor.

Each request goes the same way: the TLS peer is known, the token is checked, the scopes cover it, and
only then is the body read, parsed and judged. What is taken is durable before the answer; what is
refused is told to the audit log before the answer. No text of an answer or a log line holds a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

from connector.edges import http_answers, http_body, http_capability, http_intake, oauth_documents
from connector.edges.http_intake import Judge
from connector.edges.http_ports import Guard, Intake, Kind, Peer, Submission
from connector.edges.oauth import Principal
from connector.edges.oauth_documents import Describes
from connector.errors import ConnectorError, NothingThere, Overloaded, UnsupportedInteraction, UntrustedPeer
from connector.fhir import validate

_log: Final = structlog.get_logger(__name__)

Who = tuple[Principal, Peer]
OnAccepted = Callable[[Principal, Peer], Awaitable[None]]


async def unheard(principal: Principal, peer: Peer) -> None:
    """Nobody wants to hear whose token was accepted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and all together, may take."""

    body: int = 16 * 1024 * 1024  # bytes
    body_seconds: float = 30.0
    in_hand: int = 64  # bodies read and submitted at the same time
    bounds: http_intake.Bounds = http_intake.USUAL


@dataclass(slots=True)
class Api:
    """The state of one application."""

    intake: Intake
    guard: Guard
    base: str
    version: str
    judge: Judge = validate.fast
    limits: Limits = field(default_factory=Limits)
    pace: Callable[[str], None] = lambda client: None
    describes: Describes = oauth_documents.nobody
    accepted: OnAccepted = unheard
    in_hand: int = 0

    async def bundle(self, request: Request) -> Response:
        """POST /fhir."""
        return await self._bundle(request, _BUNDLES)

    async def message(self, request: Request) -> Response:
        """POST /fhir/$process-message."""
        return await self._bundle(request, (Kind.MESSAGE,))

    async def create(self, request: Request) -> Response:
        """POST /fhir/{type}."""
        return await self._one(request, "c", (request.path_params["type_name"], ""))

    async def update(self, request: Request) -> Response:
        """PUT /fhir/{type}/{id}."""
        return await self._one(
            request, "u", (request.path_params["type_name"], request.path_params["identity"])
        )

    async def metadata(self, request: Request) -> Response:
        """GET /fhir/metadata: for every peer that TLS let in."""
        issuers = await self.describes(_peer(request).fingerprint)
        endpoint = oauth_documents.token_endpoint(issuers)
        return http_answers.fhir(200, http_capability.statement(self.base, self.version, endpoint))

    async def protected_resource(self, request: Request) -> Response:
        """GET /.well-known/oauth-protected-resource: for every peer that TLS let in."""
        issuers = await self.describes(_peer(request).fingerprint)
        return JSONResponse(oauth_documents.protected_resource(self.base, issuers))

    async def smart_configuration(self, request: Request) -> Response:
        """GET /fhir/.well-known/smart-configuration: for every peer that TLS let in."""
        found = oauth_documents.smart_configuration(await self.describes(_peer(request).fingerprint))
        if found is None:
            fix = "ask the operators of this server where tokens are to be had"
            raise NothingThere("no token endpoint is known", fix=fix, location="http.url")
        return JSONResponse(found)

    async def live(self, request: Request) -> Response:
        """GET /health/live."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """GET /health/ready: 200 when everything works, else 503; names and states only."""
        parts = dict(await self.intake.ready())
        fine = all(state is True for state in parts.values())
        return JSONResponse(
            {
                "status": "ready" if fine else "not ready",
                "parts": parts,
                "warnings": dict(self.intake.warnings()),
                "figures": dict(self.intake.figures()),
            },
            200 if fine else 503,
        )

    async def _one(self, request: Request, verb: str, target: tuple[str, str]) -> Response:
        who = await self._who(request)
        http_intake.offered(target[0])
        http_intake.may(who[0], target[0], verb)
        _unconditional(request)
        version = http_intake.tag(request.headers.get("if-match", ""))
        return await self._taken(
            request,
            who,
            lambda body, who: http_intake.single(
                body, self.judge, verb, target, version, who, self.limits.bounds
            ),
        )

    async def _bundle(self, request: Request, kinds: tuple[Kind, ...]) -> Response:
        who = await self._who(request)
        http_intake.may_something(who[0])
        _unconditional(request)
        bounds = self.limits.bounds
        return await self._taken(
            request, who, lambda body, who: http_intake.whole(body, self.judge, kinds, who, bounds)
        )

    async def _taken(
        self, request: Request, who: Who, understand: Callable[[bytes, Who], Submission]
    ) -> Response:
        http_body.check_content(request)
        if self.in_hand >= self.limits.in_hand:
            raise Overloaded("too many requests are in hand", fix="send fewer at the same time")
        self.in_hand += 1
        try:
            body = await http_body.read(request, self.limits.body, self.limits.body_seconds)
            submission = await _understood(understand, body, who)
            return http_answers.acceptance(submission, await self.intake.submit(submission))
        finally:
            self.in_hand -= 1

    async def _who(self, request: Request) -> Who:
        """Who asks; kept for the audit of a refusal that comes later."""
        peer = _peer(request)
        principal = await self.guard.check(request.headers.getlist("authorization"), peer.fingerprint)
        request.scope["principal"] = principal
        await self.accepted(principal, peer)
        self.pace(principal.client_id)
        return principal, peer

    async def refuse(self, request: Request, error: Exception) -> Response:
        """The answer to any exception of a request, after the audit log heard of it."""
        errors, status = _errors(error), getattr(error, "status_code", 0)
        unheard = await self._tell(request, errors[0])
        if unheard is not None:
            errors, status = [unheard], 0
        answer = http_answers.refusal(
            errors,
            token_sent="authorization" in request.headers,
            status=status,
            metadata=oauth_documents.metadata_url(self.base),
        )
        answer.headers.update(getattr(error, "headers", None) or {})  # Allow, of a 405
        return answer

    async def _tell(self, request: Request, error: ConnectorError) -> ConnectorError | None:
        peer = request.scope.get("state", {}).get("peer")
        try:
            await self.intake.refused(request.scope.get("principal"), peer, error)
        except ConnectorError as failure:
            return failure
        except Exception as failure:
            return _errors(failure)[0]
        return None


_BUNDLES: Final = (Kind.TRANSACTION, Kind.BATCH, Kind.MESSAGE)
_SMALL: Final = 64 * 1024  # bytes; what is larger is parsed and judged beside the event loop


async def _understood(understand: Callable[[bytes, Who], Submission], body: bytes, who: Who) -> Submission:
    if len(body) <= _SMALL:
        return understand(body, who)
    return await asyncio.to_thread(understand, body, who)


def _peer(request: Request) -> Peer:
    peer: Peer | None = request.scope.get("state", {}).get("peer")
    if peer is None:
        what, fix = "the connection has no verified client certificate", "connect with mutual TLS"
        raise UntrustedPeer(what, fix=fix, location="http.connection")
    return peer


def _unconditional(request: Request) -> None:
    conditions = [name for name in ("if-none-exist", "if-none-match") if name in request.headers]
    if conditions or request.query_params.keys() - {"_format", "_pretty"}:
        what, fix = "conditional interactions are not offered", "send it without conditions and parameters"
        location = f"http.{conditions[0]}" if conditions else "http.url"
        raise UnsupportedInteraction(what, fix=fix, location=location)


def _errors(error: Exception) -> list[ConnectorError]:
    several = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    ours = [one for one in several if isinstance(one, ConnectorError)]
    if len(ours) == len(several):
        return ours
    if isinstance(error, HTTPException):
        what, fix = "there is nothing at this address for this method", "see GET /fhir/metadata"
        return [UnsupportedInteraction(what, fix=fix, location="http.url")]
    _log.error("a request failed", exc=error)
    return [
        ConnectorError(
            "the server failed; nothing was taken", fix="tell its operators the time of this answer"
        )
    ]


def create_app(
    intake: Intake,
    guard: Guard,
    *,
    base: str = "https://localhost/fhir",
    version: str = "",
    judge: Judge = validate.fast,
    limits: Limits | None = None,
    pace: Callable[[str], None] = lambda client: None,
    describes: Describes = oauth_documents.nobody,
    accepted: OnAccepted = unheard,
) -> FastAPI:
    """The ASGI application.

    ``base`` is the public address of ``/fhir`` without a last slash; ``judge`` finds the faults of a
    resource (``validate.fast``, or one that asks ``validate.models`` too); ``pace`` is told of each request
    of an OAuth client and raises ``TooManyRequests`` where that is too soon; ``describes`` the issuers whose
    tokens may come; ``accepted`` hears of each request whose token counts, before anything is done. The TLS
    acceptor must put the peer into ``scope["state"]["peer"]``: without it everything
    but ``/health`` is refused.
    """
    api = Api(intake, guard, base, version, judge, limits or Limits(), pace, describes, accepted)
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[Middleware(http_answers.SecurityHeaders)],
    )
    for method, path, answer in _routes(api):
        app.add_api_route(path, _guarded(api, answer), methods=[method], response_model=None)
    app.add_exception_handler(HTTPException, api.refuse)
    return app


def _routes(api: Api) -> list[tuple[str, str, Callable[[Request], Awaitable[Response]]]]:
    return [
        ("POST", "/fhir", api.bundle),
        ("POST", "/fhir/$process-message", api.message),
        ("GET", "/fhir/metadata", api.metadata),
        ("GET", oauth_documents.RESOURCE_PATH, api.protected_resource),
        ("GET", urlsplit(oauth_documents.metadata_url(api.base)).path, api.protected_resource),
        ("GET", oauth_documents.SMART_PATH, api.smart_configuration),
        ("POST", "/fhir/{type_name}", api.create),
        ("PUT", "/fhir/{type_name}/{identity}", api.update),
        ("GET", "/health/live", api.live),
        ("GET", "/health/ready", api.ready),
    ]


def _guarded(
    api: Api, answer: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Every exception becomes an answer here: further out, frameworks would log what they do not know."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:
            failure = error
        return await api.refuse(request, failure)

    return endpoint
