"""Mutual TLS: full handshakes a second on one core, and how long a start takes with many partners."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.report import Row, Say
from connector.edges.acceptor import Acceptor, listen
from connector.edges.anchors import TrustFiles, load
from connector.edges.tls import TlsFiles, client_context, server_context, whom_we_call
from connector.edges.trust import Party, Speakers, Trust
from tests.pki import Authority, SiteFiles

RATE: Final = 150.0  # full mutual handshakes a second on one core
START: Final = 3.0  # seconds
PARTNERS: Final = 1_000
_AT_ONCE: Final = 8


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """Both ends of each handshake run in this process, so both count."""
    with tempfile.TemporaryDirectory() as folder:
        say("tls: handshakes")
        rows = _handshakes(Path(folder), 150 if quick else 1_500)
        say(f"tls: a start with {PARTNERS:,} partners")
        (Path(folder) / "start").mkdir()
        return [*rows, *_start(Path(folder) / "start", 100 if quick else PARTNERS)]


def _handshakes(folder: Path, count: int) -> list[Row]:
    """On one core; what Python's own contexts take for the same is the yardstick."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        authority = Authority()
        own, theirs = authority.write(folder, "server"), authority.write(folder, "client")
        ours = asyncio.run(_measured(server_context(_files(own)), client_context(_files(theirs)), count))
        plain = asyncio.run(_measured(_plain(own, server=True), _plain(theirs, server=False), count))
    finally:
        os.sched_setaffinity(0, cores)
    seconds, used = ours
    rate = count / seconds
    return [
        Row(
            "tls",
            "full mutual handshakes, both ends on one core",
            f"{rate:,.0f} /s",
            f"{rate / (count / plain[0]):.2f} of Python's own",
            f">= {RATE:.0f} /s",
            rate >= RATE,
        ),
        Row("tls", "processor time of both ends", f"{used / count * 1e3:.2f} ms"),
    ]


def _files(site: SiteFiles) -> TlsFiles:
    return TlsFiles(site.certificate, site.key, site.trust, site.crl)


def _plain(site: SiteFiles, *, server: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(site.certificate, site.key)
    context.load_verify_locations(site.trust)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _measured(server: ssl.SSLContext, client: ssl.SSLContext, count: int) -> tuple[float, float]:
    """Seconds, and seconds of the processor, of so many handshakes, several under way at once."""
    acceptor = Acceptor(listen("127.0.0.1", 0), server, _Protocol)
    await acceptor.start()
    port = acceptor.address[1]
    await _some(client, port, 20)  # to warm up
    begun, used = perf_counter(), process_time()
    await asyncio.gather(*(_some(client, port, count // _AT_ONCE) for _ in range(_AT_ONCE)))
    taken = (perf_counter() - begun) * count / (count // _AT_ONCE * _AT_ONCE), process_time() - used
    await acceptor.close()
    return taken


async def _some(client: ssl.SSLContext, port: int, count: int) -> None:
    for _ in range(count):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="localhost"
        )
        await reader.readexactly(1)  # the server has let us in
        writer.transport.abort()


class _Protocol(asyncio.Protocol):
    """Says one byte: the handshake is over on both sides."""

    def __init__(self, over: Any) -> None:
        self._over = over

    def connection_made(self, transport: Any) -> None:
        transport.write(b".")

    def connection_lost(self, exc: Exception | None) -> None:
        self._over()


def _start(folder: Path, count: int) -> list[Row]:
    """Each partner with an authority, a revocation list and a context for calling it of its own."""
    own = Authority().write(folder, "server")
    files = []
    for number in range(count):
        authority = Authority(f"CA {number}")
        trust, crl = folder / f"{number}.ca", folder / f"{number}.crl"
        trust.write_bytes(authority.pem)
        crl.write_bytes(authority.crl(range(1, 50)))
        files.append(TrustFiles(trust, crl))
    begun = perf_counter()
    held = [load(one) for one in files]
    parties = [
        Party(f"link-{number}", one, Speakers(subjects=frozenset({"CN=partner"})), alone=True)
        for number, one in enumerate(held)
    ]
    server_context(_files(own), Trust(load(TrustFiles(own.trust, own.crl)), parties))
    listened = perf_counter() - begun
    contexts = [client_context(_files(own), whom_we_call(one)) for one in held]
    taken = perf_counter() - begun
    with suppress(IndexError):
        contexts.pop()
    scaled = taken * PARTNERS / count
    return [
        Row("tls", f"listener for {count:,} partners, each with its authority and list", f"{listened:.2f} s"),
        Row(
            "tls",
            f"the same with {count:,} contexts for calling them",
            f"{taken:.2f} s",
            f"{taken / count * 1e3:.2f} ms a partner",
            f"< {START:.0f} s for {PARTNERS:,}",
            scaled < START,
        ),
    ]
