"""What is asked of a token's claims, whoever vouches for them: a signature, or the issuer's own answer.

Sources: RFC 9068 (JWT access tokens), RFC 7662 (introspection), RFC 8705 (bound to a certificate).
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from connector.edges.jwks import ALGORITHMS
from connector.errors import Unauthenticated

WHERE: Final = "http.authorization"
LONGEST_NAME: Final = 200  # characters of a client id; it stands in the audit trail
_FIX_9068: Final = "ask the issuer for RFC 9068 tokens"


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authorization server whose tokens are accepted, and how strictly.

    ``audience`` is this server as the issuer names it; ``clients`` the client ids that may come (empty:
    every client of the issuer).
    """

    issuer: str
    audience: str
    clients: frozenset[str] = frozenset()
    algorithms: tuple[str, ...] = ALGORITHMS
    token_types: tuple[str, ...] = ("at+jwt",)
    bound: bool = False  # cnf x5t#S256 is required, not only honoured
    leeway: int = 30  # seconds the clocks may differ
    max_lifetime: int = 3600  # seconds between iat and exp


def check(claims: dict[str, Any], issuer: Issuer, now: float, fingerprint: str) -> str:
    """The client id of claims that are of this issuer, for us, now, and of this certificate.

    ``fingerprint``: of the peer's certificate, "sha256:<hex>". Raises ``Unauthenticated``; no text of it
    holds a value.
    """
    _for_us(claims, issuer)
    _in_time(claims, issuer, now)
    _of_this_certificate(claims, issuer, fingerprint)
    return _client(claims, issuer)


def _for_us(claims: dict[str, Any], issuer: Issuer) -> None:
    if text(claims, "iss") != issuer.issuer:
        raise invalid("comes from another issuer", "ask the configured authorization server")
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or issuer.audience not in listed:
        raise invalid("is meant for another server", "ask for a token with this server as audience")


def _in_time(claims: dict[str, Any], issuer: Issuer, now: float) -> None:
    issued, expires = moment(claims, "iat"), moment(claims, "exp")
    starts = moment(claims, "nbf") if "nbf" in claims else issued
    if expires <= now - issuer.leeway:
        raise invalid("has expired", "ask for a new one")
    if max(issued, starts) > now + issuer.leeway:
        raise invalid("is not valid yet", "compare the clocks of issuer and server")
    if not 0 < expires - issued <= issuer.max_lifetime:
        raise invalid("lives too long", f"ask for tokens of at most {issuer.max_lifetime} seconds")


def _of_this_certificate(claims: dict[str, Any], issuer: Issuer, fingerprint: str) -> None:
    if "cnf" not in claims and not issuer.bound:
        return
    confirmed = claims.get("cnf")
    # another member beside (jkt, say) asks for a proof that nobody would have looked at here
    known = isinstance(confirmed, dict) and confirmed.keys() == {"x5t#S256"}
    thumbprint = confirmed["x5t#S256"] if isinstance(confirmed, dict) and known else None
    ours = thumbprint_of(fingerprint)
    if not isinstance(thumbprint, str) or not ours or not _same(thumbprint, ours):
        fix = "use the client certificate that the token was issued for"
        raise invalid("is not bound to the certificate of this connection", fix)


def _client(claims: dict[str, Any], issuer: Issuer) -> str:
    client = text(claims, "client_id")
    if not client or not client.isprintable() or len(client) > LONGEST_NAME:
        raise invalid("has a client id that is no name", _FIX_9068)
    if issuer.clients and client not in issuer.clients:
        raise invalid("is of a client that is not known here", "have the client id entered in the profile")
    return client


def thumbprint_of(fingerprint: str) -> str:
    """``x5t#S256`` (base64url of the digest, RFC 8705, 3.1) of a "sha256:<hex>"; "" when it is none."""
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", fingerprint)
    return base64.urlsafe_b64encode(bytes.fromhex(found[1])).rstrip(b"=").decode() if found else ""


def text(claims: dict[str, Any], name: str, default: str | None = None) -> str:
    """A claim that must be a text; ``default``: what it is where it is absent, None: it may not be."""
    value = claims.get(name, default)
    if not isinstance(value, str):
        raise invalid(f"has no text in its claim {name}", _FIX_9068)
    return value


def moment(claims: dict[str, Any], name: str) -> float:
    """A claim that must be a moment, in seconds since the epoch (RFC 7519, 2, NumericDate)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 2**40:
        raise invalid(f"has no moment in its claim {name}", _FIX_9068)
    return float(value)


def invalid(what: str, fix: str) -> Unauthenticated:
    """The error for a token that does not count: ``what`` goes on after "the access token"."""
    return Unauthenticated(f"the access token {what}", fix=fix, location=WHERE)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
