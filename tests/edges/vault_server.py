"""A server that speaks as much of Vault's transit API as is documented, over real TLS, with its refusals.

Source: https://developer.hashicorp.com/vault/api-docs/secret/transit and .../auth/token (renew-self). It is
no Vault: it is a record of what Vault's documentation says.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.pki import SiteFiles


class Vault:
    """Its state: ``sealed``, the token that it takes, the versions of its one key, what it was asked."""

    def __init__(self, files: SiteFiles) -> None:
        self.sealed, self.token, self.ignores_associated_data = False, "hvs.good", False
        self.silent = threading.Event()
        self.versions = [AESGCM(os.urandom(32))]
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answerer(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"https://localhost:{self._server.server_port}"

    def close(self) -> None:
        self.silent.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, token: str, said: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        if (method, path) == ("POST", "/v1/auth/token/renew-self"):
            return 200, {"auth": {"renewable": True, "lease_duration": 3600}}
        verb = (method, path.removeprefix("/v1/transit/"))
        if verb == ("POST", "encrypt/connector"):
            return 200, {"data": self._encrypted(said)}
        if verb == ("POST", "decrypt/connector"):
            return self._decrypted(said)
        if verb == ("GET", "keys/connector"):
            return 200, {"data": {"type": "aes256-gcm96", "latest_version": len(self.versions)}}
        if verb == ("POST", "keys/connector/rotate"):
            self.versions.append(AESGCM(os.urandom(32)))
            return 204, None
        return 404, {"errors": []}

    def _encrypted(self, said: dict[str, str]) -> dict[str, Any]:
        nonce, version = os.urandom(12), len(self.versions)
        sealed = self.versions[-1].encrypt(nonce, base64.b64decode(said["plaintext"]), self._bound(said))
        text = f"vault:v{version}:{base64.b64encode(nonce + sealed).decode()}"
        return {"ciphertext": text, "key_version": version}

    def _decrypted(self, said: dict[str, str]) -> tuple[int, Any]:
        _, version, text = said["ciphertext"].split(":")
        content = base64.b64decode(text)
        try:
            aead = self.versions[int(version[1:]) - 1]
            plain = aead.decrypt(content[:12], content[12:], self._bound(said))
        except (InvalidTag, IndexError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}

    def _bound(self, said: dict[str, str]) -> bytes:
        return b"" if self.ignores_associated_data else base64.b64decode(said.get("associated_data", ""))


def _answerer(vault: Vault) -> type[BaseHTTPRequestHandler]:
    class Answerer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._do("GET")

        def do_POST(self) -> None:
            self._do("POST")

        def _do(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if vault.token == "silent":
                vault.silent.wait(30)
            token = self.headers.get("X-Vault-Token", "")
            status, said = vault.answer(method, self.path, token, json.loads(body or b"{}"))
            content = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Answerer
