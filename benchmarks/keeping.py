"""The store by itself: messages taken, with one audit entry each, and audit entries alone."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Final

from audit import AuditLog, Draft, Tag
from audit.verify import verify
from benchmarks import people
from benchmarks.report import Row, Say
from connector.store import Direction, FileKeyProvider, InboxKey, Received, Store

AT_ONCE: Final = (1, 16, 64)
NOW: Final = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
_ANSWER: Final = rb"MSH|^~\&|||||20261123||ACK|1|P|2.5.1" + b"\rMSA|AA|1\r"


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    say("store: messages and audit entries")
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        return asyncio.run(_measured(Path(folder), 200 if quick else 3_000))


async def _measured(folder: Path, count: int) -> list[Row]:
    store = Store.open(folder / "store.db", FileKeyProvider.create(folder / "kek.key"), AuditLog())
    rows = []
    try:
        numbers = iter(range(10**9))
        for width in AT_ONCE:
            some = count if width > 1 else max(count // 10, 50)
            rate = await _rate(lambda: _take(store, next(numbers)), some, width)
            rows.append(Row("store", f"messages of 1.2 KB taken, {width} at once", f"{rate:,.0f} /s"))
        rate = await _rate(lambda: store.record([_draft()] * 100), max(count // 100, 5), 1)
        rows.append(Row("store", "audit entries, 100 in a transaction", f"{rate * 100:,.0f} /s"))
    finally:
        await store.close()
    return [*rows, _verified(folder / "store.db")]


def _verified(path: Path) -> Row:
    start = perf_counter()
    report = verify(path)
    rate = report.entries / (perf_counter() - start)
    return Row(
        "store", f"audit verify, {report.entries:,} entries", f"{rate:,.0f} /s", "", "good", report.good
    )


async def _rate(act: Callable[[], Awaitable[object]], count: int, width: int) -> float:
    """Acts a second, ``width`` of them waiting at any time."""
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await act()

    start = perf_counter()
    await asyncio.gather(*(caller() for _ in range(width)))
    return count / (perf_counter() - start)


async def _take(store: Store, number: int) -> None:
    payload = people.admission(number).encode()
    key = InboxKey("bench", "STVADT", "STV", f"B{number}", hashlib.sha256(payload).hexdigest())
    received = Received("bench", Direction.TO_FHIR, key, payload, {"kind": "ADT^A01"}, NOW)
    await store.accept(received, _ANSWER, [_draft()])


def _draft() -> Draft:
    return Draft(
        "2026-11-23T10:00:00Z",
        Tag.MESSAGE_V2_RECEIVED,
        {"role": "partner", "certificate": "sha256:ab"},
        {"link": "bench", "direction": "to_fhir", "message": "ADT^A01", "size": 1},
    )
