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

from connector.edges.fhir_client import FhirClient
from connector.edges.http_exchange import Waits
from connector.edges.tls import client_context, server_context
from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    PartnerBusy,
    PartnerChangedIt,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
    Retry,
    UnsupportedInteraction,
)
from connector.fhir import json
from connector.pipeline.ports import Written

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
    source = partner.source() if tokens else None
    made = FhirClient(partner.base, partner.context, source, **{"waits": Waits(5, 5, 5, 5, 5), **options})
    yield made
    await made.close()
    if source is not None:
        await source.close()


async def test_a_transaction_is_sent_as_it_is_and_its_versions_come_back(partner: Partner) -> None:
    async with client(partner) as fhir:
        outcomes = await fhir.send(TRANSACTION)
    assert outcomes == [Written("Patient/p1", "3"), Written("Basic/b7", "1"), Written("Encounter/e1")]
    [asked] = partner.asked
    assert (asked.method, asked.path) == ("POST", "/fhir")
    assert asked.headers["content-type"] == FHIR_JSON
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.token == "token-1"
    assert json.loads(asked.body) == TRANSACTION


async def test_decimals_keep_their_digits_on_the_wire(partner: Partner) -> None:
    resource = {"resourceType": "Basic", "id": "b", "x": Decimal("0.40")}
    entry = {"resource": resource, "request": {"method": "PUT", "url": "Basic/b"}}
    partner.replies = [answer(200, {**STORED, "entry": STORED["entry"][2:]})]
    async with client(partner) as fhir:
        await fhir.send({**TRANSACTION, "entry": [entry]})
    assert b'"x":0.40' in partner.asked[0].body


EACH = {**TRANSACTION, "entry": [TRANSACTION["entry"][0], TRANSACTION["entry"][2]]}


async def test_entries_can_go_one_by_one(partner: Partner) -> None:
    partner.replies = [answer(200, b"", "", etag='W/"8"'), answer(404)]  # deleted before is deleted
    async with client(partner, delivery="each") as fhir:
        assert await fhir.send(EACH) == [Written("Patient/p1", "8"), Written("Encounter/e1")]
    assert [(one.method, one.path) for one in partner.asked] == [
        ("PUT", "/fhir/Patient/p1"),
        ("DELETE", "/fhir/Encounter/e1"),
    ]


async def test_a_version_goes_along_one_by_one(partner: Partner) -> None:
    partner.replies = [answer(200, b"", "", etag='W/"8"')]
    request = {"method": "PUT", "url": "Patient/p1", "ifMatch": 'W/"7"'}
    async with client(partner, delivery="each") as fhir:
        await fhir.send({**EACH, "entry": [{"resource": PATIENT, "request": request}]})
    assert partner.asked[0].headers["if-match"] == 'W/"7"'


async def test_a_create_cannot_go_by_itself(partner: Partner) -> None:
    async with client(partner, delivery="each") as fhir:
        with pytest.raises(UnsupportedInteraction):
            await fhir.send(TRANSACTION)
    assert partner.asked == []


async def test_mutual_tls_alone_is_possible(partner: Partner) -> None:
    async with client(partner, tokens=False) as fhir:
        await fhir.send(TRANSACTION)
    assert "authorization" not in partner.asked[0].headers


async def test_a_refused_token_is_replaced_once(partner: Partner) -> None:
    partner.replies = [answer(401), answer(200, STORED)]
    async with client(partner) as fhir:
        await fhir.send(TRANSACTION)
    assert [asked.token for asked in partner.asked] == ["token-1", "token-2"]


async def test_a_second_refusal_is_held(partner: Partner) -> None:
    partner.replies = [answer(401)]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedUs) as caught:
            await fhir.send(TRANSACTION)
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
    (answer(409, OUTCOME), PartnerChangedIt, Retry.LATER),
    (answer(412, OUTCOME), PartnerChangedIt, Retry.LATER),
    (answer(429), PartnerBusy, Retry.LATER),
    (answer(500, OUTCOME), PartnerBusy, Retry.LATER),
    (answer(503, SECRET.encode(), "text/html"), PartnerBusy, Retry.LATER),
    (answer(302, location="https://evil.test/fhir"), AnswerNotUnderstood, Retry.LATER),
    (answer(308, location="/elsewhere"), AnswerNotUnderstood, Retry.LATER),
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
    (answer(200, {**STORED, "entry": [{"response": {"status": "412"}}] * 3}), PartnerChangedIt, Retry.LATER),
    (answer(200, STORED, length=5000), AnswerNotUnderstood, Retry.LATER),
    (CHUNKED, AnswerNotUnderstood, Retry.LATER),
    (answer(200, b"x" * 20_000), AnswerNotUnderstood, Retry.LATER),
    (answer(200, gzip.compress(b"{}"), content_encoding="gzip"), AnswerNotUnderstood, Retry.LATER),
    (b"", PartnerUnreachable, Retry.LATER),
    (b"SSH-2.0-x\r\n\r\n", AnswerNotUnderstood, Retry.LATER),
    (b"HTTP/1.1 200", PartnerUnreachable, Retry.LATER),
]


