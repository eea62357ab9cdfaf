"""The resource server's check of an access token: a JWT (RFC 9068) of one issuer that we trust.

Everything that is not asked for is refused: algorithms off the list, header parameters that bring keys
along, keys without an id, claims that are missing. A token that says which certificate it belongs to
(``cnf``/``x5t#S256``, RFC 8705) counts only over a connection with that certificate.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from connector.edges import scopes
from connector.edges.jwks import ALGORITHMS, VerifyingKeys
from connector.errors import ConfigurationError, InvalidJson, Unauthenticated
from connector.fhir import json

MAX_TOKEN: Final = 8192  # characters
_HEADER: Final = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})  # hints; none of them brings a key
_BEARER: Final = re.compile(r"bearer ([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_WHERE: Final = "http.authorization"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the OAuth client, what it may, and the certificate it came with ("sha256:<hex>").

    ``subject``: for whom the client asks (itself, or a person); ``others``: scopes that are not SMART's.
    """

    client_id: str
    scopes: frozenset[scopes.Scope]
    fingerprint: str
    subject: str = ""
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authorization server whose tokens are accepted, and how strictly.

    ``audience`` is this server as the issuer names it; ``jwks`` the file with the issuer's public keys;
    ``clients`` the client ids that may come (empty: every client of the issuer).
    """

    issuer: str
    audience: str
    jwks: Path
    clients: frozenset[str] = frozenset()
    algorithms: tuple[str, ...] = ALGORITHMS
    token_types: tuple[str, ...] = ("at+jwt", "application/at+jwt")
    bound: bool = False  # cnf x5t#S256 is required, not only honoured
    leeway: int = 30  # seconds the clocks may differ
    max_lifetime: int = 3600  # seconds between iat and exp


@dataclass(slots=True)
class TokenGuard:
    """Checks bearer tokens of one issuer. ``clock`` gives seconds since the epoch."""

    issuer: Issuer
    clock: Callable[[], float] = time.time
    _keys: VerifyingKeys = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.issuer.issuer and self.issuer.audience):
            raise ConfigurationError(
                "no issuer or no audience", fix="name both: tokens cannot be checked without"
            )
        self.reload()

    def reload(self) -> None:
        """Read the issuer's keys again. Raises ``ConfigurationError`` and keeps the old ones on a fault."""
        self._keys = VerifyingKeys.read(self.issuer.jwks, self.issuer.algorithms)

    def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """Who asks, by the values of the Authorization headers and the peer's certificate.

        Raises ``Unauthenticated`` for anything but one valid token of this issuer for this server and
        this certificate, ``Forbidden`` when its scopes cannot be honoured. No text holds a value.
        """
        token = _bearer(authorization)
        claims = self._verified(token, _header(token))
        self._for_us(claims)
        self._in_time(claims)
        self._of_this_certificate(claims, fingerprint)
        client, said = self._client(claims), _text(claims, "scope", "")
        granted, others = scopes.parse(said), scopes.others(said)
        return Principal(client, granted, fingerprint, _text(claims, "sub"), others)

    def _verified(self, token: str, header: dict[str, Any]) -> dict[str, Any]:
        if header.keys() - _HEADER:
            raise _invalid("has header parameters that are not accepted", "sign with alg, typ and kid only")
        if str(header.get("typ", "")).lower() not in self.issuer.token_types:
            raise _invalid("is not marked as an access token", "ask the issuer for typ at+jwt (RFC 9068)")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self.issuer.algorithms:
            raise _invalid(
                "is not signed with an accepted algorithm", f"use {', '.join(self.issuer.algorithms)}"
            )
        key = self._keys.find(header.get("kid"), algorithm)
        if key is None:
            raise _invalid("is not signed with a key of the issuer", "name a kid of the issuer's key set")
        payload = _payload(token, key, algorithm)
        if payload is None:
            raise _invalid("has a signature that does not fit", "ask the issuer for a new token")
        return _object(payload, "claims")

    def _for_us(self, claims: dict[str, Any]) -> None:
        if _text(claims, "iss") != self.issuer.issuer:
            raise _invalid("comes from another issuer", "ask the configured authorization server")
        audience = claims.get("aud")
        listed = [audience] if isinstance(audience, str) else audience
        if not isinstance(listed, list) or self.issuer.audience not in listed:
            raise _invalid("is meant for another server", "ask for a token with this server as audience")
        if not _text(claims, "jti") or not _text(claims, "sub"):
            raise _invalid("has an empty jti or sub", "ask the issuer for RFC 9068 tokens")

    def _in_time(self, claims: dict[str, Any]) -> None:
        now, leeway = self.clock(), self.issuer.leeway
        issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
        starts = _moment(claims, "nbf") if "nbf" in claims else issued
        if expires <= now - leeway:
            raise _invalid("has expired", "ask for a new one")
        if max(issued, starts) > now + leeway:
            raise _invalid("is not valid yet", "compare the clocks of issuer and server")
        if not 0 < expires - issued <= self.issuer.max_lifetime:
            raise _invalid("lives too long", f"ask for tokens of at most {self.issuer.max_lifetime} seconds")

    def _of_this_certificate(self, claims: dict[str, Any], fingerprint: str) -> None:
        if "cnf" not in claims and not self.issuer.bound:
            return
        confirmed = claims.get("cnf")
        thumbprint = confirmed.get("x5t#S256") if isinstance(confirmed, dict) else None
        ours = thumbprint_of(fingerprint)
        if not isinstance(thumbprint, str) or not ours or not _same(thumbprint, ours):
            fix = "use the client certificate that the token was issued for"
            raise _invalid("is not bound to the certificate of this connection", fix)

    def _client(self, claims: dict[str, Any]) -> str:
        client = _text(claims, "client_id")
        if not client or (self.issuer.clients and client not in self.issuer.clients):
            raise _invalid(
                "is of a client that is not known here", "have the client id entered in the profile"
            )
        return client


