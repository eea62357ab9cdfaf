"""How this server describes itself to OAuth clients, the only things it says before it knows who asks.

``/.well-known/oauth-protected-resource`` (RFC 9728) and ``.well-known/smart-configuration`` (SMART App
Launch 2.2). Each peer is told of those issuers alone whose tokens may come over its certificate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from connector.edges.http_intake import HANDLED

RESOURCE_PATH: Final = "/.well-known/oauth-protected-resource"
SMART_PATH: Final = "/fhir/.well-known/smart-configuration"
SCOPES: Final = ("system/*.cud", *(f"system/{name}.cud" for name in sorted(HANDLED)))


@dataclass(frozen=True, slots=True)
class Described:
    """An issuer whose tokens may come: its name, its token endpoint ("": not known), and whether every token
    of it must be bound to a certificate."""

    issuer: str
    token_endpoint: str = ""
    bound: bool = False


Describes = Callable[[str], Awaitable[Sequence[Described]]]
"""The issuers for a peer, by the fingerprint of its certificate."""


async def nobody(fingerprint: str) -> Sequence[Described]:
    """No issuers."""
    return ()


def metadata_url(base: str) -> str:
    """Where the metadata of the API at this base lie (RFC 9728, 3.1)."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}{RESOURCE_PATH}{parts.path.rstrip('/')}"


def protected_resource(base: str, issuers: Sequence[Described]) -> dict[str, Any]:
    """The metadata of the API at this base (RFC 9728, 2)."""
    servers = sorted({one.issuer for one in issuers if one.issuer.startswith("https://")})
    return {
        "resource": base,
        **({"authorization_servers": servers} if servers else {}),
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "connector",
        "tls_client_certificate_bound_access_tokens": bool(issuers) and all(one.bound for one in issuers),
    }


def smart_configuration(issuers: Sequence[Described]) -> dict[str, Any] | None:
    """The SMART configuration; None where no token endpoint is known, which it cannot be without."""
    endpoint = token_endpoint(issuers)
    if not endpoint:
        return None
    return {
        "token_endpoint": endpoint,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": list(SCOPES),
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }


def token_endpoint(issuers: Sequence[Described]) -> str:
    """The token endpoint of the first issuer that has one; "" without."""
    return next((one.token_endpoint for one in issuers if one.token_endpoint), "")
