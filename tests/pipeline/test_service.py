"""The whole service in this process, over real TLS: who gets in, what is answered, and what is audited."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from connector import settings
from connector.app import Service
from connector.demo import tls, tokens
from connector.demo.certificates import Authority
from connector.demo.messages import Answer, frame, read_answer
from connector.demo.site import Ports, Site, make_site
from connector.wiring import open_store
from tests.ports import free_ports
from tests.store.site import rows

from .room import SECRET, adt, patient

FHIR = "application/fhir+json"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose service runs; its partners do not."""
    made = make_site(tmp_path / "site", Ports(*free_ports(4)))
    made.config.write_text(made.config.read_text().replace("[mllp]", "[mllp]\nframe_bytes = 1048576"))
    async with running(made):
        yield made


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Service]:
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        yield service
    finally:
        assert await service.stop()


def client(site: Site, holder: str = "analyst", scope: str | None = "system/*.cruds") -> httpx2.AsyncClient:
    headers = {"Content-Type": FHIR}
    if scope is not None:
        headers["Authorization"] = f"Bearer {tokens.connector_token(site.folder, holder, scope)}"
    context = tls.client_context(site.folder, holder)
    return httpx2.AsyncClient(verify=context, base_url=site.connector_url, headers=headers, timeout=10)


def audited(site: Site, tag: str) -> list[dict[str, Any]]:
    entries = [
        json.loads(entry) for (entry,) in rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")
    ]
    return [entry for entry in entries if entry["tag"] == tag]


async def until_audited(site: Site, tag: str) -> dict[str, Any]:
    for _ in range(200):
        if found := audited(site, tag):
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError(f"{tag} is not in the audit trail")


def expressions(answer: httpx2.Response) -> list[str]:
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert SECRET not in answer.text
    return [one for issue in outcome["issue"] for one in issue.get("expression", [])]


# --- FHIR comes in -----------------------------------------------------------------------------------


async def test_a_change_is_accepted_and_waits_for_its_delivery(site: Site) -> None:
    async with client(site) as asking:
        answer = await asking.put("/fhir/Patient/p1", json=patient())
        assert answer.status_code == 202
        again = await asking.put("/fhir/Patient/p1", json=patient())
        assert again.status_code == 202
    entry = await until_audited(site, "message:fhir:received")
    assert entry["actor"]["client"] == "analyst"
    assert SECRET not in json.dumps(entry)


@pytest.mark.parametrize(
    ("scope", "status", "tag"),
    [
        (None, 401, "access:token:refused"),
        ("system/Patient.r", 403, "access:scope:refused"),
        ("system/Observation.cruds", 403, "access:scope:refused"),
    ],
)
async def test_who_may_not_is_turned_away_and_audited(
    site: Site, scope: str | None, status: int, tag: str
) -> None:
    async with client(site, scope=scope) as asking:
        answer = await asking.put("/fhir/Patient/p1", json=patient())
    assert answer.status_code == status
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    expressions(answer)
    assert (await until_audited(site, tag))["outcome"] == "refused"
    assert rows(site.folder, "SELECT count(*) FROM inbox") == [(0,)]


async def test_a_token_of_somebody_else_is_not_taken(site: Site) -> None:
    """The token is bound to the certificate of its holder."""
    stolen = tokens.connector_token(site.folder, "fhir", "system/*.cruds")
    async with client(site, "analyst", scope=None) as asking:
        answer = await asking.put(
            "/fhir/Patient/p1", json=patient(), headers={"Authorization": f"Bearer {stolen}"}
        )
    assert answer.status_code == 401
    await until_audited(site, "access:token:refused")


async def test_a_certificate_that_the_profile_does_not_name_may_not_speak(site: Site) -> None:
    async with client(site, "hospital") as asking:
        answer = await asking.put("/fhir/Patient/p1", json=patient())
    assert answer.status_code in (401, 403)
    assert audited(site, "access:token:refused") or audited(site, "access:scope:refused")


async def test_a_revoked_certificate_gets_no_further_than_the_handshake(site: Site) -> None:
    with pytest.raises(httpx2.HTTPError):
        async with client(site, "revoked") as asking:
            await asking.get("/fhir/metadata")
    entry = await until_audited(site, "tls:handshake:refused")
    assert entry["object"]["listener"] == "https"
    assert "revoked" in entry["reason"]


@pytest.mark.parametrize(
    ("body", "status", "expression"),
    [
        (json.dumps(patient(birthDate="never")), 422, "Patient.birthDate"),
        (json.dumps(patient(gender=SECRET)), 422, "Patient.gender"),
        (json.dumps(patient(name=SECRET)), 422, "Patient.name"),
        (json.dumps({**patient(), "id": "p2"}), 422, "Patient.id"),
        ('{"resourceType": "Patient", "id": "p1", ', 400, "http.body"),
        ("[]", 422, "http.body"),
    ],
)
async def test_what_is_not_valid_is_refused_with_the_place_of_the_fault(
    site: Site, body: str, status: int, expression: str
) -> None:
    async with client(site) as asking:
        answer = await asking.put("/fhir/Patient/p1", content=body)
    assert (answer.status_code, expressions(answer)) == (status, [expression])
    await until_audited(site, "message:fhir:refused")
    assert rows(site.folder, "SELECT count(*) FROM inbox") == [(0,)]


