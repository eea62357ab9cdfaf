"""Who may operate: no route without a scope, nothing without the right token on the right connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route as Address

from connector.edges.operator_api import ROUTES, OperatorLimits, create_operator_app
from connector.edges.operator_desk import Desk
from connector.profile.operators import OPERATOR_SCOPES

from .oauth_site import NOW, claims, ec, signed
from .operator_site import CONSOLE, SECRET, WHY, OperatorSite, assert_problem, operating


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OperatorSite]:
    async with operating(tmp_path) as running:
        yield running


def paths() -> list[tuple[str, str, str]]:
    return [(one.method, one.path.replace("{number}", "1"), one.scope) for one in ROUTES]


def test_every_route_of_the_application_is_of_the_table_and_has_a_scope_of_the_closed_set() -> None:
    nothing: Any = None
    served = create_operator_app(Desk(nothing, (), *[nothing] * 3), None).routes
    assert all(isinstance(one, Address) for one in served)
    found = [(one.path, one.methods - {"HEAD"}) for one in served if isinstance(one, Address) and one.methods]
    assert found == [(one.path, {one.method}) for one in ROUTES]
    assert {one.scope for one in ROUTES} == set(OPERATOR_SCOPES)
    changing = {one.path for one in ROUTES if one.method != "GET" and one.scope == "operator:read"}
    assert changing == {"/break-glass", "/break-glass/end"}  # the role decides
    contents = [one for one in ROUTES if one.path.endswith("/content")]
    assert {(one.method, one.scope) for one in contents} == {("POST", "operator:content")}


@pytest.mark.parametrize(("method", "path", "scope"), paths())
async def test_no_route_answers_without_a_token_or_with_every_scope_but_its_own(
    site: OperatorSite, method: str, path: str, scope: str
) -> None:
    async with site.client(token="") as client:
        answer = await client.request(method, path, content=b"{" * 100_000 if method == "POST" else None)
    assert_problem(answer, 401, "Unauthenticated")
    assert answer.headers["www-authenticate"] == f'Bearer realm="operator", scope="{scope}"'
    others = " ".join({*OPERATOR_SCOPES, "system/*.cruds"} - {scope})
    async with site.client(site.token(others)) as client:
        answer = await client.request(method, path, json={} if method == "POST" else None)
    assert scope in assert_problem(answer, 403, "Forbidden")["fix"]
    said = answer.headers["www-authenticate"]
    assert said.startswith('Bearer realm="operator", error="insufficient_scope", error_description=')
    assert said.endswith(f', scope="{scope}"')


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://connector.test/fhir"},
        {"iss": "https://other.test"},
        {"client_id": "stranger"},
        {"cnf": None},
        {"cnf": {"x5t#S256": "A" * 43}},
        {"exp": NOW - 60},
        {"sub": "mia\x1b[2J"},
        {"sub": "m" * 300},
    ],
)
async def test_a_token_that_is_not_for_this_client_here_and_now_is_refused(
    site: OperatorSite, changed: dict[str, Any]
) -> None:
    answer = await site.get("/lanes", site.token(**changed))
    assert_problem(answer, 401, "Unauthenticated")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    (entry,) = site.audited("access:token:refused")
    assert entry["object"]["operation"] == "GET /operator/lanes"


async def test_a_token_signed_by_somebody_else_is_refused(site: OperatorSite) -> None:
    wrong = signed(claims(client_id=CONSOLE, scope="operator:read"), key=ec("P-384", "stranger"))
    assert_problem(await site.get("/lanes", wrong), 401, "Unauthenticated")


async def test_a_token_counts_only_over_the_connection_of_its_certificate(site: OperatorSite) -> None:
    async with site.client(peer="thief") as client:
        assert_problem(await client.get("/lanes"), 401, "Unauthenticated")


async def test_the_settings_bound_what_a_token_grants(tmp_path: Path) -> None:
    async with operating(tmp_path, clients={CONSOLE: ("operator:read",)}) as site:
        assert (await site.get("/lanes")).status_code == 200
        said = assert_problem(await site.post("/skip", {**WHY, "delivery": 1}), 403, "Forbidden")
        assert "[operators]" in said["fix"]
        (entry,) = site.audited("access:scope:refused")
    assert entry["actor"]["name"] == "mia"
    assert entry["actor"]["client"] == CONSOLE
    assert entry["actor"]["certificate"].startswith("sha256:")


async def test_only_the_certificates_that_are_named_may_operate(tmp_path: Path) -> None:
    async with operating(tmp_path, certificates=("sha256:" + "0" * 64,)) as site:
        answer = await site.get("/lanes")
    assert "fingerprint" in assert_problem(answer, 403, "Forbidden")["fix"]


async def test_a_token_that_need_not_be_bound_may_come_over_any_trusted_connection(tmp_path: Path) -> None:
    async with operating(tmp_path, certificate_bound=False) as site:
        assert (await site.get("/lanes", site.token(cnf=None))).status_code == 200


async def test_without_a_verified_peer_nothing_is_answered(site: OperatorSite) -> None:
    transport = httpx2.ASGITransport(app=site.app)
    headers = {"authorization": f"Bearer {site.token()}"}
    async with httpx2.AsyncClient(transport=transport, base_url="https://x", headers=headers) as client:
        answer = await client.get("/operator/lanes")
    assert_problem(answer, 403, "UntrustedPeer")
    assert len(site.audited("tls:peer:refused")) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "", 404),
        ("GET", "/nothing", 404),
        ("GET", "/messages/", 404),
        ("POST", "/lanes", 405),
        ("DELETE", "/messages/1", 405),
        ("GET", "/replay", 405),
        ("OPTIONS", "/replay", 405),
    ],
)
async def test_other_addresses_and_methods_are_refused_and_audited(
    site: OperatorSite, method: str, path: str, status: int
) -> None:
    async with site.client() as client:
        answer = await client.request(method, path)
    assert_problem(answer, status, "UnsupportedInteraction")
    assert ("allow" in answer.headers) == (status == 405)
    assert len(site.audited("operator:request:refused")) == 1


async def test_more_than_may_be_in_hand_is_turned_away(tmp_path: Path) -> None:
    async with operating(tmp_path, OperatorLimits(in_hand=0)) as site:
        answer = await site.get("/lanes")
    assert_problem(answer, 503, "Overloaded")
    assert answer.headers["retry-after"] == "5"


async def test_a_body_over_the_limit_is_not_read(tmp_path: Path) -> None:
    async with operating(tmp_path, OperatorLimits(message=1024)) as site:
        large = {**WHY, "message": 1, "content": "A" * 80_000}
        assert_problem(await site.post("/edit", large), 413, "BodyTooLarge")
        small = {**WHY, "message": 1, "content": "A" * 1000}
        assert_problem(await site.post("/edit", small), 404, "NothingThere")
        assert_problem(
            await site.post("/skip", {**WHY, "delivery": 1, SECRET: "x" * 70_000}), 413, "BodyTooLarge"
        )


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
async def test_only_plain_json_is_read(site: OperatorSite, headers: dict[str, str]) -> None:
    async with site.client() as client:
        answer = await client.post("/skip", content=b"{}", headers=headers)
    assert_problem(answer, 415, "UnsupportedContent")
