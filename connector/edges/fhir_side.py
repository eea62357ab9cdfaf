"""The FHIR side of a link as its profile describes it: the endpoint, and the tokens that it asks for."""

from __future__ import annotations

import ssl

from connector.edges.fhir_client import FhirClient
from connector.edges.http_exchange import Waits
from connector.edges.token_source import Obtained, TokenSource
from connector.profile.fhir import Fhir


def waits_of(fhir: Fhir) -> Waits:
    """How long each phase of a request may take."""
    return Waits(
        fhir.connect_seconds, fhir.tls_seconds, fhir.write_seconds, fhir.answer_seconds, fhir.body_seconds
    )


def tokens_of(fhir: Fhir, context: ssl.SSLContext, obtained: Obtained | None = None) -> TokenSource | None:
    """Where access tokens come from; None: requests go without one. ``obtained``: hears of each. Raises as
    ``TokenSource`` does."""
    token = fhir.token
    if token is None:
        return None
    return TokenSource(
        token.url,
        token.client_id,
        token.key,
        token.scope,
        token.audience,
        context,
        waits=waits_of(fhir),
        obtained=obtained,
    )


def client_of(fhir: Fhir, context: ssl.SSLContext, tokens: TokenSource | None) -> FhirClient:
    """The endpoint that takes what we deliver."""
    return FhirClient(
        fhir.base,
        context,
        tokens,
        delivery=fhir.delivery,
        waits=waits_of(fhir),
        connections=fhir.connections,
        answer_limit=fhir.answer_bytes,
        server_name=fhir.server_name,
        replies={int(status): reply for status, reply in fhir.replies.items()},
    )
