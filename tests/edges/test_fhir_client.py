"""Delivering to the FHIR side over mutual TLS: what is stored, and what each bad answer becomes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.edges import http_outgoing
from connector.edges.fhir_client import FhirClient, Stored
from connector.edges.oauth_client import TokenSource
from connector.edges.tls import client_context, server_context
from connector.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
    Retry,
    VersionConflict,
)
from connector.fhir import json

from ..pki import Authority
from .partner_site import FHIR_JSON, Partner, answer, files, granted

SECRET = "Everywoman"
PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1", "multipleBirthInteger": 1}
TRANSACTION: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/p1"}},
        {"resource": {"resourceType": "Basic"}, "request": {"method": "POST", "url": "Basic"}},
        {"request": {"method": "DELETE", "url": "Encounter/e1"}},
    ],
}
STORED = {
    "resourceType": "Bundle",
    "type": "transaction-response",
    "entry": [
        {"response": {"status": "200 OK", "etag": 'W/"3"', "lastModified": "2026-11-23T10:00:00Z"}},
        {"response": {"status": "201 Created", "location": "Basic/b7/_history/1"}},
        {"response": {"status": "204"}},
    ],
}


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(
        tmp_path, replies=[answer(200, STORED)], tokens=[granted(300, 1), granted(300, 2)]
    ).running() as running:
        yield running


@asynccontextmanager
async def client(partner: Partner, *, tokens: bool = True, **options: Any) -> AsyncIterator[FhirClient]:
    transport = http_outgoing.transport(partner.context)
    source = TokenSource(partner.credentials(), transport) if tokens else None
    async with FhirClient(partner.base, partner.context, source, **{"timeout": 5.0, **options}) as made:
        yield made
    await transport.aclose()


async def test_a_transaction_says_what_was_stored(partner: Partner) -> None:
    async with client(partner) as fhir:
        stored = await fhir.deliver(TRANSACTION)
    assert stored == [
        Stored("Patient/p1", "3", "2026-11-23T10:00:00Z"),
        Stored("Basic/b7", "1", ""),
        Stored("Encounter/e1", "", ""),
    ]
    [asked] = partner.asked
    assert (asked.method, asked.path) == ("POST", "/fhir")
    assert asked.headers["content-type"] == FHIR_JSON
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.token == "token-1"
    assert json.loads(asked.body) == TRANSACTION


async def test_the_pipeline_gets_versions_by_resource(partner: Partner) -> None:
    async with client(partner) as fhir:
        assert await fhir.send(TRANSACTION) == {"Patient/p1": "3", "Basic/b7": "1", "Encounter/e1": ""}


async def test_mutual_tls_alone_is_possible(partner: Partner) -> None:
    async with client(partner, tokens=False) as fhir:
        await fhir.deliver(TRANSACTION)
    assert "authorization" not in partner.asked[0].headers


async def test_a_put_with_a_version(partner: Partner) -> None:
    partner.replies = [answer(200, b"", "", etag='W/"8"')]
    async with client(partner) as fhir:
        assert await fhir.put(PATIENT, if_match="7") == Stored("Patient/p1", "8", "")
    assert (partner.asked[0].method, partner.asked[0].path) == ("PUT", "/fhir/Patient/p1")
    assert partner.asked[0].headers["if-match"] == 'W/"7"'


async def test_a_put_that_is_answered_with_the_resource(partner: Partner) -> None:
    meta = {"versionId": "2", "lastUpdated": "2026-11-23T10:00:00Z"}
    partner.replies = [answer(201, {**PATIENT, "meta": meta})]
    async with client(partner) as fhir:
        assert await fhir.put(PATIENT) == Stored("Patient/p1", "2", "2026-11-23T10:00:00Z")
    assert "if-match" not in partner.asked[0].headers


@pytest.mark.parametrize("reply", [answer(204, b"", ""), answer(200, b"", ""), answer(404), answer(410)])
async def test_a_delete_of_what_is_gone_is_done(partner: Partner, reply: bytes) -> None:
    partner.replies = [reply]
    async with client(partner) as fhir:
        assert (await fhir.delete("Patient/p1", if_match="7")).location == "Patient/p1"
    assert partner.asked[0].method == "DELETE"
    assert partner.asked[0].headers["if-match"] == 'W/"7"'


async def test_a_read_keeps_decimals_and_tells_the_version(partner: Partner) -> None:
    body = b'{"resourceType":"Patient","id":"p1","meta":{"versionId":"4"},"x":0.40}'
    partner.replies = [answer(200, body)]
    async with client(partner) as fhir:
        resource, stored = await fhir.get("Patient/p1", if_match="4")
    assert resource["x"].as_tuple() == Decimal("0.40").as_tuple()
    assert stored.version == "4"


async def test_a_read_of_another_version_is_a_conflict(partner: Partner) -> None:
    partner.replies = [answer(200, PATIENT, etag='W/"5"')]
    async with client(partner) as fhir:
        with pytest.raises(VersionConflict):
            await fhir.get("Patient/p1", if_match="4")


async def test_a_read_that_gives_another_resource_is_not_taken(partner: Partner) -> None:
    partner.replies = [answer(200, {**PATIENT, "id": "p2"})]
    async with client(partner) as fhir:
        with pytest.raises(AnswerNotUnderstood):
            await fhir.get("Patient/p1")


async def test_a_refused_token_is_replaced_once(partner: Partner) -> None:
    partner.replies = [answer(401), answer(200, STORED)]
    async with client(partner) as fhir:
        await fhir.deliver(TRANSACTION)
    assert [asked.token for asked in partner.asked] == ["token-1", "token-2"]


async def test_a_second_refusal_is_held(partner: Partner) -> None:
    partner.replies = [answer(401)]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedUs) as caught:
            await fhir.deliver(TRANSACTION)
    assert len(partner.asked) == 2
    assert caught.value.answer.retry is Retry.HOLD


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": SECRET}]}
CHUNKED = (
    b'HTTP/1.1 200 X\r\ncontent-type: application/fhir+json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a"'
)
FAULTS: list[tuple[bytes, type[ConnectorError], Retry]] = [
    (answer(400, OUTCOME), PartnerRefusedMessage, Retry.NEVER),
    (answer(404, OUTCOME), PartnerRefusedMessage, Retry.NEVER),
    (answer(410), PartnerRefusedMessage, Retry.NEVER),
    (answer(413), PartnerRefusedMessage, Retry.NEVER),
    (answer(422, OUTCOME), PartnerRefusedMessage, Retry.NEVER),
    (answer(403, OUTCOME), PartnerRefusedUs, Retry.HOLD),
    (answer(409, OUTCOME), PartnerBusy, Retry.LATER),
    (answer(412, OUTCOME), VersionConflict, Retry.NEVER),
    (answer(429), PartnerBusy, Retry.LATER),
    (answer(500, OUTCOME), PartnerBusy, Retry.LATER),
    (answer(503, SECRET.encode(), "text/html"), PartnerBusy, Retry.LATER),
    (answer(302, location="https://evil.test/fhir"), PartnerRefusedUs, Retry.HOLD),
    (answer(308, location="/elsewhere"), PartnerRefusedUs, Retry.HOLD),
    (answer(206, STORED), AnswerNotUnderstood, Retry.LATER),
    (answer(200, b""), AnswerNotUnderstood, Retry.LATER),
    (answer(200, b"{"), AnswerNotUnderstood, Retry.LATER),
    (answer(200, b"[]"), AnswerNotUnderstood, Retry.LATER),
    (answer(200, b'{"a":1,"a":2}'), AnswerNotUnderstood, Retry.LATER),
    (answer(200, b"<html/>", "text/html"), AnswerNotUnderstood, Retry.LATER),
    (answer(200, STORED, "application/fhir+xml"), AnswerNotUnderstood, Retry.LATER),
    (answer(200, OUTCOME), AnswerNotUnderstood, Retry.LATER),
    (answer(200, {**STORED, "type": "batch-response"}), AnswerNotUnderstood, Retry.LATER),
    (answer(200, {**STORED, "entry": STORED["entry"][:2]}), AnswerNotUnderstood, Retry.LATER),
    (answer(200, {**STORED, "entry": [{}, {}, {}]}), AnswerNotUnderstood, Retry.LATER),
    (
        answer(200, {**STORED, "entry": [{"response": {"status": SECRET}}] * 3}),
        AnswerNotUnderstood,
        Retry.LATER,
    ),
    (
        answer(200, {**STORED, "entry": [{"response": {"status": "422 x"}}] * 3}),
        PartnerRefusedMessage,
        Retry.NEVER,
    ),
    (answer(200, {**STORED, "entry": [{"response": {"status": "503"}}] * 3}), PartnerBusy, Retry.LATER),
    (answer(200, {**STORED, "entry": [{"response": {"status": "412"}}] * 3}), VersionConflict, Retry.NEVER),
    (answer(200, STORED, length=5000), AnswerNotUnderstood, Retry.LATER),
    (CHUNKED, AnswerNotUnderstood, Retry.LATER),
    (answer(200, b"x" * 20_000), AnswerNotUnderstood, Retry.LATER),
    (answer(200, gzip.compress(b"{}"), content_encoding="gzip"), AnswerNotUnderstood, Retry.LATER),
    (b"", PartnerUnreachable, Retry.LATER),
    (b"SSH-2.0-x\r\n\r\n", PartnerUnreachable, Retry.LATER),
    (b"HTTP/1.1 200", PartnerUnreachable, Retry.LATER),
]


@pytest.mark.parametrize(("reply", "expected", "retry"), FAULTS)
async def test_each_bad_answer_has_its_class(
    partner: Partner, reply: bytes, expected: type[ConnectorError], retry: Retry
) -> None:
    partner.replies = [reply]
    async with client(partner, answer_limit=10_000) as fhir:
        with pytest.raises(expected) as caught:
            await fhir.deliver(TRANSACTION)
    assert type(caught.value) is expected
    assert caught.value.answer.retry is retry
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0", 0), ("Fri, 15 Jan 2027 08:00:30 GMT", 30), ("Fri, 15 Jan 2027 07:00:00 GMT", 0)]
    + [(text, None) for text in ("", "-5", "soon", "1e9", "99999999999", "999999", "٣")],
)
async def test_the_time_that_the_partner_asks_for_is_kept(
    partner: Partner, text: str, seconds: float | None
) -> None:
    partner.replies = [
        answer(503).replace(b"HTTP/1.1 503 X", b"HTTP/1.1 503 X\r\nretry-after: " + text.encode())
    ]
    async with client(partner, clock=lambda: 1_800_000_000.0) as fhir:
        with pytest.raises(PartnerBusy) as caught:
            await fhir.put(PATIENT)
    assert caught.value.after == seconds


async def test_a_failed_entry_is_named_by_its_place(partner: Partner) -> None:
    entries = [STORED["entry"][0], {"response": {"status": "400"}}, STORED["entry"][2]]
    partner.replies = [answer(200, {**STORED, "entry": entries})]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedMessage, match=r"Bundle.entry\[1\]"):
            await fhir.deliver(TRANSACTION)


async def test_a_silent_partner_is_given_up(partner: Partner) -> None:
    partner.replies = [None]
    async with client(partner, timeout=0.3, tokens=False) as fhir:
        with pytest.raises(PartnerUnreachable):
            await fhir.put(PATIENT)


async def test_a_partner_that_is_not_there(partner: Partner) -> None:
    async with client(partner, tokens=False) as fhir:
        partner.port = 1
    async with FhirClient(partner.base, partner.context) as fhir:
        with pytest.raises(PartnerUnreachable):
            await fhir.put(PATIENT)


async def test_a_server_of_another_authority_gets_nothing(partner: Partner, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    stranger = client_context(files(Authority("Other CA").write(folder, "connector")))
    async with FhirClient(partner.base, stranger) as fhir:
        with pytest.raises(PartnerRefusedUs):
            await fhir.put(PATIENT)
    assert partner.asked == []


def _refusing(listening: socket.socket, partner: Partner) -> None:
    """One handshake of a server whose library sends the alert that says why (asyncio only hangs up)."""
    connection, _ = listening.accept()
    with contextlib.suppress(ssl.SSLError):
        server_context(files(partner.own)).wrap_socket(connection, server_side=True).close()
    connection.close()


async def test_a_partner_that_does_not_know_our_certificate_refuses_us(
    partner: Partner, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    ours = Authority("Other CA").write(folder, "connector")
    ours.trust.write_bytes(partner.authority.pem)
    ours.crl.write_bytes(partner.authority.crl())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base = f"https://localhost:{listening.getsockname()[1]}/fhir"
        refusing = asyncio.create_task(asyncio.to_thread(_refusing, listening, partner))
        async with FhirClient(base, client_context(files(ours))) as fhir:
            with pytest.raises(PartnerRefusedUs):
                await fhir.put(PATIENT)
        await refusing


async def test_a_certificate_for_another_name_gets_nothing(tmp_path: Path) -> None:
    partner = Partner(tmp_path, replies=[answer(204)])
    partner.own = partner.authority.write(tmp_path, "fhir", sans=["elsewhere.test"], ip=[])
    async with partner.running(), client(partner, tokens=False) as fhir:
        with pytest.raises(PartnerRefusedUs):
            await fhir.put(PATIENT)
    assert partner.asked == []


async def test_a_proxy_in_the_environment_is_not_used(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    async with client(partner) as fhir:
        await fhir.deliver(TRANSACTION)


async def test_a_context_that_verifies_nobody_is_refused(partner: Partner) -> None:
    context = partner.context
    context.check_hostname = False
    with pytest.raises(ConfigurationError):
        FhirClient(partner.base, context)


@pytest.mark.parametrize(
    "base", ["http://localhost/fhir", "localhost", "https://user:pass@localhost/fhir", ""]
)
async def test_the_address_must_be_https(partner: Partner, base: str) -> None:
    with pytest.raises(ConfigurationError):
        FhirClient(base, partner.context)
