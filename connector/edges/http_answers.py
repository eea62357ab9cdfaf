"""The answers of the HTTP edge: FHIR as JSON, refusals as OperationOutcome, and headers on all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.edges.challenge import challenge, scope_of
from connector.edges.http_ports import Accepted, Kind, Submission
from connector.errors import ConnectorError, Forbidden, Unauthenticated
from connector.fhir import bundle, json, outcome

FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
SECURITY: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


def fhir(status: int, resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A resource as ``application/fhir+json``."""
    return Response(json.dumps(resource), status, headers, FHIR_JSON)


def refusal(
    errors: Sequence[ConnectorError], *, token_sent: bool, status: int = 0, metadata: str = ""
) -> Response:
    """An OperationOutcome with one issue for each error; the status is that of the first.

    Refused credentials come with WWW-Authenticate (RFC 6750, section 3), 503 and the like with Retry-After.
    ``metadata``: where the metadata of the protected resource lie.
    """
    code = status or errors[0].answer.status
    headers = _patience(code, errors[0])
    if isinstance(errors[0], Unauthenticated | Forbidden):
        headers["www-authenticate"] = challenge(
            errors[0], "fhir", token_sent=token_sent, scope=scope_of(errors), metadata=metadata
        )
    return fhir(code, outcome.of(*errors), headers)


def _patience(status: int, error: ConnectorError) -> dict[str, str]:
    seconds = getattr(error, "after", None)
    return {"retry-after": str(max(1, math.ceil(seconds or 5)))} if status in (429, 503) else {}


def acceptance(submission: Submission, accepted: Accepted) -> Response:
    """What was taken, and under which record it can be found again (X-Correlation-Id)."""
    headers = {"x-correlation-id": accepted.correlation_id}
    if submission.kind in (Kind.TRANSACTION, Kind.BATCH):
        count = len(bundle.entries(submission.resource))
        return fhir(200, bundle.response(submission.kind, ["202 Accepted"] * count), headers)
    before = "was already taken before" if accepted.duplicate else "is stored and will be delivered"
    return fhir(202, outcome.informed(f"the {submission.kind} {before}"), headers)


class SecurityHeaders:
    """Puts the headers of ``SECURITY`` on every response of an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY)
            await send(message)

        await self.app(scope, receive, send_with_headers)
