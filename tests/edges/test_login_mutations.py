"""Logins that are forged, stolen, mixed up or stale: each is refused, written down, and opens no session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import OctKey

from connector.edges.jwks import ALGORITHMS
from connector.errors import ConfigurationError, KeyUnavailable
from connector.profile.login import Login
from connector.wiring.login import People

from .login_site import Browser, LoginSite, logging_in, login
from .oauth_site import ec, rsa
from .openid_provider import ACCESS, CLIENT
from .operator_site import assert_problem
from .partner_site import Open

OTHER = "https://other.example/realm"
CLAIMS: dict[str, dict[str, Any]] = {
    "of another issuer": {"iss": OTHER},
    "of nobody": {"iss": None},
    "of an issuer in a list": {"iss": ["{issuer}"]},
    "for another client": {"aud": "portal"},
    "for nobody": {"aud": None},
    "for an empty list": {"aud": []},
    "for a number": {"aud": 7},
    "for a prefix": {"aud": CLIENT[:-1]},
    "for several without azp": {"aud": [CLIENT, "portal"]},
    "issued to another client": {"aud": [CLIENT, "portal"], "azp": "portal"},
    "for us, issued to another": {"azp": "portal"},
    "expired": {"exp": -31},
    "without an end": {"exp": None},
    "with an end in words": {"exp": "never"},
    "with a true end": {"exp": True},
    "of the future": {"iat": 31},
    "issued long ago": {"iat": -601},
    "without a beginning": {"iat": None},
    "not yet valid": {"nbf": 31},
    "of another login": {"nonce": "n" * 43},
    "without a nonce": {"nonce": None},
    "with a nonce that is none": {"nonce": 7},
    "with an empty nonce": {"nonce": ""},
    "beside another access token": {"at_hash": "A" * 22},
    "with a hash that is none": {"at_hash": 7},
    "of nobody in particular": {"sub": None},
    "of an empty name": {"sub": " "},
    "of a name that rings": {"sub": "mia\x07"},
    "of a name without an end": {"sub": "m" * 201},
    "of a name that is a list": {"sub": ["mia"]},
}
HEADERS: dict[str, tuple[dict[str, Any], Any]] = {
    "signed by nobody": ({"alg": "none"}, None),
    "signed with what is public": ({"alg": "HS256"}, OctKey.import_key("x" * 32)),
    "signed by somebody else": ({}, ec("P-384", "stranger")),
    "with an unknown kid": ({"kid": "other"}, None),
    "without a kid": ({"kid": None}, None),
    "on another curve": ({"alg": "ES256"}, ec("P-256", "stranger")),
    "with the key of another algorithm": ({"alg": "RS384", "kid": "es384"}, rsa()),
    "with a weak algorithm": ({"alg": "RS512", "kid": "rsa"}, rsa()),
    "an access token": ({"typ": "at+jwt"}, None),
    "a log-off token": ({"typ": "logout+jwt"}, None),
    "with its own key": ({"jwk": ec("P-384", "stranger").as_dict(private=False)}, None),
    "with keys elsewhere": ({"jku": "https://evil.example/keys"}, None),
    "with a certificate elsewhere": ({"x5u": "https://evil.example/cert"}, None),
    "with something critical": ({"crit": ["b64"], "b64": True}, None),
}
ANSWERS: dict[str, dict[str, Any]] = {
    "another state": {"state": "s" * 43},
    "no state": {"state": None},
    "an empty state": {"state": ""},
    "another issuer (mix-up)": {"iss": OTHER},
    "no issuer": {"iss": None},
    "no code": {"code": None},
    "another code": {"code": "c" * 22},
    "a code without an end": {"code": "c" * 3000},
    "an error": {"error": "access_denied", "code": None},
    "an error beside a code": {"error": "access_denied"},
}
TOKENS: dict[str, dict[str, Any]] = {
    "no ID token": {"id_token": None},
    "an ID token that is a number": {"id_token": 7},
    "an encrypted one": {"id_token": "a.b.c.d.e"},
    "one without an end": {"id_token": "a" * 20_000 + ".b.c"},
    "one that is no JSON": {"id_token": "YQ.YQ.YQ"},
    "another access token": {"access_token": ACCESS + "x"},
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[LoginSite]:
    async with logging_in(tmp_path) as running:
        yield running


@pytest.fixture
async def browser(site: LoginSite) -> AsyncIterator[Browser]:
    async with site.browser() as opened:
        yield opened


async def refused(
    site: LoginSite, browser: Browser, where: httpx2.URL | str | None = None, cookie: str = ""
) -> None:
    """The login comes to nothing, and the audit log knows it."""
    before = len(site.audited("access:login:refused"))
    headers = {"cookie": f"__Host-login={cookie}"} if cookie else {}
    answer = await browser.client.get(where or await browser.begin(), headers=headers)
    assert_problem(answer, 403, "LoginRefused")
    assert browser.cookie() == ""
    assert len(site.people.desk.sessions) == 0
    found = site.audited("access:login:refused")
    assert (len(found), found[-1]["reason"]) == (before + 1, "LoginRefused")
    assert site.audited("access:login:succeeded") == []


@pytest.mark.parametrize("name", CLAIMS)
async def test_an_id_token_is_refused_that_is(site: LoginSite, browser: Browser, name: str) -> None:
    for claim, value in CLAIMS[name].items():
        if isinstance(value, int) and claim in ("exp", "iat", "nbf") and not isinstance(value, bool):
            value += int(site.provider.clock())
        site.provider.claims[claim] = [site.provider.issuer] if value == ["{issuer}"] else value
    if CLAIMS[name].keys() == {"sub"}:
        site.provider.person["sub"] = site.provider.claims.pop("sub")
    await refused(site, browser)
    site.provider.claims, site.provider.person = {}, {"sub": "mia", "groups": "ops"}
    assert (await browser.log_in()).status_code == 200


@pytest.mark.parametrize("name", HEADERS)
async def test_an_id_token_is_refused_that_comes(site: LoginSite, browser: Browser, name: str) -> None:
    site.provider.header, site.provider.key = HEADERS[name]
    await refused(site, browser)


async def test_an_answer_of_the_provider_is_refused_with(site: LoginSite, browser: Browser) -> None:
    for name, changed in ANSWERS.items():
        site.provider.answer = changed
        await refused(site, browser)
        assert name
    site.provider.answer = {}
    where = await browser.begin()
    await refused(site, browser, f"{where}&code=other")


async def test_a_token_answer_is_refused_with(site: LoginSite, browser: Browser) -> None:
    for name, changed in TOKENS.items():
        site.provider.token = changed
        await refused(site, browser)
        assert name


async def test_the_issuer_may_be_left_out_only_where_the_provider_never_says_it(tmp_path: Path) -> None:
    async with logging_in(tmp_path) as site, site.browser() as browser:
        site.provider.metadata = {"authorization_response_iss_parameter_supported": None}
        site.provider.answer = {"iss": OTHER}
        await refused(site, browser)
        site.provider.answer = {"iss": None}
        assert (await browser.log_in()).status_code == 200


async def test_an_answer_counts_once(site: LoginSite, browser: Browser) -> None:
    where = await browser.begin()
    under_way = {"cookie": f"__Host-login={browser.client.cookies['__Host-login']}"}
    assert (await browser.client.get(where)).status_code == 200
    assert_problem(await browser.client.get(where, headers=under_way), 403, "LoginRefused")
    assert len(site.provider.asked) == 1


async def test_an_answer_counts_only_in_the_browser_that_began(site: LoginSite, browser: Browser) -> None:
    for peer in ("client", "thief"):
        where = await browser.begin()
        async with site.browser(peer) as other:
            await refused(site, other, where)
            if peer == "thief":
                where = await browser.begin()
                await refused(site, other, where, browser.client.cookies["__Host-login"])
    assert site.provider.asked == []


@pytest.mark.parametrize("lax", [False, True], ids=["by the verifier", "by the nonce"])
async def test_a_code_of_another_login_is_refused(site: LoginSite, browser: Browser, lax: bool) -> None:
    """Somebody puts a code that was stolen into a login of his own."""
    site.provider.lax = lax
    stolen = (await browser.begin()).params["code"]
    mine = await browser.begin()
    await refused(site, browser, mine.copy_set_param("code", stolen))
    assert len(site.provider.asked) == 1


async def test_a_code_of_another_client_is_refused(site: LoginSite, browser: Browser) -> None:
    where = await browser.begin()
    site.provider.codes[where.params["code"]]["client_id"] = "portal"
    await refused(site, browser, where)


async def test_a_code_that_was_used_is_refused(site: LoginSite, browser: Browser) -> None:
    where = await browser.begin()
    site.provider.codes.clear()
    await refused(site, browser, where)


async def test_the_verifier_goes_to_the_provider_and_never_through_the_browser(
    site: LoginSite, browser: Browser
) -> None:
    sent = await browser.client.get("/login")
    where = await browser.begin()
    await browser.client.get(where)
    verifier = site.provider.asked[0]["code_verifier"]
    assert len(verifier) == 64
    assert verifier not in sent.headers["location"] + str(where) + str(browser.client.cookies)


# --- the provider -------------------------------------------------------------------------------------

METADATA: dict[str, dict[str, Any]] = {
    "of another issuer": {"issuer": OTHER},
    "with people sent elsewhere": {"authorization_endpoint": "https://evil.example/authorize"},
    "with nobody sent anywhere": {"authorization_endpoint": None},
    "with keys elsewhere": {"jwks_uri": "https://evil.example/keys"},
    "without PKCE": {"code_challenge_methods_supported": ["plain"]},
}


@pytest.mark.parametrize("name", METADATA)
async def test_nobody_is_sent_to_a_provider_with_metadata(
    site: LoginSite, browser: Browser, name: str
) -> None:
    site.provider.metadata = METADATA[name]
    said = assert_problem(await browser.client.get("/login"), 503, "IssuerUnavailable")
    assert "https" not in str(said)  # why, and where, is for the log
    assert [one["reason"] for one in site.audited("access:login:refused")] == ["IssuerUnavailable"]


async def test_a_code_goes_to_the_providers_own_address_alone(site: LoginSite, browser: Browser) -> None:
    site.provider.metadata = {"token_endpoint": "https://evil.example/token"}
    assert_problem(await browser.log_in(), 503, "IssuerUnavailable")


# --- the settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://login.example"},
        {"base": "http://localhost"},
        {"base": "https://localhost/app"},
        {"roles": {}},
        {"roles": {"ops": "boss"}},
        {"scope": "profile"},
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"idle_minutes": 0},
        {"hours": 25},
        {"key": Path("a"), "secret": Path("b")},
    ],
)
def test_settings_that_would_let_the_wrong_ones_in_are_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert isinstance(login(tmp_path, OTHER, "https://localhost", "tls_client_auth"), Login)
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own
        login(tmp_path, OTHER, "https://localhost", "tls_client_auth", **changed)


@pytest.mark.parametrize(
    ("method", "file", "content"),
    [
        ("private_key_jwt", "client.key.json", None),
        ("private_key_jwt", "client.key.json", "{}"),
        ("client_secret_basic", "secret", None),
        ("client_secret_basic", "secret", ""),
        ("client_secret_basic", "secret", "a\nb"),
    ],
)
def test_a_key_or_secret_that_others_may_read_or_that_is_none_ends_the_start(
    tmp_path: Path, method: str, file: str, content: str | None
) -> None:
    chosen = login(tmp_path, OTHER, "https://localhost", method)
    if content is None:
        (tmp_path / file).chmod(0o640)
    else:
        (tmp_path / file).write_text(content)
    nothing: Any = None
    with pytest.raises((ConfigurationError, KeyUnavailable)):
        People(chosen, nothing, Open(lambda: nothing))


def test_the_algorithms_of_id_tokens_are_asymmetric_ones(tmp_path: Path) -> None:
    chosen = login(tmp_path, OTHER, "https://localhost", "tls_client_auth")
    assert set(chosen.algorithms) == {*ALGORITHMS, "RS256"}
