"""No form is read in two ways, and no assertion counts but what its client signed for us and for now."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc.errors import JoseError

from connector.edges import authorization_assertion, authorization_form
from connector.errors import ClientNotAuthenticated, InvalidTokenRequest
from tests.edges.oauth_site import NOW, ec, signed
from tests.fuzz.json_mutator import mutated_lines

WORDS: Final = (
    b'"alg":"none"', b'"alg":"RS384"', b'"alg":"ES384"', b'"typ":"JWT"', b'"kid":"lab"', b'"jwk":{}',
    b'"jku":"https://a"', b'"crit":["exp"]', b'"iss":"lab"', b'"sub":"lab"', b'"aud":["', b'"exp":1800000290',
    b'"jti":""', b"grant_type=client_credentials", b"&scope=system/Patient.c", b"&client_id=lab", b"&a=1&a=2",
    b"&client_assertion=eyJ", b"&resource=", b"%00", b"%ff", b"+", b"&client_assertion_type=urn:ietf:params:",
)  # fmt: skip
_URL: Final = "https://connector.test/oauth/token"

mutated = mutated_lines


def check(data: bytes) -> None:
    """Three lines: whose key, the header and the claims of an assertion. Or one: a form."""
    whose, *rest = data.split(b"\n", 2)
    if len(rest) < 2:
        _form(data)
        return
    header, claims = rest
    ours = whose[:1] == b"l"
    try:
        text = signed(claims, _object(header), ec("P-384", "lab" if ours else "theirs"))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnicodeError):
        text = f"{header.decode('latin-1')}.{claims.decode('latin-1')}.AA"
    if _proven(text):
        assert ours, "signed by somebody else"
        assert _counts(_object(claims)), claims


def _form(body: bytes) -> None:
    try:
        found = authorization_form.read(body)
    except InvalidTokenRequest:
        return
    # the standard library, which takes everything, sees the same and nothing beside
    assert {name: [value] for name, value in found.items()} == parse_qs(body.decode("ascii"))
    _proven(found.get("client_assertion", ""))


def _proven(text: str) -> bool:
    try:
        shown = authorization_assertion.shown(text)
        found = authorization_assertion.proven(shown, ec("P-384", "lab"), _URL, NOW)
    except ClientNotAuthenticated:
        return False
    return found.client_id == "lab"


def _counts(said: dict[str, Any]) -> bool:
    who = said["iss"] == said["sub"] == "lab" and bool(said["jti"])
    return who and said["aud"] in (_URL, [_URL]) and -5 < said["exp"] - NOW <= 305


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise TypeError
    return found
