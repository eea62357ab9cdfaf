"""Assertions of clients at the token endpoint (RFC 7523): which are refused, and that each counts once."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog
from tests.store.site import rows

from .authorization_site import AUDIENCE, SCOPE, TOKEN_URL, TokenSite, assert_refused, authorizing
from .oauth_site import ec, rsa, signed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[TokenSite]:
    async with authorizing(tmp_path) as running:
        yield running


# --- the assertion -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "https://other.test/oauth/token"}, "aud"),
        ({"aud": [TOKEN_URL, "https://other.test/oauth/token"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": AUDIENCE}, "aud"),
        ({"iss": "ward"}, "iss and sub"),
        ({"iss": None}, "iss and sub"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "j" * 300}, "jti"),
        ({"jti": 7}, "jti"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
    ],
)
async def test_a_claim_that_does_not_hold_is_refused(
    site: TokenSite, changed: dict[str, Any], why: str
) -> None:
    answer = await site.ask(site.form(site.assertion(**changed)))
    entry = assert_refused(site, answer, "invalid_client")
    assert entry["reason"] == "AssertionInvalid"
    assert why in entry["object"]["why"]
    assert why in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("claim", "seconds", "why"),
    [
        ("exp", 320, "more than 300 seconds"),
        ("exp", -20, "ended"),
        ("iat", 60, "not valid yet"),
        ("nbf", 60, "not valid yet"),
    ],
)
async def test_an_assertion_counts_for_five_minutes_and_now(
    site: TokenSite, claim: str, seconds: int, why: str
) -> None:
    at = int(site.now().timestamp()) + seconds
    entry = assert_refused(site, await site.ask(site.form(site.assertion(**{claim: at}))), "invalid_client")
    assert why in entry["object"]["why"]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ({"kid": "nobody"}, None),
        ({"kid": "lab-rs"}, None),
        ({"kid": None}, None),
        ({"typ": "at+jwt"}, None),
        ({"typ": None}, None),
        ({"kid": "lab-rs", "alg": "RS256"}, rsa("lab")),
        ({"kid": "lab-rs", "alg": "PS384"}, rsa("lab")),
        ({"alg": "ES384"}, ec("P-384", "thief")),
        ({"alg": "ES256"}, ec("P-256", "lab")),
        ({"jwk": ec("P-384", "thief").as_dict(private=False)}, ec("P-384", "thief")),
        ({"jku": "https://thief.test/keys"}, None),
        ({"x5c": ["MIIB"]}, None),
        ({"crit": ["kid"]}, None),
    ],
)
async def test_a_signature_that_is_not_the_clients_is_refused_and_not_explained(
    site: TokenSite, header: dict[str, Any], key: Any
) -> None:
    header = {"kid": "lab-es", "typ": "JWT", **header}
    now = int(site.now().timestamp())
    claims = {"iss": "lab", "sub": "lab", "aud": TOKEN_URL, "exp": now + 240, "jti": uuid.uuid4().hex}
    answer = await site.ask(site.form(signed(claims, header, key or ec("P-384", "lab"))))
    entry = assert_refused(site, answer, "invalid_client")
    assert entry["reason"] == "ClientNotAuthenticated"
    assert answer.json()["error_description"].startswith("the client is not authenticated")


async def test_an_assertion_of_another_client_with_its_own_key_is_refused(tmp_path: Path) -> None:
    other = {**ec("P-384", "other").as_dict(private=False), "kid": "other"}
    (tmp_path / "other.jwks.json").write_text(json.dumps({"keys": [other]}))
    made = TokenSite(tmp_path)
    common = {"scopes": (SCOPE,), "audience": AUDIENCE}
    made.clients.append({"id": "other", "jwks": tmp_path / "other.jwks.json", **common})
    async with made.running() as site:
        shown = site.assertion({"kid": "other"}, ec("P-384", "other"))
        assert_refused(site, await site.ask(site.form(shown)), "invalid_client")


def _unsigned(head: dict[str, Any], claims: dict[str, Any], signature: str) -> str:
    parts = (
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (head, claims)
    )
    return ".".join([*parts, signature])


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
async def test_an_assertion_without_a_signature_of_a_key_is_refused(
    site: TokenSite, algorithm: str, signature: str
) -> None:
    now = int(site.now().timestamp())
    claims = {"iss": "lab", "sub": "lab", "aud": TOKEN_URL, "exp": now + 240, "jti": "a"}
    shown = _unsigned({"alg": algorithm, "typ": "JWT", "kid": "lab-es"}, claims, signature)
    assert_refused(site, await site.ask(site.form(shown)), "invalid_client")


@pytest.mark.parametrize("text", ["x", "a.b.c", "e30.e30.e30", "." * 2, "A" * 9000, "e30.W10.AA", "é.e30.AA"])
async def test_what_is_no_assertion_is_refused(site: TokenSite, text: str) -> None:
    assert_refused(site, await site.ask(site.form(text)), "invalid_client")


async def test_a_claim_that_stands_twice_is_refused(site: TokenSite) -> None:
    content = site.assertion().split(".")[1]
    said = base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)).decode()
    twice = (said[:-1] + ', "sub": "lab"}').encode()
    shown = signed(twice, {"typ": "JWT", "kid": "lab-es"}, ec("P-384", "lab"))
    assert_refused(site, await site.ask(site.form(shown)), "invalid_client")


async def test_nobody_learns_which_clients_there_are(site: TokenSite) -> None:
    shown = site.assertion(iss="stranger", sub="stranger")
    wrong = site.assertion(key=ec("P-384", "thief"))
    said = [
        await site.ask(form) for form in (site.form(shown), site.form(wrong), site.ward_form(client_id="x"))
    ]
    said.append(await site.ask(site.ward_form()))
    assert len({answer.text for answer in said}) == 1
    assert_refused(site, said[0], "invalid_client")


# --- once --------------------------------------------------------------------------------------------


async def test_an_assertion_counts_once_also_after_a_restart(tmp_path: Path) -> None:
    made = TokenSite(tmp_path)
    async with made.running() as site:
        form = site.form()
        assert (await site.ask(form)).status_code == 200
        assert "used before" in (await site.ask(form)).json()["error_description"]
    async with made.running() as site:
        answer = await site.ask(form)
        assert answer.json()["error"] == "invalid_client"
        assert (await site.ask()).status_code == 200
        refusals = site.audited("oauth:token:refused")
    assert [one["reason"] for one in refusals] == ["AssertionReplayed", "AssertionReplayed"]


async def test_an_assertion_that_was_used_is_refused_until_it_is_over(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        form = site.form()
        assert (await site.ask(form)).status_code == 200
        site.ahead += 243
        assert "used before" in (await site.ask(form)).json()["error_description"]
        site.ahead += 10
        assert "ended" in (await site.ask(form)).json()["error_description"]


async def test_no_token_leaves_that_is_not_written_down(tmp_path: Path) -> None:
    class Full(AuditLog):
        def append(self, connection: Any, drafts: Any) -> None:
            raise OSError("no room")

    made = TokenSite(tmp_path, audit=Full())
    async with made.running() as site:
        for form, certificate in ((site.form(), "client"), (site.ward_form(), "ward")):
            answer = await site.ask(form, certificate)
            assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
            assert "access_token" not in answer.text
    assert rows(tmp_path, "SELECT count(*) FROM spent_assertion") == [(0,)]
