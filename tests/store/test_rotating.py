"""The key-encryption key changes under a store in use: everything still opens, and no record is touched."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog, Draft, Outcome, verify
from connector.errors import KeysOutOfReach, KeyUnavailable
from connector.store import FileKeyProvider, Store
from connector.store.keys import Wrapped
from tests.audit.samples import MACHINE
from tests.store.site import LINK, NOW, TO_FHIR, draft, open_store, queue, received, rows, take

_DATA_KEYS = "SELECT id, data_key, payload, control FROM inbox ORDER BY id"


def told(tag: str, what: dict[str, Any]) -> Draft:
    return Draft("2026-11-23T10:15:00.123Z", tag, MACHINE, what, Outcome.SUCCESS)  # type: ignore[arg-type]


async def fill(store: Store, days: int) -> None:
    for day in range(days):
        one = dataclasses.replace(received(f"day{day}"), received_at=NOW + dt.timedelta(days=day))
        await store.accept(one, b"AA", [draft()])


async def test_a_new_key_wraps_everything_and_the_old_one_may_go(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await fill(store, 120)
    before = rows(tmp_path, _DATA_KEYS)
    other = open_store(tmp_path)  # as the command does it, beside the running service
    old = FileKeyProvider(tmp_path / "kek.key").key_id
    new = await other.rotate_keys(told)
    assert await other.rewrap(told) == 121
    assert rows(tmp_path, _DATA_KEYS) == before
    keks = (await other.keys()).keks
    assert [(one.key_id, one.wraps) for one in keks] == [(old, 0), (new, 121)]
    assert await other.forget_keys(told) == [old]
    await other.close()
    await take(store, "new day")  # the running one goes on, and its next day is under the new key
    await fill(store, 121)
    assert (await store.keys()).keks[-1].wraps == 122
    assert [one.payload for one in await store.pending(LINK, TO_FHIR, 200)] == [b"MSH|payload"] * 122
    await store.close()
    again = open_store(tmp_path)
    assert (await take(again, "day0")).duplicate  # the indexes are what they were
    assert await again.verify_keys(told, records=True) == (122 + 122, [])
    await again.close()
    report = verify(tmp_path / "store.db")
    assert report.good
    tags = [row[0] for row in rows(tmp_path, "SELECT entry ->> '$.tag' FROM audit_entry")]
    assert [tag for tag in tags if tag.startswith("keys:")] == [
        "keys:rotated",
        "keys:rewrapped",
        "keys:forgotten",
        "keys:verified",
    ]


class Failing(FileKeyProvider):
    """Loses its connection after some more keys."""

    left = 10**9

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        self.left -= 1
        if self.left < 0:
            raise KeysOutOfReach("nobody answers")
        return super().wrap(key, context)


async def test_what_was_broken_off_goes_on(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await fill(store, 120)
    await store.close()
    keys = Failing(tmp_path / "kek.key")
    store = Store.open(tmp_path / "store.db", keys, AuditLog())
    old, new = keys.key_id, await store.rotate_keys(told)
    keys.left = 60
    with pytest.raises(KeysOutOfReach):
        await store.rewrap(told)
    assert [one.wraps for one in (await store.keys()).keks] == [71, 50]
    assert await store.forget_keys(told) == []  # the old one is needed
    assert await store.verify_keys(told, records=False) == (121, [])
    await store.close()
    store = open_store(tmp_path)
    assert await store.rewrap(told) == 71
    assert await store.rewrap(told) == 0
    assert await store.forget_keys(told) == [old]
    assert FileKeyProvider(tmp_path / "kek.key").key_id == new
    await store.close()


async def test_a_rotation_that_the_store_did_not_hear_of_is_found(tmp_path: Path) -> None:
    await open_store(tmp_path).close()
    new = FileKeyProvider(tmp_path / "kek.key").rotate()  # the power failed behind this
    store = open_store(tmp_path)
    assert await store.rewrap(told) == 1
    assert (await store.keys()).keks[-1].key_id == new
    await store.close()


async def test_work_goes_on_while_keys_are_wrapped_anew(tmp_path: Path) -> None:
    store, other = open_store(tmp_path), None
    await fill(store, 100)
    ended = asyncio.Event()

    async def working() -> int:
        count = 0
        while not ended.is_set():
            await queue(store, b"made", control_id=f"w{count}")
            count += 1
        return count

    task = asyncio.create_task(working())
    other = open_store(tmp_path)
    for _ in range(3):
        await other.rotate_keys(told)
        await other.rewrap(told)
        await other.forget_keys(told)
    ended.set()
    assert await task > 0
    await other.close()
    assert (await store.verify_keys(told, records=True))[1] == []
    await store.close()
    assert verify(tmp_path / "store.db").good


async def test_verifying_names_what_does_not_open(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await fill(store, 3)
    await store.close()
    rows(tmp_path, "UPDATE wrapped_key SET wrapped = zeroblob(69) WHERE day = '2026-11-24'")
    rows(tmp_path, "UPDATE inbox SET data_key = (SELECT data_key FROM inbox WHERE id = 1) WHERE id = 3")
    store = open_store(tmp_path)
    count, faults = await store.verify_keys(told, records=False)
    assert (count, [one.what for one in faults]) == (4, ["key of demo 2026-11-24"])
    rows(tmp_path, "DELETE FROM inbox WHERE id = 2")
    _, faults = await store.verify_keys(told, records=True)
    assert [one.what for one in faults] == ["key of demo 2026-11-24", "inbox 3"]
    await store.close()


async def test_a_new_day_is_not_wrapped_by_a_key_that_is_no_longer_current(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await take(store)
    stale = FileKeyProvider(tmp_path / "kek.key")
    store._desk.provider = Stale(tmp_path / "kek.key", stale.wrap)
    other = open_store(tmp_path)
    await other.rotate_keys(told)
    await other.close()
    kept = stale._keys
    stale._fresh = lambda: kept  # type: ignore[method-assign]
    with pytest.raises(KeyUnavailable, match="current"):
        await fill(store, 2)
    await store.close()


class Stale(FileKeyProvider):
    """Wraps with what was current once."""

    def __init__(self, path: Path, wrap: Any) -> None:
        super().__init__(path)
        self.wrap = wrap  # type: ignore[method-assign]
