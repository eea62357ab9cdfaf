"""Each phase of a request has its own time, connections have a limit, and nothing is left open."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.edges.http_exchange import BoundedTransport, Waits
from connector.edges.http_reading import Answer
from connector.edges.tls import server_context
from connector.errors import AnswerNotUnderstood, DeliveryError, PartnerUnreachable

from .partner_site import Act, Asked, Partner, answer, files

LONG = Waits(5, 5, 5, 5, 5)


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, replies=[answer(200, b"{}")]).running() as running:
        yield running


@asynccontextmanager
async def transport(
    partner: Partner, waits: Waits = LONG, connections: int = 8, url: str = ""
) -> AsyncIterator[BoundedTransport]:
    made = BoundedTransport(
        url or partner.base, partner.context, waits=waits, connections=connections, answer_limit=10_000
    )
    try:
        yield made
    finally:
        await made.aclose()


async def ask(made: BoundedTransport, body: bytes = b"", path: str = "") -> Answer:
    return await made.ask("POST", f"{made.path}{path}", {}, body)


async def given_up(made: BoundedTransport, body: bytes = b"") -> tuple[str, float]:
    """Why, and after how many seconds."""
    begun = time.monotonic()
    with pytest.raises(PartnerUnreachable) as caught:
        await ask(made, body)
    return caught.value.what.partition(" (")[2].rstrip(")"), time.monotonic() - begun


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port at which nobody speaks TLS, unless by ``tls``; without ``serve`` nobody even accepts."""
    if serve is None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for one in fillers:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            yield port
            for one in fillers:
                one.close()
        return
    writers: list[asyncio.StreamWriter] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(kept, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for one in writers:
        one.transport.abort()


async def test_connecting_has_its_time(partner: Partner) -> None:
    async with (
        listening() as port,
        transport(partner, LONG._replace(connect=0.2), url=f"https://localhost:{port}/fhir") as made,
    ):
        phase, seconds = await given_up(made)
    assert phase == "connect"
    assert seconds < 2


async def test_the_handshake_has_its_time_and_leaves_nothing_open(partner: Partner) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        ended.set()
        writer.close()

    async with (
        listening(silent) as port,
        transport(partner, LONG._replace(tls=0.2), url=f"https://localhost:{port}/fhir") as made,
    ):
        phase, seconds = await given_up(made)
        assert phase == "tls"
        assert seconds < 2
        await asyncio.wait_for(ended.wait(), 2)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_sending_has_its_time(partner: Partner, scheme: str) -> None:
    async def reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    tls = server_context(files(partner.own)) if scheme == "https" else None
    async with (
        listening(reads_nothing, tls) as port,
        transport(partner, LONG._replace(write=0.2), url=f"{scheme}://localhost:{port}/fhir") as made,
    ):
        phase, seconds = await given_up(made, b"x" * 30_000_000)
    assert phase == "write"
    assert seconds < 2


async def test_an_answer_may_come_before_everything_is_sent(partner: Partner) -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(answer(413))

    tls = server_context(files(partner.own))
    async with (
        listening(refuses, tls) as port,
        transport(partner, url=f"https://localhost:{port}/fhir") as made,
    ):
        assert (await ask(made, b"x" * 30_000_000)).status == 413
        assert not made._free


async def test_waiting_for_the_answer_has_its_time_however_long_sending_took(partner: Partner) -> None:
    partner.replies = [None]
    async with transport(partner, LONG._replace(answer=0.2)) as made:
        phase, seconds = await given_up(made)
    assert phase == "answer"
    assert 0.15 < seconds < 2


async def test_reading_has_its_time_however_much_comes(partner: Partner) -> None:
    async def drips(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 9000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    partner.replies = [Act(drips)]
    async with transport(partner, LONG._replace(answer=0.3, body=0.3)) as made:
        phase, seconds = await given_up(made)
    assert phase == "body"
    assert seconds < 2


async def test_no_phase_takes_the_time_of_another(partner: Partner) -> None:
    async def steady(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(b"{}")
        await writer.drain()

    partner.replies = [Act(steady)]
    async with transport(partner, Waits(0.5, 0.5, 0.5, 0.5, 0.5)) as made:
        assert (await ask(made)).content == b"{}"


async def test_no_more_connections_than_the_limit_and_the_others_wait(partner: Partner) -> None:
    partner.delay = 0.02
    async with transport(partner, connections=3) as made:
        answers = await asyncio.gather(*(ask(made) for _ in range(20)))
    assert [one.status for one in answers] == [200] * 20
    assert len(partner.writers) == 3


async def test_waiting_for_a_connection_ends_too(partner: Partner) -> None:
    partner.replies = [None]
    short = Waits(0.1, 0.1, 0.1, 10, 0.1)
    async with transport(partner, short._replace(answer=0.4), connections=1) as made:
        found = await asyncio.gather(*(given_up(made) for _ in range(3)))
    assert found[0][0] == "answer"
    assert {phase for phase, _ in found} <= {"answer", "waiting for a connection"}


async def test_a_request_that_is_given_up_by_us_frees_its_connection(partner: Partner) -> None:
    arrived = asyncio.Event()

    async def waits(asked: Asked, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await partner.over.wait()

    partner.replies = [Act(waits), answer(200, b"{}")]
    async with transport(partner, connections=1) as made:
        task = asyncio.create_task(ask(made))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await ask(made)).status == 200


@pytest.mark.parametrize("length", [10_001, 50_000_000])
async def test_a_long_answer_is_given_up_at_the_limit(partner: Partner, length: int) -> None:
    written = 0

    async def floods(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: %d\r\n\r\n" % length)
        while written < length:
            piece = b" " * min(10_000, length - written)
            writer.write(piece)
            await writer.drain()
            written += len(piece)

    partner.replies = [Act(floods)]
    async with transport(partner) as made:
        with pytest.raises(AnswerNotUnderstood, match="10000 bytes"):
            await ask(made)
    assert written <= 10_001 or written < length


async def test_an_error_says_nothing_of_the_address(partner: Partner) -> None:
    partner.replies = [None]
    async with transport(partner, LONG._replace(answer=0.1)) as made:
        with pytest.raises(DeliveryError) as caught:
            await ask(made, path="/Patient/secret")
    assert "secret" not in repr(caught.value.__dict__)
