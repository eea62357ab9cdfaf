"""Access tokens: one good one, and every way a token can be wrong."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.edges import oauth, scopes
from connector.edges.oauth import Principal, TokenGuard
from connector.errors import ConfigurationError, Forbidden, Unauthenticated

from .oauth_site import AUDIENCE, FINGERPRINT, ISSUER, NOW, IssuerSite, bearer, claims, ec, rsa, signed

SECRET = "Everywoman"
OTHER_CERTIFICATE = "sha256:" + "cd" * 32
THUMBPRINT = base64.urlsafe_b64encode(bytes.fromhex("ab" * 32)).rstrip(b"=").decode()


@pytest.fixture
def site(tmp_path: Path) -> IssuerSite:
    return IssuerSite(tmp_path)


@pytest.fixture
def guard(site: IssuerSite) -> TokenGuard:
    return site.guard()


async def check(guard: TokenGuard, token: str, fingerprint: str = FINGERPRINT) -> Principal:
    return await guard.check(list(bearer(token)), fingerprint)


async def test_a_good_token_says_who_asks_and_what_it_may(guard: TokenGuard) -> None:
    principal = await check(guard, signed(claims()))
    assert principal.client_id == "fhir-side"
    assert principal.fingerprint == FINGERPRINT
    assert scopes.allows(principal.scopes, "Patient", "u")
    assert not scopes.allows(principal.scopes, "Observation", "u")


async def test_scopes_that_are_not_smarts_are_kept_beside_with_for_whom_the_client_asks(
    guard: TokenGuard,
) -> None:
    principal = await check(guard, signed(claims(scope="openid system/Patient.c operator:read", sub="mia")))
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
async def test_the_accepted_ways_to_sign(guard: TokenGuard, header: dict[str, Any], key: Any) -> None:
    assert (await check(guard, signed(claims(), header, key))).client_id == "fhir-side"


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
async def test_claims_that_are_good_too(guard: TokenGuard, changed: dict[str, Any]) -> None:
    assert (await check(guard, signed(claims(**changed)))).client_id == "fhir-side"


async def test_a_moment_may_have_a_fraction(guard: TokenGuard) -> None:
    assert (await check(guard, signed(claims(exp=NOW + 0.5)))).client_id == "fhir-side"


async def test_the_scheme_may_be_written_in_any_case(guard: TokenGuard) -> None:
    assert (await guard.check([f"bEARER {signed(claims())}"], FINGERPRINT)).client_id == "fhir-side"


@pytest.mark.parametrize("fingerprint", ["", "sha256:", OTHER_CERTIFICATE, "sha256:" + "AB" * 32])
async def test_a_bound_token_counts_only_over_its_own_connection(guard: TokenGuard, fingerprint: str) -> None:
    with pytest.raises(Unauthenticated, match="certificate"):
        await check(guard, signed(claims(cnf={"x5t#S256": THUMBPRINT})), fingerprint)


async def test_binding_can_be_required(site: IssuerSite) -> None:
    guard = site.guard(bound=True)
    assert (await check(guard, signed(claims(cnf={"x5t#S256": THUMBPRINT})))).client_id == "fhir-side"
    with pytest.raises(Unauthenticated, match="certificate"):
        await check(guard, signed(claims()))


async def test_only_the_clients_on_the_list_may_come(site: IssuerSite) -> None:
    guard = site.guard(clients=frozenset({"fhir-side"}))
    assert (await check(guard, signed(claims()))).client_id == "fhir-side"
    with pytest.raises(Unauthenticated, match="client"):
        await check(guard, signed(claims(client_id="other")))


async def test_a_scope_that_cannot_be_honoured_forbids(guard: TokenGuard) -> None:
    with pytest.raises(Forbidden):
        await check(guard, signed(claims(scope="system/Patient.rs?name=x")))


async def test_no_refusal_repeats_what_the_token_says(guard: TokenGuard) -> None:
    changes = [{name: SECRET} for name in ("iss", "aud", "exp", "iat", "nbf", "cnf")] + [
        {"client_id": [SECRET]},
        {"scope": f"system/{SECRET}.rs"},
    ]
    for changed in changes:
        with pytest.raises((Unauthenticated, Forbidden)) as caught:
            await check(guard, signed(claims(**changed)))
        assert SECRET not in f"{caught.value} {caught.value.args} {caught.value.__context__}"


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
    keys = site.guard().keys
    for missing in ("issuer", "audience"):
        with pytest.raises(ConfigurationError):
            TokenGuard(oauth.Issuer(**{"issuer": ISSUER, "audience": AUDIENCE, missing: ""}), keys)


async def test_rs256_and_tokens_without_a_mark_are_taken_by_choice_alone(site: IssuerSite) -> None:
    rs256 = signed(claims(), {"alg": "RS256", "kid": "rsa"}, rsa())
    assert await check(site.guard(algorithms=("RS256",)), rs256)
    plain = signed(claims(), {"typ": "JWT"})
    assert await check(site.guard(token_types=("at+jwt", "jwt")), plain)
    for token in (rs256, plain):
        with pytest.raises(Unauthenticated):
            await check(site.guard(), token)


async def test_what_was_found_good_once_is_judged_again_each_time(site: IssuerSite) -> None:
    keys = site.guard().keys
    now = [float(NOW)]
    guard = TokenGuard(site.issuer(), keys, clock=lambda: now[0])
    token = signed(claims(cnf={"x5t#S256": THUMBPRINT}))
    assert await check(guard, token)
    with pytest.raises(Unauthenticated, match="certificate"):
        await check(guard, token, OTHER_CERTIFICATE)
    now[0] = NOW + 321
    with pytest.raises(Unauthenticated, match="expired"):
        await check(guard, token)


async def test_no_more_than_so_many_good_signatures_are_remembered(
    site: IssuerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "REMEMBERED", 3)
    guard = site.guard()
    for number in range(6):
        assert await check(guard, signed(claims(jti=f"j{number}")))
    assert len(guard._verified._known) == 3


def test_a_thumbprint_is_that_of_rfc_8705() -> None:
    digest = hashlib.sha256(b"certificate").hexdigest()
    expected = base64.urlsafe_b64encode(hashlib.sha256(b"certificate").digest()).rstrip(b"=").decode()
    assert oauth.thumbprint_of(f"sha256:{digest}") == expected
