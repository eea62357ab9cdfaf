"""The HTTP edge on a socket: nobody's body is read before it is known who sends it, and none without end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from connector.edges.http_api import Limits
from connector.errors import BodyIncomplete, BodyTooLarge, Unauthenticated

from .http_site import FHIR, Site
from .oauth_site import token

LIMITS = Limits(body=1000, body_seconds=0.3)
BODY = b'{"resourceType":"Patient","id":"p1"}'


@dataclass
class Wire:
    """One connection to the server, as bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self, *lines: str, authorised: bool = True) -> None:
        sent = ["POST /fhir/Patient HTTP/1.1", "Host: connector.test", f"Content-Type: {FHIR}", *lines]
        if authorised:
            sent.append(f"Authorization: Bearer {token()}")
        await self.send("\r\n".join([*sent, "", ""]).encode())

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def status(self) -> int:
        line = await asyncio.wait_for(self.reader.readline(), 5)
        return int(line.split()[1])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what is waited for knows no events)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[int]:
    """A uvicorn on a free port of the loopback, without TLS: TLS has its own tests."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(site.app(), log_config=None, access_log=False, lifespan="off", http="h11")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listening.close()


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[Wire]:
    async with serving(site) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Wire(reader, writer)
        writer.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, options={"limits": LIMITS})


async def test_a_body_in_chunks_is_taken(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Transfer-Encoding: chunked")
        for byte in BODY:
            await wire.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        await wire.send(b"0\r\n\r\n")
        assert await wire.status() == 202
    assert site.notebook.taken[0].raw == BODY


async def test_who_is_not_known_is_answered_before_sending_a_body(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 900", authorised=False)
        assert await wire.status() == 401
    assert isinstance(site.notebook.refusals[0][2], Unauthenticated)


async def test_who_is_not_known_is_not_told_to_go_on(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 36", "Expect: 100-continue", authorised=False)
        assert await wire.status() == 401


async def test_who_is_known_is_told_to_go_on(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head(f"Content-Length: {len(BODY)}", "Expect: 100-continue")
        assert await wire.status() == 100
        await wire.reader.readuntil(b"\r\n")
        await wire.send(BODY)
        assert await wire.status() == 202


async def test_a_body_announced_too_large_is_refused_at_once(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 1001")
        assert await wire.status() == 413
    assert isinstance(site.notebook.refusals[0][2], BodyTooLarge)


async def test_a_body_that_grows_too_large_is_refused_while_it_comes(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Transfer-Encoding: chunked")
        for _ in range(3):
            await wire.send(b"190\r\n" + b" " * 400 + b"\r\n")
        assert await wire.status() == 413


async def test_a_body_of_exactly_the_limit_is_taken(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 1000")
        await wire.send(BODY + b" " * (1000 - len(BODY)))
        assert await wire.status() == 202


async def test_a_body_that_does_not_end_is_408(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 36")
        await wire.send(BODY[:10])
        assert await wire.status() == 408
    assert site.notebook.taken == []


async def test_a_peer_that_goes_away_is_audited_and_nothing_is_taken(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 36")
        await wire.send(BODY[:10])
        wire.writer.close()
        await until(lambda: bool(site.notebook.refusals))
    assert isinstance(site.notebook.refusals[0][2], BodyIncomplete)
    assert site.notebook.taken == []


async def test_two_lengths_are_not_argued_about(site: Site) -> None:
    async with connected(site) as wire:
        await wire.head("Content-Length: 36", "Content-Length: 35")
        assert await wire.status() == 400
    assert site.notebook.taken == []


async def test_many_requests_on_one_connection(site: Site) -> None:
    async with connected(site) as wire:
        for _ in range(20):
            await wire.head(f"Content-Length: {len(BODY)}")
            await wire.send(BODY)
            assert await wire.status() == 202
            headers = await wire.reader.readuntil(b"\r\n\r\n")
            length = int(headers.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await wire.reader.readexactly(length)
    assert len(site.notebook.taken) == 20
