"""Where the key-encryption key comes from. A file today; a key management system fits the same protocol."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.errors import KeyUnavailable, Tampered

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_HEADER: Final = b"\x01"  # form of a wrapped key: header, key id, nonce, ciphertext with tag
_ID_BYTES: Final = 8
_SALT: Final = b"connector/kek/1"


class KeyProvider(Protocol):
    """Wraps data keys. ``context`` is bound to the wrapped key and must be given again to unwrap it."""

    @property
    def key_id(self) -> str:
        """Names the current key-encryption key; says nothing about it."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """The data key, encrypted. Raises ``KeyUnavailable``."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The data key. Raises ``KeyUnavailable`` (another key wrapped it) and ``Tampered``."""
        ...

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (RFC 5869). Raises ``KeyUnavailable``."""
        ...


class FileKeyProvider:
    """One key in a file: 32 random bytes in base64, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        """Reads the key. Raises ``KeyUnavailable``: no such file, open to others, or no such key."""
        self._key = _read(path)
        self._wrapping = AESGCM(self._key)
        self._id = self.derive("key id")[:_ID_BYTES]

    @staticmethod
    def create(path: Path) -> FileKeyProvider:
        """A new random key in a new file of mode 0600. Raises ``KeyUnavailable`` if there is a file."""
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise KeyUnavailable(f"the key file cannot be made ({_named(error)})") from None
        with os.fdopen(file, "wb") as out:
            out.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        return FileKeyProvider(path)

    @property
    def key_id(self) -> str:
        """Hexadecimal."""
        return self._id.hex()

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """AES-256-GCM with a random nonce: fewer than 2^28 records under one key stay far from its limit."""
        nonce = os.urandom(NONCE_BYTES)
        head = _HEADER + self._id
        return head + nonce + self._wrapping.encrypt(nonce, data_key, head + context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See ``KeyProvider``."""
        start = len(_HEADER) + _ID_BYTES
        head, nonce = wrapped[:start], wrapped[start : start + NONCE_BYTES]
        if head != _HEADER + self._id:
            raise KeyUnavailable(
                "another key wrapped this record", fix="give the key that the store was made with"
            )
        try:
            return self._wrapping.decrypt(nonce, wrapped[start + NONCE_BYTES :], head + context)
        except (InvalidTag, ValueError):
            raise Tampered("a wrapped key does not belong to its record") from None

    def derive(self, purpose: str) -> bytes:
        """HKDF-SHA-256 with the purpose as ``info``."""
        return HKDF(SHA256(), KEY_BYTES, _SALT, purpose.encode("utf-8")).derive(self._key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            _check(os.fstat(file.fileno()), path)
            text = file.read(4096)
    except OSError as error:
        raise KeyUnavailable(f"the key file cannot be read ({_named(error)})", location=str(path)) from None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(
            "the key file holds no key", fix="it must hold 32 random bytes in base64", location=str(path)
        )
    return key


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyUnavailable("the key is no file", location=str(path))
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyUnavailable("others may read the key file", fix="chmod 600", location=str(path))


def _named(error: OSError) -> str:
    return type(error).__name__
