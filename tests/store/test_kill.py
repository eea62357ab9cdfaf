"""A process that is killed while it commits has kept everything that it said it had."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit import verify
from tests.store.site import LINK, NOW, TO_FHIR, new_store, take

ROUNDS = 6


def _written_by(folder: Path, seconds: float, start: int) -> set[str]:
    """The control ids that the process acknowledged before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(folder), str(start)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole = (first + rest).rpartition(b"\n")[0]
    return set(whole.decode().split())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    chance, acknowledged = random.Random(7), set[str]()
    for one in range(ROUNDS):
        acknowledged |= _written_by(tmp_path, chance.uniform(0.01, 0.25), one * 1_000_000)
    assert len(acknowledged) > ROUNDS
    asyncio.run(_all_there(tmp_path, acknowledged))
    report = verify(tmp_path / "store.db")
    assert report.good, report
    assert report.entries >= len(acknowledged)


async def _all_there(folder: Path, acknowledged: set[str]) -> None:
    store = new_store(folder)
    counts = (await store.counts())[LINK, TO_FHIR]
    assert counts.reconciled
    assert counts.received == len(await store.recent(1_000_000)) >= len(acknowledged)
    again = await asyncio.gather(*(take(store, one, one.encode()) for one in acknowledged))
    assert all(one.duplicate for one in again)
    await store.close()


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_delivery_whose_outcome_is_unknown_is_due_again(tmp_path: Path, attempts: int) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from tests.store.site import *
async def main():
    store = new_store(Path({str(tmp_path)!r}))
    await queue(store, b"first", b"second")
    for attempt in range(1, {attempts} + 1):
        await store.intent((await head(store)).id, attempt, NOW, [])
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=root)
    assert await process.wait() == -signal.SIGKILL
    store = new_store(tmp_path)
    item = await store.due(LINK, TO_FHIR, NOW)
    assert item is not None
    assert (item.payload, item.attempts, item.unsure) == (b"first", attempts, True)
    await store.delivered(item.id, NOW, [], [])
    second = await store.due(LINK, TO_FHIR, NOW)
    assert second is not None
    assert (second.payload, second.attempts, second.unsure) == (b"second", 0, False)
    await store.close()
