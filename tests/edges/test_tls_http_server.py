"""uvicorn behind our acceptor, over real TLS on loopback."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.edges.acceptor import listen
from connector.edges.http_server import HttpServer, serve_http
from tests.mllp.loopback import Site, connected, until
from tests.pki import serial_of

REQUEST = b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the peer's subject, the length of the body, slowly, or not at all."""
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/never":
        await asyncio.Event().wait()
    if scope["path"] == "/fail":
        raise ValueError("Smith")
    if scope["path"] == "/huge":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(500):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    body = f"{scope['state']['peer'].subject} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(site: Site, **options: Any) -> AsyncIterator[HttpServer]:
    server = serve_http(app, listen("127.0.0.1", 0), site.server_context(), **options)
    await server.start()
    try:
        yield server
    finally:
        await server.close(grace=0.2)


@asynccontextmanager
async def browsing(
    site: Site, server: HttpServer, context: ssl.SSLContext | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    base = f"https://localhost:{server.address[1]}"
    async with httpx2.AsyncClient(base_url=base, verify=context or site.client_context()) as client:
        yield client


async def test_the_application_learns_who_the_peer_is(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        assert (await client.get("/who")).text == "CN=client 0"


async def test_two_peers_at_once_are_not_mixed_up(site: Site) -> None:
    async with (
        serving(site) as server,
        browsing(site, server) as one,
        browsing(site, server, site.client_context("other")) as two,
    ):
        for _ in range(3):
            first, second = await asyncio.gather(one.get("/slow"), two.get("/slow"))
            assert (first.text, second.text) == ("CN=client 0", "CN=other 0")


async def test_answers_say_the_date_and_not_the_server(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        headers = (await client.get("/who")).headers
        assert headers["date"].endswith("GMT")
        assert "server" not in headers


async def test_a_large_body_arrives_whole(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        assert (await client.post("/who", content=b"x" * 3_000_000)).text == "CN=client 3000000"


async def test_one_connection_serves_many_requests(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        for _ in range(5):
            await client.get("/who")
        assert server.connections == 1


async def test_a_revoked_peer_is_refused_and_told_of(site: Site) -> None:
    refused: list[str] = []
    context = site.client_context("lost")
    serial = serial_of((site.folder / "lost.pem").read_bytes())
    (site.folder / "crl.pem").write_bytes(site.ca.crl([serial]))
    async with (
        serving(site, on_refused=lambda reason, *_: refused.append(reason)) as server,
        browsing(site, server, context) as client,
    ):
        with pytest.raises(httpx2.TransportError):
            await client.get("/who")
        await until(lambda: refused == ["certificate: certificate revoked"])


async def test_a_failure_of_the_application_is_a_500_and_its_text_reaches_no_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(site) as server, browsing(site, server) as client:
        assert (await client.get("/fail")).status_code == 500
    assert "Smith" not in caplog.text
    assert "ValueError at test_tls_http_server.py:" in caplog.text


async def test_closing_finishes_the_request_in_hand(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        asked = asyncio.create_task(client.get("/slow"))
        await asyncio.sleep(0.15)
        await server.close(grace=5)
        assert (await asked).text == "CN=client 0"
        assert server.connections == 0


async def test_closing_ends_idle_connections_without_waiting_for_the_grace(site: Site) -> None:
    async with serving(site) as server, browsing(site, server) as client:
        await client.get("/who")
        began = time.monotonic()
        await server.close(grace=20)
        assert time.monotonic() - began < 4  # an idle peer may not answer our TLS goodbye
        assert server.connections == 0


async def test_a_request_that_outlasts_the_grace_is_cut(site: Site) -> None:
    async with serving(site) as server, connected(site, server.address[1]) as (reader, writer):
        writer.write(REQUEST.replace(b"/who", b"/never"))
        await asyncio.sleep(0.1)
        await server.close(grace=0.1)
        assert server.connections == 0
        assert b"200 OK" not in await reader.read()


async def test_a_peer_that_never_asks_is_closed(site: Site) -> None:
    async with (
        serving(site, request_timeout=0.2) as server,
        connected(site, server.address[1]) as (reader, _),
    ):
        assert await asyncio.wait_for(reader.read(), 3) == b""


@pytest.mark.parametrize(
    "start", [b"GET /who HT", b"POST /who HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\nx"]
)
async def test_a_request_that_drips_is_cut(site: Site, start: bytes) -> None:
    async with (
        serving(site, request_timeout=0.3) as server,
        connected(site, server.address[1]) as (_, writer),
    ):
        writer.write(start)
        began = time.monotonic()
        await until(lambda: server.connections == 1)
        while server.connections:
            writer.write(b"x")
            await asyncio.sleep(0.02)
            assert time.monotonic() - began < 3


async def test_a_second_request_that_drips_is_cut_too(site: Site) -> None:
    async with (
        serving(site, request_timeout=0.3) as server,
        connected(site, server.address[1]) as (reader, writer),
    ):
        writer.write(REQUEST)
        await reader.readuntil(b"CN=client 0")
        writer.write(b"GET /who HT")
        assert b"200" not in await asyncio.wait_for(reader.read(), 3)


async def test_a_slow_application_is_not_a_slow_request(site: Site) -> None:
    async with serving(site, request_timeout=0.1) as server, browsing(site, server) as client:
        assert (await client.get("/slow")).status_code == 200


async def test_a_peer_that_does_not_read_its_answer_is_cut(site: Site) -> None:
    async with (
        serving(site, request_timeout=0.3) as server,
        connected(site, server.address[1]) as (_, writer),
    ):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(REQUEST.replace(b"/who", b"/huge"))
        await until(lambda: server.connections == 1)
        await until(lambda: server.connections == 0)


async def test_an_idle_connection_is_closed(site: Site) -> None:
    async with (
        serving(site, keep_alive=1) as server,
        connected(site, server.address[1]) as (reader, writer),
    ):
        writer.write(REQUEST)
        await reader.readuntil(b"0\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 3) == b""


async def test_more_connections_than_the_limit_are_refused(site: Site) -> None:
    async with serving(site, limit=1) as server, connected(site, server.address[1]) as (reader, writer):
        writer.write(REQUEST)
        await reader.readuntil(b"CN=client 0")
        with pytest.raises((OSError, EOFError)):
            async with connected(site, server.address[1]) as (second, _):
                await second.readexactly(1)


async def test_what_is_no_http_is_a_400(site: Site) -> None:
    async with serving(site) as server, connected(site, server.address[1]) as (reader, writer):
        writer.write(b"\x0bMSH|^~\\&\r\n\r\n")
        assert b" 400 " in await asyncio.wait_for(reader.read(), 3)
