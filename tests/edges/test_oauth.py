"""Access tokens: one good one, and every way a token can be wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey

from connector.edges import oauth, scopes
from connector.edges.oauth import Principal, TokenGuard
from connector.errors import ConfigurationError, Forbidden, Unauthenticated

from .oauth_site import AUDIENCE, FINGERPRINT, NOW, IssuerSite, bearer, claims, ec, rsa, signed

SECRET = "Everywoman"
OTHER_CERTIFICATE = "sha256:" + "cd" * 32
THUMBPRINT = base64.urlsafe_b64encode(bytes.fromhex("ab" * 32)).rstrip(b"=").decode()


@pytest.fixture
def site(tmp_path: Path) -> IssuerSite:
    return IssuerSite(tmp_path)


@pytest.fixture
def guard(site: IssuerSite) -> TokenGuard:
    return site.guard()


def check(guard: TokenGuard, token: str, fingerprint: str = FINGERPRINT) -> Principal:
    return guard.check(list(bearer(token)), fingerprint)


def test_a_good_token_says_who_asks_and_what_it_may(guard: TokenGuard) -> None:
    principal = check(guard, signed(claims()))
    assert principal.client_id == "fhir-side"
    assert principal.fingerprint == FINGERPRINT
    assert scopes.allows(principal.scopes, "Patient", "u")
    assert not scopes.allows(principal.scopes, "Observation", "u")


def test_scopes_that_are_not_smarts_are_kept_beside_with_for_whom_the_client_asks(guard: TokenGuard) -> None:
    principal = check(guard, signed(claims(scope="openid system/Patient.c operator:read", sub="mia")))
    assert principal.others == {"openid", "operator:read"}
    assert principal.subject == "mia"
    assert not scopes.allows(principal.scopes, "Observation", "c")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ({}, ec("P-384")),
        ({"alg": "ES256", "kid": "es256"}, ec("P-256")),
        ({"alg": "RS384", "kid": "rsa"}, rsa()),
        ({"alg": "PS256", "kid": "rsa"}, rsa()),
        ({"alg": "PS256", "kid": "rsa-for-ps256"}, rsa()),
        ({"typ": "application/at+jwt"}, ec()),
        ({"typ": "AT+JWT"}, ec()),
        ({"x5t": "abc"}, ec()),
    ],
)
def test_the_accepted_ways_to_sign(guard: TokenGuard, header: dict[str, Any], key: Any) -> None:
    assert check(guard, signed(claims(), header, key)).client_id == "fhir-side"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [AUDIENCE, "https://other.test"]},
        {"nbf": NOW - 5},
        {"iat": NOW - 300, "exp": NOW - 29},  # within the leeway
        {"iat": NOW + 29},
        {"scope": None},
        {"cnf": {"x5t#S256": THUMBPRINT}},
    ],
)
def test_claims_that_are_good_too(guard: TokenGuard, changed: dict[str, Any]) -> None:
    assert check(guard, signed(claims(**changed))).client_id == "fhir-side"


def test_a_moment_may_have_a_fraction(guard: TokenGuard) -> None:
    assert check(guard, signed(claims(exp=NOW + 0.5))).client_id == "fhir-side"


def public_pem(key: Any) -> bytes:
    return bytes(key.as_pem(private=False))


def none_algorithm() -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'es384'})}.{part(claims())}."


def confused() -> str:
    """HS256 with the public key as the secret."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"at+jwt","kid":"rsa"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    mac = hmac.new(public_pem(rsa()), header + b"." + payload, hashlib.sha256).digest()
    return b".".join([header, payload, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def raw_header(text: bytes) -> str:
    rest = signed(claims()).partition(".")[2]
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode() + "." + rest


def cut(token: str, part: int) -> str:
    parts = token.split(".")
    parts[part] = parts[part][:-4]
    return ".".join(parts)


def swapped_payload() -> str:
    mine, other = signed(claims()).split("."), signed(claims(scope="system/*.cruds")).split(".")
    return ".".join([mine[0], other[1], mine[2]])


MUTATIONS: dict[str, Callable[[], str]] = {
    "alg none": none_algorithm,
    "alg None in other case": lambda: none_algorithm().replace("bm9uZS", "Tm9uZS"),
    "HS256 with the public key": confused,
    "HS256 with a key of its own": lambda: signed(claims(), {"alg": "HS256"}, OctKey.import_key("x" * 32)),
    "RS256 off the list": lambda: signed(claims(), {"alg": "RS256", "kid": "rsa"}, rsa()),
    "ES512 off the list": lambda: signed(claims(), {"alg": "ES512"}, ec("P-521")),
    "alg that does not fit the key": lambda: signed(claims(), {"alg": "ES256", "kid": "es384"}, ec("P-256")),
    "alg other than the key's own": lambda: signed(claims(), {"alg": "RS384", "kid": "rsa-for-ps256"}, rsa()),
    "alg as a list": lambda: raw_header(b'{"alg":["ES384"],"typ":"at+jwt","kid":"es384"}'),
    "no alg": lambda: raw_header(b'{"typ":"at+jwt","kid":"es384"}'),
    "alg twice": lambda: raw_header(b'{"alg":"none","alg":"ES384","typ":"at+jwt","kid":"es384"}'),
    "somebody else's key": lambda: signed(claims(), key=ec("P-384", "stranger")),
    "a kid nobody knows": lambda: signed(claims(), {"kid": "es385"}),
    "no kid": lambda: signed(claims(), {"kid": None}),
    "an empty kid": lambda: signed(claims(), {"kid": ""}),
    "a kid of another key": lambda: signed(claims(), {"kid": "rsa"}),
    "a kid as a list": lambda: raw_header(b'{"alg":"ES384","typ":"at+jwt","kid":["es384"]}'),
    "a key for encryption": lambda: signed(claims(), {"kid": "encryption"}, ec("P-384", "encryption")),
    "no typ": lambda: signed(claims(), {"typ": None}),
    "typ JWT": lambda: signed(claims(), {"typ": "JWT"}),
    "an id token": lambda: signed(claims(), {"typ": "id+jwt"}),
    "jwk brought along": lambda: signed(
        claims(), {"jwk": ec("P-384", "stranger").as_dict(private=False)}, ec("P-384", "stranger")
    ),
    "jku brought along": lambda: signed(claims(), {"jku": "https://evil.test/keys"}),
    "x5u brought along": lambda: signed(claims(), {"x5u": "https://evil.test/chain"}),
    "x5c brought along": lambda: signed(claims(), {"x5c": ["AAAA"]}),
    "crit": lambda: raw_header(b'{"alg":"ES384","typ":"at+jwt","kid":"es384","crit":["exp"],"exp":1}'),
    "b64 false": lambda: raw_header(
        b'{"alg":"ES384","typ":"at+jwt","kid":"es384","b64":false,"crit":["b64"]}'
    ),
    "zip": lambda: raw_header(b'{"alg":"ES384","typ":"at+jwt","kid":"es384","zip":"DEF"}'),
    "header is a list": lambda: raw_header(b"[]"),
    "header is no JSON": lambda: raw_header(b"{"),
    "header is not UTF-8": lambda: raw_header(b"\xff\xfe"),
    "payload of another token": swapped_payload,
    "cut signature": lambda: cut(signed(claims()), 2),
    "cut payload": lambda: cut(signed(claims()), 1),
    "no signature": lambda: signed(claims()).rpartition(".")[0] + ".",
    "two parts": lambda: signed(claims()).rpartition(".")[0],
    "four parts": lambda: signed(claims()) + ".AAAA",
    "five parts as in JWE": lambda: "a.b.c.d.e",
    "payload is a list": lambda: signed(b"[]"),
    "payload is no JSON": lambda: signed(b"iss"),
    "a claim twice": lambda: signed(json.dumps(claims()).replace("{", '{"sub":"admin",', 1).encode()),
    "too long": lambda: signed(claims(padding="x" * 9000)),
    "another issuer": lambda: signed(claims(iss="https://issuer.test.evil")),
    "issuer with a slash": lambda: signed(claims(iss="https://issuer.test/")),
    "no issuer": lambda: signed(claims(iss=None)),
    "issuer as a list": lambda: signed(claims(iss=["https://issuer.test"])),
    "another audience": lambda: signed(claims(aud="https://other.test")),
    "an audience that begins alike": lambda: signed(claims(aud=AUDIENCE + "/x")),
    "audiences without ours": lambda: signed(claims(aud=["https://a.test", "https://b.test"])),
    "no audience": lambda: signed(claims(aud=None)),
    "audience as an object": lambda: signed(claims(aud={AUDIENCE: True})),
    "expired": lambda: signed(claims(iat=NOW - 400, exp=NOW - 31)),
    "no exp": lambda: signed(claims(exp=None)),
    "exp as text": lambda: signed(claims(exp=str(NOW + 60))),
    "exp true": lambda: signed(claims(exp=True)),
    "exp far away": lambda: signed(claims(exp=NOW + 10**6)),
    "exp without end": lambda: signed(claims(exp=2**60)),
    "exp NaN": lambda: signed(json.dumps(claims(exp=float("nan"))).encode()),
    "exp before iat": lambda: signed(claims(iat=NOW + 20, exp=NOW + 10)),
    "not valid yet": lambda: signed(claims(nbf=NOW + 31)),
    "nbf as text": lambda: signed(claims(nbf="now")),
    "issued in the future": lambda: signed(claims(iat=NOW + 31)),
    "no iat": lambda: signed(claims(iat=None)),
    "no jti": lambda: signed(claims(jti=None)),
    "an empty jti": lambda: signed(claims(jti="")),
    "no sub": lambda: signed(claims(sub=None)),
    "no client": lambda: signed(claims(client_id=None)),
    "client as a list": lambda: signed(claims(client_id=["fhir-side"])),
    "scope as a list": lambda: signed(claims(scope=["system/*.cruds"])),
    "bound to another certificate": lambda: signed(claims(cnf={"x5t#S256": "A" * 43})),
    "bound in a way unknown here": lambda: signed(claims(cnf={"jkt": "A" * 43})),
    "cnf as text": lambda: signed(claims(cnf=THUMBPRINT)),
    "cnf empty": lambda: signed(claims(cnf={})),
}


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_a_changed_token_is_refused(guard: TokenGuard, mutation: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        check(guard, MUTATIONS[mutation]())
    assert caught.value.__context__ is None
    assert caught.value.answer.status == 401


@pytest.mark.parametrize("position", range(0, 400, 7))
def test_a_token_with_one_character_changed_is_refused(guard: TokenGuard, position: int) -> None:
    token = signed(claims())
    old = token[position % (len(token) - 2)]
    changed = token.replace(old, "A" if old not in ("A", ".") else "B", 1)
    with pytest.raises(Unauthenticated):
        check(guard, changed)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Basic dXNlcjpwYXNz"],
        ["Bearer a b"],
        ["Bearer  a.b.c"],
        ["Bearer a.b.c\n"],
        ["Bearer a,Bearer b"],
        ["DPoP a.b.c"],
        ["Bearer é.b.c"],
        ["Bearer .."],
    ],
)
def test_what_is_no_bearer_token_is_refused(guard: TokenGuard, headers: list[str]) -> None:
    with pytest.raises(Unauthenticated):
        guard.check(headers, FINGERPRINT)


def test_two_authorization_headers_are_refused(guard: TokenGuard) -> None:
    good = f"Bearer {signed(claims())}"
    with pytest.raises(Unauthenticated):
        guard.check([good, good], FINGERPRINT)


def test_the_scheme_may_be_written_in_any_case(guard: TokenGuard) -> None:
    assert guard.check([f"bEARER {signed(claims())}"], FINGERPRINT).client_id == "fhir-side"


@pytest.mark.parametrize("fingerprint", ["", "sha256:", OTHER_CERTIFICATE, "sha256:" + "AB" * 32])
def test_a_bound_token_counts_only_over_its_own_connection(guard: TokenGuard, fingerprint: str) -> None:
    with pytest.raises(Unauthenticated, match="certificate"):
        check(guard, signed(claims(cnf={"x5t#S256": THUMBPRINT})), fingerprint)


def test_binding_can_be_required(site: IssuerSite) -> None:
    guard = site.guard(bound=True)
    assert check(guard, signed(claims(cnf={"x5t#S256": THUMBPRINT}))).client_id == "fhir-side"
    with pytest.raises(Unauthenticated, match="certificate"):
        check(guard, signed(claims()))


def test_only_the_clients_on_the_list_may_come(site: IssuerSite) -> None:
    guard = site.guard(clients=frozenset({"fhir-side"}))
    assert check(guard, signed(claims())).client_id == "fhir-side"
    with pytest.raises(Unauthenticated, match="client"):
        check(guard, signed(claims(client_id="other")))


def test_a_scope_that_cannot_be_honoured_forbids(guard: TokenGuard) -> None:
    with pytest.raises(Forbidden):
        check(guard, signed(claims(scope="system/Patient.rs?name=x")))


def test_no_refusal_repeats_what_the_token_says(guard: TokenGuard) -> None:
    changes = [{name: SECRET} for name in ("iss", "aud", "exp", "iat", "nbf", "cnf")] + [
        {"client_id": [SECRET]},
        {"scope": f"system/{SECRET}.rs"},
    ]
    for changed in changes:
        with pytest.raises((Unauthenticated, Forbidden)) as caught:
            check(guard, signed(claims(**changed)))
        assert SECRET not in f"{caught.value} {caught.value.args} {caught.value.__context__}"


def test_new_keys_are_taken_over_and_broken_ones_are_not(site: IssuerSite) -> None:
    guard = site.guard()
    stranger = ec("P-384", "next")
    token = signed(claims(), {"kid": "next"}, stranger)
    site.keys.append({**stranger.as_dict(private=False), "kid": "next"})
    site.issuer()
    guard.reload()
    assert check(guard, token).client_id == "fhir-side"
    guard.issuer.jwks.write_text("{")
    with pytest.raises(ConfigurationError):
        guard.reload()
    assert check(guard, token).client_id == "fhir-side"


WRONG_KEYS: dict[str, Callable[[], list[Any]]] = {
    "none": list,
    "no kid": lambda: [ec().as_dict(private=False) | {"kid": None}],
    "kid twice": lambda: [{**ec().as_dict(private=False), "kid": "a"}] * 2,
    "private": lambda: [{**ec().as_dict(private=True), "kid": "a"}],
    "symmetric": lambda: [{"kty": "oct", "k": "AAAA", "kid": "a"}],
    "weak": lambda: [{**_weak(), "kid": "a"}],
    "unreadable": lambda: [{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "a"}],
    "no object": lambda: ["a"],
    "nothing that fits": lambda: [{**ec("P-521").as_dict(private=False), "kid": "a"}],
}


def _weak() -> dict[str, Any]:
    modulus = base64.urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()
    return {"kty": "RSA", "n": modulus, "e": "AQAB"}


@pytest.mark.parametrize("fault", sorted(WRONG_KEYS))
def test_a_key_set_that_is_not_safe_does_not_load(tmp_path: Path, fault: str) -> None:
    with pytest.raises(ConfigurationError):
        IssuerSite(tmp_path, WRONG_KEYS[fault]()).guard()


@pytest.mark.parametrize("algorithms", [(), ("HS256",), ("none",), ("ES384", "HS256"), ("EdDSA?",)])
def test_algorithms_must_be_asymmetric_and_known(site: IssuerSite, algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        site.guard(algorithms=algorithms)


def test_there_is_no_guard_without_issuer_and_audience(site: IssuerSite) -> None:
    issuer = site.issuer()
    for missing in ("issuer", "audience"):
        settings = {"issuer": issuer.issuer, "audience": issuer.audience, "jwks": issuer.jwks, missing: ""}
        with pytest.raises(ConfigurationError):
            TokenGuard(oauth.Issuer(**settings))


def test_a_thumbprint_is_that_of_rfc_8705() -> None:
    digest = hashlib.sha256(b"certificate").hexdigest()
    expected = base64.urlsafe_b64encode(hashlib.sha256(b"certificate").digest()).rstrip(b"=").decode()
    assert oauth.thumbprint_of(f"sha256:{digest}") == expected
