"""What the tests of the store share: a store with a real audit log, and short ways to fill it."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from audit import AuditLog, Draft, Tag
from audit.vocabulary import BY_TAG
from connector.store import (
    Accepted,
    AuditPort,
    Direction,
    FileKeyProvider,
    InboxKey,
    OutboxItem,
    Outgoing,
    Received,
    Store,
    database,
)
from connector.store.statement import micros_now
from tests.audit.samples import sample
from tests.pki import write_private

LINK: Final = "demo"
TO_FHIR: Final = Direction.TO_FHIR
NOW: Final = dt.datetime(2026, 11, 23, 10, 15, 0, 123456, tzinfo=dt.UTC)
ANSWER: Final = b"MSA|AA|1"
_FILES: Final = ("store.db", "kek.key")


def open_store(folder: Path, audit: AuditPort | None = None, **options: Any) -> Store:
    """The store of a folder; where there is none, a copy of one that was just made."""
    audit = audit or AuditLog()
    if not any((folder / name).exists() for name in _FILES) and type(audit).install is AuditLog.install:
        for name, content in _just_made().items():
            write_private(folder / name, content)
    return new_store(folder, audit, **options)


def new_store(folder: Path, audit: AuditPort | None = None, **options: Any) -> Store:
    """The store of a folder; where there is none, it is made step by step, by its migrations."""
    key = folder / "kek.key"
    keys = FileKeyProvider(key) if key.exists() else FileKeyProvider.create(key)
    return Store.open(folder / "store.db", keys, audit or AuditLog(), **options)


@cache
def _just_made() -> dict[str, bytes]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        keys = FileKeyProvider.create(folder / "kek.key")
        database.create(folder / "store.db")
        with database.engine(folder / "store.db").connect() as connection:
            database.prepare(connection, keys, AuditLog(), micros_now())
        return {name: (folder / name).read_bytes() for name in _FILES}


def draft(tag: Tag = Tag.MESSAGE_V2_RECEIVED, **what: Any) -> Draft:
    """Of any tag, realistic, and about ``LINK`` where it is about one."""
    if tag not in BY_TAG:
        return Draft("2026-11-23T10:15:00.123Z", tag, {"role": "connector"}, what)
    row = BY_TAG[tag]
    return sample(tag, **({"link": LINK} if "link" in row.required | row.optional else {}), **what)


def received(
    control_id: str = "1",
    payload: bytes = b"MSH|payload",
    *,
    link: str = LINK,
    direction: Direction = TO_FHIR,
    uid: str = "",
) -> Received:
    digest = hashlib.sha256(payload).hexdigest()
    key = InboxKey(link, "LAB", "NORTH", control_id, digest)
    return Received(link, direction, key, payload, {"kind": "ADT^A01"}, NOW, uid)


async def take(store: Store, control_id: str = "1", payload: bytes = b"MSH|payload", **more: Any) -> Accepted:
    return await store.accept(received(control_id, payload, **more), ANSWER, [draft()])


async def queue(store: Store, *payloads: bytes, control_id: str = "1") -> int:
    """A message taken and translated into ``payloads``; its row in the inbox."""
    row = (await take(store, control_id, b"MSH|" + control_id.encode())).id
    await store.translated(row, [Outgoing(one, {"n": 1}) for one in payloads], [], [], [])
    return row


async def head(store: Store, now: dt.datetime = NOW) -> OutboxItem:
    item = await store.due(LINK, TO_FHIR, now)
    assert item is not None
    return item


def rows(folder: Path, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What lies in the file, seen by somebody else."""
    connection = sqlite3.connect(folder / "store.db", isolation_level=None)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def number(folder: Path, table: str) -> int:
    return int(rows(folder, f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - a name of ours
