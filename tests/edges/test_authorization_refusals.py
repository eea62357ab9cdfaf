"""The token endpoint for everybody else: each refusal by its error (RFC 6749, 5.2), and nothing given out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.errors import KeyUnavailable

from .authorization_site import SCOPE, TokenSite, assert_refused, authorizing
from .http_site import WithPeer
from .oauth_site import ec


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[TokenSite]:
    async with authorizing(tmp_path) as running:
        yield running


# --- the certificate -----------------------------------------------------------------------------------


async def test_a_client_that_shows_a_certificate_must_show_its_own(site: TokenSite) -> None:
    entry = assert_refused(site, await site.ask(site.ward_form(), "thief"), "invalid_client")
    assert "certificate" in entry["object"]["why"]


async def test_a_client_of_both_kinds_is_refused_with_one_of_them(site: TokenSite) -> None:
    shown = site.assertion(iss="both", sub="both")
    assert_refused(site, await site.ask(site.form(shown), "thief"), "invalid_client")
    assert_refused(site, await site.ask(site.ward_form(client_id="both"), "ward"), "invalid_client")


async def test_a_client_that_signs_is_not_known_by_its_name_alone(site: TokenSite) -> None:
    assert_refused(site, await site.ask(site.ward_form(client_id="lab")), "invalid_client")


async def test_a_client_of_a_certificate_cannot_sign(site: TokenSite) -> None:
    shown = site.assertion(iss="ward", sub="ward")
    assert_refused(site, await site.ask(site.form(shown), "ward"), "invalid_client")


async def test_without_a_verified_certificate_nobody_gets_a_token(tmp_path: Path) -> None:
    made = TokenSite(tmp_path)
    async with made.running() as site:
        for peer in (None, _Nameless()):
            transport = httpx2.ASGITransport(app=WithPeer(made.app, peer))  # type: ignore[arg-type]
            async with httpx2.AsyncClient(transport=transport, base_url="https://x") as client:
                answer = await client.post("/oauth/token", data=site.form())
            assert_refused(site, answer, "invalid_client")


class _Nameless:
    fingerprint = ""
    subject = ""
    sans = ()
    address = "127.0.0.1:1"


# --- what is asked for --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "",
        "system/Patient.cud",
        "system/*.c",
        "system/Observation.c",
        "system/Patient.uc",
        "system/Patient.c?nonsense=1",
        "patient/Patient.c",
        "operator:act",
        f"{SCOPE} openid",
        f"{SCOPE}  {SCOPE}",
        f"{SCOPE} ",
        "system/Patient.c system/Encounter.c",
    ],
)
async def test_a_scope_that_is_not_granted_is_refused(site: TokenSite, scope: str | None) -> None:
    assert_refused(site, await site.ask(site.form(scope=scope)), "invalid_scope")


async def test_a_token_for_another_server_is_refused(site: TokenSite) -> None:
    answer = await site.ask(site.form(resource="https://other.test/fhir"))
    assert_refused(site, answer, "invalid_target")


@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "x<script>"])
async def test_another_grant_is_refused(site: TokenSite, grant: str) -> None:
    answer = await site.ask(site.form(grant_type=grant))
    assert_refused(site, answer, "unsupported_grant_type")
    assert grant not in answer.text


# --- the request --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_assertion_type": None}, "invalid_request"),
        (
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
            "invalid_client",
        ),
        ({"client_id": "ward"}, "invalid_request"),
    ],
)
async def test_a_request_that_contradicts_itself_is_refused(
    site: TokenSite, changed: dict[str, Any], code: str
) -> None:
    assert_refused(site, await site.ask(site.form(**changed)), code)


async def test_who_shows_nothing_is_refused(site: TokenSite) -> None:
    assert_refused(site, await site.ask(site.ward_form(client_id=None)), "invalid_client")


_FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", {}, 400),
        (b"grant_type=client_credentials&scope=a&scope=b", {}, 400),
        (b"", {}, 400),
        (b"grant_type", {}, 400),
        (b"grant_type=%ff", {}, 400),
        ("grant_type=\xe9".encode(), {}, 400),
        (b"&".join(b"f%d=1" % n for n in range(30)), {}, 400),
        (b'{"grant_type": "client_credentials"}', {"content-type": "application/json"}, 400),
        (b"grant_type=client_credentials", {"content-type": f"{_FORM}; charset=latin-1"}, 400),
        (b"grant_type=client_credentials", {"content-encoding": "gzip"}, 400),
        (b"grant_type=client_credentials&x=" + b"a" * 20_000, {}, 413),
    ],
)
async def test_what_is_no_form_is_refused(
    site: TokenSite, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with site.client() as client:
        answer = await client.post("/oauth/token", content=body, headers={"content-type": _FORM, **headers})
    assert_refused(site, answer, "invalid_request", status)


async def test_a_request_that_does_not_end_is_refused(tmp_path: Path) -> None:
    head = f"POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: {_FORM}\r\ncontent-length: 99\r\n\r\n"
    async with authorizing(tmp_path, body_seconds=0.1) as site:
        port = int(site.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("localhost", port, ssl=site.tls.client_context())
        writer.write(f"{head}grant_type=".encode())
        answer = await reader.readuntil(b"\r\n")
        writer.close()
        assert b" 408 " in answer
        assert site.audited("oauth:token:refused")[-1]["reason"] == "BodyIncomplete"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_tokens_are_asked_for_by_post_alone(site: TokenSite, method: str) -> None:
    async with site.client() as client:
        answer = await client.request(method, "/oauth/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert len(site.audited("oauth:token:refused")) == 1


async def test_nothing_of_a_request_may_stand_in_its_address(site: TokenSite) -> None:
    async with site.client() as client:
        answer = await client.post("/oauth/token?scope=x", data=site.form())
    assert_refused(site, answer, "invalid_request")


async def test_who_tries_a_password_is_told_that_there_is_none(site: TokenSite) -> None:
    async with site.client() as client:
        answer = await client.post("/oauth/token", data=site.form(), auth=("lab", "secret"))
    assert_refused(site, answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic")


# --- too much -----------------------------------------------------------------------------------------


async def test_a_client_cannot_ask_without_end_and_others_do_not_wait_for_it(tmp_path: Path) -> None:
    async with authorizing(tmp_path, client_requests=2) as site:
        said = [await site.ask() for _ in range(3)]
        assert [answer.status_code for answer in said] == [200, 200, 429]
        assert said[-1].json()["error"] == "temporarily_unavailable"
        assert int(said[-1].headers["retry-after"]) == 30
        assert (await site.ask(site.ward_form(), "ward")).status_code == 200
        site.monotonic += 31
        assert (await site.ask()).status_code == 200


async def test_who_guesses_cannot_use_up_the_share_of_a_client(tmp_path: Path) -> None:
    async with authorizing(tmp_path, client_requests=1) as site:
        for _ in range(3):
            await site.ask(site.form(site.assertion(key=ec("P-384", "thief"))))
        assert (await site.ask()).status_code == 200


async def test_an_address_that_floods_is_refused_and_does_not_fill_the_audit_log(tmp_path: Path) -> None:
    async with authorizing(tmp_path, address_requests=2) as site, site.client() as client:
        said = [(await client.get("/oauth/token")).status_code for _ in range(20)]
        assert said == [405, 405] + [429] * 18
        assert len(site.audited("oauth:token:refused")) == 2 + 5
        site.monotonic += 1
        assert (await client.get("/oauth/token")).status_code == 429
        assert site.audited("oauth:token:refused")[-1]["object"]["count"] == 14


# --- our own keys -------------------------------------------------------------------------------------


async def test_without_our_keys_nothing_is_signed_and_no_token_counts(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site:
        token = await site.token()
        content = site.keys.read_bytes()
        for spoil in (site.keys.unlink, lambda: site.keys.write_text("{}"), lambda: site.keys.chmod(0o644)):
            site.keys.write_bytes(content)
            spoil()
            answer = await site.ask()
            assert answer.status_code in (500, 503)
            assert str(tmp_path) not in answer.text
            assert (await site.create(token)).status_code in (500, 503)
            async with site.client() as client:
                assert (await client.get("/oauth/jwks")).status_code in (500, 503)
        site.keys.chmod(0o600)
        assert (await site.ask()).status_code == 200


def test_it_does_not_start_without_keys(tmp_path: Path) -> None:
    site = TokenSite(tmp_path)
    site.keys.unlink()
    with pytest.raises(KeyUnavailable, match="not there"):
        site.built(None)
