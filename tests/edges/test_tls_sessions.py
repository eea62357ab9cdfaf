"""Sessions that may not be resumed, and what a new context or a new list does to connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from connector.edges.tls import revoked_serials, server_context
from tests.mllp.loopback import (
    Site,
    answers,
    connected,
    frame_of,
    listening,
    message,
    only,
    revoke,
    sending,
    talk,
    until,
    visitor,
)
from tests.pki import Authority


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def resuming(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """One message with the blocking client of the standard library, offering a session."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(frame_of("1"))
        answer = tls.recv(1000)
        if not answer:
            raise ConnectionResetError("closed without an answer")
        assert b"MSA|AA" in answer
        assert not tls.session_reused
        return tls.session


def plain_client(site: Site, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.client.trust)
    context.load_cert_chain(site.client.certificate, site.client.key)
    return only(context, version)


async def test_in_tls_1_3_no_session_is_ever_resumed(site: Site) -> None:
    context = plain_client(site, ssl.TLSVersion.TLSv1_3)
    async with listening(site) as ward:
        session = await asyncio.to_thread(resuming, context, ward.port, None)
        assert session is not None
        assert not session.has_ticket
        await asyncio.to_thread(resuming, context, ward.port, session)


async def test_in_tls_1_2_a_resumed_session_is_refused_and_the_next_attempt_is_a_full_one(site: Site) -> None:
    context = plain_client(site, ssl.TLSVersion.TLSv1_2)

    def offer_while_the_first_is_open(port: int) -> ssl.SSLSession:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as first,
        ):
            assert first.session is not None
            assert not first.session.has_ticket
            with pytest.raises(OSError, match=r"reset|EOF|closed"):
                resuming(context, port, first.session)
            return first.session

    async with listening(site) as ward:
        session = await asyncio.to_thread(offer_while_the_first_is_open, ward.port)
        await until(lambda: ward.refused != [])
        assert ward.refused[0][0] == "tls: a session may not be resumed"
        assert ward.got == []
        await asyncio.to_thread(resuming, context, ward.port, session)
        assert len(ward.got) == 1


async def test_a_new_context_serves_new_handshakes_and_open_connections_stay(site: Site) -> None:
    context = site.client_context("ward-7")
    async with listening(site) as ward, connected(site, ward.port, context) as (reader, writer):
        writer.write(frame_of("1"))
        await answers(reader, 1)
        revoke(site, "ward-7")
        ward.server.reload(site.server_context())
        with pytest.raises((OSError, EOFError)):
            await talk(site, ward, context)
        writer.write(frame_of("2"))
        assert await answers(reader, 1) == [("AA", "2")]


async def test_open_connections_of_a_revoked_peer_are_swept(site: Site) -> None:
    context = site.client_context("ward-7")
    async with (
        listening(site) as ward,
        connected(site, ward.port, context) as (reader, writer),
        sending(site, ward.port) as good,
    ):
        writer.write(frame_of("1"))
        await answers(reader, 1)
        await good.send(message("2"), "2")
        revoke(site, "ward-7")
        gone = revoked_serials(site.server)
        assert ward.server.acceptor.drop(lambda peer: peer.serial in gone) == 1
        await until(lambda: ward.server.acceptor.open == 1)
        assert (await good.send(message("3"), "3")).accepted


async def test_an_authority_can_be_taken_out_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    old = Authority("Old CA")
    guest = visitor(old.write(tmp_path / "x", "client"), site.client.trust)
    both = replace(site.server, trust=tmp_path / "both.pem", crl=None)
    both.trust.write_bytes(site.ca.pem + old.pem)
    async with listening(site, context=server_context(both)) as ward:
        await talk(site, ward, guest)
        ward.server.reload(site.server_context())
        with pytest.raises((OSError, EOFError)):
            await talk(site, ward, guest)
