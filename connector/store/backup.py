"""A copy of the store that may be carried away: consistent, encrypted as a whole, read back before it counts.

A backup is one file: a mark, the length of a head, the head (JSON: what it is, under which key-encryption
key), and the database, encrypted under a key of its own that the key-encryption key wraps. No
key-encryption key is in it: who has the file alone has nothing.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple
from urllib.parse import quote

import msgspec

from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, StoreUnavailable, Tampered
from connector.store import sealed
from connector.store.files import synced
from connector.store.keys import KEY_BYTES, KeyProvider, Wrapped, wipe

MARK: Final = b"connector backup 1\n"
_LENGTH_BYTES: Final = 4
_MOST: Final = 64 * 1024  # bytes of a head
_CONTEXT: Final = b"connector/backup/1"


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself. It is bound to the content: changed, nothing opens."""

    made: str
    """When, RFC 3339."""
    key: str
    """The id of the key-encryption key that opens it."""
    wrapped: bytes
    """The key of this file, wrapped."""
    provider: str
    """Who keeps the key-encryption key: file, vault..."""
    sha256: str
    """Of the database."""
    size: Annotated[int, msgspec.Meta(ge=0)]
    """Bytes of the database."""
    entries: int
    """How long the audit log was."""
    audit: str
    """The hash of its last entry, hexadecimal."""
    checkpoint: str = ""
    """The newest signed checkpoint of the audit log when the backup was made; "": there was none."""


@contextmanager
def snapshot(store: Path, beside: Path) -> Iterator[Path]:
    """The database of a store as it is at one moment, while others may write to it; gone at the end.

    It lies in the folder of ``beside``, readable by its owner alone. Raises ``StoreUnavailable``.
    """
    copy = beside.with_name(f".{beside.name}.snapshot")
    try:
        fresh(copy).close()
        try:
            _copied(store, copy)
            yield copy
        finally:
            for path in (
                copy,
                *(copy.with_name(f"{copy.name}{end}") for end in ("-wal", "-shm", "-journal")),
            ):
                path.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"no copy can be made ({type(error).__name__})", location=str(copy)) from None


def _copied(store: Path, copy: Path) -> None:
    """One step of SQLite's backup holds one read transaction: what is committed meanwhile is not in it."""
    with (
        closing(sqlite3.connect(f"file:{quote(str(store))}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target, pages=-1)
        whole(target)


def whole(connection: sqlite3.Connection) -> None:
    """Raises ``Tampered`` where SQLite finds the database damaged."""
    if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise Tampered("the database is damaged", fix="take an earlier backup")


class Log(NamedTuple):
    """The audit log in a snapshot: how long it is, the hash of its last entry, its newest checkpoint."""

    entries: int
    audit: str
    checkpoint: str = ""


def write(database: Path, out: Path, keys: KeyProvider, made: str, log: Log) -> Head:
    """Write a snapshot as a backup, and read it back: what it says of itself.

    Raises ``ConfigurationError`` (there is such a file), ``StoreUnavailable``, ``KeyUnavailable``.
    """
    if out.exists():
        raise ConfigurationError("there is such a file already", fix="name another", location=str(out))
    key, part = bytearray(os.urandom(KEY_BYTES)), out.with_name(f".{out.name}.part")
    digest, size = _digest(database)
    wrapped = keys.wrap(key, _CONTEXT)
    head = Head(made, wrapped.key_id, wrapped.blob, wrapped.provider, digest, size, *log)
    packed = MARK + _framed(msgspec.json.encode(head))
    try:
        with fresh(part) as file, database.open("rb") as source:
            file.write(packed)
            sealed.seal(source, file, bytes(key), hashlib.sha256(packed).digest())
            file.flush()
            os.fsync(file.fileno())
        read(part, keys, None)
        os.link(part, out)  # unlike a renaming, this never puts anything in the place of a file
        synced(out.parent)
    except OSError as error:
        raise StoreUnavailable(
            f"the backup cannot be written ({type(error).__name__})", location=str(out)
        ) from None
    finally:
        wipe(key)
        part.unlink(missing_ok=True)
    return head


def read(backup: Path, keys: KeyProvider, into: BinaryIO | None) -> Head:
    """Read a backup whole, and write the database ``into`` a file; None: only look whether it is good.

    Raises ``Tampered``, ``KeyUnavailable`` (it is under another key), ``StoreUnavailable``.
    """
    try:
        with backup.open("rb") as file:
            head, packed = _head(file, backup)
            key = _key(head, keys, backup)
            digest, size = hashlib.sha256(), 0
            for piece in sealed.opened(file, key, hashlib.sha256(packed).digest()):
                digest.update(piece)
                size += len(piece)
                if into is not None:
                    into.write(piece)
    except OSError as error:
        raise StoreUnavailable(
            f"the backup cannot be read ({type(error).__name__})", location=str(backup)
        ) from None
    if (digest.hexdigest(), size) != (head.sha256, head.size):
        raise Tampered("the backup is not what it says", fix="take another copy", location=str(backup))
    return head


def _key(head: Head, keys: KeyProvider, backup: Path) -> bytes:
    try:
        return bytes(keys.unwrap(Wrapped(head.provider, head.key, head.wrapped), _CONTEXT))
    except KeysOutOfReach:
        raise
    except KeyUnavailable:
        fix = f"give the key-encryption key {head.key} ({head.provider})"
        raise KeyUnavailable("the backup is under another key", fix=fix, location=str(backup)) from None


def head_of(backup: Path) -> Head:
    """What a backup says of itself, before it is opened. Raises ``Tampered``, ``StoreUnavailable``."""
    try:
        with backup.open("rb") as file:
            return _head(file, backup)[0]
    except OSError as error:
        raise StoreUnavailable(
            f"the backup cannot be read ({type(error).__name__})", location=str(backup)
        ) from None


def _head(file: BinaryIO, backup: Path) -> tuple[Head, bytes]:
    start = file.read(len(MARK) + _LENGTH_BYTES)
    size = int.from_bytes(start[len(MARK) :], "big")
    try:
        if not start.startswith(MARK) or not 0 < size <= _MOST:
            raise msgspec.DecodeError
        said = file.read(size)
        return msgspec.json.decode(said, type=Head), start + said
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Tampered("the file is no backup", fix="take another copy", location=str(backup)) from None


def fresh(path: Path) -> BinaryIO:
    """A new file that its owner alone may read."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w+b")


def gone(database: Path) -> None:
    """Take away a database that nobody uses, with what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        database.with_name(f"{database.name}{end}").unlink(missing_ok=True)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _framed(head: bytes) -> bytes:
    return len(head).to_bytes(_LENGTH_BYTES, "big") + head
