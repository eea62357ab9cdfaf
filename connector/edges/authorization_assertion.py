"""A client's signed assertion (RFC 7523; SMART App Launch 2.2, "Asymmetric authentication").

Read first for who it claims to be, then verified with that client's keys, then held to its claims. What
fails before the signature is known to be good says no more than that, whoever asks.
"""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import Any, Final, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError

from connector.edges.jwks import SigningKey
from connector.errors import AssertionInvalid, ClientNotAuthenticated, InvalidJson
from connector.fhir import json

ALGORITHMS: Final = ("RS384", "ES384")
TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE: Final = 300  # seconds ahead that an assertion may end at most
LEEWAY: Final = 5  # seconds that the clocks may differ
_LONGEST: Final = 8192  # characters
_LONGEST_JTI: Final = 256  # characters
_HEADER: Final = frozenset({"alg", "typ", "kid", "jku", "x5t", "x5t#S256"})  # none of them brings a key
_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+", re.ASCII)
_FIX: Final = "see SMART App Launch 2.2, asymmetric authentication"


class Shown(NamedTuple):
    """An assertion that nobody has verified yet."""

    text: str
    header: dict[str, Any]
    client_id: str  # as it claims

    @property
    def algorithm(self) -> str:
        """One of ``ALGORITHMS``."""
        return str(self.header["alg"])


class Proven(NamedTuple):
    """What an assertion with a good signature says. ``ends_at``: seconds since the epoch."""

    client_id: str
    jti: str
    ends_at: float


def shown(text: str) -> Shown:
    """Who an assertion claims to be from. Raises ``ClientNotAuthenticated``."""
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise _unproven("the assertion is no signed JWT, or too long")
    header, claims = _object(_decoded(found[1])), _object(_decoded(found[2]))
    if header.keys() - _HEADER:
        raise _unproven("the assertion has header parameters that are not accepted")
    if header.get("alg") not in ALGORITHMS:
        raise _unproven("the assertion is not signed with RS384 or ES384")
    if str(header.get("typ", "")).upper() != "JWT" or not isinstance(header.get("kid"), str):
        raise _unproven("the assertion has no kid, or is not of typ JWT")
    client = claims.get("sub")
    if not isinstance(client, str):
        raise _unproven("the assertion names no client")
    return Shown(text, header, client)


def proven(given: Shown, key: SigningKey, audience: str, now: float) -> Proven:
    """What the assertion says, once it is known to be the client's own and for us and now.

    ``audience``: our token endpoint; ``now``: seconds since the epoch. Raises ``ClientNotAuthenticated``
    (bad signature), ``AssertionInvalid`` (a claim).
    """
    try:
        payload = jws.deserialize_compact(given.text, key, algorithms=[given.algorithm]).payload
    except (JoseError, ValueError, TypeError):
        raise _unproven("the assertion's signature does not fit") from None
    claims = _object(payload)
    if claims.get("sub") != given.client_id or claims.get("iss") != given.client_id:
        raise AssertionInvalid("iss and sub of the assertion are not both the client id", fix=_FIX)
    if claims.get("aud") not in (audience, [audience]):
        raise AssertionInvalid("aud of the assertion is not this token endpoint alone", fix=_FIX)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise AssertionInvalid(f"the assertion has no jti of at most {_LONGEST_JTI} characters", fix=_FIX)
    return Proven(given.client_id, jti, _in_time(claims, now))


def _in_time(claims: dict[str, Any], now: float) -> float:
    ends = _moment(claims, "exp")
    if ends <= now - LEEWAY:
        raise AssertionInvalid("the assertion has ended", fix="sign a new one; compare the clocks")
    if ends > now + LIFE + LEEWAY:
        raise AssertionInvalid(f"the assertion ends more than {LIFE} seconds ahead", fix=_FIX)
    starts = [_moment(claims, name) for name in ("iat", "nbf") if name in claims]
    if max(starts, default=now) > now + LEEWAY:
        raise AssertionInvalid("the assertion is not valid yet", fix="compare the clocks")
    return ends + LEEWAY


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 2**40:
        raise AssertionInvalid(f"the assertion has no moment in its claim {name}", fix=_FIX)
    return float(value)


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except InvalidJson:
        found = None
    if not isinstance(found, dict):
        raise _unproven("a part of the assertion is no JSON object")
    return found


def _unproven(what: str) -> ClientNotAuthenticated:
    return ClientNotAuthenticated(what, fix=_FIX)
