"""The audit log on the disk: appended to and sealed as the service does it, and its share of the whole.

Counted in: the entry's check, canonical form and hash, SQLite with its fsync, the reading of it by the
sealer, tree, tiles, bundles, their fsyncs, the signature and the checkpoint with its fsyncs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final
from unittest import mock

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from audit import AuditLog, Draft, sealing, writing
from audit.keyfile import SigningKey
from audit.sealing import Sealer
from benchmarks.accepting import drained
from benchmarks.auditing import APPEND, BATCH
from benchmarks.auditing import draft as drafted
from benchmarks.report import Row, Say
from benchmarks.service import running

QUICK: Final = 3_000  # entries
SHARE: Final = 10.0  # percent of the service's CPU
_PART: Final = "sealing"
_ENTRIES: Final = "SELECT entry FROM audit_entry WHERE seq > ? ORDER BY seq"
_PATIENCE: Final = 300.0


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    say("sealing: the audit log on the disk")
    count = QUICK if quick else 100_000
    drafts = [drafted(n) for n in range(BATCH)]
    rows = []
    for ml_dsa in (False, True):
        with _log(ml_dsa) as log:
            rows.append(_beside(log, drafts, count, "and ML-DSA-44" if ml_dsa else "Ed25519"))
    with _log() as log:
        rows += _each(log, drafts, count // 5)
    say("sealing: its share of a message's cost from end to end")
    return rows + asyncio.run(_share(50 if quick else 2_000))


class _Log:
    """A log in an SQLite file, with its sealer."""

    def __init__(self, folder: Path, connection: Connection, ml_dsa: bool) -> None:
        self._connection, self._log = connection, AuditLog()
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        self._log.install(connection)
        key = SigningKey(folder / "key", ml_dsa)
        self.sealer = Sealer(folder / "log.db", folder / "log.audit", "bench.example", key)

    def append(self, drafts: Sequence[Draft]) -> None:
        """One transaction, on the disk."""
        self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        self._log.append(self._connection, drafts)
        self._connection.exec_driver_sql("COMMIT")


@contextmanager
def _log(ml_dsa: bool = False) -> Iterator[_Log]:
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as name:
        folder = Path(name)
        engine = create_engine(
            f"sqlite:///{folder / 'log.db'}", isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        with engine.connect() as connection:
            log = _Log(folder, connection, ml_dsa)
            try:
                yield log
            finally:
                log.sealer.close()


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """How many checkpoints are signed and how often the disk is waited for."""
    seen = {"signed": 0, "synced": 0}

    def counting(name: str, act: Any) -> Any:
        def counted(*given: Any) -> Any:
            seen[name] += 1
            return act(*given)

        return counted

    with (
        mock.patch.object(sealing, "sign", counting("signed", sealing.sign)),
        mock.patch.object(os, "fsync", counting("synced", os.fsync)),
    ):
        yield seen


def _beside(log: _Log, drafts: Sequence[Draft], count: int, signed: str) -> Row:
    """As it runs: one appends, the other seals what waits; the time until the last entry has a checkpoint."""
    woken, ended = threading.Event(), threading.Event()

    def follow() -> None:
        while log.sealer.last < count and not (ended.is_set() and not log.sealer.waiting()):
            woken.wait()
            woken.clear()
            log.sealer.seal()

    with _counted() as seen:
        sealer = threading.Thread(target=follow)
        sealer.start()
        start = perf_counter()
        for _ in range(0, count, BATCH):
            log.append(drafts)
            woken.set()
        ended.set()
        woken.set()
        sealer.join()
        taken = perf_counter() - start
    assert log.sealer.last == count
    what = f"entries appended, {BATCH} a commit, and sealed beside that ({signed})"
    rate, said = count / taken, f"{seen['signed']:,} checkpoints, {seen['synced']:,} fsyncs"
    return Row(_PART, what, f"{rate:,.0f} /s", said, f"{APPEND:,} /s", rate >= APPEND)


def _each(log: _Log, drafts: Sequence[Draft], count: int) -> list[Row]:
    """In turns: the disk is waited for four times between two batches."""
    with _counted() as seen:
        start = perf_counter()
        for _ in range(0, count, BATCH):
            log.append(drafts)
            log.sealer.seal()
        taken = perf_counter() - start
    rate, said = count / taken, f"{seen['signed']:,} checkpoints, {seen['synced']:,} fsyncs"
    what = f"the same in turns, each {BATCH} under a checkpoint of their own (Ed25519)"
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        start = perf_counter()
        for number in range(100):
            writing.put(Path(folder) / f"{number}", bytes(4096))
        one = (perf_counter() - start) * 10
    return [
        Row(_PART, what, f"{rate:,.0f} /s", said),
        Row(_PART, "one file of 4 KiB written so that it stays (2 fsyncs)", f"{one:.2f} ms"),
    ]


async def _share(count: int) -> list[Row]:
    """The CPU of a service per message, from end to end, and that of its entries appended and sealed anew.

    The entries are those of the service itself, a hundred in each transaction and under each checkpoint: as
    many checkpoints as there ever are.
    """
    async with running(fhir_side=True) as service:
        await service.send(first=0, count=min(count, 200))
        await drained(service, _PATIENCE)
        last = len(_said(service.site.store, 0))
        before = sum(service.process.cpu_times()[:2])
        await service.send(first=1_000_000, count=count)
        await drained(service, _PATIENCE)
        spent = sum(service.process.cpu_times()[:2]) - before
        entries = _said(service.site.store, last)
    cost = _cost(entries)
    share = 100 * cost / max(spent, 1e-9)
    each, whole = len(entries) / count, spent / count * 1e3
    figure = f"{share:.1f} %"
    return [
        Row(
            _PART,
            "CPU of a message from end to end, in the service",
            f"{whole:.2f} ms",
            f"{each:.1f} entries",
        ),
        Row(
            _PART,
            "of that, its entries appended and sealed",
            figure,
            f"{cost / max(len(entries), 1) * 1e6:.0f} us an entry",
            f"< {SHARE:.0f} %",
            share < SHARE,
        ),
    ]


def _said(store: Path, after: int) -> list[Draft]:
    with closing(sqlite3.connect(store)) as connection:
        found = [json.loads(entry) for (entry,) in connection.execute(_ENTRIES, (after,))]
    return [
        Draft(*(one[name] for name in ("time", "tag", "actor", "object", "outcome", "reason", "correlation")))
        for one in found
    ]


def _cost(entries: Sequence[Draft]) -> float:
    """Seconds of CPU, those of the system for the disk included."""
    with _log() as log:
        start = process_time()
        for at in range(0, len(entries), BATCH):
            log.append(entries[at : at + BATCH])
            log.sealer.seal()
        return process_time() - start
