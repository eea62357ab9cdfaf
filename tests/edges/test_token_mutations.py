"""Every way a token can be wrong, in one table: what was done to it, and what the refusal says.

Each is refused for its own reason, and the good token that it was made of is taken before and after.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from connector.errors import TokenMisplaced, Unauthenticated

from .oauth_site import AUDIENCE, FINGERPRINT, NOW, IssuerSite, bearer, claims, ec, rsa, signed

THUMBPRINT = base64.urlsafe_b64encode(bytes.fromhex("ab" * 32)).rstrip(b"=").decode()
GOOD = signed(claims())
HEAD = {"alg": "ES384", "typ": "at+jwt", "kid": "es384"}
HEADER, CLAIMS, SIGNATURE = "header part", "claims part", "signature that does not fit"
EXTRA, ALGORITHM, KEY = "header parameters", "accepted algorithm", "not signed with a key of the issuer"
TYPE, FORM, ISSUER_IS, AUDIENCE_IS = "marked as", "not a signed JWT", "another issuer", "another server"
CERTIFICATE = "certificate of this connection"


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def part(content: dict[str, Any]) -> str:
    return b64(json.dumps(content).encode())


def headed(header: bytes | dict[str, Any]) -> str:
    """The good token with another header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b64(text) + "." + GOOD.partition(".")[2]


def parts(*order: int | str, of: str = "") -> str:
    """The parts of the good token (and of another, from 3 on), in this order."""
    found = [*GOOD.split("."), *of.split(".")]
    return ".".join(one if isinstance(one, str) else found[one] for one in order)


def unsigned(algorithm: str) -> str:
    return f"{part({**HEAD, 'alg': algorithm})}.{part(claims())}."


def confused(secret: bytes) -> str:
    """HS256, with what everybody knows as the secret."""
    text = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'rsa'})}.{part(claims())}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def raw(text: str) -> str:
    """Signed, with claims that no library would write."""
    return signed(text.encode())


def twice(name: str, value: str) -> str:
    return raw(json.dumps(claims()).replace("{", f'{{"{name}":{json.dumps(value)},', 1))


def encrypted() -> str:
    key = OctKey.import_key("x" * 32)
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM", "kid": "es384"}, GOOD, key)


def flipped() -> str:
    """Another spelling of the same bytes: the last character holds two bits that count for nothing."""
    head, payload, signature = signed(claims(), {"alg": "RS384", "kid": "rsa"}, rsa()).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) + 1]
    return f"{head}.{payload}.{signature[:-1]}{last}"


def by(stranger: str = "stranger", curve: str = "P-384", **header: Any) -> str:
    return signed(claims(), header, ec(curve, stranger))


def changed(**some: Any) -> Callable[[], str]:
    return lambda: signed(claims(**some))