@pytest.mark.parametrize(("reply", "expected", "retry"), FAULTS)
async def test_each_bad_answer_has_its_class(
    partner: Partner, reply: bytes, expected: type[ConnectorError], retry: Retry
) -> None:
    partner.replies = [reply]
    async with client(partner, answer_limit=10_000) as fhir:
        with pytest.raises(expected) as caught:
            await fhir.send(TRANSACTION)
    assert type(caught.value) is expected
    assert caught.value.answer.retry is retry
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0", 0), ("Fri, 15 Jan 2016 07:00:00 GMT", 0), ("999999", 3600)]
    + [(text, None) for text in ("", "-5", "soon", "1e9")],
)
async def test_the_time_that_the_partner_asks_for_is_kept(
    partner: Partner, text: str, seconds: float | None
) -> None:
    head = b"HTTP/1.1 503 X"
    partner.replies = [answer(503).replace(head, head + b"\r\nretry-after: " + text.encode())]
    async with client(partner) as fhir:
        with pytest.raises(PartnerBusy) as caught:
            await fhir.send(TRANSACTION)
    assert caught.value.after == seconds


async def test_a_header_that_is_not_ascii_is_passed_over(partner: Partner) -> None:
    head = b"HTTP/1.1 200 X"
    partner.replies = [answer(200, STORED).replace(head, head + b"\r\netag: \xd9\xa3")]
    async with client(partner) as fhir:
        await fhir.send(TRANSACTION)


async def test_a_failed_entry_is_named_by_its_place(partner: Partner) -> None:
    entries = [STORED["entry"][0], {"response": {"status": "400"}}, STORED["entry"][2]]
    partner.replies = [answer(200, {**STORED, "entry": entries})]
    async with client(partner) as fhir:
        with pytest.raises(PartnerRefusedMessage, match=r"Bundle.entry\[1\]"):
            await fhir.send(TRANSACTION)


async def test_a_silent_partner_is_given_up_and_tried_again(partner: Partner) -> None:
    partner.replies = [None]
    async with client(partner, waits=Waits(answer=0.3), tokens=False) as fhir:
        with pytest.raises(PartnerUnreachable):
            await fhir.send(TRANSACTION)


async def test_a_partner_that_is_not_there(partner: Partner) -> None:
    partner.port = 1
    async with client(partner, tokens=False) as fhir:
        with pytest.raises(PartnerUnreachable):
            await fhir.send(TRANSACTION)


async def test_a_server_of_another_authority_gets_nothing(partner: Partner, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    fhir = FhirClient(
        partner.base, client_context(files(Authority("Other CA").write(folder, "connector"))), None
    )
    with pytest.raises(PartnerRefusedUs):
        await fhir.send(TRANSACTION)
    await fhir.close()
    assert partner.asked == []


def _refusing(listening: socket.socket, partner: Partner) -> None:
    """One handshake of a server whose library sends the alert that says why (asyncio only hangs up)."""
    connection, _ = listening.accept()
    context = server_context(files(partner.own))
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as refused:
        with contextlib.suppress(ssl.SSLError):
            refused.do_handshake()
        while socket.socket.recv(refused, 65_536):  # unread bytes would reset the alert away
            pass


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
        fhir = FhirClient(base, client_context(files(ours)), None)
        with pytest.raises(PartnerRefusedUs):
            await fhir.send(TRANSACTION)
        await fhir.close()
        await refusing


async def test_a_certificate_for_another_name_gets_nothing(tmp_path: Path) -> None:
    partner = Partner(tmp_path, replies=[answer(204)])
    partner.own = partner.authority.write(tmp_path, "fhir", sans=["elsewhere.test"], ip=[])
    async with partner.running(), client(partner, tokens=False) as fhir:
        with pytest.raises(PartnerRefusedUs):
            await fhir.send(TRANSACTION)
    assert partner.asked == []


async def test_a_proxy_in_the_environment_is_not_used(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    async with client(partner) as fhir:
        await fhir.send(TRANSACTION)
