"""How a store of the first form was encrypted, kept as it was: what it left behind must stay readable."""

from __future__ import annotations

import base64
import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class FirstKeys:
    """One key-encryption key in a file, which wrapped the data key of each record itself."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.touch(0o600)
            path.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
        self._kek = base64.b64decode(path.read_bytes())
        self._id = self.derive("key id")[:8]
        self.key_id = self._id.hex()

    def derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, b"connector/kek/1", purpose.encode()).derive(self._kek)

    def index(self, column: str, *parts: str) -> bytes:
        return hmac.digest(self.derive(f"blind index/{column}"), b"".join(map(_framed, parts)), "sha256")

    def record(self, table: str, row: str, partner: str) -> FirstRecord:
        context = b"\x01" + _framed(table) + _framed(row) + _framed(partner)
        data_key, nonce, head = os.urandom(32), os.urandom(12), b"\x01" + self._id
        wrapped = head + nonce + AESGCM(self._kek).encrypt(nonce, data_key, head + context)
        return FirstRecord(context, data_key, wrapped)


class FirstRecord:
    """The ciphertexts of one row."""

    def __init__(self, context: bytes, data_key: bytes, wrapped: bytes) -> None:
        self._context, self._aead, self.wrapped = context, AESGCM(data_key), wrapped

    def seal(self, column: str, plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._aead.encrypt(nonce, plain, self._context + _framed(column))


def _framed(part: str) -> bytes:
    encoded = part.encode()
    return len(encoded).to_bytes(4, "big") + encoded