STRANGER = ec("P-384", "stranger").as_dict(private=False)
MUTATIONS: dict[str, tuple[str, Callable[[], str]]] = {
    # algorithms
    "alg none": (FORM, lambda: unsigned("none")),
    "alg none with a signature": (ALGORITHM, lambda: headed({**HEAD, "alg": "none"})),
    "alg None": (ALGORITHM, lambda: headed({**HEAD, "alg": "None"})),
    "alg nOnE": (ALGORITHM, lambda: headed({**HEAD, "alg": "nOnE"})),
    "alg empty": (ALGORITHM, lambda: headed({**HEAD, "alg": ""})),
    "alg as a list": (ALGORITHM, lambda: headed({**HEAD, "alg": ["ES384"]})),
    "alg in other case": (ALGORITHM, lambda: headed({**HEAD, "alg": "es384"})),
    "no alg": (ALGORITHM, lambda: headed({"typ": "at+jwt", "kid": "es384"})),
    "alg twice": (HEADER, lambda: headed(b'{"alg":"none","alg":"ES384","typ":"at+jwt","kid":"es384"}')),
    "HS256 with the public key in PEM": (ALGORITHM, lambda: confused(rsa().as_pem(private=False))),
    "HS256 with the public key in DER": (ALGORITHM, lambda: confused(rsa().as_der(private=False))),
    "HS256 with the public key as JWK": (
        ALGORITHM,
        lambda: confused(json.dumps(rsa().as_dict(private=False)).encode()),
    ),
    "HS256 with no key": (ALGORITHM, lambda: confused(b"")),
    "HS384 of their own": (
        ALGORITHM,
        lambda: signed(claims(), {"alg": "HS384"}, OctKey.import_key("x" * 48)),
    ),
    "RS256, off the list": (ALGORITHM, lambda: signed(claims(), {"alg": "RS256", "kid": "rsa"}, rsa())),
    "ES512, off the list": (ALGORITHM, lambda: by(curve="P-521", alg="ES512")),
    # keys
    "an algorithm of another curve than its key's": (KEY, lambda: by("ours", "P-256", alg="ES256")),
    "an RSA algorithm over an EC key": (KEY, lambda: headed({**HEAD, "alg": "RS384"})),
    "an EC algorithm over an RSA key": (KEY, lambda: headed({**HEAD, "kid": "rsa"})),
    "another algorithm than the key is for": (
        KEY,
        lambda: signed(claims(), {"alg": "RS384", "kid": "rsa-for-ps256"}, rsa()),
    ),
    "a key for encryption": (KEY, lambda: by("encryption", kid="encryption")),
    "somebody else's key under our id": (SIGNATURE, lambda: by()),
    "another issuer's key with our issuer's name": (KEY, lambda: by("other issuer", kid="theirs")),
    "a key id that nobody knows": (KEY, lambda: by(kid="es385")),
    "no key id": (KEY, lambda: signed(claims(), {"kid": None})),
    "an empty key id": (KEY, lambda: signed(claims(), {"kid": ""})),
    "key id in other case": (KEY, lambda: signed(claims(), {"kid": "ES384"})),
    "key id as a path": (KEY, lambda: by(kid="../../../../dev/null")),
    "key id as SQL": (KEY, lambda: by(kid="x' UNION SELECT 'AAAA' --")),
    "key id as an address": (KEY, lambda: by(kid="https://evil.test/key")),
    "key id as a command": (KEY, lambda: by(kid="es384|/usr/bin/id")),
    "key id with a NUL": (KEY, lambda: by(kid="es384\0")),
    "key id as a list": (KEY, lambda: headed({**HEAD, "kid": ["es384"]})),
    "key id as an object": (KEY, lambda: headed({**HEAD, "kid": {"$ne": ""}})),
    "key id as a number": (KEY, lambda: headed({**HEAD, "kid": 0})),
    # headers
    "its key in jwk": (EXTRA, lambda: by(jwk=STRANGER)),
    "its key at jku": (EXTRA, lambda: by(jku="https://evil.test/keys")),
    "its certificate at x5u": (EXTRA, lambda: by(x5u="https://evil.test/chain")),
    "its certificate in x5c": (EXTRA, lambda: by(x5c=["AAAA"])),
    "crit": (EXTRA, lambda: headed({**HEAD, "crit": ["exp"], "exp": 1})),
    "b64 false": (EXTRA, lambda: headed({**HEAD, "b64": False, "crit": ["b64"]})),
    "packed": (EXTRA, lambda: headed({**HEAD, "zip": "DEF"})),
    "a token in a token": (EXTRA, lambda: signed(GOOD.encode(), {"cty": "JWT"})),
    "claims in the header": (EXTRA, lambda: headed({**HEAD, "iss": "https://issuer.test"})),
    "no typ": (TYPE, lambda: signed(claims(), {"typ": None})),
    "typ JWT": (TYPE, lambda: signed(claims(), {"typ": "JWT"})),
    "an ID token": (TYPE, lambda: signed(claims(), {"typ": "id+jwt"})),
    "a client's assertion": (TYPE, lambda: signed(claims(), {"typ": "client-authentication+jwt"})),
    "an answer of introspection": (TYPE, lambda: signed(claims(), {"typ": "token-introspection+jwt"})),
    "typ as a list": (TYPE, lambda: headed({**HEAD, "typ": ["at+jwt"]})),
    "header is a list": (HEADER, lambda: headed(b"[]")),
    "header is no JSON": (HEADER, lambda: headed(b"{")),
    "header is no UTF-8": (HEADER, lambda: headed(b"\xff\xfe")),
    "header behind a byte order mark": (HEADER, lambda: headed(b"\xef\xbb\xbf{}")),
    "header nested without end": (HEADER, lambda: headed(b'{"a":' * 900 + b"1" + b"}" * 900)),
    # parts
    "claims of another token": (
        SIGNATURE,
        lambda: parts(0, 4, 2, of=signed(claims(scope="system/*.cruds"))),
    ),
    "signature of another token": (SIGNATURE, lambda: parts(0, 1, 5, of=signed(claims(jti="a2")))),
    "header of another token": (SIGNATURE, lambda: parts(3, 1, 2, of=signed(claims(), {"x5t": "abc"}))),
    "a cut signature": (SIGNATURE, lambda: GOOD[:-4]),
    "a longer signature": (SIGNATURE, lambda: GOOD + "AAAA"),
    "a signature of zeros": (SIGNATURE, lambda: parts(0, 1, b64(bytes(96)))),
    "a signature in DER": (SIGNATURE, lambda: parts(0, 1, b64(b"\x30\x06\x02\x01\x01\x02\x01\x01"))),
    "a signature spelt otherwise": (SIGNATURE, flipped),
    "no signature": (FORM, lambda: parts(0, 1, "")),
    "no claims": (FORM, lambda: parts(0, "", 2)),
    "two parts": (FORM, lambda: parts(0, 1)),
    "four parts": (FORM, lambda: GOOD + ".AAAA"),
    "an encrypted token (JWE)": (FORM, encrypted),
    "bytes behind it": (FORM, lambda: GOOD + "=="),
    "the other alphabet of base64": (FORM, lambda: parts(0, 1, "ab+/")),
    "a reference instead of a token": (FORM, lambda: "7f3c0e6a51d94c0b"),
    "claims are a list": (CLAIMS, lambda: raw("[]")),
    "claims are no JSON": (CLAIMS, lambda: raw("iss")),
    "claims are null": (CLAIMS, lambda: raw("null")),
    "claims nested without end": (CLAIMS, lambda: raw('{"a":' * 600 + "1" + "}" * 600)),
    "a claim twice": (CLAIMS, lambda: twice("sub", "admin")),
    "a claim twice, once in escapes": (CLAIMS, lambda: twice("\\u0073ub", "admin")),
    "the issuer twice": (CLAIMS, lambda: twice("iss", "https://evil.test")),
    "half a character": (CLAIMS, lambda: raw('{"iss":"\\ud800"}')),
    "longer than it may be": ("longer than", changed(padding="x" * 9000)),
    # claims
    "another issuer": (ISSUER_IS, changed(iss="https://issuer.test.evil")),
    "the issuer with a slash more": (ISSUER_IS, changed(iss="https://issuer.test/")),
    "the issuer in other case": (ISSUER_IS, changed(iss="https://ISSUER.test")),
    "no issuer": ("claim iss", changed(iss=None)),
    "issuer as a list": ("claim iss", changed(iss=["https://issuer.test"])),
    "another audience": (AUDIENCE_IS, changed(aud="https://other.test")),
    "an audience that begins alike": (AUDIENCE_IS, changed(aud=AUDIENCE + "/x")),
    "audiences without ours": (AUDIENCE_IS, changed(aud=["https://a.test", "https://b.test"])),
    "no audience": (AUDIENCE_IS, changed(aud=None)),
    "an empty list of audiences": (AUDIENCE_IS, changed(aud=[])),
    "audience in a list of lists": (AUDIENCE_IS, changed(aud=[[AUDIENCE]])),
    "audience as an object": (AUDIENCE_IS, changed(aud={AUDIENCE: True})),
    "audience as a number": (AUDIENCE_IS, changed(aud=1)),
    "expired": ("expired", changed(iat=NOW - 400, exp=NOW - 31)),
    "expired to the second": ("expired", changed(exp=NOW - 30, iat=NOW - 60)),
    "no exp": ("claim exp", changed(exp=None)),
    "exp as a text": ("claim exp", changed(exp=str(NOW + 60))),
    "exp true": ("claim exp", changed(exp=True)),
    "exp negative": ("claim exp", changed(exp=-1)),
    "exp without end": ("claim exp", changed(exp=2**60)),
    "exp NaN": (CLAIMS, changed(exp=float("nan"))),
    "exp Infinity": (CLAIMS, changed(exp=float("inf"))),
    "exp as a huge exponent": (
        "claim exp",
        lambda: raw(json.dumps(claims(exp=0)).replace(": 0,", ": 1e999999,")),
    ),
    "exp far away": ("lives too long", changed(exp=NOW + 10**6)),
    "exp before iat": ("lives too long", changed(iat=NOW + 20, exp=NOW + 10)),
    "not valid yet": ("not valid yet", changed(nbf=NOW + 31)),
    "nbf as a text": ("claim nbf", changed(nbf="now")),
    "issued in the future": ("not valid yet", changed(iat=NOW + 31)),
    "no iat": ("claim iat", changed(iat=None)),
    "no jti": ("claim jti", changed(jti=None)),
    "an empty jti": ("empty jti", changed(jti="")),
    "jti as a number": ("claim jti", changed(jti=1)),
    "no sub": ("claim sub", changed(sub=None)),
    "no client": ("claim client_id", changed(client_id=None)),
    "an empty client": ("client id", changed(client_id="")),
    "a client with a line break": ("client id", changed(client_id="fhir-side\r\nX: y")),
    "a client with a long name": ("client id", changed(client_id="x" * 300)),
    "client as a list": ("claim client_id", changed(client_id=["fhir-side"])),
    "scope as a list": ("claim scope", changed(scope=["system/*.cruds"])),
    # certificates
    "stolen: bound to another certificate": (CERTIFICATE, changed(cnf={"x5t#S256": "A" * 43})),
    "bound in hexadecimal": (CERTIFICATE, changed(cnf={"x5t#S256": "ab" * 32})),
    "bound with padding": (CERTIFICATE, changed(cnf={"x5t#S256": THUMBPRINT + "="})),
    "bound by SHA-1": (CERTIFICATE, changed(cnf={"x5t": THUMBPRINT})),
    "bound to a key (DPoP)": (CERTIFICATE, changed(cnf={"jkt": "A" * 43})),
    "bound to a key beside": (CERTIFICATE, changed(cnf={"x5t#S256": THUMBPRINT, "jkt": "A" * 43})),
    "bound to a list": (CERTIFICATE, changed(cnf={"x5t#S256": [THUMBPRINT]})),
    "cnf as a text": (CERTIFICATE, changed(cnf=THUMBPRINT)),
    "cnf empty": (CERTIFICATE, changed(cnf={})),
    "cnf null": (CERTIFICATE, lambda: raw(json.dumps({**claims(), "cnf": None}))),
}  # fmt: skip


