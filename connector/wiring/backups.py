"""Backups of the store, their restoring, and the drill that shows that it would work."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import audit
from audit import AuditLog
from connector.errors import ConfigurationError, Erased, StoreUnavailable, Tampered
from connector.pipeline.entries import instant
from connector.pipeline.ports import Entry
from connector.settings import Settings
from connector.store import Store, backup
from connector.store.alone import alone
from connector.store.backup import Head
from connector.store.files import synced
from connector.wiring import now, open_store
from connector.wiring.keys import key_provider

_LOOKED: Final = 1_000  # messages whose content a drill opens


class Drill(NamedTuple):
    """What a drill found. ``seen``: messages whose content was opened."""

    head: Head
    received: int
    waiting: int
    reconciled: bool
    seen: int


async def make(chosen: Settings, out: Path, operator: str) -> Head:
    """Back the store up while it is in use. Its audit log, and so the backup, knows that before it is done.

    Raises ``ConfigurationError``, ``StoreUnavailable``, ``KeyUnavailable``, ``Tampered`` (the store itself
    is damaged, or its audit log altered), ``AuditRefused``.
    """
    if not chosen.store.is_file():
        raise StoreUnavailable("there is no such store", location=str(chosen.store))
    await _record(chosen, _entry("store:backup:intended", operator, {}))
    with backup.snapshot(chosen.store, out) as copy:
        report = _verified(copy)
        keys = key_provider(chosen)
        head = backup.write(copy, out, keys, instant(now()), report.entries, report.head)
    await _record(chosen, _entry("store:backup:made", operator, _facts(head)))
    return head


async def restore(chosen: Settings, source: Path, operator: str) -> Head:
    """Put a backup in the place of a store that is not there; recorded as the first thing in it.

    Raises ``ConfigurationError`` (there is a store), and as ``make`` does.
    """
    with alone(chosen.store):
        _nothing_at(chosen.store)
        part = chosen.store.with_name(f".{chosen.store.name}.restoring")
        try:
            head = await _unpacked(chosen, source, part)
            os.link(part, chosen.store)
            synced(chosen.store.parent)
        except OSError as error:
            raise StoreUnavailable(f"the store cannot be written ({type(error).__name__})") from None
        finally:
            backup.gone(part)
        await _record(chosen, _entry("store:backup:restored", operator, _facts(head)))
    return head


async def drill(chosen: Settings, source: Path, operator: str) -> Drill:
    """Restore a backup beside the store, look through it, and throw it away; recorded in the store.

    Raises what ``restore`` would raise.
    """
    with TemporaryDirectory(prefix=".drill-", dir=chosen.store.parent) as folder:
        part = Path(folder) / "store.db"
        head = await _unpacked(chosen, source, part)
        store = Store.open(part, key_provider(chosen), AuditLog(), read_only=True)
        try:
            counts = (await store.counts()).values()
            seen = sum([await _opens(store, one.id) for one in await store.recent(_LOOKED)])
        finally:
            await store.close()
        await _record(chosen, _entry("store:backup:tried", operator, _facts(head)))
        received, waiting = sum(one.received for one in counts), sum(one.waiting for one in counts)
        return Drill(head, received, waiting, all(one.reconciled for one in counts), seen)


async def _opens(store: Store, number: int) -> bool:
    """Whether a message says something still, or was erased. Raises ``Tampered``: it does not open."""
    try:
        await store.payload(number)
    except Erased:
        return False
    return True


async def _unpacked(chosen: Settings, source: Path, part: Path) -> Head:
    """The database of a backup in a file of its own, found whole, with the log that it says it has."""
    try:
        with backup.fresh(part) as file:
            head = backup.read(source, key_provider(chosen), file)
            file.flush()
            os.fsync(file.fileno())
        with closing(sqlite3.connect(part)) as connection:
            backup.whole(connection)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the backup cannot be unpacked ({type(error).__name__})") from None
    report = _verified(part)
    if (report.entries, report.head) != (head.entries, head.audit):
        raise Tampered("the audit log in the backup is not the one it says", location=str(source))
    return head


def _nothing_at(store: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path = store.with_name(f"{store.name}{end}")
        if path.exists():
            fix = "move it away first: nothing is written over"
            raise ConfigurationError("there is a store already", fix=fix, location=str(path))


def _verified(database: Path) -> audit.Report:
    report = audit.verify(database)
    if not report.good:
        fix = 'see "python -m audit verify"'
        raise Tampered("the audit log is not as it was written", fix=fix, location=str(database))
    return report


async def _record(chosen: Settings, entry: Entry) -> None:
    store = open_store(chosen)
    try:
        await store.record([entry])
    finally:
        await store.close()


def _facts(head: Head) -> dict[str, Any]:
    return {"at": head.made, "entries": head.entries, "sha256": head.sha256}


def _entry(tag: str, operator: str, what: dict[str, Any]) -> Entry:
    return Entry(
        instant(now()),
        tag,
        {"role": "operator", "name": operator, "realm": "machine"},
        what,
        "success",
        "",
        "",
    )
