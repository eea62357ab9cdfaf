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
from audit.directory import DirectoryRefused
from audit.refusals import DirectoryLost, SealingRefused
from audit.restoring import put_back
from audit.tip import head_of, sealed
from connector.errors import ConfigurationError, ConnectorError, Erased, StoreUnavailable, Tampered
from connector.pipeline.entries import instant
from connector.pipeline.ports import Entry
from connector.settings import Settings
from connector.store import Store, backup
from connector.store.alone import alone
from connector.store.backup import Head
from connector.store.files import synced
from connector.wiring import now, open_store
from connector.wiring.auditing import Kept, refused
from connector.wiring.keys import key_provider

_LOOKED: Final = 1_000  # messages whose content a drill opens


class Restored(NamedTuple):
    """What was restored. ``put_back``: audit entries that were signed after the backup was made."""

    head: Head
    put_back: int


class Drill(NamedTuple):
    """What a drill found. ``seen``: messages whose content was opened; ``put_back``: as of ``Restored``."""

    head: Head
    received: int
    waiting: int
    reconciled: bool
    seen: int
    put_back: int


async def make(chosen: Settings, out: Path, operator: str) -> Head:
    """Back the store up while it is in use. Its audit log, and so the backup, knows that before it is done.

    Raises ``ConfigurationError``, ``StoreUnavailable``, ``KeyUnavailable``, ``Tampered`` (the store itself
    is damaged, or its audit log altered), ``AuditRefused``.
    """
    if not chosen.store.is_file():
        raise StoreUnavailable("there is no such store", location=str(chosen.store))
    await _record(chosen, _entry("store:backup:intended", operator, {}))
    signed = _newest(Kept.of(chosen))  # before the copy, which so has all that it covers
    with backup.snapshot(chosen.store, out) as copy:
        report = _verified(copy)
        log = backup.Log(report.entries, report.head, signed)
        head = backup.write(copy, out, key_provider(chosen), instant(now()), log)
    await _record(chosen, _entry("store:backup:made", operator, _facts(head)))
    return head


async def restore(chosen: Settings, source: Path, operator: str) -> Restored:
    """Put a backup in the place of a store that is not there; recorded as the first thing in it.

    The audit entries that were signed since are put back out of the audit directory, so that the log goes on
    where it was. Raises ``ConfigurationError`` (there is a store), ``AuditRefused`` (there is no such
    directory, or the log in it went another way), and as ``make`` does.
    """
    with alone(chosen.store):
        _nothing_at(chosen.store)
        part = chosen.store.with_name(f".{chosen.store.name}.restoring")
        try:
            head, back = await _unpacked(chosen, source, part)
            os.link(part, chosen.store)
            synced(chosen.store.parent)
        except OSError as error:
            raise StoreUnavailable(f"the store cannot be written ({type(error).__name__})") from None
        finally:
            backup.gone(part)
        await _record(chosen, _entry("store:backup:restored", operator, _facts(head)))
    return Restored(head, back)


async def drill(chosen: Settings, source: Path, operator: str) -> Drill:
    """Restore a backup beside the store, look through it, and throw it away; recorded in the store.

    Raises what ``restore`` would raise.
    """
    with TemporaryDirectory(prefix=".drill-", dir=chosen.store.parent) as folder:
        part = Path(folder) / "store.db"
        head, back = await _unpacked(chosen, source, part)
        store = Store.open(part, key_provider(chosen), AuditLog(), read_only=True)
        try:
            counts = (await store.counts()).values()
            seen = sum([await _opens(store, one.id) for one in await store.recent(_LOOKED)])
        finally:
            await store.close()
        await _record(chosen, _entry("store:backup:tried", operator, _facts(head)))
        received, waiting = sum(one.received for one in counts), sum(one.waiting for one in counts)
        return Drill(head, received, waiting, all(one.reconciled for one in counts), seen, back)


async def _opens(store: Store, number: int) -> bool:
    """Whether a message says something still, or was erased. Raises ``Tampered``: it does not open."""
    try:
        await store.payload(number)
    except Erased:
        return False
    return True


async def _unpacked(chosen: Settings, source: Path, part: Path) -> tuple[Head, int]:
    """The database of a backup in a file of its own, found whole, with the log that it says it has, and that
    log as long as it was signed; how many entries were put back for that."""
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
    return head, _continued(Kept.of(chosen), part, head)


def _newest(kept: Kept) -> str:
    """The newest checkpoint; nothing where there is none. Raises as ``refused`` says."""
    try:
        found = sealed(kept.directory)
        return head_of(found[-1])[1].decode("utf-8") if found else ""
    except (DirectoryRefused, SealingRefused, OSError) as error:
        raise refused(error) from None


def _continued(kept: Kept, part: Path, head: Head) -> int:
    """Put back into a database what its log lacks of what was signed; how many entries that were."""
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            count = put_back(connection, *kept.from_where)
            connection.execute("COMMIT")
    except DirectoryLost as error:
        raise _without(refused(error), head) from None
    except (SealingRefused, OSError, sqlite3.Error) as error:
        raise refused(error) from None
    if count:
        _verified(part)
    return count


def _without(error: ConnectorError, head: Head) -> ConnectorError:
    """What the backup knows of a log whose directory is not here: at least so much of it was signed."""
    origin, size, *_ = [*head.checkpoint.split("\n"), "", ""]
    if size:
        error.what += f"; the backup knows of a checkpoint of {origin} over {size} entries"
    return error


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
