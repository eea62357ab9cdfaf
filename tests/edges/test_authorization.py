"""The token endpoint for clients that may: tokens, their use, rotation, and what is written down."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from connector.edges import authorization_server
from connector.edges.oauth import thumbprint_of
from connector.edges.token_source import TokenSource
from connector.errors import ScopeNotGranted

from ..pki import write_private
from .authorization_site import AUDIENCE, ISSUER, SCOPE, TOKEN_URL, TokenSite, authorizing
from .oauth_site import ec, rsa
from .operator_site import fingerprint


async def _verified(site: TokenSite, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, checked with the published keys as a resource server elsewhere would."""
    async with site.client() as client:
        keys = KeySet.import_key_set((await client.get("/oauth/jwks")).json())
    found = jwt.decode(token, keys, algorithms=["ES384"])
    return found.header, found.claims


async def test_a_client_that_signs_gets_a_token_that_is_bound_to_its_connection(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        answer = await site.ask()
        body = answer.json()
        header, claims = await _verified(site, body["access_token"])
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, SCOPE)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert (header["alg"], header["typ"]) == ("ES384", "at+jwt")
    said = {name: claims[name] for name in ("iss", "sub", "client_id", "aud", "scope")}
    assert said == {"iss": ISSUER, "sub": "lab", "client_id": "lab", "aud": AUDIENCE, "scope": SCOPE}
    assert claims["exp"] - claims["iat"] == 300
    assert claims["cnf"] == {"x5t#S256": thumbprint_of(fingerprint(tmp_path / "client.pem"))}
    assert len(claims["jti"]) == 32


@pytest.mark.parametrize(("kid", "algorithm", "key"), [("lab-es", "ES384", "ec"), ("lab-rs", "RS384", "rsa")])
async def test_both_algorithms_of_smart_are_taken(tmp_path: Path, kid: str, algorithm: str, key: str) -> None:
    async with authorizing(tmp_path) as site:
        signing = ec("P-384", "lab") if key == "ec" else rsa("lab")
        shown = site.assertion({"kid": kid, "alg": algorithm}, signing, aud=[TOKEN_URL])
        assert (await site.ask(site.form(shown))).status_code == 200


