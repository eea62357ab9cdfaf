from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog
from connector.errors import AssertionReplayed, AuditRefused
from connector.store import Store
from connector.store.spent import KEPT
from tests.store.site import NOW, draft, open_store, rows

SOON = NOW + dt.timedelta(seconds=240)
_TAGS = "SELECT json_extract(entry, '$.tag') FROM audit_entry"


async def _spend(store: Store, jti: str = "a", client: str = "lab", at: dt.datetime = NOW) -> None:
    await store.spend(client, jti, at + dt.timedelta(seconds=240), at, [draft()])


async def test_an_assertion_counts_once_for_each_client(store: Store) -> None:
    await _spend(store)
    await _spend(store, "b")
    await _spend(store, "a", "console")
    with pytest.raises(AssertionReplayed):
        await _spend(store)


async def test_of_many_at_the_same_time_one_is_taken(store: Store) -> None:
    found = await asyncio.gather(*(_spend(store) for _ in range(20)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["AssertionReplayed"] * 19 + ["NoneType"]


async def test_it_is_remembered_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await _spend(store)
    await store.close()
    again = open_store(tmp_path)
    with pytest.raises(AssertionReplayed):
        await _spend(again)
    await again.close()


async def test_nothing_is_recorded_of_what_is_not_taken(tmp_path: Path, store: Store) -> None:
    await _spend(store)
    with pytest.raises(AssertionReplayed):
        await _spend(store)
    assert len(rows(tmp_path, _TAGS)) == 1


async def test_where_the_audit_log_refuses_it_counts_as_unused(tmp_path: Path) -> None:
    class Full(AuditLog):
        def append(self, connection: Any, drafts: Any) -> None:
            raise OSError("no room")

    store = open_store(tmp_path, Full())
    with pytest.raises(AuditRefused):
        await _spend(store)
    await store.close()
    again = open_store(tmp_path)
    await _spend(again)
    await again.close()


async def test_neither_the_client_nor_the_jti_stands_on_the_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.spend("lab-app-of-ward-7", "jti-of-ward-7", SOON, NOW, [])
    await store.close()
    assert b"ward-7" not in _content(tmp_path)


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("store.db*"))


async def test_what_ended_long_ago_is_forgotten_with_the_next(tmp_path: Path, store: Store) -> None:
    for number in range(5):
        await _spend(store, str(number))
    late = NOW + dt.timedelta(seconds=241) + KEPT
    await _spend(store, "early", at=late - dt.timedelta(seconds=2))
    assert rows(tmp_path, "SELECT count(*) FROM spent_assertion") == [(6,)]
    await _spend(store, "late", at=late)
    assert rows(tmp_path, "SELECT count(*) FROM spent_assertion") == [(2,)]
    with pytest.raises(AssertionReplayed):
        await _spend(store, "early", at=late)