async def test_what_no_message_can_say_is_refused_at_once(site: Site) -> None:
    content = {"resourceType": "Basic", "id": "b1", "code": {"text": SECRET}}
    async with client(site) as asking:
        answer = await asking.put("/fhir/Basic/b1", json=content)
    assert (answer.status_code, expressions(answer)) == (422, ["Basic"])


async def test_everybody_with_a_certificate_may_read_what_is_offered(site: Site) -> None:
    async with client(site, scope=None) as asking:
        answer = await asking.get("/fhir/metadata")
    assert answer.json()["resourceType"] == "CapabilityStatement"


# --- readiness ---------------------------------------------------------------------------------------


async def test_a_lane_that_is_held_makes_the_service_not_ready(site: Site) -> None:
    async with client(site, scope=None) as asking:
        assert (await asking.get("/health/ready")).status_code == 200
        with impostor(site.folder) as context:
            server = await asyncio.start_server(
                lambda reader, writer: writer.close(), "127.0.0.1", site.ports.sandbox, ssl=context
            )
            assert (await send(site, adt())).code == "AA"
            answer = await held(asking)
            server.close()
            await server.wait_closed()
    assert answer.json()["parts"]["demo to_fhir"] == "PartnerRefusedUs"
    assert answer.json()["parts"]["demo to_v2"] is True


async def held(asking: httpx2.AsyncClient) -> httpx2.Response:
    for _ in range(200):
        answer = await asking.get("/health/ready")
        if answer.status_code == 503:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("the lane is not held")


@contextmanager
def impostor(folder: Path) -> Iterator[ssl.SSLContext]:
    """Somebody at the partner's address whose certificate is of another authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other = folder / "other"
    other.mkdir()
    Authority(other, dt.datetime.now(dt.UTC)).issue("fhir")
    context.load_cert_chain(other / "fhir.pem", other / "fhir.key")
    yield context


# --- v2 comes in -------------------------------------------------------------------------------------


@asynccontextmanager
async def conversation(
    site: Site, holder: str = "hospital"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        site.ports.mllp,
        ssl=tls.client_context(site.folder, holder),
        server_hostname="localhost",
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send(site: Site, message: str) -> Answer:
    async with conversation(site) as (reader, writer):
        writer.write(frame(message.encode()))
        return await answered(reader)


async def answered(reader: asyncio.StreamReader) -> Answer:
    answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 20)
    return read_answer(answer[1:-2])


async def test_a_certificate_that_no_profile_names_gets_no_answer(site: Site) -> None:
    async with conversation(site, "analyst") as (reader, writer):
        writer.write(frame(adt().encode()))
        assert await asyncio.wait_for(reader.read(), 10) == b""
    entry = await until_audited(site, "tls:peer:refused")
    assert entry["actor"]["certificate"].startswith("sha256:")


async def test_too_large_a_frame_is_refused_by_its_control_id_while_memory_stays_flat(site: Site) -> None:
    process, chunk = psutil.Process(), b"x" * 65536
    async with conversation(site) as (reader, writer):
        writer.write(b"\x0b" + adt(more=["NTE|1||"]).encode()[:-1])
        before = process.memory_info().rss
        for _ in range(1024):  # 64 MiB
            writer.write(chunk)
            await writer.drain()
        assert process.memory_info().rss - before < 16 * 1024 * 1024
        answer = await answered(reader)
        assert (answer.code, answer.acknowledges) == ("AR", "C1")
        assert answer.errors[0].startswith("207")
        writer.write(b"\r\x1c\r" + frame(adt(identity="C2").encode()))
        answer = await answered(reader)
        assert (answer.code, answer.acknowledges) == ("AA", "C2")
    assert len(audited(site, "message:v2:refused")) == 1


async def test_messages_on_many_connections_are_answered_each_to_its_sender(site: Site) -> None:
    async def one(number: int) -> Answer:
        return await send(site, adt(identity=f"C{number}"))

    answers = await asyncio.gather(*(one(n) for n in range(16)))
    assert [(one.code, one.acknowledges) for one in answers] == [("AA", f"C{n}") for n in range(16)]


# --- the end -----------------------------------------------------------------------------------------


async def test_a_partner_that_never_answers_does_not_keep_the_service_from_ending(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", Ports(*free_ports(4)))
    site.config.write_text(site.config.read_text().replace("drain_seconds = 5.0", "drain_seconds = 0.5"))
    context = tls.server_context(site.folder, "fhir")
    silent = await asyncio.start_server(_silence, "127.0.0.1", site.ports.sandbox, ssl=context)
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    assert (await send(site, adt())).code == "AA"
    await until_audited(site, "delivery:fhir:intended")
    started = asyncio.get_running_loop().time()
    assert not await service.stop()
    assert asyncio.get_running_loop().time() - started < 5
    silent.close()
    (stopped,) = audited(site, "service:stopped")
    assert stopped["object"]["drained"] is False
    assert rows(site.folder, "SELECT delivery FROM outbox") == [("sending",)]


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.transport.abort()
