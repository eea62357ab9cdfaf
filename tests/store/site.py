"""What the tests of the store share: a store with a real audit log, and short ways to fill it."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
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
)
from tests.audit.samples import sample

LINK: Final = "demo"
TO_FHIR: Final = Direction.TO_FHIR
NOW: Final = dt.datetime(2026, 11, 23, 10, 15, 0, 123456, tzinfo=dt.UTC)
ANSWER: Final = b"MSA|AA|1"


def open_store(folder: Path, audit: AuditPort | None = None, **options: Any) -> Store:
    key = folder / "kek.key"
    keys = FileKeyProvider(key) if key.exists() else FileKeyProvider.create(key)
    return Store.open(folder / "store.db", keys, audit or AuditLog(), **options)


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
