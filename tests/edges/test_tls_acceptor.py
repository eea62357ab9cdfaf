"""Who gets in, over real TLS on loopback, and what is said of those who do not."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from connector.edges.acceptor import Acceptor, address_of, listen
from connector.edges.mllp_server import MllpLimits
from connector.edges.tls import Peer, client_context, server_context
from tests.mllp.loopback import (
    Site,
    frame_of,
    listening,
    only,
    refused,
    revoke,
    talk,
    tls_files,
    until,
    visitor,
)
from tests.pki import DAY, Authority, write_private

SAN = ExtensionOID.SUBJECT_ALTERNATIVE_NAME
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@VERSIONS
async def test_both_versions_of_tls_let_a_good_peer_in(site: Site, version: ssl.TLSVersion) -> None:
    async with listening(site) as ward:
        await talk(site, ward, only(site.client_context(), version))
        assert ward.refused == []


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated")
async def test_tls_1_1_is_refused(site: Site) -> None:
    context = site.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(site) as ward:
        reason = await refused(site, ward, only(context, ssl.TLSVersion.TLSv1_1))
        assert reason.startswith("tls: ")


async def test_tls_1_2_without_gcm_is_refused(site: Site) -> None:
    context = only(site.client_context(), ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE+CHACHA20")
    async with listening(site) as ward:
        assert await refused(site, ward, context) == "tls: NO_SHARED_CIPHER"


async def test_where_1_3_is_the_minimum_1_2_is_refused(site: Site) -> None:
    strict = server_context(replace(site.server, minimum="1.3"))
    async with listening(site, context=strict) as ward:
        reason = await refused(site, ward, only(site.client_context(), ssl.TLSVersion.TLSv1_2))
        assert reason.startswith("tls: ")


@VERSIONS
async def test_a_peer_without_a_certificate_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.client.trust)
    async with listening(site) as ward:
        reason = await refused(site, ward, only(context, version))
        assert reason == "tls: PEER_DID_NOT_RETURN_A_CERTIFICATE"


@VERSIONS
async def test_a_peer_of_an_unknown_authority_is_refused(
    site: Site, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    (tmp_path / "x").mkdir()
    stranger = tls_files(Authority("Another CA").write(tmp_path / "x", "client"))
    context = visitor(stranger, site.client.trust)
    async with listening(site) as ward:
        reason = await refused(site, ward, only(context, version))
        assert reason.startswith("certificate: ")


async def test_an_authority_of_the_same_name_with_another_key_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    twin = tls_files(Authority().write(tmp_path / "x", "client"))
    context = visitor(twin, site.client.trust)
    async with listening(site) as ward:
        assert (await refused(site, ward, context)).startswith("certificate: ")


async def test_a_certificate_for_servers_only_is_refused_from_a_client(site: Site) -> None:
    files = tls_files(site.ca.write(site.folder, "wrong-use", client=False))
    async with listening(site) as ward:
        reason = await refused(site, ward, client_context(files))
        assert reason == "certificate: unsuitable certificate purpose"


async def test_a_certificate_that_openssl_takes_but_nobody_can_read_is_refused(site: Site) -> None:
    address_of_three_bytes = x509.UnrecognizedExtension(SAN, b"\x30\x05\x87\x03\x01\x02\x03")
    certificate, key = site.ca.issue("odd", extra=[address_of_three_bytes])
    write_private(site.folder / "odd.pem", certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.client.trust)
    context.load_cert_chain(site.folder / "odd.pem")
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with listening(site) as ward:
        reason = await refused(site, ward, context)
        assert reason == "the certificate of the peer cannot be read"
        await until(lambda: ward.server.acceptor.open == 0)


async def test_an_expired_certificate_is_refused(site: Site) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.client.trust)
    certificate, key = site.ca.issue("old", not_before=datetime.now(UTC) - 9 * DAY, days=2)
    (site.folder / "old.pem").write_bytes(certificate + key)
    context.load_cert_chain(site.folder / "old.pem")
    async with listening(site) as ward:
        assert await refused(site, ward, context) == "certificate: certificate has expired"


@VERSIONS
async def test_a_revoked_peer_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    context = only(site.client_context("lost-laptop"), version)
    revoke(site, "lost-laptop")
    async with listening(site) as ward:
        assert await refused(site, ward, context) == "certificate: certificate revoked"


async def test_a_list_that_goes_stale_while_running_lets_nobody_in(site: Site) -> None:
    soon = datetime.fromtimestamp(int(time.time()) + 2, UTC)
    (site.folder / "crl.pem").write_bytes(site.ca.crl(next_update=soon))
    context = client_context(replace(site.client, crl=None))
    async with listening(site) as ward:
        await asyncio.sleep(soon.timestamp() + 1.1 - time.time())
        assert await refused(site, ward, context) == "certificate: CRL has expired"


async def test_an_authority_without_a_list_beside_one_with_a_list_lets_nobody_in(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "x").mkdir()
    second = Authority("Second CA")
    stranger = second.write(tmp_path / "x", "client")
    site.server.trust.write_bytes(site.ca.pem + second.pem)
    context = visitor(stranger, site.client.trust)
    async with listening(site) as ward:
        assert await refused(site, ward, context) == "certificate: unable to get certificate CRL"


async def test_a_server_that_is_revoked_is_refused_by_our_client(site: Site) -> None:
    async with listening(site) as ward:
        revoke(site, "server")
        with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
            await talk(site, ward, site.client_context())


async def test_a_server_under_another_name_is_refused_by_our_client(site: Site) -> None:
    async with listening(site) as ward:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await asyncio.open_connection(
                "127.0.0.1", ward.port, ssl=site.client_context(), server_hostname="other.example"
            )


async def test_fifty_silent_peers_do_not_delay_a_good_one(site: Site) -> None:
    async with listening(site, MllpLimits(handshake_timeout=0.8)) as ward:
        silent = [await asyncio.open_connection("127.0.0.1", ward.port) for _ in range(50)]
        began = time.monotonic()
        await talk(site, ward, site.client_context())
        assert time.monotonic() - began < 0.5
        await until(lambda: len(ward.refused) == 50)
        assert {reason for reason, _ in ward.refused} == {"handshake timeout"}
        for _, writer in silent:
            writer.transport.abort()


async def test_one_byte_and_silence_is_a_handshake_timeout_too(site: Site) -> None:
    async with listening(site, MllpLimits(handshake_timeout=0.2)) as ward:
        _, writer = await asyncio.open_connection("127.0.0.1", ward.port)
        writer.write(b"\x16")
        await until(lambda: ward.refused != [])
        assert ward.refused[0][0] == "handshake timeout"
        writer.transport.abort()


async def test_plain_text_is_refused(site: Site) -> None:
    async with listening(site) as ward:
        reader, writer = await asyncio.open_connection("127.0.0.1", ward.port)
        writer.write(frame_of("1"))
        await until(lambda: ward.refused != [])
        assert ward.refused[0][0].startswith("tls: ")
        assert ward.got == []
        writer.transport.abort()
        assert reader is not None


async def test_a_peer_that_leaves_during_the_handshake_is_told_of(site: Site) -> None:
    async with listening(site) as ward:
        _, writer = await asyncio.open_connection("127.0.0.1", ward.port)
        writer.close()
        await until(lambda: ward.refused != [])
        assert ward.refused[0][0] == "closed during the handshake"


async def test_a_flood_of_handshakes_pushes_out_the_oldest(site: Site) -> None:
    acceptor, refusals = acceptor_of(site, handshake_limit=3)
    await acceptor.start()
    peers = [await asyncio.open_connection(*acceptor.address) for _ in range(5)]
    await until(lambda: len(refusals) == 2)
    assert set(refusals) == {"pushed out: too many handshakes"}
    await acceptor.close()
    for _, writer in peers:
        writer.transport.abort()


def acceptor_of(site: Site, **limits: int) -> tuple[Acceptor, list[str]]:
    refusals: list[str] = []
    protocol: Callable[[Callable[[], None]], asyncio.Protocol] = lambda over: asyncio.Protocol()  # noqa: E731
    sock = listen("127.0.0.1", 0)

    def refuse(reason: str, address: str, peer: Peer | None) -> None:
        refusals.append(reason)

    return Acceptor(sock, site.server_context(), protocol, refuse, **limits), refusals


async def test_refusals_may_be_reported_by_a_coroutine(site: Site) -> None:
    seen: list[str] = []

    async def audit(reason: str, address: str, peer: Peer | None) -> None:
        await asyncio.sleep(0)
        seen.append(reason)

    async with listening(site, on_refused=audit) as ward:
        _, writer = await asyncio.open_connection("127.0.0.1", ward.port)
        writer.close()
        await until(lambda: seen == ["closed during the handshake"])


async def test_a_report_that_fails_is_told_to_the_loop_and_good_peers_still_get_in(site: Site) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    def fail(reason: str, address: str, peer: Peer | None) -> None:
        raise KeyError(address)

    async with listening(site, on_refused=fail) as ward:
        _, writer = await asyncio.open_connection("127.0.0.1", ward.port)
        writer.close()
        await until(lambda: told == ["a refused peer could not be reported: KeyError"])
        await talk(site, ward, site.client_context())


async def test_out_of_descriptors_is_told_and_survived(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening(site) as ward:
        with socket.create_connection(("127.0.0.1", ward.port)):
            await asyncio.sleep(0.05)
            with socket.socket() as late:
                resource.setrlimit(resource.RLIMIT_NOFILE, (late.fileno() + 1, hard))
                try:
                    late.connect(("127.0.0.1", ward.port))
                    await until(lambda: ("accept: OSError", "") in ward.refused)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await talk(site, ward, site.client_context())


async def test_ipv6_addresses_are_written_in_brackets() -> None:
    assert address_of(("::1", 2575, 0, 0)) == "[::1]:2575"
    assert address_of(("127.0.0.1", 2575)) == "127.0.0.1:2575"
    assert address_of(None) == ""


async def test_closing_ends_handshakes_under_way(site: Site) -> None:
    acceptor, refusals = acceptor_of(site)
    await acceptor.start()
    reader, writer = await asyncio.open_connection(*acceptor.address)
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await acceptor.close()
    assert await asyncio.wait_for(reader.read(), 2) == b""
    assert time.monotonic() - began < 1
    assert refusals == []
    writer.transport.abort()


async def test_many_good_peers_at_once_all_get_in(site: Site) -> None:
    async with listening(site) as ward:
        context = site.client_context()
        await asyncio.gather(*(talk(site, ward, context) for _ in range(40)))
        assert len(ward.got) == 40
        assert ward.refused == []
