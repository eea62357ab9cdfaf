"""What is told before anybody is known: how to get a token, and nothing else; and what a refusal asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.edges.oauth_documents import Described, metadata_url
from connector.fhir import json, validate

from .http_site import BASE, MESSAGE, PATIENT, TRANSACTION, Site, assert_refused, post, put
from .oauth_site import FINGERPRINT, claims, signed, token

METADATA = f'resource_metadata="{BASE}/.well-known/oauth-protected-resource/fhir"'
ISSUER = Described("https://issuer.test", "https://issuer.test/token", bound=True)
PATHS = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/fhir",
    "/fhir/.well-known/smart-configuration",
    "/fhir/metadata",
]


def site(folder: Path, *issuers: Described) -> Site:
    async def describes(fingerprint: str) -> Sequence[Described]:
        assert fingerprint == FINGERPRINT
        return issuers

    return Site(folder, options={"describes": describes})


async def get(site: Site, path: str) -> Any:
    async with site.client(None) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(answer.content)


@pytest.mark.parametrize("path", PATHS[:2])
async def test_the_metadata_of_the_protected_resource(tmp_path: Path, path: str) -> None:
    unbound = Described("https://a.test")
    found = await get(site(tmp_path, ISSUER, unbound, ISSUER, Described("no address")), path)
    assert found["resource"] == f"{BASE}/fhir"
    assert found["authorization_servers"] == ["https://a.test", "https://issuer.test"]
    assert found["bearer_methods_supported"] == ["header"]
    assert found["tls_client_certificate_bound_access_tokens"] is False
    assert "system/Observation.cud" in found["scopes_supported"]


async def test_where_every_token_must_be_bound_it_says_so(tmp_path: Path) -> None:
    assert (await get(site(tmp_path, ISSUER), PATHS[0]))["tls_client_certificate_bound_access_tokens"] is True
    nobody = await get(site(tmp_path), PATHS[0])
    assert nobody["tls_client_certificate_bound_access_tokens"] is False
    assert "authorization_servers" not in nobody


async def test_the_smart_configuration(tmp_path: Path) -> None:
    found = await get(site(tmp_path, Described("https://a.test"), ISSUER), PATHS[2])
    assert found["token_endpoint"] == "https://issuer.test/token"
    assert found["grant_types_supported"] == ["client_credentials"]
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert {"permission-v1", "permission-v2", "client-confidential-asymmetric"} <= set(found["capabilities"])


async def test_without_a_token_endpoint_there_is_no_smart_configuration(tmp_path: Path) -> None:
    here = site(tmp_path, Described("https://a.test"))
    async with here.client(None) as client:
        assert_refused(here, await client.get(PATHS[2]), 404)


async def test_the_capability_statement_names_the_token_endpoint_and_is_valid(tmp_path: Path) -> None:
    statement = await get(site(tmp_path, ISSUER), "/fhir/metadata")
    assert validate.fast(statement) == []
    assert validate.models(statement) == []
    (extension,) = statement["rest"][0]["security"]["extension"]
    assert extension["extension"] == [{"url": "token", "valueUri": "https://issuer.test/token"}]
    assert "extension" not in (await get(site(tmp_path), "/fhir/metadata"))["rest"][0]["security"]


@pytest.mark.parametrize("path", PATHS)
async def test_who_shows_no_certificate_is_told_nothing(tmp_path: Path, path: str) -> None:
    here = site(tmp_path, ISSUER)
    here.peer = None
    async with here.client(None) as client:
        assert_refused(here, await client.get(path), 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/fhir"),
        ("POST", "/fhir/$process-message"),
        ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/p1"),
        ("POST", "/fhir/Banana"),
    ],
)
async def test_everything_else_asks_for_a_token_first(tmp_path: Path, method: str, path: str) -> None:
    here = site(tmp_path, ISSUER)
    async with here.client(None) as client:
        answer = await client.request(method, path, content=b"{" * 100)
    assert_refused(here, answer, 401)
    assert answer.headers["www-authenticate"] == f'Bearer realm="fhir", {METADATA}'


def test_where_metadata_lie() -> None:
    at = "https://a.test:8443"
    assert metadata_url(f"{at}/x/fhir") == f"{at}/.well-known/oauth-protected-resource/x/fhir"
    assert metadata_url(at) == f"{at}/.well-known/oauth-protected-resource"


async def test_a_server_behind_a_path_serves_its_metadata_where_they_are_looked_for(tmp_path: Path) -> None:
    import httpx2

    from connector.edges.http_api import create_app

    from .http_site import Notebook, WithPeer
    from .oauth_site import IssuerSite

    base = "https://hospital.test/connector/fhir"
    app = WithPeer(create_app(Notebook(), IssuerSite(tmp_path).guard(), base=base), Site(tmp_path).peer)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE) as client:
        answer = await client.get("/.well-known/oauth-protected-resource/connector/fhir")
    assert answer.json()["resource"] == base


# --- what a refusal asks for --------------------------------------------------------------------------------


async def challenge(folder: Path, headers: Any) -> tuple[int, str]:
    here = Site(folder)
    async with here.client(None) as client:
        answer = await client.post("/fhir/Patient", content=json.dumps(PATIENT), headers=headers)
    return answer.status_code, answer.headers["www-authenticate"]


async def test_a_wrong_token_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    expired = signed(claims(exp=1_700_000_000, iat=1_699_999_900))
    status, said = await challenge(tmp_path, {"authorization": f"Bearer {expired}"})
    assert status == 401
    words = 'error="invalid_token", error_description="the access token has expired"'
    assert said == f'Bearer realm="fhir", {words}, {METADATA}'


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {token()}"), ("authorization", f"Bearer {token()}")],
        [("authorization", "Basic dXNlcjpwYXNz"), ("Authorization", f"Bearer {token()}")],
        [("authorization", f"Bearer {token()}, Bearer {token()}")],
    ],
)
async def test_more_than_one_token_is_a_request_that_is_wrong(tmp_path: Path, headers: Any) -> None:
    status, said = await challenge(tmp_path, headers)
    assert status == 400
    assert 'error="invalid_request"' in said


async def test_a_token_in_the_address_or_in_the_body_is_none(tmp_path: Path) -> None:
    here = Site(tmp_path)
    form = f"access_token={token()}".encode()
    async with here.client(None) as client:
        answers = [
            await client.post(f"/fhir/Patient?access_token={token()}", content=json.dumps(PATIENT)),
            await client.post(
                "/fhir", content=form, headers={"content-type": "application/x-www-form-urlencoded"}
            ),
        ]
    for answer in answers:
        assert_refused(here, answer, 401)
        assert answer.headers["www-authenticate"] == f'Bearer realm="fhir", {METADATA}'
    both = await post(here, f"/fhir/Patient?access_token={token()}", PATIENT)
    assert_refused(here, both, 404)


@pytest.mark.parametrize(
    ("path", "resource", "scope", "needed"),
    [
        ("/fhir/Patient", PATIENT, "system/Patient.u", "system/Patient.c"),
        ("/fhir", TRANSACTION, "system/Patient.u", "system/Observation.c system/Encounter.d"),
        ("/fhir", MESSAGE, "system/Basic.c", "system/MessageHeader.c system/Patient.c"),
        ("/fhir", TRANSACTION, "", ""),
    ],
)
async def test_too_little_scope_is_told_what_would_be_enough(
    tmp_path: Path, path: str, resource: Any, scope: str, needed: str
) -> None:
    here = Site(tmp_path)
    answer = await post(here, path, resource, scope)
    assert_refused(here, answer, 403)
    said = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in said
    assert (f'scope="{needed}"' in said) if needed else ('scope="' not in said.replace('_scope"', ""))
    assert said.endswith(METADATA)


async def test_a_peer_that_is_not_trusted_is_asked_for_no_token(tmp_path: Path) -> None:
    here = Site(tmp_path, peer=None)
    answer = await put(here, "/fhir/Patient/p1", PATIENT)
    assert_refused(here, answer, 403)
    assert "www-authenticate" not in answer.headers