async def test_a_client_may_ask_for_less_than_it_can_have(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        for asked in ("system/Patient.c", "system/Observation.s operator:read", f"{SCOPE} {SCOPE}"):
            answer = await site.ask(site.form(scope=asked))
            assert answer.json()["scope"] == " ".join(dict.fromkeys(asked.split())), answer.text


NARROW = "system/Observation.cu?category=laboratory"


@pytest.mark.parametrize(
    ("granted", "asked", "given"),
    [
        ("system/Observation.cu", NARROW, True),
        (NARROW, NARROW, True),
        (NARROW, "system/Observation.c?category=laboratory&status=final", True),
        (NARROW, "system/Observation.c", False),
        (NARROW, "system/Observation.c?status=final", False),
        (NARROW, "system/Observation.c?category=laboratory,imaging", False),
        ("system/*.cu", NARROW, True),
        (f"{NARROW} system/Observation.d", "system/Observation.cud?category=laboratory", True),
        ("system/Patient.c system/Patient.u", "system/Patient.cu", True),
        ("system/Patient.write", "system/Patient.cud", True),
        ("system/Patient.write", "system/Patient.*", False),
    ],
)
def test_a_scope_is_granted_only_as_wide_as_the_settings_do(granted: str, asked: str, given: bool) -> None:
    if given:
        assert authorization_server.granted(asked, granted.split()) == asked
    else:
        with pytest.raises(ScopeNotGranted):
            authorization_server.granted(asked, granted.split())


async def test_a_client_is_known_by_its_certificate_alone_where_the_settings_say_so(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        answer = await site.ask(site.ward_form(), "ward")
        _, claims = await _verified(site, answer.json()["access_token"])
        (entry,) = site.audited("oauth:token:issued")
    assert claims["cnf"] == {"x5t#S256": thumbprint_of(fingerprint(tmp_path / "ward.pem"))}
    assert (entry["object"]["method"], entry["actor"]["client"]) == ("tls_client_auth", "ward")


async def test_a_client_of_both_kinds_shows_both(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        shown = site.assertion(iss="both", sub="both")
        assert (await site.ask(site.form(shown), "ward")).status_code == 200


async def test_a_token_from_here_is_good_at_the_api_over_its_own_connection_alone(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        token = await site.token()
        assert (await site.create(token)).status_code == 202
        stolen = await site.create(token, "thief")
        assert stolen.status_code == 401
        assert "invalid_token" in stolen.headers["www-authenticate"]
        site.ahead += 340
        assert (await site.create(token)).status_code == 401
    assert len(site.notebook.taken) == 1


async def test_keys_rotate_and_no_good_client_is_refused(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        before = await site.token()
        second = site.rotate()
        after = await site.token()
        assert jws.extract_compact(after.encode()).headers()["kid"] == second
        for token in (before, after):
            await _verified(site, token)
            assert (await site.create(token)).status_code == 202
        site.ahead += 500
        await site.token()
        async with site.client() as client:
            shown = (await client.get("/oauth/jwks")).json()["keys"]
    assert [one["kid"] for one in shown] == [second]
    assert all("d" not in one for one in shown)


async def test_while_keys_rotate_under_load_everybody_gets_a_token_that_counts(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site, site.client() as client:

        async def one() -> str:
            answer = await client.post("/oauth/token", data=site.form())
            assert answer.status_code == 200, answer.text
            return str(answer.json()["access_token"])

        for _ in range(3):
            asking = [asyncio.create_task(one()) for _ in range(6)]
            site.rotate()
            tokens = await asyncio.gather(*asking)
            assert [(await site.create(token)).status_code for token in tokens[::3]] == [202, 202]


async def test_a_key_that_is_taken_out_of_the_file_counts_no_more_at_once(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        token = await site.token()
        assert (await site.create(token)).status_code == 202
        site.keys.unlink()
        site.rotate()
        assert (await site.create(token)).status_code == 401


async def test_what_is_issued_is_written_down_without_the_token(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        token = await site.token()
        (entry,) = site.audited("oauth:token:issued")
    assert entry["outcome"] == "success"
    assert entry["actor"]["client"] == "lab"
    assert entry["actor"]["certificate"] == fingerprint(tmp_path / "client.pem")
    assert {"audience": AUDIENCE, "scope": SCOPE, "method": "private_key_jwt"}.items() <= entry[
        "object"
    ].items()
    assert token.rpartition(".")[2] not in str(entry)


async def test_our_own_client_side_gets_tokens_here(tmp_path: Path) -> None:
    """The two ends of the connector, with each other: the assertion, its lifetime, its one refresh."""

    site = TokenSite(tmp_path)
    write_private(
        tmp_path / "lab.key.json",
        json.dumps({**ec("P-384", "lab").as_dict(private=True), "kid": "lab-es"}).encode(),
    )
    async with site.running():
        source = TokenSource(
            f"{site.url}/oauth/token",
            "lab",
            tmp_path / "lab.key.json",
            SCOPE,
            TOKEN_URL,
            site.tls.client_context(),
        )
        tokens = await asyncio.gather(*(source.token() for _ in range(5)))
        assert len(set(tokens)) == 1
        assert (await site.create(tokens[0])).status_code == 202
        await source.close()


async def test_what_it_says_of_itself_is_what_it_does(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site, site.client() as client:
        said = (await client.get("/.well-known/oauth-authorization-server")).json()
        assert (await client.post("/oauth/jwks")).status_code == 405
    found = AuthorizationServerMetadata(said)
    for name in set(said) - {"response_types_supported", "tls_client_certificate_bound_access_tokens"}:
        getattr(found, f"validate_{name}")()
    assert (said["issuer"], said["token_endpoint"]) == (ISSUER, TOKEN_URL)
    assert said["jwks_uri"] == f"{ISSUER}/oauth/jwks"
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "tls_client_auth"]
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert said["scopes_supported"] == ["operator:read", "system/Observation.read", SCOPE]
    assert said["tls_client_certificate_bound_access_tokens"] is True
