"""The resource server's check of an access token: a JWT (RFC 9068) of one issuer that we trust.

Everything that is not asked for is refused: algorithms off the list, header parameters that bring keys
along, keys without an id, claims that are missing. A token that says which certificate it belongs to
(``cnf``/``x5t#S256``, RFC 8705) counts only over a connection with that certificate.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from connector.edges import oauth_claims, scopes
from connector.edges.issuer_keys import KeySource
from connector.edges.jwt_parts import part_of
from connector.edges.oauth_claims import WHERE, Issuer, invalid, thumbprint_of
from connector.errors import ConfigurationError, TokenMisplaced, Unauthenticated

__all__ = ["Issuer", "Principal", "TokenGuard", "bearer", "thumbprint_of", "unverified"]

MAX_TOKEN: Final = 8192  # characters
REMEMBERED: Final = 1024  # tokens whose signature was found good
_HEADER: Final = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})  # hints; none of them brings a key
_BEARER: Final = re.compile(r"bearer ([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


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
    token: str = ""  # its jti, where it has one

    def may(self, verb: str, type_name: str, resource: Mapping[str, Any] | None) -> bool:
        """Whether a scope grants the interaction (a SMART letter) on this resource; None: not known."""
        return scopes.allows(self.scopes, type_name, verb, resource)


@dataclass(slots=True)
class TokenGuard:
    """Checks bearer tokens of one issuer, whose keys are in ``keys``; ``clock``: seconds since the epoch."""

    issuer: Issuer
    keys: KeySource
    clock: Callable[[], float] = time.time
    _verified: _Verified = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.issuer.issuer and self.issuer.audience):
            raise ConfigurationError(
                "no issuer or no audience", fix="name both: tokens cannot be checked without"
            )
        self._verified = _Verified()

    async def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """Who asks, by the values of the Authorization headers and the peer's certificate.

        Raises ``Unauthenticated`` for anything but one valid token of this issuer for this server and
        this certificate, ``Forbidden`` when its scopes cannot be honoured, ``IssuerUnavailable`` when
        nobody can say what it is worth. No text holds a value.
        """
        claims = await self._claims(bearer(authorization))
        if not oauth_claims.text(claims, "jti") or not oauth_claims.text(claims, "sub"):
            raise invalid("has an empty jti or sub", "ask the issuer for RFC 9068 tokens")
        return principal(claims, self.issuer, self.clock(), fingerprint)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = _part(token, 0)
        if header.keys() - _HEADER:
            raise invalid("has header parameters that are not accepted", "sign with alg, typ and kid only")
        if str(header.get("typ", "")).lower().removeprefix("application/") not in self.issuer.token_types:
            raise invalid("is not marked as an access token", "ask the issuer for typ at+jwt (RFC 9068)")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self.issuer.algorithms:
            raise invalid(
                "is not signed with an accepted algorithm", f"use {', '.join(self.issuer.algorithms)}"
            )
        key = await self.keys.find(header.get("kid"), algorithm)
        if key is None:
            raise invalid("is not signed with a key of the issuer", "name a kid of the issuer's key set")
        if not self._verified.by(token, key, algorithm):
            raise invalid("has a signature that does not fit", "ask the issuer for a new token")
        return _part(token, 1)


def principal(claims: dict[str, Any], issuer: Issuer, now: float, fingerprint: str) -> Principal:
    """Who asks by these claims. Raises ``Unauthenticated``, ``Forbidden``."""
    client = oauth_claims.check(claims, issuer, now, fingerprint)
    said = oauth_claims.text(claims, "scope", "")
    subject = oauth_claims.text(claims, "sub", client)
    token = oauth_claims.text(claims, "jti", "")
    return Principal(client, scopes.parse(said), fingerprint, subject, scopes.others(said), token)


class _Verified:
    """Signatures that were found good, by the digest of the whole token and the key that they fit.

    A client shows one token many times, and a signature on P-384 costs half a millisecond. Nothing but the
    signature is remembered: the key must still be the issuer's, and the claims are judged each time.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Any] = OrderedDict()

    def by(self, token: str, key: Any, algorithm: str) -> bool:
        """Whether the token is signed with this key."""
        digest = hashlib.sha256(f"{algorithm} {token}".encode("ascii")).digest()
        if self._known.get(digest) is key:
            return True
        if not _signed(token, key, algorithm):
            return False
        self._known[digest] = key
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True


def _signed(token: str, key: Any, algorithm: str) -> bool:
    try:
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        return False
    return True


def bearer(authorization: Sequence[str]) -> str:
    """The token in the values of the Authorization headers. Raises ``Unauthenticated``."""
    if not authorization:
        fix = "send an access token: Authorization: Bearer <token>"
        raise Unauthenticated("no access token", fix=fix, location=WHERE)
    fix = "send one header, Authorization: Bearer <token>"
    if len(authorization) > 1:
        raise TokenMisplaced("there is more than one Authorization header", fix=fix, location=WHERE)
    if authorization[0].partition(" ")[0].lower() != "bearer":
        raise Unauthenticated("the Authorization header is of another scheme", fix=fix, location=WHERE)
    found = _BEARER.match(authorization[0])
    if found is None:
        raise TokenMisplaced("the Authorization header is not one bearer token", fix=fix, location=WHERE)
    if len(found[1]) > MAX_TOKEN:
        raise invalid(f"is longer than {MAX_TOKEN} characters", "ask for fewer claims")
    return found[1]


def unverified(token: str) -> dict[str, Any] | None:
    """What a JWT claims, to find who can judge it; None for what is no JWT. Nobody has vouched for it."""
    try:
        return _part(token, 1)
    except Unauthenticated:
        return None


def _part(token: str, number: int) -> dict[str, Any]:
    if not _JWT.match(token):
        raise invalid("is not a signed JWT", "ask the issuer for JWT access tokens (RFC 9068)")
    found = part_of(token, number)
    if found is None:
        name = ("header", "claims")[number]
        raise invalid(f"has a {name} part that is no JSON object", "ask the issuer for a new token")
    return found
