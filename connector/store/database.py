"""Opening the file: how SQLite is told to keep promises, and the schema brought up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connector.errors import (
    AuditRefused,
    ConfigurationError,
    ConnectorError,
    StoreUnavailable,
)
from connector.store import rooting
from connector.store.keyring import Keyring
from connector.store.keys import KeyProvider
from connector.store.records import AuditPort

HEAD: Final = "0009"  # the newest migration; where a store already has it, Alembic is not even imported
BUSY_SECONDS: Final = 5.0
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # the commit has passed fsync before it returns
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 0",  # ``checkpoints`` does it, beside the commits
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = ON",  # what was erased leaves no trace in free pages
    "PRAGMA temp_store = MEMORY",  # nothing on the disk but the database itself
    "PRAGMA trusted_schema = OFF",
)
ERRORS: Final = (SQLAlchemyError, sqlite3.Error)
"""What is raised by a database that refuses, through SQLAlchemy or by the driver itself."""

_FULL: Final = sqlite3.SQLITE_FULL
_UNWELL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_TOOBIG,
    }
)


def engine(path: Path, *, read_only: bool = False) -> Engine:
    """Connections to the file. No exception of theirs shows a parameter. BEGIN and COMMIT are ours to say."""
    made = create_engine(
        URL.create("sqlite", database=str(path)),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def prepare(connection: Any, _: Any) -> None:
        for pragma in ("PRAGMA query_only = ON",) if read_only else _PRAGMAS:
            connection.execute(pragma)

    event.listen(made, "connect", prepare)
    return made


def create(path: Path) -> None:
    """The file, readable by its owner alone; SQLite gives WAL and shared memory the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the database cannot be opened ({type(error).__name__})") from None


def prepare(connection: Connection, keys: KeyProvider, audit: AuditPort, micros: int) -> Keyring:
    """Schema, audit log and keys, in one transaction: all of it or nothing. ``micros``: now.

    Raises ``ConfigurationError`` (a newer store), ``AuditRefused`` (an altered log), ``KeyUnavailable``
    (another key), ``KeysOutOfReach``, ``StoreUnavailable``.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        new = revision(connection) is None
        _migrate(connection)
        _install(connection, audit, new=new)
        ring = rooting.prepare(connection, keys, micros, new=new)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    return ring


def revision(connection: Connection) -> str | None:
    """The migration that the store has; None for an empty file."""
    known = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.exec_driver_sql(known).first() is None:
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else None


def _migrate(connection: Connection) -> None:
    if revision(connection) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise ConfigurationError(
            "the store was made by a newer version", fix="run that version, or restore an older store"
        ) from None


def _install(connection: Connection, audit: AuditPort, *, new: bool) -> None:
    try:
        audit.install(connection, new=new)
    except Exception as error:
        raise failure(error, AuditRefused("the audit log is not as it was made")) from error


def check_existing(connection: Connection, keys: KeyProvider) -> Keyring:
    """A store that is only read. Raises ``ConfigurationError``, ``KeyUnavailable``, ``KeysOutOfReach``."""
    if revision(connection) != HEAD:
        raise ConfigurationError("the store was made by another version", fix="open it for writing first")
    return rooting.unwrapped(connection, keys)


def failure(error: BaseException, otherwise: ConnectorError) -> ConnectorError:
    """What an exception is to the caller: the database being unwell, or ``otherwise``."""
    if isinstance(error, ConnectorError):
        return error
    code = _code(error)
    if code & 0xFF in _UNWELL:
        return StoreUnavailable(f"the database refuses ({_name(error)})")
    return otherwise


def unwell(error: BaseException) -> bool:
    """Whether the database or its disk refuses, and not just this one statement."""
    return isinstance(error, ERRORS) and _code(error) & 0xFF in _UNWELL


def full(error: BaseException) -> bool:
    """Whether there is no room: something smaller may still fit."""
    return _code(error) & 0xFF in (_FULL, sqlite3.SQLITE_TOOBIG)


def _code(error: BaseException) -> int:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(origin, "sqlite_errorcode", 0) or 0)


def _name(error: BaseException) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(origin, "sqlite_errorname", "") or "unknown")