def test_the_table_is_not_short() -> None:
    assert len(MUTATIONS) >= 60


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
async def test_a_changed_token_is_refused_for_its_own_reason(tmp_path: Path, mutation: str) -> None:
    guard = IssuerSite(tmp_path).guard()
    words, make = MUTATIONS[mutation]
    assert (await guard.check(list(bearer(GOOD)), FINGERPRINT)).client_id == "fhir-side"
    with pytest.raises(Unauthenticated) as caught:
        await guard.check(list(bearer(make())), FINGERPRINT)
    assert words in caught.value.what
    assert not isinstance(caught.value, TokenMisplaced)
    assert caught.value.__context__ is None
    assert caught.value.location == "http.authorization"
    assert (await guard.check(list(bearer(GOOD)), FINGERPRINT)).client_id == "fhir-side"


HEADERS: dict[str, tuple[type[Unauthenticated], list[str]]] = {
    "none": (Unauthenticated, []),
    "an empty one": (Unauthenticated, [""]),
    "another scheme": (Unauthenticated, ["Basic dXNlcjpwYXNz"]),
    "proof of possession": (Unauthenticated, [f"DPoP {GOOD}"]),
    "a token without its scheme": (Unauthenticated, [GOOD]),
    "two": (TokenMisplaced, [f"Bearer {GOOD}", f"Bearer {GOOD}"]),
    "two, one of another scheme": (TokenMisplaced, ["Basic dXNlcjpwYXNz", f"Bearer {GOOD}"]),
    "two in one": (TokenMisplaced, [f"Bearer {GOOD}, Bearer {GOOD}"]),
    "no token": (TokenMisplaced, ["Bearer "]),
    "the scheme alone": (TokenMisplaced, ["Bearer"]),
    "two tokens": (TokenMisplaced, [f"Bearer {GOOD} {GOOD}"]),
    "two spaces": (TokenMisplaced, [f"Bearer  {GOOD}"]),
    "a line break": (TokenMisplaced, [f"Bearer {GOOD}\n"]),
    "a letter beyond ASCII": (TokenMisplaced, [f"Bearer é{GOOD}"]),
    "parts that are not encoded": (TokenMisplaced, [f"Bearer {json.dumps(HEAD)}.{GOOD.partition('.')[2]}"]),
    "a quoted token": (TokenMisplaced, [f'Bearer "{GOOD}"']),
    "dots": (Unauthenticated, ["Bearer .."]),
}


@pytest.mark.parametrize("name", sorted(HEADERS))
async def test_what_is_not_one_bearer_token_in_one_header_is_refused(tmp_path: Path, name: str) -> None:
    guard = IssuerSite(tmp_path).guard()
    kind, headers = HEADERS[name]
    with pytest.raises(Unauthenticated) as caught:
        await guard.check(headers, FINGERPRINT)
    assert type(caught.value) is kind
    assert caught.value.answer.status == (400 if kind is TokenMisplaced else 401)


@pytest.mark.parametrize("position", range(0, len(GOOD) - 1, 5))
async def test_a_token_with_one_character_changed_is_refused(tmp_path: Path, position: int) -> None:
    guard = IssuerSite(tmp_path).guard()
    old = GOOD[position]
    token = GOOD[:position] + ("A" if old != "A" else "B") + GOOD[position + 1 :]
    with pytest.raises(Unauthenticated):
        await guard.check(list(bearer(token)), FINGERPRINT)
