"""How long a connection to a v2 partner is kept, how it is closed, and several of them at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.edges.mllp_client import Keeping, MllpClient, MllpTimeouts
from connector.edges.mllp_pool import MllpPool
from connector.errors import AnswerNotUnderstood, NoAnswer, PartnerUnreachable
from connector.mllp import Stray, StrayAnswer
from tests.faults.mllp_partner import MllpPartner, Step, after, answer, goes, says, silence
from tests.faults.proxy import Faults, Proxy
from tests.mllp.loopback import Site, message, sending, until

QUICK = MllpTimeouts(connect=1, write=0.3, answer=0.3)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@asynccontextmanager
async def partner(site: Site, *plan: Step) -> AsyncIterator[MllpPartner]:
    here = MllpPartner(site.server_context())
    here.plan.extend(plan)
    async with here.running():
        yield here


async def talk(client: MllpClient | MllpPool, count: int = 3) -> None:
    for number in range(count):
        assert (await client.send(message(str(number)), str(number))).accepted


async def test_a_kept_connection_carries_everything(site: Site) -> None:
    async with partner(site) as here, sending(site, here.port, QUICK) as client:
        await talk(client)
        assert here.connections == 1


async def test_every_message_may_have_a_connection_of_its_own_and_never_two_at_once(site: Site) -> None:
    keeping = Keeping(keep=False)
    async with partner(site) as here, sending(site, here.port, QUICK, keeping=keeping) as client:
        await talk(client)
        assert (here.connections, here.crowd) == (3, 1)
        assert client.peer is None


async def test_a_connection_is_closed_after_its_idle_time_and_made_anew(site: Site) -> None:
    keeping = Keeping(idle=0.05)
    async with partner(site) as here, sending(site, here.port, QUICK, keeping=keeping) as client:
        await talk(client, 2)
        assert here.connections == 1
        await until(lambda: client.peer is None)
        await talk(client, 1)
        assert (here.connections, here.crowd) == (2, 1)


async def test_a_connection_in_use_is_not_idle(site: Site) -> None:
    keeping = Keeping(idle=0.05)
    plan = [answer("AA"), after(0.15, answer("AA"))]
    async with partner(site, *plan) as here, sending(site, here.port, QUICK, keeping=keeping) as client:
        await talk(client, 2)
        assert here.connections == 1


@pytest.mark.parametrize(("seconds", "asks"), [(60.0, 1), (0.2, 1), (0.0, 0)])
async def test_tcp_asks_whether_the_partner_is_still_there(site: Site, seconds: float, asks: int) -> None:
    keeping = Keeping(probe=seconds)
    async with partner(site) as here, sending(site, here.port, QUICK, keeping=keeping) as client:
        await talk(client, 1)
        assert client._connection is not None
        sock = client._connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == asks
        if asks:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == max(1, round(seconds))


async def test_a_partner_that_goes_is_noticed_while_nothing_is_sent(site: Site) -> None:
    async with partner(site) as here, sending(site, here.port, QUICK) as client:
        await talk(client, 1)
        here.drop()
        await until(lambda: client.peer is None)
        await talk(client, 1)
        assert here.connections == 2


async def test_after_silence_the_socket_is_closed_before_anything_is_sent_again(site: Site) -> None:
    async with partner(site, silence) as here, sending(site, here.port, QUICK) as client:
        with pytest.raises(NoAnswer):
            await client.send(message("1"), "1")
        assert client.peer is None
        assert (await client.send(message("1"), "1")).accepted
        assert (here.got, here.connections, here.most, here.crowd) == (["1", "1"], 2, 1, 1)


async def test_a_partner_that_does_not_read_gets_no_rest_of_what_was_given_up(site: Site) -> None:
    async with partner(site) as here, Proxy(here.port).running() as proxy:
        proxy.plan.append(Faults(piece=1000, pause=0.05))
        async with sending(site, proxy.port, QUICK) as client:
            with pytest.raises(PartnerUnreachable):
                await client.send(message("1", "x" * 8_000_000), "1")
            assert (await client.send(message("2"), "2")).accepted
        assert here.got == ["2"]
        assert proxy.carried[0].up < 8_000_000


async def test_answers_to_what_was_never_sent_end_the_connection_after_a_hundred(site: Site) -> None:
    strays: list[StrayAnswer] = []
    flood = says(*[lambda heard: heard.ack("AA", identity="X")] * 500)
    async with (
        partner(site, flood) as here,
        sending(site, here.port, QUICK, on_stray=strays.append) as client,
    ):
        with pytest.raises(AnswerNotUnderstood, match="keeps"):
            await client.send(message("1"), "1")
        assert len(strays) == 100
        assert {one.reason for one in strays} == {Stray.UNKNOWN}


# --- several at once ----------------------------------------------------------------------------------


@asynccontextmanager
async def pool(site: Site, port: int, count: int) -> AsyncIterator[MllpPool]:
    context = site.client_context()
    several = MllpPool([MllpClient("127.0.0.1", port, context, "localhost", QUICK) for _ in range(count)])
    try:
        yield several
    finally:
        await several.close()


async def test_several_connections_carry_as_many_messages_at_once_and_no_more(site: Site) -> None:
    plan = [after(0.1, answer("AA"))] * 6
    async with partner(site, *plan) as here, pool(site, here.port, 3) as several:
        ids = [str(number) for number in range(6)]
        answers = await asyncio.gather(*(several.send(message(one), one) for one in ids))
        assert [one.control_id for one in answers] == ids
        assert (here.connections, here.crowd, here.most) == (3, 3, 1)


async def test_one_after_the_other_uses_one_connection(site: Site) -> None:
    async with partner(site) as here, pool(site, here.port, 3) as several:
        await talk(several, 5)
        assert here.connections == 1


async def test_an_answer_over_another_connection_is_credited_to_nobody(site: Site) -> None:
    """The partner mixes the two up: each hears of the other's message and none is taken for acknowledged."""
    said = asyncio.Event()

    async def swap(heard: object) -> None:
        if len(here.heard) == 2:
            first, second = here.heard
            await first.say(first.ack("AA", identity=second.message.control_id))
            await second.say(second.ack("AA", identity=first.message.control_id))
            said.set()
        await said.wait()

    async with partner(site, swap, swap) as here, pool(site, here.port, 2) as several:
        results = await asyncio.gather(
            *(several.send(message(one), one) for one in "12"), return_exceptions=True
        )
        assert all(isinstance(one, Exception) for one in results)


async def test_what_breaks_on_one_connection_does_not_touch_the_others(site: Site) -> None:
    plan = [goes, after(0.05, answer("AA")), after(0.05, answer("AA"))]
    async with partner(site, *plan) as here, pool(site, here.port, 3) as several:
        results = await asyncio.gather(
            *(several.send(message(one), one) for one in "123"), return_exceptions=True
        )
        assert sorted(isinstance(one, Exception) for one in results) == [False, False, True]
        await talk(several)


async def test_a_cancelled_send_gives_its_connection_back(site: Site) -> None:
    async with partner(site, silence) as here, pool(site, here.port, 1) as several:
        waiting = asyncio.create_task(several.send(message("1"), "1"))
        await until(lambda: here.got == ["1"])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await talk(several, 1)
