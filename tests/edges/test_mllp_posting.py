"""The MLLP listener says something unasked over an open connection, and turns away who has too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator

import pytest

from connector.edges.mllp_server import MllpEvent, MllpLimits
from connector.edges.tls import Peer
from connector.errors import PartnerUnreachable
from connector.mllp import frame
from tests.mllp.loopback import Site, answers, connected, frame_of, listening, message, until

NOTICE = b"MSH|^~\\&|LAB|X|HIS|WARD|20261123||ACK|9|P|2.5.1\rMSA|AA|N1\r"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def anybody(peer: Peer) -> bool:
    return True


async def test_a_notice_goes_over_the_connection_that_is_named(site: Site) -> None:
    async with (
        listening(site) as ward,
        connected(site, ward.port) as one,
        connected(site, ward.port) as two,
    ):
        await ward.sees(MllpEvent.OPENED, 2)
        for reader, writer in (one, two):
            host, port = writer.get_extra_info("sockname")
            address = f"{host}:{port}"
            assert (await ward.server.post(NOTICE, anybody, address)).address == address
            assert await answers(reader, 1) == [("AA", "N1")]


async def test_without_the_named_connection_it_goes_over_the_youngest(site: Site) -> None:
    async with (
        listening(site) as ward,
        connected(site, ward.port),
        connected(site, ward.port) as (young, writer),
    ):
        await ward.sees(MllpEvent.OPENED, 2)
        await until(lambda: ward.server.connections == 2)
        writer.write(frame_of("1"))
        assert await answers(young, 1) == [("AA", "1")]
        got = await ward.server.post(NOTICE, anybody, "127.0.0.1:1")
        assert got.address == ward.peers[0].address
        assert await answers(young, 1) == [("AA", "N1")]


async def test_only_connections_of_the_partner_are_used(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port):
        await ward.sees(MllpEvent.OPENED)
        with pytest.raises(PartnerUnreachable):
            await ward.server.post(NOTICE, lambda peer: peer.subject == "CN=somebody else")


async def test_without_any_connection_the_partner_cannot_be_reached(site: Site) -> None:
    async with listening(site) as ward:
        with pytest.raises(PartnerUnreachable):
            await ward.server.post(NOTICE, anybody)
        async with connected(site, ward.port):
            await ward.sees(MllpEvent.OPENED)
        await until(lambda: ward.server.connections == 0)
        with pytest.raises(PartnerUnreachable):
            await ward.server.post(NOTICE, anybody)


async def test_a_notice_does_not_mix_with_the_answers_under_way(site: Site) -> None:
    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        await ward.sees(MllpEvent.OPENED)
        writer.write(b"".join(frame(message(str(number))) for number in range(200)))
        for _ in range(50):
            await ward.server.post(NOTICE, anybody)
        got = await answers(reader, 250)
        assert [one for one in got if one[1] != "N1"] == [("AA", str(number)) for number in range(200)]
        assert got.count(("AA", "N1")) == 50


async def test_a_notice_waits_until_the_frame_in_hand_is_answered(site: Site) -> None:
    """The application acknowledgment of a message never comes before its accept acknowledgment."""
    committed = asyncio.Event()

    async def commit(payload: bytes) -> None:
        await committed.wait()

    async with listening(site) as ward, connected(site, ward.port) as (reader, writer):
        ward.before = commit
        await ward.sees(MllpEvent.OPENED)
        writer.write(frame_of("1"))
        await until(lambda: ward.server.held == 0 and ward.server.connections == 1)
        await asyncio.sleep(0.05)
        post = asyncio.create_task(ward.server.post(NOTICE, anybody))
        await asyncio.sleep(0.05)
        assert not post.done()
        committed.set()
        assert await answers(reader, 2) == [("AA", "1"), ("AA", "N1")]
        await post


async def test_a_peer_that_does_not_read_its_notices_is_cut(site: Site) -> None:
    async with (
        listening(site, MllpLimits(write_timeout=0.2)) as ward,
        connected(site, ward.port) as (_, writer),
    ):
        await ward.sees(MllpEvent.OPENED)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        posts = (ward.server.post(b"x" * 100_000, anybody) for _ in range(500))
        with pytest.raises(PartnerUnreachable):
            await _one_after_the_other(posts)
        await until(lambda: ward.server.connections == 0)


async def _one_after_the_other(posts: Iterator[Coroutine[None, None, Peer]]) -> None:
    for post in posts:
        await post


async def test_who_is_not_admitted_is_closed_and_its_place_is_given_back_once(site: Site) -> None:
    inside = 0

    async def admit(peer: Peer) -> Callable[[], None] | None:
        nonlocal inside
        if inside == 2:
            return None
        inside += 1
        return leave

    def leave() -> None:
        nonlocal inside
        inside -= 1

    async with listening(site) as ward:
        ward.server.admit = admit
        async with connected(site, ward.port), connected(site, ward.port):
            await until(lambda: inside == 2)
            async with connected(site, ward.port) as (reader, _):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
            await ward.sees(MllpEvent.UNWELCOME)
        await until(lambda: inside == 0)
        async with connected(site, ward.port) as (reader, writer):
            writer.write(frame_of("1"))
            assert await answers(reader, 1) == [("AA", "1")]
