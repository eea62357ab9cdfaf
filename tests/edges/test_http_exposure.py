"""What the HTTPS listener shows and takes: limits of a head, and headers of security on every answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.edges.http_answers import SECURITY
from connector.edges.http_api import Limits
from connector.edges.http_head import HeadLimits
from connector.edges.http_intake import Bounds
from connector.edges.http_pace import Pace
from connector.errors import StoreUnavailable
from connector.pipeline.quotas import Bucket
from tests.mllp.loopback import until

from .exposed_site import BODY, Exposed, Options, exposed
from .http_site import TRANSACTION, Site, changed
from .oauth_site import token
from .operator_site import operating

HEAD = HeadLimits(size=2000, fields=12, url=200, seconds=0.3)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Exposed]:
    async with exposed(tmp_path, Options(HEAD)) as found:
        yield found


# --- limits -------------------------------------------------------------------------------------------


async def test_a_head_within_the_limits_is_taken(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.post(f"X-Filler: {'x' * 500}")
        assert (await wire.answer()).status == 202
    assert site.refused == []


@pytest.mark.parametrize("size", [1500, 20_000, 300_000])
async def test_a_head_of_too_many_bytes_is_431(site: Exposed, size: int) -> None:
    async with site.wire() as wire:
        wire.post(f"X-Filler: {'x' * size}")
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (431, "too-long")
        assert answer.headers["connection"] == "close"
    assert site.refused == ["HeadTooLarge"]
    assert site.notebook.taken == []


async def test_too_many_header_fields_are_431(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.post(*(f"X-{number}: x" for number in range(10)))
        assert (await wire.answer()).status == 431
    assert site.refused == ["HeadTooLarge"]


async def test_an_address_that_is_too_long_is_414(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.post(path=f"/fhir/Patient?x={'x' * 200}")
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (414, "too-long")
    assert site.refused == ["AddressTooLong"]


async def test_a_head_that_drips_is_408_however_often_a_byte_comes(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.send(b"POST /fhir/Patient HTTP/1.1\r\nHost: connector.test\r\nX-Slow: ")
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (408, "timeout")
        assert await wire.reader.read() == b""
    assert site.refused == ["HeadIncomplete"]


async def test_the_head_of_a_second_request_has_the_same_time(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.post()
        assert (await wire.answer()).status == 202
        wire.send(b"POST /fhir/Pat")
        assert (await wire.answer()).status == 408


async def test_what_is_no_http_is_400_and_told(site: Exposed) -> None:
    async with site.wire() as wire:
        wire.send(b"\x0bMSH|^~\\&|Everywoman\r\n\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (400, "structure")
        assert b"Everywoman" not in answer.body
    assert site.refused == ["RequestError"]


async def test_a_body_that_breaks_the_framing_takes_nothing(site: Exposed) -> None:
    async with site.wire() as wire:
        head = ["POST /fhir/Patient HTTP/1.1", "Host: a", "Content-Type: application/fhir+json"]
        head += [f"Authorization: Bearer {token()}", "Transfer-Encoding: chunked", "", "zz\r\n"]
        wire.send("\r\n".join(head).encode())
        assert b" 200 " not in await wire.reader.read()
    await until(lambda: site.refused == ["BodyIncomplete"])
    assert site.notebook.taken == []


async def test_where_a_refusal_cannot_be_recorded_that_is_the_answer(site: Exposed) -> None:
    site.notebook.deaf = StoreUnavailable("the store refuses")
    async with site.wire() as wire:
        wire.post(path=f"/fhir/Patient?x={'x' * 200}")
        assert (await wire.answer()).status == 503


async def test_nesting_over_the_limit_is_refused(tmp_path: Path) -> None:
    options = Options(app={"limits": Limits(bounds=Bounds(nesting=8))})
    async with exposed(tmp_path, options) as site, site.wire() as wire:
        deep: Any = {"url": "urn:a", "valueString": "x"}
        for _ in range(8):
            deep = {"url": "urn:a", "extension": [deep]}
        wire.post(body=json.dumps({"resourceType": "Patient", "extension": [deep]}).encode())
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (400, "structure")
        assert "more than 8 levels" in answer.issue["diagnostics"]
    assert site.refused == ["InvalidJson"]


async def test_more_entries_than_the_limit_are_refused(tmp_path: Path) -> None:
    options = Options(app={"limits": Limits(bounds=Bounds(entries=2))})
    async with exposed(tmp_path, options) as site, site.wire() as wire:
        entries = [*TRANSACTION["entry"][2:]] * 2
        wire.post(path="/fhir", body=json.dumps(changed(TRANSACTION, "entry", to=entries)).encode())
        assert (await wire.answer()).status == 200
        wire.post(path="/fhir", body=json.dumps(changed(TRANSACTION, "entry", to=entries * 2)).encode())
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (413, "too-costly")
    assert site.refused == ["TooManyEntries"]


async def test_requests_over_the_rate_of_a_partner_are_429_and_come_again_later(tmp_path: Path) -> None:
    now = [0.0]
    pace = Pace({"fhir-side": Bucket(0.5, 2, 0.0)}, lambda: now[0])
    async with exposed(tmp_path, Options(app={"pace": pace})) as site, site.wire() as wire:
        statuses = []
        for _ in range(3):
            wire.post()
            answer = await wire.answer()
            statuses.append(answer.status)
        assert statuses == [202, 202, 429]
        assert (answer.issue["code"], answer.headers["retry-after"]) == ("throttled", "2")
        now[0] += 2.0
        wire.post()
        assert (await wire.answer()).status == 202
    assert site.refused == ["TooManyRequests"]


# --- what every answer shows --------------------------------------------------------------------------


def is_guarded(headers: Any) -> bool:
    """All headers of security, no banner."""
    return all(headers.get(name) == value for name, value in SECURITY.items()) and "server" not in headers


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /health/live HTTP/1.1", 200),
        ("GET /health/ready HTTP/1.1", 200),
        ("GET /fhir/metadata HTTP/1.1", 200),
        ("GET /nowhere HTTP/1.1", 404),
        ("DELETE /fhir HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 404),
        ("TRACE /fhir HTTP/1.1", 405),
        ("POST /fhir HTTP/1.1", 401),
        (f"GET /{'x' * 300} HTTP/1.1", 414),
        ("GET /\x01 HTTP/1.1", 400),
    ],
)
async def test_every_answer_has_the_headers_of_security_and_no_banner(
    site: Exposed, line: str, status: int
) -> None:
    async with site.wire() as wire:
        wire.send(f"{line}\r\nHost: connector.test\r\n\r\n".encode())
        answer = await wire.answer()
    assert answer.status == status
    assert is_guarded(answer.headers)


async def test_an_answer_of_a_failure_has_them_too(tmp_path: Path) -> None:
    def broken(client: str) -> None:
        raise ZeroDivisionError

    async with exposed(tmp_path, Options(app={"pace": broken})) as site, site.wire() as wire:
        wire.post()
        answer = await wire.answer()
    assert answer.status == 500
    assert is_guarded(answer.headers)


@pytest.mark.parametrize("token", [None, ""])
async def test_every_answer_to_operators_has_them(tmp_path: Path, token: str | None) -> None:
    async with operating(tmp_path) as site, site.client(token) as client:
        for path in ("/lanes", "/messages/0", "/nowhere"):
            assert is_guarded((await client.get(path)).headers)


# --- who is not known is not listened to --------------------------------------------------------------


async def test_the_body_of_who_is_not_known_is_never_asked_for(tmp_path: Path) -> None:
    app = Site(tmp_path).app()
    for path, extra in (("/fhir", []), ("/fhir/Patient", []), ("/fhir/Patient", [(b"authorization", b"x")])):
        sent: list[Any] = []

        async def receive() -> Any:
            raise AssertionError("the body was asked for")

        async def send(message: Any) -> None:
            sent.append(message)  # noqa: B023

        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": ""}
        headers = [(b"content-type", b"application/fhir+json"), (b"content-length", b"36"), *extra]
        await app({**scope, "query_string": b"", "headers": headers, "state": {}}, receive, send)
        assert sent[0]["status"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Encoding: gzip",),
        ("Content-Encoding: br",),
        ("Content-Type: application/fhir+xml",),
        ("Content-Type: text/xml",),
    ],
)
async def test_what_is_packed_or_xml_is_415_and_not_read(site: Exposed, headers: tuple[str, ...]) -> None:
    async with site.wire() as wire:
        wire.post(*headers, body=b"")
        answer = await wire.answer()
        assert (answer.status, answer.issue["code"]) == (415, "not-supported")
    assert site.refused == ["UnsupportedContent"]
    assert BODY not in answer.body
