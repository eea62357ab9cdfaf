"""No token gets in that the issuer did not sign for this server and this client: a typed refusal, always."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any, Final

from joserfc.errors import JoseError

from connector.edges import scopes
from connector.edges.oauth import TokenGuard
from connector.errors import AccessError, Forbidden
from tests.edges.oauth_site import FINGERPRINT, NOW, at_once, ec, known_guard, signed
from tests.fuzz.json_mutator import mutated_lines

WORDS: Final = (
    b'"alg":"none"', b'"alg":"HS256"', b'"alg":"ES384"', b'"alg":"PS256"', b'"typ":"at+jwt"',
    b'"kid":"es384"', b'"jwk":{}', b'"jku":"https://a"', b'"x5u":""', b'"crit":["exp"]', b'"b64":false',
    b'"zip":"DEF"', b'"aud":[', b'"exp":1800000290', b'"iat":1799999990', b'"nbf":0',
    b'"cnf":{"x5t#S256":""}', b'"scope":"system/*.cruds"', b"Bearer ", b"bearer eyJ", b"..", b"=",
    b"1e400", b"system/Patient.rs?a=b", b"system/Observation.cu?category=a|b,c&status=d", b"null",
)  # fmt: skip

mutated = mutated_lines


@cache
def _guard(clients: frozenset[str]) -> TokenGuard:
    return known_guard(NOW, clients=clients)


def check(data: bytes) -> None:
    """Three lines: how it is signed, the header, the claims. Or one: the whole Authorization header."""
    how, *rest = data.split(b"\n", 2)
    if len(rest) < 2:
        _refused([data.decode("latin-1")])
        return
    header, claims = rest
    if how[:1] == b"i":
        _signed_by_the_issuer(header, claims)
    elif how[:1] == b"f":
        _refused([f"Bearer {token}" for token in _forged(header, claims)][:1])
    else:
        _refused([f"Bearer {_part(header)}.{_part(claims)}.{_part(how)}"])
    _scoped(claims)


def _refused(authorization: list[str], clients: frozenset[str] = frozenset()) -> None:
    try:
        principal = at_once(_guard(clients).check(authorization, FINGERPRINT))
    except AccessError as error:
        refusal = error
    else:
        raise AssertionError(f"let in: {principal.client_id!r}")
    assert refusal.location == "http.authorization"


def _signed_by_the_issuer(header: bytes, claims: bytes) -> None:
    """Whatever the issuer may sign, no client of its is known here: so all claims are looked at."""
    try:
        token = signed(claims, _object(header))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnicodeError):
        return
    _refused([f"Bearer {token}"], frozenset({"a client that nobody is"}))


def _forged(header: bytes, claims: bytes) -> list[str]:
    """Signed with a key of somebody else's."""
    try:
        return [signed(claims, {**_object(header), "alg": "ES384"}, ec("P-384", "theirs"))]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnicodeError):
        return []


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise TypeError
    return found


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _scoped(claims: bytes) -> None:
    """The scopes of a claim are read or refused, and grant only what they spell out."""
    text = claims.decode("latin-1")
    try:
        granted = scopes.parse(text)
    except Forbidden:
        return
    for scope in granted:
        assert any(one.startswith(f"system/{scope.type}.") for one in text.split(" "))
        bare = {"resourceType": scope.type}
        assert not scope.constraints or not any(
            scopes.allows([scope], scope.type, verb, resource)
            for verb in scopes.VERBS
            for resource in (None, {}, bare)
        )
