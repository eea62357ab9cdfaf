"""An authority for time-stamps of our own: OpenSSL answers, over real TLS on loopback."""

from __future__ import annotations

import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audit import stamps
from tests.pki import Authority, SiteFiles, write_private

SETTINGS = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1, millisecs:500
tsa_name = yes
ess_cert_id_alg = sha256
"""


class Stamps:
    """Signs time-stamps under an authority, ``trust``. ``purpose``: what its certificate says it is for."""

    def __init__(
        self,
        folder: Path,
        *,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
        authority: Authority | None = None,
        days: int = 30,
    ) -> None:
        self._folder, self._authority = folder, authority or Authority("Stamps CA")
        folder.mkdir(exist_ok=True)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(SETTINGS.format(folder=folder))
        certificate, key = _issued(self._authority, purpose, datetime.now(UTC) + timedelta(days=days))
        (folder / "tsa.pem").write_bytes(certificate)
        write_private(folder / "tsa.key", key)
        self.trust = folder / "stamps-ca.pem"
        self.trust.write_bytes(self._authority.pem)

    def answer(self, query: bytes) -> bytes:
        (self._folder / "query").write_bytes(query)
        reply = self._folder / "reply"
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", self._folder / "tsa.cnf", "-queryfile",
             self._folder / "query", "-signer", self._folder / "tsa.pem", "-inkey", self._folder / "tsa.key",
             "-out", reply],
            check=True, capture_output=True,
        )  # fmt: skip
        return reply.read_bytes()


def _issued(authority: Authority, use: x509.ObjectIdentifier, until: datetime) -> tuple[bytes, bytes]:
    """A certificate for one use alone, which is critical as RFC 3161 asks, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stamps")])
    serial, since = x509.random_serial_number(), until - timedelta(days=90)
    made = x509.CertificateBuilder(authority.name, own, key.public_key(), serial, since, until)
    made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=True)
    signing = load_pem_private_key(authority.key_pem, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM), private


class StampServer:
    """It over HTTPS. ``status`` and ``spoil`` make it answer otherwise; ``queries``: what it was asked."""

    def __init__(self, made: Stamps, files: SiteFiles) -> None:
        self.made, self.status, self.queries = made, 200, list[bytes]()
        self.spoil = lambda answer: answer
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.trust)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answerer(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"https://localhost:{self._server.server_port}/tsa"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answerer(of: StampServer) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            fits = (self.path, self.headers["Content-Type"]) == ("/tsa", stamps.QUERY)
            content = of.spoil(of.made.answer(query)) if fits else b""
            of.queries.append(query)
            self.send_response(of.status if fits else 400)
            self.send_header("Content-Type", stamps.REPLY)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *given: object) -> None:
            """Nobody listens."""

    return Answering
