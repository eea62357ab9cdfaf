"""Whose token it is: each link believes its own issuer, its own clients and its own certificates alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.edges import scopes
from connector.edges.authorization_keys import OwnIssuer
from connector.edges.oauth_documents import Described
from connector.edges.partners import Caller, Callers
from connector.errors import ConfigurationError, Forbidden, IssuerUnavailable, TokenMisplaced, Unauthenticated
from connector.profile import parse
from connector.profile.endpoint import FhirCaller
from connector.profile.model import Profile
from connector.wiring.access import Access

from .oauth_site import AUDIENCE, FINGERPRINT, ISSUER, IssuerSite, bearer, claims, ec, keyset, signed
from .partner_site import Open, Partner, answer

OTHER = "https://other.test"
THEIRS = ec("P-384", "other issuer")


def caller(folder: Path, keys: list[dict[str, Any]] | None = None, **changed: Any) -> Caller:
    folder.mkdir(exist_ok=True)
    site = IssuerSite(folder, keys or keyset())
    said = {"issuer": ISSUER, "jwks": site.jwks, "audience": AUDIENCE}
    chosen = FhirCaller(**{**said, "clients": {"fhir-side": ("system/Patient.cu",)}, **changed})
    guard = site.guard(clients=frozenset(chosen.clients))
    object.__setattr__(guard.issuer, "issuer", chosen.issuer)
    named = chosen.certificates
    return Caller(chosen, lambda shown: not named or shown in named, guard)


def two(folder: Path) -> Callers:
    """Two links, each with an issuer of its own and the same key id."""
    theirs = [{**THEIRS.as_dict(private=False), "kid": "es384"}]
    other = caller(folder / "b", theirs, issuer=OTHER, clients={"lab": ("system/*.c",)})
    return Callers([caller(folder / "a"), other])


async def test_each_token_is_judged_by_the_link_of_its_issuer(tmp_path: Path) -> None:
    callers = two(tmp_path)
    ours = await callers.check(list(bearer(signed(claims(scope="system/*.cruds")))), FINGERPRINT)
    assert ours.scopes == scopes.parse("system/Patient.cu")
    theirs = signed(claims(iss=OTHER, client_id="lab", scope="system/*.cruds"), key=THEIRS)
    assert (await callers.check(list(bearer(theirs)), FINGERPRINT)).scopes == scopes.parse("system/*.c")


@pytest.mark.parametrize(
    ("changed", "key", "words"),
    [
        ({}, THEIRS, "signature"),  # another issuer's key with our issuer's name
        ({"iss": OTHER, "client_id": "lab"}, ec(), "signature"),
        ({"iss": OTHER}, THEIRS, "client"),  # a client of ours, by the other issuer
        ({"client_id": "lab"}, ec(), "client"),
        ({"client_id": ["lab"]}, ec(), "client_id"),
        ({"iss": "https://third.test"}, THEIRS, "another issuer"),
        ({"iss": [ISSUER]}, ec(), "another issuer"),
        ({"iss": None}, ec(), "another issuer"),
    ],
)
async def test_no_issuer_speaks_for_another(
    tmp_path: Path, changed: dict[str, Any], key: Any, words: str
) -> None:
    with pytest.raises(Unauthenticated, match=words):
        await two(tmp_path).check(list(bearer(signed(claims(**changed), key=key))), FINGERPRINT)


async def test_two_links_of_one_issuer_are_told_apart_by_their_clients(tmp_path: Path) -> None:
    lab = caller(tmp_path / "b", clients={"lab": ("system/*.c",)})
    callers = Callers([caller(tmp_path / "a"), lab])
    found = await callers.check(
        list(bearer(signed(claims(client_id="lab", scope="system/*.*")))), FINGERPRINT
    )
    assert found.scopes == scopes.parse("system/*.c")


async def test_a_certificate_that_is_not_named_may_not_speak_for_the_client(tmp_path: Path) -> None:
    callers = Callers([caller(tmp_path, certificates=("sha256:" + "0" * 64,))])
    with pytest.raises(Forbidden, match="certificate"):
        await callers.check(list(bearer(signed(claims()))), FINGERPRINT)


@pytest.mark.parametrize("headers", [[], ["Bearer abc"], [f"Bearer {signed(claims())}"] * 2])
async def test_what_is_no_token_is_nobodys(tmp_path: Path, headers: list[str]) -> None:
    kind = TokenMisplaced if len(headers) == 2 else Unauthenticated
    with pytest.raises(kind):
        await Callers([caller(tmp_path)]).check(headers, FINGERPRINT)


async def test_without_a_profile_that_lets_somebody_send_nobody_may() -> None:
    with pytest.raises(Unauthenticated):
        await Callers([]).check(list(bearer(signed(claims()))), FINGERPRINT)


# --- as a profile says it ------------------------------------------------------------------------------


def profile(keys: str, name: str = "a", client: str = "fhir-side", issuer: str = ISSUER) -> Profile:
    to = 'host = "his"\nport = 2575\nreceiving_application = "HIS"\nreceiving_facility = "H"'
    text = (
        f'name = "{name}"\n[v2.to]\n{to}\n[fhir.from]\nissuer = "{issuer}"\naudience = "{AUDIENCE}"\n{keys}\n'
    )
    return parse(f'{text}clients.{client} = ["system/*.cu"]\n'.encode())


@asynccontextmanager
async def access(partner: Partner, *profiles: Profile) -> AsyncIterator[Callers]:
    named = {one.name: one.fhir.caller.certificates for one in profiles if one.fhir.caller}
    found = Access(profiles, Open(lambda: partner.context, named))
    yield found.callers
    await found.close()


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, [answer(200, {"keys": keyset()}, "application/json")]).running() as running:
        yield running


def now_signed(**changed: Any) -> list[str]:
    now = int(time.time())
    return list(bearer(signed(claims(iat=now - 5, exp=now + 200, **changed))))


async def test_published_keys_are_asked_for_when_a_token_comes_and_once_for_all_links_of_an_issuer(
    partner: Partner,
) -> None:
    keys = f'jwks_url = "https://localhost:{partner.port}/keys"'
    async with access(partner, profile(keys), profile(keys, "b", "lab")) as callers:
        assert partner.asked == []
        for client in ("fhir-side", "lab", "fhir-side"):
            assert (await callers.check(now_signed(client_id=client), FINGERPRINT)).client_id == client
    assert [one.path for one in partner.asked] == ["/keys"]


async def test_an_issuer_is_discovered(partner: Partner) -> None:
    issuer = f"https://localhost:{partner.port}"
    found = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
    partner.replies = [answer(200, found, "application/json"), *partner.replies]
    async with access(partner, profile('discovery = "openid"', issuer=issuer)) as callers:
        assert await callers.check(now_signed(iss=issuer), FINGERPRINT)


async def test_while_an_issuer_was_never_reached_no_token_counts(partner: Partner) -> None:
    partner.replies = [answer(503)]
    keys = f'jwks_url = "https://localhost:{partner.port}/keys"'
    async with access(partner, profile(keys)) as callers:
        for _ in range(5):
            with pytest.raises(IssuerUnavailable):
                await callers.check(now_signed(), FINGERPRINT)
    assert len(partner.asked) == 1


def test_a_file_of_keys_that_is_not_there_is_a_fault_of_the_configuration(partner: Partner) -> None:
    with pytest.raises(ConfigurationError):
        Access([profile('jwks = "/nowhere/keys.json"')], Open(lambda: partner.context))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("", "nowhere"),
        ('jwks = "a"\njwks_url = "https://a.test/k"', "two places"),
        ('jwks_url = "https://a.test/k"\ndiscovery = "oauth"', "two places"),
        ('jwks_url = "http://a.test/k"', "https"),
        ('jwks_url = "https://u:p@a.test/k"', "form"),
        ('discovery = "webfinger"', "known values"),
        ('jwks = "a"\nalgorithms = ["HS256"]', "known values"),
        ('jwks = "a"\nalgorithms = []', "at least one"),
        ('jwks = "a"\ntoken_types = ["id+jwt"]', "known values"),
    ],
)
def test_a_profile_says_of_one_place_where_keys_are_and_nothing_weak(keys: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile(keys)
    assert words in str(caught.value)


def test_only_an_address_can_be_discovered() -> None:
    with pytest.raises(ConfigurationError):
        profile('discovery = "oauth"', issuer="our issuer")


# --- tokens that only the issuer can read ----------------------------------------------------------------

OPAQUE = ["Bearer 7f3c0e6a51d94c0b"]


def introspecting(partner: Partner, name: str = "a", client: str = "fhir-side", more: str = "") -> Profile:
    at = f'introspection.url = "https://localhost:{partner.port}/introspect"\nintrospection.client_id = "we"'
    return profile(f"{at}\n{more}", name, client)


def active(client: str = "fhir-side") -> bytes:
    now = int(time.time())
    said = claims(iat=now - 5, exp=now + 200, client_id=client, scope="system/*.cruds")
    return answer(200, {"active": True, **said}, "application/json")


async def test_a_token_that_is_no_jwt_is_introspected_where_the_profile_says_so(partner: Partner) -> None:
    partner.replies = [active()]
    async with access(partner, introspecting(partner)) as callers:
        found = await callers.check(OPAQUE, FINGERPRINT)
        assert found.scopes == scopes.parse("system/*.cu")
        assert [one.path for one in partner.asked] == ["/introspect"]
        assert await callers.check(now_signed(), FINGERPRINT)  # a JWT too, since there are no keys


async def test_a_jwt_is_judged_by_its_keys_where_there_are_any(partner: Partner) -> None:
    keys = f'jwks_url = "https://localhost:{partner.port}/keys"'
    async with access(partner, introspecting(partner, more=keys)) as callers:
        assert await callers.check(now_signed(), FINGERPRINT)
        partner.replies = [active()]
        assert await callers.check(OPAQUE, FINGERPRINT)
    assert [one.path for one in partner.asked] == ["/keys", "/introspect"]


async def test_a_token_is_shown_to_no_issuer_but_that_of_its_certificate(partner: Partner) -> None:
    partner.replies = [active("lab")]
    mine, theirs = (f'certificates = ["{one}"]' for one in (FINGERPRINT, "sha256:" + "0" * 64))
    lab = introspecting(partner, "b", "lab", mine)
    async with access(partner, introspecting(partner, more=theirs), lab) as callers:
        assert (await callers.check(OPAQUE, FINGERPRINT)).client_id == "lab"
        asked = len(partner.asked)
        with pytest.raises(Unauthenticated):
            await callers.check(OPAQUE, "sha256:" + "1" * 64)
    assert len(partner.asked) == asked


async def test_where_two_links_could_have_it_nobody_is_shown_it(partner: Partner) -> None:
    profiles = introspecting(partner), introspecting(partner, "b", "lab")
    async with access(partner, *profiles) as callers:
        with pytest.raises(Unauthenticated, match="more than one link"):
            await callers.check(OPAQUE, FINGERPRINT)
    assert partner.asked == []


async def test_without_introspection_a_token_that_is_no_jwt_is_refused(partner: Partner) -> None:
    async with access(partner, profile(f'jwks_url = "https://localhost:{partner.port}/keys"')) as callers:
        with pytest.raises(Unauthenticated, match="JWT"):
            await callers.check(OPAQUE, FINGERPRINT)
    assert partner.asked == []


async def test_peers_are_told_of_the_issuers_of_their_certificate(partner: Partner) -> None:
    issuer = f"https://localhost:{partner.port}"
    found = {"issuer": issuer, "jwks_uri": f"{issuer}/keys", "token_endpoint": f"{issuer}/token"}
    partner.replies = [answer(200, found, "application/json"), *partner.replies]
    named = profile('jwks_url = "https://a.test/k"\ntoken_endpoint = "https://a.test/token"', "b", "lab")
    other = introspecting(partner, "c", "ward", 'certificates = ["sha256:' + "0" * 64 + '"]')
    discovered = profile('discovery = "oauth"\ncertificate_bound = true', issuer=issuer)
    async with access(partner, discovered, named, other) as callers:
        assert await callers.described(FINGERPRINT) == [
            Described(issuer, f"{issuer}/token", bound=True),
            Described(ISSUER, "https://a.test/token"),
        ]


async def test_an_issuer_that_cannot_be_reached_has_no_token_endpoint_to_tell(partner: Partner) -> None:
    partner.replies = [answer(503)]
    issuer = f"https://localhost:{partner.port}"
    async with access(partner, profile('discovery = "openid"', issuer=issuer)) as callers:
        assert await callers.described(FINGERPRINT) == [Described(issuer)]


async def test_our_own_token_endpoint_is_told_and_its_tokens_are_bound(partner: Partner) -> None:
    keys: Any = None  # nobody signs here
    own = Access([profile("", issuer="self")], Open(lambda: partner.context), OwnIssuer(ISSUER, keys))
    assert await own.callers.described(FINGERPRINT) == [
        Described(ISSUER, f"{ISSUER}/oauth/token", bound=True)
    ]
    await own.close()
