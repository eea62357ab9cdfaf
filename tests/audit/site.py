"""A log in an SQLite file, and the hands of somebody who wants to change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from audit import AuditLog, Draft, Tag
from tests.audit.samples import sample

FREE = AuditLog(check=lambda draft: None)  # takes words that nobody has documented
TRIGGERS = ("audit_entry_no_update", "audit_entry_no_delete", "audit_entry_in_order")


def draft(n: int = 0, tag: Tag = Tag.MESSAGE_V2_RECEIVED, **what: Any) -> Draft:
    time = f"2026-11-23T10:{n // 60 % 60:02}:{n % 60:02}.{n % 1000:03}Z"
    return sample(tag, **{"link": "demo", "size": n, **what})._replace(time=time)


@contextmanager
def connected(path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def make(path: Path, entries: int = 0) -> Path:
    with connected(path) as connection:
        AuditLog().install(connection)
    write(path, [draft(n) for n in range(entries)])
    return path


def write(path: Path, drafts: Sequence[Any], log: AuditLog | None = None) -> None:
    with connected(path) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        (log or AuditLog()).append(connection, drafts)
        connection.exec_driver_sql("COMMIT")


def tamper(path: Path, *statements: str, values: Sequence[Any] = ()) -> None:
    """Change the file as its owner could: triggers taken away, and put back as they were."""
    connection = sqlite3.connect(path, isolation_level=None)
    names = ", ".join(f"'{name}'" for name in TRIGGERS)
    query = f"SELECT sql FROM sqlite_master WHERE name IN ({names})"  # noqa: S608
    triggers = [str(sql) for (sql,) in connection.execute(query)]
    for name in TRIGGERS:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    for statement in statements:
        connection.execute(statement, values)
    for sql in triggers:
        connection.execute(sql)
    connection.close()


def entries(path: Path) -> list[tuple[int, str, bytes]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT seq, entry, hash FROM audit_entry ORDER BY seq").fetchall()
    connection.close()
    return found
