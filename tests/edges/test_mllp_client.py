"""The MLLP sender, over real TLS on loopback, against partners that behave and partners that do not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connector.edges.acceptor import listen
from connector.edges.mllp_client import MllpClient, MllpTimeouts
from connector.edges.tls import client_context
from connector.errors import (
    AnswerForAnother,
    AnswerNotUnderstood,
    FrameError,
    NoAnswer,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.mllp import Mode, Stray, StrayAnswer, frame
from tests.mllp.loopback import Site, ack, listening, message, sending, until
from tests.pki import Authority, serial_of

QUICK = MllpTimeouts(connect=1, write=1, answer=0.3)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@asynccontextmanager
async def partner(site: Site, script: Script) -> AsyncIterator[int]:
    """A partner that does what the script says, on every connection; gives its port."""
    writers: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await script(reader, writer)
        except (OSError, EOFError):
            writer.transport.abort()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=site.server_context())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0.01)


def answering(*answers: Callable[[bytes], bytes]) -> Script:
    """To each message all of these answers, in one write."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            payload = (await reader.readuntil(b"\x1c\r"))[1:-2]
            writer.write(b"".join(answer(payload) for answer in answers))

    return script


def code(text: str) -> Callable[[bytes], bytes]:
    return lambda payload: frame(ack(payload, text))


