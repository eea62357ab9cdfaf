"""What an ID token says, if it is one: of our provider, for us, now, and for this very login.

Sources: OpenID Connect Core 1.0, 3.1.3.7 and 3.1.3.8; RFC 7519; RFC 8725.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Any, Final

from authlib.oidc.core.util import create_half_hash
from joserfc import jws
from joserfc.errors import JoseError

from connector.edges.issuer_keys import KeySource
from connector.edges.jwt_parts import part_of
from connector.edges.oauth_claims import moment
from connector.errors import LoginRefused, Unauthenticated

LEEWAY: Final = 30  # seconds that the clocks may differ
OLDEST: Final = 600  # seconds since it was issued
LONGEST: Final = 16 * 1024  # characters
_HEADER: Final = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})  # hints; none of them brings a key
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_FIX: Final = "begin anew; if it stays, compare [login] in the settings with the provider"


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say. ``nonce``: of this login; ``access_token``: what came with it, or ""."""

    issuer: str
    client_id: str
    algorithms: tuple[str, ...]
    nonce: str
    access_token: str = ""


async def claims(token: object, keys: KeySource, expected: Expected, now: float) -> dict[str, Any]:
    """The claims of an ID token. Raises ``LoginRefused``; ``IssuerUnavailable`` where nobody can judge it."""
    if not isinstance(token, str) or len(token) > LONGEST or not _JWT.match(token):
        raise refused("the ID token is no signed JWT")
    header = _part(token, 0)
    algorithm = header.get("alg")
    if header.keys() - _HEADER or str(header.get("typ", "JWT")).upper() != "JWT":
        raise refused("the ID token has a header that is not accepted")
    if not isinstance(algorithm, str) or algorithm not in expected.algorithms:
        raise refused("the ID token is not signed with an accepted algorithm")
    key = await keys.find(header.get("kid"), algorithm)
    try:
        if key is None:
            raise ValueError
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        raise refused("the ID token is not signed by the provider") from None
    found = _part(token, 1)
    _check(found, expected, algorithm, now)
    return found


def _check(found: dict[str, Any], expected: Expected, algorithm: str, now: float) -> None:
    if found.get("iss") != expected.issuer:
        raise refused("the ID token comes from another issuer")
    audience = found.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or expected.client_id not in listed:
        raise refused("the ID token is for another client")
    if (len(listed) > 1 or "azp" in found) and found.get("azp") != expected.client_id:
        raise refused("the ID token was issued to another client")
    _check_times(found, now)
    nonce = found.get("nonce")
    if not isinstance(nonce, str) or not _same(nonce, expected.nonce):
        raise refused("the ID token is of another login")
    if "at_hash" in found and not _same(str(found["at_hash"]), _half(expected.access_token, algorithm)):
        raise refused("the ID token came with another access token")


def _check_times(found: dict[str, Any], now: float) -> None:
    try:
        issued, expires = moment(found, "iat"), moment(found, "exp")
        starts = moment(found, "nbf") if "nbf" in found else issued
    except Unauthenticated:
        raise refused("the ID token does not say when it counts") from None
    if expires <= now - LEEWAY or issued < now - OLDEST:
        raise refused("the ID token has expired")
    if max(issued, starts) > now + LEEWAY:
        raise refused("the ID token is not valid yet")


def refused(what: str, fix: str = _FIX) -> LoginRefused:
    """The error for a login that comes to nothing."""
    return LoginRefused(what, fix=fix, location="http.url")


def _part(token: str, number: int) -> dict[str, Any]:
    found = part_of(token, number)
    if found is None:
        raise refused("the ID token cannot be read")
    return found


def _half(access_token: str, algorithm: str) -> str:
    made = create_half_hash(access_token, algorithm)
    return made.decode("ascii") if isinstance(made, bytes) else ""


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
