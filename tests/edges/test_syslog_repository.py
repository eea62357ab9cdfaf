"""A repository that takes syslog over TLS, good and bad: what is known of it, and that nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from audit import syslog
from connector.edges.syslog_repository import SyslogManners, SyslogPlace, SyslogRepository
from connector.edges.tls import TlsFiles, client_context, server_context
from connector.errors import (
    AddressNotAllowed,
    AnswerNotUnderstood,
    DeliveryError,
    EntryNotSendable,
    NoAnswer,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.store import Logged
from tests.edges.syslog_site import How, Receiver, files, write
from tests.faults.proxy import Cut, Faults, Proxy
from tests.pki import Authority, serial_of

PATIENT = SyslogManners(connect=20, write=20, goodbye=20, dead=20)
HASTY = SyslogManners(connect=20, write=0.3, goodbye=0.5, dead=1)  # for those that never do it


def logged(*numbers: int, size: int = 0) -> list[Logged]:
    return [Logged(one, f'{{"seq":{one},"x":"{"x" * size}"}}', bytes([one % 256]) * 32) for one in numbers]


def repository(site: Receiver, manners: SyslogManners = PATIENT, **more: Any) -> SyslogRepository:
    place = SyslogPlace("localhost", more.pop("port", site.port))
    return SyslogRepository(
        place, more.pop("context", site.context), more.pop("say", write), syslog.frame, manners, **more
    )


@asynccontextmanager
async def there(folder: Path, how: How = "good") -> AsyncIterator[Receiver]:
    async with Receiver(folder, how).running() as site:
        yield site


async def test_what_is_settled_was_read_in_order(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        assert await made.hand(logged(1, 2, 3)) == (3, 0, None)
        await made.hand(logged(4))
        await made.settle()
        assert site.seen == [1, 2, 3, 4]
        await made.hand(logged(5))
        await made.settle()
        assert site.seen == [1, 2, 3, 4, 5]
        assert len(site.messages) == 5


async def test_it_is_live_and_does_not_wait_to_be_settled(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(1))
        await site.until(1)
        made.check()
        await made.drop()


async def test_tcp_is_told_when_to_give_up(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site, SyslogManners(dead=7))
        await made.hand(logged(1))
        assert made._connection is not None
        sock = made._connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await made.settle()


async def test_much_at_once_arrives_whole(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(*range(1, 101), size=30_000))
        await made.settle()
        assert site.seen == list(range(1, 101))


async def test_nothing_is_settled_with_one_that_went_away(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(1))
        await site.until(1)
        await site.kill()
        with pytest.raises(PartnerUnreachable):
            await made.settle()


async def test_one_that_went_away_is_noticed_without_being_asked(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(1))
        await site.until(1)
        await site.kill()
        await _noticed(made.check)
        await made.drop()


async def test_one_that_says_goodbye_first_has_confirmed_nothing(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(1))
        await site.until(1)
        site.live[0].transport.close()  # in order, with its close_notify
        await _noticed(made.check)
        with pytest.raises(PartnerUnreachable):
            await made.settle()


async def _both(made: SyslogRepository, *numbers: int) -> None:
    await made.hand(logged(*numbers, size=300))
    await made.settle()


async def _noticed(check: Callable[[], None]) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                check()
            except PartnerUnreachable:
                return
            await asyncio.sleep(0.005)


async def test_one_that_never_reads_is_given_up_and_has_confirmed_nothing(tmp_path: Path) -> None:
    async with there(tmp_path, "never reads") as site:
        made = repository(site, HASTY)
        await _deaf(site, made)
        await made.hand(logged(2))  # a kernel takes it
        with pytest.raises(NoAnswer, match="in time"):
            await made.settle()
        await _deaf(site, made)
        with pytest.raises(PartnerUnreachable, match="does not read"):
            await made.hand(logged(*range(3, 500), size=100_000))
        await made.drop()
        assert set(site.seen) <= {1}


async def _deaf(site: Receiver, made: SyslogRepository) -> None:
    """Connect; what came together with the end of the handshake may have been read."""
    site.connected.clear()
    await made.hand(logged(1))
    await asyncio.wait_for(site.connected.wait(), 5)


async def test_one_that_never_shakes_hands_is_given_up(tmp_path: Path) -> None:
    site = Receiver(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = repository(site, SyslogManners(connect=0.1), port=listening.getsockname()[1])
        with pytest.raises(PartnerUnreachable, match="connect in time"):
            await made.hand(logged(1))


async def test_one_that_closes_at_once_has_confirmed_nothing(tmp_path: Path) -> None:
    async with there(tmp_path, "closes at once") as site:
        made = repository(site)
        with pytest.raises(PartnerUnreachable):
            await _both(made, 1)
        await made.drop()


@pytest.mark.parametrize("how", ["no goodbye", "deaf to goodbye"])
async def test_without_an_answer_to_the_goodbye_nothing_is_known(tmp_path: Path, how: How) -> None:
    async with there(tmp_path, how) as site:
        made = repository(site, HASTY)
        await made.hand(logged(1))
        await site.until(1)
        with pytest.raises(NoAnswer):
            await made.settle()


async def test_where_it_is_said_so_the_end_of_the_stream_is_enough(tmp_path: Path) -> None:
    manners = SyslogManners(goodbye=2, confirmation="end of stream")
    async with there(tmp_path, "no goodbye") as site:
        made = repository(site, manners)
        await made.hand(logged(1))
        await made.settle()
        assert site.seen == [1]
        site.how = "deaf to goodbye"
        await made.hand(logged(2))
        await site.until(2)
        with pytest.raises(NoAnswer):
            await made.settle()


async def test_an_answer_from_one_that_did_not_read_confirms_nothing(tmp_path: Path) -> None:
    """Its goodbye is in order, and TCP has everything; but to close with unread bytes is a reset."""
    site = Receiver(tmp_path)
    listening = socket.create_server(("127.0.0.1", 0))
    go = threading.Event()

    def answer() -> None:
        accepted, _ = listening.accept()
        with accepted:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = server_context(files(site.own)).wrap_bio(incoming, outgoing, server_side=True)
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    accepted.sendall(outgoing.read())
                    incoming.write(accepted.recv(65_536))
                else:
                    break
            accepted.sendall(outgoing.read())
            go.wait(10)
            with contextlib.suppress(ssl.SSLError):
                tls.unwrap()
            accepted.sendall(outgoing.read())
            time.sleep(0.1)

    with listening:
        answering = asyncio.create_task(asyncio.to_thread(answer))
        made = repository(site, port=listening.getsockname()[1])
        await made.hand(logged(1))
        await asyncio.sleep(0.1)  # the handshake is over at both ends
        await made.hand(logged(2))
        settling = asyncio.create_task(made.settle())
        await asyncio.sleep(0.1)  # our goodbye is there, unread
        go.set()
        with pytest.raises(PartnerUnreachable):
            await settling
        await answering


async def test_one_that_talks_is_no_receiver_of_syslog(tmp_path: Path) -> None:
    async with there(tmp_path, "talks") as site:
        made = repository(site)
        with pytest.raises(AnswerNotUnderstood, match="talks"):
            await _both(made, 1)
        await made.drop()


async def test_a_stranger_gets_nothing(tmp_path: Path) -> None:
    other = Authority("Other")
    (tmp_path / "other").mkdir()
    async with there(tmp_path) as site:
        await site.kill()
        site.port = 0
        stranger = other.write(tmp_path / "other", "repository")
        await site.start(server_context(files(stranger)))
        with pytest.raises(PartnerRefusedUs):
            await repository(site).hand(logged(1))
        assert site.seen == []


async def test_a_revoked_repository_gets_nothing(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        serial = serial_of(site.own.certificate.read_bytes())
        site.theirs.crl.write_bytes(site.authority.crl([serial]))
        with pytest.raises(PartnerRefusedUs, match="revoked"):
            await repository(site).hand(logged(1))
        assert site.seen == []


async def test_another_host_gets_nothing(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = SyslogRepository(
            SyslogPlace("localhost", site.port, "arr.example"), site.context, write, syslog.frame, PATIENT
        )
        with pytest.raises(PartnerRefusedUs, match="ostname"):
            await made.hand(logged(1))


async def test_one_that_does_not_know_our_certificate_says_so(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    site = Receiver(tmp_path)
    ours = Authority("Ours").write(tmp_path / "other", "connector")
    shown = TlsFiles(ours.certificate, ours.key, site.theirs.trust, site.theirs.crl)
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        accepted, _ = listening.accept()
        with accepted.dup() as kept:  # to close it with unread bytes would take the alert back
            with accepted, pytest.raises(ssl.SSLError):  # asyncio would not send the alert
                server_context(files(site.own)).wrap_socket(accepted, server_side=True)
            with contextlib.suppress(OSError):
                while kept.recv(65_536):
                    pass

    with listening:
        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        made = repository(site, port=listening.getsockname()[1], context=client_context(shown))
        with pytest.raises(PartnerRefusedUs):  # TLS 1.3 tells it after the handshake
            await _both(made, 1)
        await made.drop()
        await refusing


async def test_nothing_is_dialled_that_may_not_be(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        place = SyslogPlace("169.254.169.254", 6514)
        made = SyslogRepository(place, site.context, write, syslog.frame, PATIENT)
        with pytest.raises(AddressNotAllowed):
            await made.hand(logged(1))


HOWS: tuple[Literal["reset", "close"], ...] = ("reset", "close")
CUTS = [
    Faults(refuse=True),
    *(Faults(up=Cut(after, how)) for after in (0, 1, 700, 2_000, 2_400, 9_000) for how in HOWS),
    *(Faults(down=Cut(after, how)) for after in (0, 1, 700, 1_600) for how in HOWS),
]


@pytest.mark.parametrize("fault", CUTS, ids=str)
async def test_a_connection_that_is_cut_anywhere_confirms_nothing(tmp_path: Path, fault: Faults) -> None:
    async with there(tmp_path) as site, Proxy(site.port).running() as proxy:
        proxy.plan.append(fault)
        made = repository(site, port=proxy.port)
        try:
            await made.hand(logged(*range(1, 21), size=300))
            await made.settle()
        except DeliveryError:
            await made.drop()
        else:  # it was cut behind the last byte that matters
            assert site.seen == list(range(1, 21))
        await made.hand(logged(21))
        await made.settle()
        assert site.seen[-1] == 21


async def test_a_network_that_falls_silent_is_noticed(tmp_path: Path) -> None:
    async with there(tmp_path) as site, Proxy(site.port).running() as proxy:
        proxy.plan.append(Faults(up=Cut(3_000, "silence")))
        made = repository(site, HASTY, port=proxy.port)
        with pytest.raises(PartnerUnreachable):
            await _both(made, *range(1, 21))
        await made.drop()


async def test_an_entry_that_cannot_be_said_stands_behind_those_that_can(tmp_path: Path) -> None:
    def say(one: Logged) -> bytes:
        if one.seq == 3:
            raise LookupError(one.entry)
        return write(one)

    async with there(tmp_path) as site:
        made = repository(site, say=say)
        taken = await made.hand(logged(1, 2, 3, 4))
        assert taken.handed == 2
        assert isinstance(taken.error, EntryNotSendable)
        assert "seq" not in str(taken.error)
        await made.settle()
        assert site.seen == [1, 2]


async def test_a_message_that_is_too_long_is_not_sent(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site, SyslogManners(message_bytes=2_000))
        taken = await made.hand([*logged(1), *logged(2, size=2_000)])
        assert (taken.handed, type(taken.error)) == (1, EntryNotSendable)
        await made.settle()
        assert site.seen == [1]


async def test_what_is_cut_from_outside_confirms_nothing(tmp_path: Path) -> None:
    async with there(tmp_path) as site:
        made = repository(site)
        await made.hand(logged(1))
        made.cut()
        with pytest.raises(PartnerUnreachable):
            await made.settle()
