"""Key-encryption keys: the port to whoever keeps them, and the one that keeps them in a file.

A key-encryption key wraps a few keys only: the root of the blind indexes and one key for each partner and
day. All else is wrapped by those, in memory (``keyring``), so a provider that is far away is asked about once
a day for each partner.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.errors import ConfigurationError, KeyUnavailable, Tampered
from connector.store.files import synced

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
ZEROS: Final = bytes(KEY_BYTES)
_FIRST: Final = b"\x01"  # form of a data key that a store of the first form had wrapped by the file's key
_FORM: Final = b"\x02"  # form of what the file's key wraps: form, key id, nonce, ciphertext with tag
_ID_BYTES: Final = 8
_SALT: Final = b"connector/kek/1"
_MOST_BYTES: Final = 4096


class Wrapped(NamedTuple):
    """A key that a key-encryption key has encrypted, and by which one."""

    provider: str
    key_id: str  # says nothing about the key
    blob: bytes


class KeyProvider(Protocol):
    """Keeps key-encryption keys and wraps 32 bytes with them. ``context`` is bound to what is wrapped.

    Its methods may ask somebody else and wait: they are called beside the event loop. All raise
    ``KeyUnavailable`` (no such key, not allowed) and ``KeysOutOfReach`` (nobody answers, or it is sealed).
    """

    @property
    def name(self) -> str:
        """Of its kind: ``file``, ``vault``..."""
        ...

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """The key, encrypted under the current key-encryption key."""
        ...

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """The key, whichever key-encryption key wrapped it. Raises ``Tampered`` too: another context."""
        ...

    def current(self) -> str:
        """Names the key-encryption key that wraps now."""
        ...

    def rotate(self) -> str:
        """Make a new key-encryption key, which wraps from now on; its name.

        The ones before still unwrap. Raises ``ConfigurationError`` where a person must do that elsewhere.
        """
        ...

    def forget(self, key_id: str) -> bool:
        """Take a key-encryption key away that wraps nothing any more; whether it was there.

        Raises ``ConfigurationError`` where a person must do that elsewhere.
        """
        ...


class FileKeyProvider:
    """Keys in a file that only its owner may read: a line of base64 for each, the current one first.

    The file is read again when it has changed, so that a rotation reaches whoever runs.
    """

    name: Final = "file"

    def __init__(self, path: Path) -> None:
        """Reads the keys. Raises ``KeyUnavailable``: no such file, open to others, or no such keys."""
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._keys: dict[str, bytes] = {}
        self._fresh()

    @classmethod
    def create(cls, path: Path) -> FileKeyProvider:
        """A new random key in a new file of mode 0600. Raises ``KeyUnavailable`` if there is a file."""
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise KeyUnavailable(f"the key file cannot be made ({_named(error)})") from None
        _write(file, [os.urandom(KEY_BYTES)])
        return cls(path)

    @property
    def key_id(self) -> str:
        """Of the current key, hexadecimal."""
        return next(iter(self._fresh()))

    def current(self) -> str:
        """See ``KeyProvider``."""
        return self.key_id

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """AES-256-GCM with a random nonce."""
        key_id, kek = next(iter(self._fresh().items()))
        head, nonce = _FORM + bytes.fromhex(key_id), os.urandom(NONCE_BYTES)
        blob = head + nonce + AESGCM(kek).encrypt(nonce, key, head + context)
        return Wrapped(self.name, key_id, blob)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """See ``KeyProvider``."""
        return self._unwrap(wrapped.blob, context, _FORM)

    def unwrap_first(self, data_key: bytes, context: bytes) -> bytearray:
        """The data key of a record as stores of the first form had it: wrapped by the file's key itself."""
        return self._unwrap(data_key, context, _FIRST)

    def root_of_first(self, key_id: str) -> bytearray:
        """The root that gives the same derived keys as a store of the first form had (RFC 5869 2.2)."""
        return bytearray(HKDF.extract(SHA256(), _SALT, self._key(key_id)))

    def rotate(self) -> str:
        """See ``KeyProvider``: a new first line. The file is replaced at once, so no crash leaves half."""
        self._replace([os.urandom(KEY_BYTES), *self._fresh().values()])
        return self.key_id

    def forget(self, key_id: str) -> bool:
        """Take a key out of the file that is not the current one. Raises ``KeyUnavailable``."""
        keys = self._fresh()
        if next(iter(keys)) == key_id:
            raise KeyUnavailable("this is the current key", fix="make another first: connector keys rotate")
        if key_id not in keys:
            return False
        self._replace([key for name, key in keys.items() if name != key_id])
        return True

    def _unwrap(self, blob: bytes, context: bytes, form: bytes) -> bytearray:
        start = len(form) + _ID_BYTES
        head, nonce = blob[:start], blob[start : start + NONCE_BYTES]
        if head[: len(form)] != form or len(head) < start:
            raise Tampered("a wrapped key is not of a known form")
        kek = self._key(head[len(form) :].hex())
        return opened(AESGCM(kek), nonce, blob[start + NONCE_BYTES :], head + context)

    def _key(self, key_id: str) -> bytes:
        kek = self._fresh().get(key_id)
        if kek is None:
            raise KeyUnavailable(
                "another key-encryption key wrapped this",
                fix=f"put key {key_id} back into the file",
            )
        return kek

    def _fresh(self) -> dict[str, bytes]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
                if seen != self._seen:
                    _check(status, self._path)
                    keys = _parse(file.read(_MOST_BYTES + 1), self._path)
                    self._keys = {_id(key): key for key in keys}
                    self._seen = seen
        except OSError as error:
            what = f"the key file cannot be read ({_named(error)})"
            raise KeyUnavailable(what, location=str(self._path)) from None
        return self._keys

    def _replace(self, keys: list[bytes]) -> None:
        path = self._path
        new = path.with_name(f".{path.name}.new")
        try:
            new.unlink(missing_ok=True)
            _write(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), keys)
            os.replace(new, path)
            synced(path.parent)
        except OSError as error:
            raise KeyUnavailable(f"the key file cannot be written ({_named(error)})") from None