async def test_many_messages_go_over_one_connection(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        for number in range(20):
            assert (await client.send(message(str(number)), str(number))).control_id == str(number)
        assert len({peer.address for peer in ward.peers}) == 1


async def test_sends_at_the_same_time_go_one_after_the_other_in_order(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        ids = [str(number) for number in range(20)]
        answers = await asyncio.gather(*(client.send(message(control_id), control_id) for control_id in ids))
        assert [answer.control_id for answer in answers] == ids
        assert ward.got == [message(control_id) for control_id in ids]


async def test_the_client_tells_who_the_partner_is(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        assert client.peer is None
        await client.send(message("1"), "1")
        assert client.peer is not None
        assert client.peer.subject == "CN=server"


@pytest.mark.parametrize("text", ["AA", "AE", "AR", "CA", "CE", "CR"])
async def test_every_acknowledgment_code_is_an_answer_and_no_error(site: Site, text: str) -> None:
    async with partner(site, answering(code(text))) as port, sending(site, port, QUICK) as client:
        assert (await client.send(message("1"), "1")).code == text


async def test_in_enhanced_mode_the_application_answer_is_awaited(site: Site) -> None:
    script = answering(code("CA"), code("AE"))
    async with partner(site, script) as port, sending(site, port, QUICK) as client:
        assert (await client.send(message("1"), "1", Mode.APPLICATION)).code == "AE"


async def test_with_commit_answers_only_ca_is_enough(site: Site) -> None:
    async with partner(site, answering(code("CA"))) as port, sending(site, port, QUICK) as client:
        assert (await client.send(message("1"), "1", Mode.COMMIT)).code == "CA"


async def test_duplicate_answers_are_told_and_do_no_harm(site: Site) -> None:
    strays: list[StrayAnswer] = []
    script = answering(code("AA"), code("AA"))
    async with partner(site, script) as port, sending(site, port, QUICK, on_stray=strays.append) as client:
        for number in range(3):
            assert (await client.send(message(str(number)), str(number))).accepted
        await until(lambda: len(strays) == 3)
        assert {stray.reason for stray in strays} == {Stray.DUPLICATE}


async def test_an_answer_to_another_message_is_waited_past_and_then_told(site: Site) -> None:
    script = answering(lambda _: frame(ack(message("other"))))
    async with partner(site, script) as port, sending(site, port, QUICK) as client:
        with pytest.raises(AnswerForAnother) as raised:
            await client.send(message("1"), "1")
        assert raised.value.location == "MSA-2"


async def test_the_right_answer_behind_one_to_another_message_counts(site: Site) -> None:
    strays: list[StrayAnswer] = []
    script = answering(lambda _: frame(ack(message("other"), "AE")), code("AA"))
    async with partner(site, script) as port, sending(site, port, QUICK, on_stray=strays.append) as client:
        assert (await client.send(message("1"), "1")).code == "AA"
    assert [(stray.reason, stray.code) for stray in strays] == [(Stray.UNKNOWN, "AE")]


@pytest.mark.parametrize(
    "answer", [b"\x0b\x1c\r", frame(b"hello"), b"HTTP/1.1 400\r\n\r\n\x0b", frame(b"MSH|^~\\&\rMSA|ZZ|1")]
)
async def test_what_is_no_acknowledgment_is_not_understood(site: Site, answer: bytes) -> None:
    script = answering(lambda _: answer)
    async with partner(site, script) as port, sending(site, port, QUICK) as client:
        with pytest.raises(AnswerNotUnderstood):
            await client.send(message("1"), "1")


async def test_an_endless_answer_is_not_understood(site: Site) -> None:
    script = answering(lambda _: b"\x0b" + b"x" * 5000)
    async with partner(site, script) as port, sending(site, port, QUICK, limit=1000) as client:
        with pytest.raises(AnswerNotUnderstood):
            await client.send(message("1"), "1")


async def test_errors_hold_no_value_of_the_answer(site: Site) -> None:
    script = answering(lambda _: frame(b"MSH|^~\\&|Smith\rMSA|AA|Smith"))
    async with partner(site, script) as port, sending(site, port, QUICK) as client:
        with pytest.raises(AnswerNotUnderstood) as raised:
            await client.send(message("1"), "1")
        assert "Smith" not in repr(raised.value) + str(raised.value)


async def test_a_silent_partner_is_unreachable_and_its_late_answer_meets_no_other_message(site: Site) -> None:
    waits = [0.6, 0.0]

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            payload = (await reader.readuntil(b"\x1c\r"))[1:-2]
            await asyncio.sleep(waits.pop(0))
            writer.write(frame(ack(payload)))

    async with partner(site, late) as port, sending(site, port, QUICK) as client:
        with pytest.raises(NoAnswer, match="in time"):
            await client.send(message("1"), "1")
        assert (await client.send(message("2"), "2")).control_id == "2"


async def test_a_partner_that_closes_before_the_answer_is_unreachable(site: Site) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.close()

    async with partner(site, leave) as port, sending(site, port, QUICK) as client:
        with pytest.raises(PartnerUnreachable):
            await client.send(message("1"), "1")


async def test_a_connection_that_the_partner_closed_while_idle_is_made_anew_unnoticed(site: Site) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        payload = (await reader.readuntil(b"\x1c\r"))[1:-2]
        writer.write(frame(ack(payload)))
        await writer.drain()
        writer.close()

    async with partner(site, once) as port, sending(site, port, QUICK) as client:
        for number in range(3):
            assert (await client.send(message(str(number)), str(number))).accepted
            await asyncio.sleep(0.05)


async def test_nobody_listening_is_unreachable_and_later_works(site: Site) -> None:
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    sock.close()
    async with sending(site, port, QUICK) as client:
        with pytest.raises(PartnerUnreachable, match="ConnectionRefused"):
            await client.send(message("1"), "1")


async def test_a_name_that_does_not_resolve_is_unreachable(site: Site) -> None:
    client = MllpClient("no-such-host.invalid", 2575, site.client_context(), timeouts=QUICK)
    with pytest.raises(PartnerUnreachable):
        await client.send(message("1"), "1")


async def test_a_partner_that_never_shakes_hands_is_unreachable_in_time(site: Site) -> None:
    with listen("127.0.0.1", 0) as sock:
        began = time.monotonic()
        timeouts = replace(QUICK, connect=0.3)
        async with sending(site, sock.getsockname()[1], timeouts) as client:
            with pytest.raises(PartnerUnreachable):
                await client.send(message("1"), "1")
        assert time.monotonic() - began < 2


async def test_a_partner_with_another_name_is_refused(site: Site) -> None:
    async with listening(site) as ward:
        client = MllpClient("127.0.0.1", ward.port, site.client_context(), "lab.example")
        with pytest.raises(PartnerRefusedUs, match="Hostname mismatch"):
            await client.send(message("1"), "1")


async def test_an_address_in_the_certificate_is_a_name_too(site: Site) -> None:
    async with (
        listening(site) as ward,
        MllpClient("127.0.0.1", ward.port, site.client_context()) as client,
    ):
        assert (await client.send(message("1"), "1")).accepted


async def test_a_partner_of_an_unknown_authority_is_refused(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("Another CA").pem)
    context = client_context(replace(site.client, trust=other, crl=None))
    async with listening(site) as ward:
        client = MllpClient("127.0.0.1", ward.port, context, "localhost")
        with pytest.raises(PartnerRefusedUs):
            await client.send(message("1"), "1")
        assert ward.got == []


async def test_a_revoked_partner_is_refused_after_a_reload(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        await client.send(message("1"), "1")
        serial = serial_of(site.server.certificate.read_bytes())
        (site.folder / "crl.pem").write_bytes(site.ca.crl([serial]))
        client.reload(site.client_context())
        await client.close()
        with pytest.raises(PartnerRefusedUs, match="revoked"):
            await client.send(message("2"), "2")


async def test_being_refused_is_an_error_and_nothing_is_taken(site: Site) -> None:
    context = site.client_context("lost-laptop")
    serial = serial_of((site.folder / "lost-laptop.pem").read_bytes())
    (site.folder / "crl.pem").write_bytes(site.ca.crl([serial]))
    async with listening(site) as ward:
        client = MllpClient("127.0.0.1", ward.port, context, "localhost", QUICK)
        with pytest.raises((PartnerRefusedUs, PartnerUnreachable)):
            await client.send(message("1"), "1")
        await until(lambda: ward.refused != [])
        assert ward.got == []


async def test_what_cannot_be_framed_is_not_sent(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        with pytest.raises(FrameError):
            await client.send(b"MSH|\x1c\rPID|", "1")
        assert ward.got == []
        assert (await client.send(message("2"), "2")).accepted


async def test_a_cancelled_send_leaves_no_answer_for_the_next(site: Site) -> None:
    begun = asyncio.Event()

    async def hold(payload: bytes) -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.sleep(0.2)

    async with listening(site) as ward, sending(site, ward.port) as client:
        ward.before = hold
        first = asyncio.create_task(client.send(message("1"), "1"))
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await client.send(message("2"), "2")).control_id == "2"


async def test_closing_twice_or_unused_is_fine(site: Site) -> None:
    client = MllpClient("127.0.0.1", 1, site.client_context())
    await client.close()
    await client.close()


async def test_a_large_message_goes_both_ways(site: Site) -> None:
    async with listening(site) as ward, sending(site, ward.port) as client:
        assert (await client.send(message("1", "x" * 8_000_000), "1")).accepted
        assert len(ward.got[0]) > 8_000_000
