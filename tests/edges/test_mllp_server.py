"""The MLLP listener, over real TLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from pathlib import Path

import psutil
import pytest

from connector.edges.acceptor import listen
from connector.edges.mllp_server import MllpEvent, MllpLimits, MllpServer
from connector.edges.tls import Peer
from connector.errors import FrameTooLarge
from connector.mllp import frame, read_msa
from tests.mllp.loopback import Site, Ward, ack, answers, connected, listening, message, sending, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


async def test_a_message_is_received_and_acknowledged(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        answer = await client.send(message("1"), "1")
        assert (answer.code, answer.control_id) == ("AA", "1")
        assert ward.got == [message("1")]


async def test_receive_is_told_who_the_peer_is(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        await client.send(message("1"), "1")
        (peer,) = ward.peers
        assert peer.subject == "CN=client"
        assert peer.sans == ("DNS:localhost", "IP:127.0.0.1")
        assert peer.address.startswith("127.0.0.1:")
        assert len(peer.fingerprint) == len("sha256:") + 64


async def test_pipelined_frames_are_answered_in_order(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ids = [str(number) for number in range(500)]
        writer.write(b"".join(frame(message(control_id)) for control_id in ids))
        assert await answers(reader, 500) == [("AA", control_id) for control_id in ids]
        assert ward.got == [message(control_id) for control_id in ids]


async def test_one_connection_never_has_two_messages_in_hand(site: Site) -> None:
    in_hand, most = 0, 0

    async def slowly(payload: bytes) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.001)
        in_hand -= 1

    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.before = slowly
        writer.write(b"".join(frame(message(str(number))) for number in range(50)))
        await answers(reader, 50)
        assert most == 1


async def test_many_connections_wait_for_their_commit_together(site: Site) -> None:
    waiting, everybody = 0, asyncio.Event()

    async def commit(payload: bytes) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 16:
            everybody.set()
        await everybody.wait()

    async with listening(site) as ward:
        ward.before = commit

        async def one(number: int) -> str:
            async with sending(site, ward.port) as client:
                return (await client.send(message(str(number)), str(number))).code

        assert await asyncio.gather(*(one(number) for number in range(16))) == ["AA"] * 16


async def test_a_frame_in_many_small_writes_is_one_message(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        for byte in frame(message("1")):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await answers(reader, 1) == [("AA", "1")]


async def test_blank_bytes_between_frames_are_no_fault(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        writer.write(frame(message("1")) + b"\r\n\x00 " + frame(message("2")))
        assert await answers(reader, 2) == [("AA", "1"), ("AA", "2")]
        assert ward.faults == []


async def test_bytes_outside_a_frame_are_a_fault_and_close_the_connection(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + frame(message("1")))
        assert await reader.read() == b""
        assert "16 bytes outside a frame" in str(ward.faults[0])
        assert ward.got == []


async def test_a_fault_that_is_answered_keeps_the_connection(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.fault_answer = b""
        writer.write(b"hello" + frame(message("1")))
        assert await answers(reader, 1) == [("AA", "1")]
        assert len(ward.faults) == 1


async def test_half_a_frame_and_then_a_close_is_a_fault_and_no_message(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (_, writer):
        writer.write(frame(message("1"))[:-10])
        await writer.drain()
        writer.close()
        await ward.sees(MllpEvent.CLOSED)
        assert "broke off" in str(ward.faults[0])
        assert ward.got == []


async def test_half_a_frame_and_then_a_reset_is_no_message(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (_, writer):
        writer.write(frame(message("1"))[:-10])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await until(lambda: ward.server.connections == 0)
        assert ward.got == []


async def test_an_oversize_frame_is_refused_and_the_next_one_is_read(site: Site) -> None:
    async with (
        listening(site, MllpLimits(frame_bytes=1000)) as ward,
        connected(site, ward.port) as (reader, writer),
    ):
        ward.fault_answer = ack(message("static"), "AR")
        writer.write(frame(message("big", "x" * 5000)) + frame(message("2")))
        assert await answers(reader, 2) == [("AR", "static"), ("AA", "2")]
        assert [type(error) for error in ward.faults] == [FrameTooLarge]
        assert ward.got == [message("2")]


async def test_an_oversize_frame_can_be_refused_by_its_own_control_id(site: Site) -> None:
    async with (
        listening(site, MllpLimits(frame_bytes=1000)) as ward,
        connected(site, ward.port) as (reader, writer),
    ):
        ward.server.too_long = ward.too_long
        writer.write(frame(message("big", "x" * 5000)))
        assert await answers(reader, 1) == [("AR", "big")]
        assert ward.heads == [message("big", "x" * 5000)[:1000]]
        assert ward.faults == []


async def test_an_oversize_frame_leaves_memory_flat(site: Site) -> None:
    chunk = b"x" * (1 << 20)
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.fault_answer = ack(message("big"), "AR")
        writer.write(b"\x0b" + message("big"))
        for _ in range(17):
            writer.write(chunk)
            await writer.drain()
        await answers(reader, 1)
        before = psutil.Process().memory_info().rss
        for _ in range(100):
            writer.write(chunk)
            await writer.drain()
        assert psutil.Process().memory_info().rss - before < 24 << 20
        assert len(ward.faults) == 1


async def test_unfinished_frames_of_all_connections_together_are_limited(site: Site) -> None:
    half = b"\x0b" + message("1", "x" * 400_000)
    async with (
        listening(site, MllpLimits(held_bytes=1_000_000)) as ward,
        connected(site, ward.port) as (reader, one),
        connected(site, ward.port) as (_, two),
        connected(site, ward.port) as (_, three),
    ):
        for writer in (one, two):
            writer.write(half)
        await until(lambda: ward.server.held > 800_000)
        three.write(half)
        await ward.sees(MllpEvent.OVERLOADED)
        await until(lambda: ward.server.held < 900_000)
        two.transport.abort()
        one.write(b"\x1c\r" + frame(message("2")))
        assert await answers(reader, 2) == [("AA", "1"), ("AA", "2")]
        await until(lambda: ward.server.held == 0)


async def test_a_peer_that_does_not_read_its_answers_is_cut_and_memory_stays_flat(site: Site) -> None:
    answered = 0

    async def answer(payload: bytes, peer: Peer) -> bytes:
        nonlocal answered
        answered += 1
        return b"x" * 100_000

    async with listening(site, MllpLimits(write_timeout=0.3)) as ward:
        ward.server.receive = answer
        async with connected(site, ward.port) as (reader, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for number in range(500):
                writer.write(frame(message(str(number))))
            await ward.sees(MllpEvent.SLOW_READER)
            assert answered < 200
            assert reader is not None


async def test_an_idle_peer_is_closed(site: Site) -> None:
    async with (
        listening(site, MllpLimits(idle_timeout=0.2)) as ward,
        connected(site, ward.port) as (reader, _),
    ):
        assert await asyncio.wait_for(reader.read(), 3) == b""
        await ward.sees(MllpEvent.IDLE)


async def test_a_frame_that_drips_is_cut_however_often_a_byte_comes(site: Site) -> None:
    async with (
        listening(site, MllpLimits(frame_timeout=0.3)) as ward,
        connected(site, ward.port) as (_, writer),
    ):
        began = time.monotonic()
        writer.write(b"\x0b")
        while not any(event is MllpEvent.SLOW_FRAME for event, _ in ward.events):
            writer.write(b"x")
            await asyncio.sleep(0.02)
            assert time.monotonic() - began < 3
        assert ward.got == []


async def test_no_answer_means_that_the_connection_is_closed(site: Site) -> None:
    async def silent(payload: bytes, peer: Peer) -> None:
        return None

    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.server.receive = silent
        writer.write(frame(message("1")) * 3)
        assert await asyncio.wait_for(reader.read(), 3) == b""


async def test_a_receiver_that_fails_closes_without_an_answer_and_without_a_value(site: Site) -> None:
    async def fail(payload: bytes) -> None:
        raise ValueError(payload.decode())

    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.before = fail
        writer.write(frame(message("1", "Smith")))
        with contextlib.suppress(ConnectionResetError):  # cut: what arrives first decides
            assert await asyncio.wait_for(reader.read(), 3) == b""
        await ward.sees(MllpEvent.FAILED)
        assert ward.events[-1] == (MllpEvent.FAILED, "ValueError")


async def test_a_failure_on_one_connection_leaves_the_others_alone(site: Site) -> None:
    async def fail(payload: bytes) -> None:
        if b"|bad|" in payload:
            raise RuntimeError

    async with (
        listening(site) as ward,
        connected(site, ward.port) as (_, broken),
        sending(site, ward.port) as client,
    ):
        ward.before = fail
        broken.write(frame(message("bad")))
        await ward.sees(MllpEvent.FAILED)
        assert (await client.send(message("1"), "1")).accepted


async def test_more_connections_than_the_limit_are_refused(site: Site) -> None:
    async with listening(site, MllpLimits(connections=2)) as ward:
        async with sending(site, ward.port) as one, sending(site, ward.port) as two:
            await one.send(message("1"), "1")
            await two.send(message("2"), "2")
            with pytest.raises((OSError, EOFError)):
                async with connected(site, ward.port) as (reader, _):
                    await reader.readexactly(1)
            await until(lambda: ward.refused != [])
            assert ward.refused[0][0] == "connection limit"
        await until(lambda: ward.server.acceptor.open == 0)
        async with sending(site, ward.port) as three:
            assert (await three.send(message("3"), "3")).accepted


async def test_draining_finishes_what_is_in_hand_and_takes_nothing_more(site: Site) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def hold(payload: bytes) -> None:
        begun.set()
        await go.wait()

    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.before = hold
        writer.write(frame(message("1")) + frame(message("2")))
        await begun.wait()
        closing = asyncio.create_task(ward.server.close(grace=5))
        await asyncio.sleep(0.05)
        go.set()
        assert await answers(reader, 1) == [("AA", "1")]
        assert await reader.read() == b""
        await closing
        assert ward.got == [message("1")]
        assert (MllpEvent.DRAINED, "") in ward.events


async def test_draining_closes_idle_connections_at_once(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, _):
        await ward.sees(MllpEvent.OPENED)
        began = time.monotonic()
        closing = asyncio.create_task(ward.server.close(grace=5))
        assert await asyncio.wait_for(reader.read(), 3) == b""
        await closing
        assert time.monotonic() - began < 2


async def test_what_outlasts_the_grace_is_cut(site: Site) -> None:
    async def forever(payload: bytes) -> None:
        await asyncio.Event().wait()

    async with listening(site) as ward, connected(site, ward.port) as (_, writer):
        ward.before = forever
        writer.write(frame(message("1")))
        await asyncio.sleep(0.1)
        await ward.server.close(grace=0.1)
        assert (MllpEvent.CUT, "") in ward.events
        assert ward.server.connections == 0


async def test_after_closing_nobody_connects(site: Site) -> None:
    async with listening(site) as ward:
        port = ward.port
        await ward.server.close()
        with pytest.raises(ConnectionRefusedError):
            async with connected(site, port):
                pass


async def test_a_server_that_never_started_can_be_closed(site: Site, tmp_path: Path) -> None:
    async def receive(payload: bytes, peer: Peer) -> bytes:
        return b""

    await MllpServer(listen("127.0.0.1", 0), site.server_context(), receive).close()


async def test_whatever_is_acknowledged_was_received_whole_and_in_order(site: Site) -> None:
    chance = random.Random(2575)

    async def feed(number: int, ward: Ward) -> tuple[list[str], list[str]]:
        ids = [f"{number}-{index}" for index in range(40)]
        stream = b"".join(frame(message(one, "x" * chance.randrange(3000))) for one in ids)
        async with connected(site, ward.port) as (reader, writer):
            end = len(stream) if number % 2 else chance.randrange(len(stream))
            at = 0
            while at < end:
                size = chance.choice([1, 7, 500, 20_000])
                writer.write(stream[at : min(at + size, end)])
                at += size
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
            writer.close()
            return ids, [one for _, one in blocks(await reader.read())]

    async with listening(site) as ward:
        fed = await asyncio.gather(*(feed(number, ward) for number in range(12)))
        received = [payload.split(b"|")[9].decode() for payload in ward.got]
        for number, (ids, acknowledged) in enumerate(fed):
            mine = [one for one in received if one.startswith(f"{number}-")]
            assert mine == ids[: len(mine)]
            assert acknowledged == mine
            assert number % 2 == 0 or acknowledged == ids


def blocks(stream: bytes) -> list[tuple[str, str]]:
    """(code, control id) of every block."""
    return [read_msa(block[1:]) for block in stream.split(b"\x1c\r") if block]