class CredentialKeyProvider(FileKeyProvider):
    """Keys in a credential that systemd hands over (``LoadCredentialEncrypted=``): never written here."""

    name: Final = "systemd"  # type: ignore[misc]

    def __init__(self, credential: str) -> None:
        """Raises ``KeyUnavailable``: not started by systemd with this credential, or as for a file."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            fix = "start the connector as a systemd unit with LoadCredentialEncrypted="
            raise KeyUnavailable("there is no CREDENTIALS_DIRECTORY", fix=fix)
        super().__init__(Path(folder) / credential)

    def rotate(self) -> str:
        """Not from here."""
        raise ConfigurationError(
            "systemd keeps the key",
            fix="put a new line before the old one in the credential, restart, then: connector keys rewrap",
        )

    def forget(self, key_id: str) -> bool:
        """Not from here."""
        raise ConfigurationError("systemd keeps the key", fix="take its line out of the credential")


def opened(aead: AESGCM, nonce: bytes, sealed: bytes, associated: bytes) -> bytearray:
    """A key of 32 bytes, in memory that can be wiped. Raises ``Tampered``."""
    key = bytearray(KEY_BYTES)
    try:
        aead.decrypt_into(nonce, sealed, associated, key)
    except (InvalidTag, ValueError):
        raise Tampered("a wrapped key does not belong where it lies") from None
    return key


def wipe(key: bytearray) -> None:
    """Zeros over a key that is needed no more; copies that a library made of it are out of reach."""
    key[:] = ZEROS


def secret_in(path: Path) -> str:
    """The one line of a file that only its owner may read: a token, a PIN. Raises ``KeyUnavailable``."""
    try:
        with path.open("rb") as file:
            _check(os.fstat(file.fileno()), path)
            text = file.read(_MOST_BYTES + 1).strip()
    except OSError as error:
        raise KeyUnavailable(f"a secret cannot be read ({_named(error)})", location=str(path)) from None
    if not text or len(text) > _MOST_BYTES or not text.isascii() or b"\n" in text:
        raise KeyUnavailable("the file holds no secret of one line", location=str(path))
    return text.decode("ascii")


def _id(key: bytes) -> str:
    return HKDF(SHA256(), KEY_BYTES, _SALT, b"key id").derive(key)[:_ID_BYTES].hex()


def _write(file: int, keys: list[bytes]) -> None:
    with os.fdopen(file, "wb") as out:
        out.write(b"".join(base64.b64encode(key) + b"\n" for key in keys))
        out.flush()
        os.fsync(out.fileno())


def _parse(text: bytes, path: Path) -> list[bytes]:
    keys = [_one(line) for line in text.split()] if len(text) <= _MOST_BYTES else []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise KeyUnavailable(
            "the key file holds no key", fix="each line is 32 random bytes in base64", location=str(path)
        )
    return keys


def _one(line: bytes) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return b""


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyUnavailable("this is no file", location=str(path))
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyUnavailable("others may read this file", fix="chmod 600", location=str(path))


def _named(error: OSError) -> str:
    return type(error).__name__
