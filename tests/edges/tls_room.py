"""Authorities, partners and what strangers show: made once a module, for the tests of who may come."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.edges.acceptor import listen
from connector.edges.anchors import Anchors
from connector.edges.http_server import serve_http
from connector.edges.mllp_server import MllpServer
from connector.edges.tls import Context, Peer, TlsFiles, server_context
from connector.edges.trust import Party, Speakers, Trust
from tests.mllp.loopback import ack, frame_of
from tests.pki import DAY, Authority, serial_of, write_private

Way = Literal["mllp", "https"]
NOW: Final = datetime.now(UTC)
LAB: Final = "CN=lab"


class Town:
    """The service, the partner ``lab`` with an authority of its own, and another partner with another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.labs, self.others = Authority("Ours"), Authority("Lab CA"), Authority("Other CA")
        self.own = self.ours.write(folder, "server")
        self.lab = self.shown("lab", *self.labs.issue("lab"))

    @property
    def files(self) -> TlsFiles:
        """Of the listener."""
        return TlsFiles(self.own.certificate, self.own.key, self.own.trust)

    def shown(self, name: str, certificate: bytes, key: bytes) -> Path:
        """The file of a certificate with its key."""
        path = self.folder / f"{name}.both"
        write_private(path, certificate + key)
        return path

    def anchors(self, authority: Authority, *crls: bytes, listed: bool = False) -> Anchors:
        """An authority with revocation lists."""
        lists = tuple(x509.load_pem_x509_crl(one) for one in crls)
        return Anchors((authority.certificate,), (), lists, listed or bool(lists))

    def party(self, authority: Authority, *crls: bytes, name: str = "lab", **said: object) -> Party:
        """A partner known by its subject."""
        held = said.pop("anchors", None) or self.anchors(authority, *crls)
        speakers = said.pop("speakers", None) or Speakers(subjects=frozenset({f"CN={name}"}))
        return Party(name, held, speakers, alone=True, **said)  # type: ignore[arg-type]

    def trust(self, *parties: Party) -> Trust:
        """What a listener goes by: nobody but these partners may come."""
        return Trust(None, parties)

    def context(self, *parties: Party) -> Context:
        """Of a listener to which these may come."""
        return server_context(self.files, self.trust(*parties))

    def client(self, shown: Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client of the standard library that shows this."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.ours.pem.decode())
        if shown is not None:
            context.load_cert_chain(shown)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def revoking(self, shown: Path) -> bytes:
        """The lab's list with this certificate on it."""
        return self.labs.crl([serial_of(shown.read_bytes())])

    def stale(self) -> bytes:
        """The lab's list of last week."""
        return self.labs.crl(last_update=NOW - 9 * DAY, next_update=NOW - timedelta(seconds=1))


def corrupted(certificate: bytes) -> bytes:
    """The certificate with a bit of its signature turned."""
    encoded = bytearray(x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER))
    encoded[-1] ^= 1
    return ssl.DER_cert_to_PEM_cert(bytes(encoded)).encode()


def of_another(key: bytes) -> bytes:
    """A private key that says it belongs to the public one of ``key`` and does not: it signs with another."""
    real = serialization.load_pem_private_key(key, None)
    wrong = ec.generate_private_key(ec.SECP256R1())
    assert isinstance(real, ec.EllipticCurvePrivateKey)
    encoded = _traditional(wrong)
    return _pem(encoded.replace(_point(wrong), _point(real)))


def _traditional(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def _pem(encoded: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(encoded).replace("CERTIFICATE", "EC PRIVATE KEY").encode()


class Door:
    """A listener of either kind; ``refused``: the reasons it told."""

    def __init__(self, way: Way, context: Context) -> None:
        self.way, self.refused, self.strangers = way, list[str](), list[Peer | None]()
        self.told = asyncio.Event()
        make = self._mllp if way == "mllp" else self._https
        self.server = make(context)

    @property
    def port(self) -> int:
        return self.server.address[1]

    def _mllp(self, context: Context) -> MllpServer:
        async def receive(payload: bytes, peer: Peer) -> bytes | None:
            return ack(payload)

        return MllpServer(listen("127.0.0.1", 0), context, receive, on_refused=self.refuse)

    def _https(self, context: Context):  # type: ignore[no-untyped-def]
        async def app(scope: object, receive: object, send) -> None:  # type: ignore[no-untyped-def]
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return serve_http(app, listen("127.0.0.1", 0), context, on_refused=self.refuse)

    def refuse(self, reason: str, address: str, peer: Peer | None) -> None:
        assert address.startswith("127.0.0.1:")
        self.refused.append(reason)
        self.strangers.append(peer)
        self.told.set()

    async def ask(self, context: ssl.SSLContext) -> bytes:
        """The first bytes of the answer to one question; raises OSError where there is none."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
        )
        try:
            writer.write(self.question)
            answer = await asyncio.wait_for(reader.read(1000), 5)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)
        if not answer:
            raise ConnectionResetError
        return answer

    @property
    def question(self) -> bytes:
        return frame_of("1") if self.way == "mllp" else b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"

    async def why_not(self, context: ssl.SSLContext) -> str:
        """The reason for which somebody was not let in."""
        try:
            answer = await self.ask(context)
        except OSError:
            await asyncio.wait_for(self.told.wait(), 5)
            return self.refused[0]
        raise AssertionError(f"it was let in and got {answer!r}")


@asynccontextmanager
async def door(way: Way, context: Context) -> AsyncIterator[Door]:
    """A listener on a free port."""
    made = Door(way, context)
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.close(grace=1)
