"""The write-ahead log stays short, also beside a writer that never rests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.store import checkpoints
from tests.store.site import number, open_store, take


async def test_the_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.02)
    monkeypatch.setattr(checkpoints, "LONG", 500)
    store = open_store(tmp_path)
    most, written, ends = 0, 0, asyncio.get_running_loop().time() + 2.0

    async def busy(name: int) -> None:
        nonlocal written, most
        while asyncio.get_running_loop().time() < ends:
            written += 1
            await take(store, f"{name}-{written}", b"x" * 20_000)
            most = max(most, (tmp_path / "store.db-wal").stat().st_size)

    await asyncio.gather(*(busy(name) for name in range(8)))
    assert number(tmp_path, "inbox") == written
    assert written * 20_000 > 10_000_000
    assert most < written * 20_000 / 2
    await store.close()
