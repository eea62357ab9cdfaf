"""Delivery against a FHIR server of its own making, and what a partner's answers cannot make us do."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.demo import tls as demo_tls
from connector.demo.ledger import Ledger
from connector.demo.sandbox import make_app
from connector.demo.site import Ports, Site, make_site
from connector.edges.fhir_client import FhirClient
from connector.edges.http_exchange import Waits
from connector.edges.http_server import serve_http
from connector.edges.token_source import TokenSource
from connector.errors import AnswerNotUnderstood, PartnerRefusedMessage, PartnerRefusedUs, PartnerUnreachable
from connector.pipeline.ports import Written

from .partner_site import Asked, Partner, answer, granted

PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1", "gender": "female"}
VISIT: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "planned",
    "class": {"code": "AMB"},
    "subject": {"reference": "Patient/p1"},
}
TRACE: dict[str, Any] = {"resourceType": "Provenance", "id": "t1"}


def put(resource: dict[str, Any]) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}}


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def stored(*responses: dict[str, Any]) -> dict[str, Any]:
    entries = [{"response": response} for response in responses]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


DONE = answer(200, stored({"status": "200", "etag": 'W/"1"'}))


# --- against the sandbox of the demo ---------------------------------------------------------------


@asynccontextmanager
async def sandbox(folder: Path, **options: Any) -> AsyncIterator[tuple[FhirClient, Ledger]]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    site: Site = make_site(folder / "site", Ports(sandbox=port))
    ledger = Ledger(None)
    server = serve_http(
        make_app(site, ledger, notify=False), listening, demo_tls.server_context(site.folder, "fhir")
    )
    await server.start()
    url, key, context = site.sandbox_url, site.folder / "client.key.json", _ours(site)
    tokens = TokenSource(f"{url}/token", "connector", key, "system/*.cruds", "", context)
    fhir = FhirClient(f"{url}/fhir", _ours(site), tokens, **options)
    try:
        yield fhir, ledger
    finally:
        await fhir.close()
        await tokens.close()
        await server.close(1.0)
        ledger.close()


def _ours(site: Site) -> ssl.SSLContext:
    return demo_tls.client_context(site.folder, "connector")


@pytest.mark.parametrize("delivery", ["transaction", "batch", "each"])
async def test_a_server_with_tokens_stores_what_is_delivered(tmp_path: Path, delivery: str) -> None:
    async with sandbox(tmp_path, delivery=delivery) as (fhir, ledger):
        first = await fhir.send(bundle(put(PATIENT), put(VISIT)))
        assert first == [Written("Patient/p1", "1"), Written("Encounter/e1", "1")]
        second = await fhir.send(bundle(put({**PATIENT, "gender": "other"})))
        assert second == [Written("Patient/p1", "2")]
    assert {version.key for version in ledger.resources} == {"Patient/p1", "Encounter/e1"}


@pytest.mark.parametrize("delivery", ["transaction", "each"])
async def test_what_is_delivered_again_changes_nothing(tmp_path: Path, delivery: str) -> None:
    gone = {"request": {"method": "DELETE", "url": "Encounter/e1"}}
    async with sandbox(tmp_path, delivery=delivery) as (fhir, _):
        await fhir.send(bundle(put(PATIENT), put(VISIT)))
        for _ in range(2):
            assert (await fhir.send(bundle(put(PATIENT), gone)))[0] == Written("Patient/p1", "1")


async def test_what_a_server_does_not_take_is_parked(tmp_path: Path) -> None:
    wrong = {"resource": VISIT, "request": {"method": "PUT", "url": "Encounter/another"}}
    async with sandbox(tmp_path) as (fhir, ledger):
        with pytest.raises(PartnerRefusedMessage):
            await fhir.send(bundle(put(PATIENT), wrong))
    assert list(ledger.resources) == []


# --- against answers that a test writes down ---------------------------------------------------------


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, replies=[DONE], tokens=[granted()]).running() as running:
        yield running


@asynccontextmanager
async def client(partner: Partner, **options: Any) -> AsyncIterator[FhirClient]:
    made = FhirClient(partner.base, partner.context, None, **{"waits": Waits(5, 5, 5, 5, 5), **options})
    try:
        yield made
    finally:
        await made.close()


async def test_a_bundle_of_nothing_is_not_sent(partner: Partner) -> None:
    async with client(partner) as fhir:
        assert await fhir.send(bundle()) == []
    assert partner.asked == []


@pytest.mark.parametrize("url", ["Patient/..", "../Patient/p1", "Patient/p1/_history", "Patient?x=1", ""])
async def test_one_by_one_no_address_but_type_and_id_is_asked(partner: Partner, url: str) -> None:
    entry = {"resource": PATIENT, "request": {"method": "PUT", "url": url}}
    async with client(partner, delivery="each") as fhir:
        with pytest.raises(Exception, match=r"Bundle\.entry\[0\]\.request"):
            await fhir.send(bundle(entry))
    assert partner.asked == []


async def test_an_answer_about_another_resource_is_not_taken(partner: Partner) -> None:
    partner.replies = [answer(200, stored({"status": "200", "location": "Patient/p2/_history/4"}))]
    async with client(partner) as fhir:
        with pytest.raises(AnswerNotUnderstood, match="another resource"):
            await fhir.send(bundle(put(PATIENT)))


@pytest.mark.parametrize("place", ["Patient/p1/_history/4", "https://x.test/fhir/Patient/p1/_history/4"])
async def test_the_version_of_the_location_is_taken_where_there_is_no_etag(
    partner: Partner, place: str
) -> None:
    partner.replies = [answer(200, stored({"status": "201 Created", "location": place}))]
    async with client(partner) as fhir:
        assert await fhir.send(bundle(put(PATIENT))) == [Written("Patient/p1", "4")]


async def test_a_refusal_names_the_entry_as_it_was_given_and_the_code(partner: Partner) -> None:
    issue = {"severity": "error", "code": "business-rule", "expression": ["Bundle.entry[1].resource.x"]}
    warning = {"severity": "warning", "code": "informational", "diagnostics": "Everywoman"}
    outcome = {"resourceType": "OperationOutcome", "issue": [warning, issue]}
    partner.replies = [answer(422, outcome)]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedMessage) as caught:
            await fhir.send(bundle(put(TRACE), put(PATIENT)))
    assert caught.value.location == "Bundle.entry[1]"
    assert (caught.value.status, caught.value.issue) == (422, "business-rule")


@pytest.mark.parametrize("expression", ["Everywoman", ["Everywoman"], ["Bundle.entry[99].x"], [5], None])
@pytest.mark.parametrize("code", ["Everywoman", 5, None])
async def test_nothing_that_a_partner_writes_gets_into_an_error(
    partner: Partner, expression: Any, code: Any
) -> None:
    issue = {"severity": "error", "code": code, "expression": expression, "diagnostics": "Everywoman"}
    partner.replies = [answer(400, {"resourceType": "OperationOutcome", "issue": [issue]})]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedMessage) as caught:
            await fhir.send(bundle(put(PATIENT)))
    assert "Everywoman" not in repr(caught.value.__dict__)
    assert caught.value.location == ""


async def test_no_cookie_is_kept(partner: Partner) -> None:
    partner.replies = [DONE.replace(b" X\r\n", b" X\r\nset-cookie: s=1; Path=/; Secure\r\n", 1)]
    async with client(partner) as fhir:
        for _ in range(2):
            await fhir.send(bundle(put(PATIENT)))
    assert all("cookie" not in asked.headers for asked in partner.asked)


async def test_a_redirect_is_not_followed(partner: Partner) -> None:
    partner.replies = [answer(307, location=f"{partner.base}/elsewhere"), DONE]
    async with client(partner) as fhir:
        with pytest.raises(AnswerNotUnderstood):
            await fhir.send(bundle(put(PATIENT)))
    assert len(partner.asked) == 1


async def test_one_connection_serves_many_deliveries(partner: Partner) -> None:
    async with client(partner) as fhir:
        for _ in range(5):
            await fhir.send(bundle(put(PATIENT)))
    assert len(partner.writers) == 1


async def test_a_new_context_means_a_new_connection(partner: Partner) -> None:
    async with client(partner) as fhir:
        await fhir.send(bundle(put(PATIENT)))
        fhir.reload(partner.context)
        await fhir.send(bundle(put(PATIENT)))
    assert len(partner.writers) == 2


async def test_the_certificate_may_bear_another_name_if_the_profile_says_so(tmp_path: Path) -> None:
    partner = Partner(tmp_path, replies=[DONE])
    partner.own = partner.authority.write(tmp_path, "fhir", sans=["fhir.test"], ip=[])
    async with partner.running(), client(partner, server_name="fhir.test") as fhir:
        assert await fhir.send(bundle(put(PATIENT))) == [Written("Patient/p1", "1")]
        assert partner.asked[0].headers["host"] == f"localhost:{partner.port}"


async def test_an_answer_that_drips_is_given_up_in_the_end() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
    fhir = FhirClient(base, _bare(), None, waits=Waits(answer=0.3))
    with pytest.raises(PartnerUnreachable, match="in time"):
        await fhir.send(bundle(put(PATIENT)))
    await fhir.close()
    server.close()
    await asyncio.sleep(0.1)


def _bare() -> ssl.SSLContext:
    return ssl.create_default_context()


async def test_neither_token_nor_id_nor_content_is_logged(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    partner.replies = [answer(200, b"", "", etag='W/"1"')]
    tokens = partner.source()
    fhir = FhirClient(partner.base, partner.context, tokens, delivery="each")
    await fhir.send(bundle(put({**PATIENT, "id": "secret-id"})))
    await fhir.close()
    await tokens.close()
    said = [
        partner.asked[0].token,
        "secret-id",
        "female",
        partner.asked_for_tokens[0].form["client_assertion"],
    ]
    assert not [word for word in said if word in caplog.text]


async def test_a_token_server_that_refuses_us_holds_the_delivery(partner: Partner) -> None:
    partner.tokens = [answer(401, {"error": "invalid_client"}, "application/json")]
    tokens = partner.source()
    fhir = FhirClient(partner.base, partner.context, tokens)
    with pytest.raises(PartnerRefusedUs, match="invalid_client"):
        await fhir.send(bundle(put(PATIENT)))
    await fhir.close()
    await tokens.close()
    assert partner.asked == []


async def test_a_token_of_the_old_key_is_replaced_in_the_middle_of_each(partner: Partner) -> None:
    def by_token(asked: Asked) -> bytes:
        return answer(401) if asked.token == "token-1" and "Encounter" in asked.path else answer(204, b"", "")

    replies: list[Callable[[Asked], bytes]] = [by_token]
    partner.replies, partner.tokens = [*replies], [granted(300, 1), granted(300, 2)]
    tokens = partner.source()
    fhir = FhirClient(partner.base, partner.context, tokens, delivery="each")
    await fhir.send(bundle(put(PATIENT), put(VISIT)))
    await fhir.close()
    await tokens.close()
    assert [asked.token for asked in partner.asked] == ["token-1", "token-1", "token-2"]
