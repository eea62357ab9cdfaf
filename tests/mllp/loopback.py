"""A listener and its peers on loopback, with real TLS: what the tests of the edges share."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.edges.acceptor import OnRefused, listen
from connector.edges.mllp_client import MllpClient, MllpTimeouts
from connector.edges.mllp_server import MllpEvent, MllpLimits, MllpServer
from connector.edges.tls import Peer, TlsFiles, client_context, server_context
from connector.errors import FrameError, FrameTooLarge
from connector.mllp import frame, read_msa
from tests.pki import Authority, SiteFiles, serial_of


def tls_files(site: SiteFiles, *, crl: bool = True) -> TlsFiles:
    """The files of one end, as the connector takes them."""
    return TlsFiles(site.certificate, site.key, site.trust, site.crl if crl else None)


class Site:
    """An authority, a server and a client below it, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = Authority()
        self.server = tls_files(self.ca.write(folder, "server"))
        self.client = tls_files(self.ca.write(folder, "client"))

    def server_context(self) -> ssl.SSLContext:
        return server_context(self.server)

    def client_context(self, name: str = "client") -> ssl.SSLContext:
        if name != "client":
            return client_context(tls_files(self.ca.write(self.folder, name)))
        return client_context(self.client)


def message(control_id: str, text: str = "x") -> bytes:
    """A small ADT."""
    return f"MSH|^~\\&|HIS|WARD|LAB|X|20261123||ADT^A01|{control_id}|P|2.5.1\rNTE|1||{text}\r".encode()


def ack(payload: bytes, code: str = "AA") -> bytes:
    """The answer to a message: MSA-2 is its MSH-10."""
    control_id = payload.split(b"|")[9]
    return b"MSH|^~\\&|LAB|X|HIS|WARD|20261123||ACK|9|P|2.5.1\rMSA|%s|%s\r" % (code.encode(), control_id)


def frame_of(control_id: str) -> bytes:
    """A small ADT as a block."""
    return frame(message(control_id))


class Ward:
    """A listener that keeps what it got and acknowledges it."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.peers: list[Peer] = []
        self.faults: list[FrameError] = []
        self.heads: list[bytes] = []
        self.events: list[tuple[MllpEvent, str]] = []
        self.refused: list[tuple[str, str]] = []
        self.fault_answer: bytes | None = None
        self.before: Callable[[bytes], Awaitable[None]] | None = None
        self.server: MllpServer

    async def receive(self, payload: bytes, peer: Peer) -> bytes | None:
        if self.before is not None:
            await self.before(payload)
        self.got.append(payload)
        self.peers.append(peer)
        return ack(payload)

    async def fault(self, peer: Peer, error: FrameError) -> bytes | None:
        self.faults.append(error)
        return self.fault_answer

    async def too_long(self, head: bytes, peer: Peer, error: FrameTooLarge) -> bytes | None:
        self.heads.append(head)
        return ack(head, "AR")

    def event(self, event: MllpEvent, peer: Peer, detail: str) -> None:
        self.events.append((event, detail))

    def refuse(self, reason: str, address: str, peer: Peer | None) -> None:
        self.refused.append((reason, address))

    @property
    def port(self) -> int:
        return self.server.address[1]

    async def sees(self, event: MllpEvent, count: int = 1) -> None:
        """Wait until the listener told this event so often."""
        await until(lambda: sum(seen is event for seen, _ in self.events) >= count)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is not ours to signal
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    site: Site,
    limits: MllpLimits | None = None,
    *,
    context: ssl.SSLContext | None = None,
    on_refused: OnRefused | None = None,
) -> AsyncIterator[Ward]:
    """A ward's listener on a free port, closed at the end."""
    ward = Ward()
    ward.server = MllpServer(
        listen("127.0.0.1", 0),
        context or site.server_context(),
        ward.receive,
        fault=ward.fault,
        limits=limits,
        on_event=ward.event,
        on_refused=on_refused or ward.refuse,
    )
    await ward.server.start()
    try:
        yield ward
    finally:
        await ward.server.close(grace=1)


@asynccontextmanager
async def connected(
    site: Site, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare TLS connection: for peers that do what no client of ours does."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context or site.client_context(), server_hostname="localhost"
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def sending(
    site: Site, port: int, timeouts: MllpTimeouts | None = None, **options: object
) -> AsyncIterator[MllpClient]:
    """A client of the connector, connected to a port on loopback."""
    context = site.client_context()
    client = MllpClient("127.0.0.1", port, context, "localhost", timeouts, **options)  # type: ignore[arg-type]
    async with client:
        yield client


async def answers(reader: asyncio.StreamReader, count: int) -> list[tuple[str, str]]:
    """(code, control id) of the next answers."""
    blocks = [await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 5) for _ in range(count)]
    return [read_msa(block[1:-2]) for block in blocks]


def visitor(files: TlsFiles | SiteFiles, *trusted: Path) -> ssl.SSLContext:
    """A client of the standard library, not ours: shows a certificate and trusts these authorities."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in trusted:
        context.load_verify_locations(path)
    context.load_cert_chain(files.certificate, files.key)
    return context


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The context, for one version of TLS alone."""
    context.minimum_version = context.maximum_version = version
    return context


async def refused(site: Site, ward: Ward, context: ssl.SSLContext) -> str:
    """Try to get in, without success; returns the reason that the server told."""
    with pytest.raises((OSError, EOFError)):
        await talk(site, ward, context)
    await until(lambda: ward.refused != [])
    assert ward.got == []
    assert ward.refused[0][1].startswith("127.0.0.1:")
    return ward.refused[0][0]


async def talk(site: Site, ward: Ward, context: ssl.SSLContext) -> None:
    """Connect, send a message, see it acknowledged."""
    async with connected(site, ward.port, context) as (reader, writer):
        writer.write(frame_of("1"))
        block = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 5)
        assert b"MSA|AA|1" in block


def revoke(site: Site, name: str) -> int:
    """Put a certificate of the site on its revocation list."""
    serial = serial_of((site.folder / f"{name}.pem").read_bytes())
    (site.folder / "crl.pem").write_bytes(site.ca.crl([serial]))
    return serial