def thumbprint_of(fingerprint: str) -> str:
    """``x5t#S256`` (base64url of the digest, RFC 8705, 3.1) of a "sha256:<hex>"; "" when it is none."""
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", fingerprint)
    return base64.urlsafe_b64encode(bytes.fromhex(found[1])).rstrip(b"=").decode() if found else ""


def _bearer(authorization: Sequence[str]) -> str:
    if not authorization:
        fix = "send an access token: Authorization: Bearer <token>"
        raise Unauthenticated("no access token", fix=fix, location=_WHERE)
    found = _BEARER.match(authorization[0])
    if len(authorization) > 1 or found is None:
        raise Unauthenticated("the Authorization header is not one bearer token", location=_WHERE)
    if len(found[1]) > MAX_TOKEN:
        raise _invalid(f"is longer than {MAX_TOKEN} characters", "ask for fewer claims")
    return found[1]


def _header(token: str) -> dict[str, Any]:
    if not _JWT.match(token):
        raise _invalid("is not a signed JWT", "ask the issuer for JWT access tokens (RFC 9068)")
    head = token.partition(".")[0]
    try:
        content = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except ValueError:
        content = b""
    return _object(content, "header")


def _object(content: bytes, part: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except InvalidJson:
        found = None
    if not isinstance(found, dict):
        raise _invalid(f"has a {part} part that is no JSON object", "ask the issuer for a new token")
    return found


def _payload(token: str, key: Any, algorithm: str) -> bytes | None:
    try:
        return jws.deserialize_compact(token, key, algorithms=[algorithm]).payload
    except (JoseError, ValueError, TypeError):
        return None


def _text(claims: dict[str, Any], name: str, default: str | None = None) -> str:
    value = claims.get(name, default)
    if not isinstance(value, str):
        raise _invalid(f"has no text in its claim {name}", "ask the issuer for RFC 9068 tokens")
    return value


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 2**40:
        raise _invalid(f"has no moment in its claim {name}", "ask the issuer for RFC 9068 tokens")
    return float(value)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _invalid(what: str, fix: str) -> Unauthenticated:
    return Unauthenticated(f"the access token {what}", fix=fix, location=_WHERE)
