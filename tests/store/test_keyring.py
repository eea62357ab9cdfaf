"""Day keys: counted, bounded, asked for once, and nothing is taken where they cannot be had."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog, verify
from connector.errors import Erased, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store import FileKeyProvider, Store, keyring
from connector.store.keyring import DAY_MICROS, DayKey, Keyring, KeyWanted
from connector.store.keys import Wrapped
from tests.store.site import LINK, NOW, TO_FHIR, draft, new_store, number, queue, received, rows, take

DAY = dt.timedelta(days=1)


class Counting(FileKeyProvider):
    """Counts how often it is asked, in which thread, and can be out of reach."""

    asked = 0
    away = False
    threads: set[str]

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        self._ask()
        return super().wrap(key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        self._ask()
        return super().unwrap(wrapped, context)

    def _ask(self) -> None:
        self.threads = {*getattr(self, "threads", ()), threading.current_thread().name}
        self.asked += 1
        if self.away:
            raise KeysOutOfReach("nobody answers")


def _open(folder: Path, keys: Counting | None = None) -> tuple[Store, Counting]:
    path = folder / "kek.key"
    if not path.exists():
        FileKeyProvider.create(path)
    asked = keys or Counting(path)
    return Store.open(folder / "store.db", asked, AuditLog()), asked


async def _take(store: Store, control_id: str, at: dt.datetime, link: str = LINK) -> Any:
    one = dataclasses.replace(received(control_id, link=link), received_at=at)
    return await store.accept(one, b"AA", [draft()])


async def test_the_provider_is_asked_once_for_a_partner_and_day_and_beside_the_loop(tmp_path: Path) -> None:
    store, keys = _open(tmp_path)
    before, keys.threads = keys.asked, set()
    await asyncio.gather(*(_take(store, str(n), NOW) for n in range(50)))
    assert keys.asked == before + 1
    await _take(store, "other", NOW, "other")
    await _take(store, "later", NOW + DAY)
    assert keys.asked == before + 3
    assert all(name.startswith("store-keys") for name in keys.threads)
    await store.close()
    found = rows(tmp_path, "SELECT partner, day, uses FROM wrapped_key WHERE day <> '' ORDER BY partner, day")
    assert found == [(LINK, "2026-11-23", 50), (LINK, "2026-11-24", 1), ("other", "2026-11-23", 1)]


async def test_what_is_made_of_a_message_is_of_the_day_on_which_that_came(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    await queue(store, b"made", b"made too")
    await store.close()
    assert {row[0] for row in rows(tmp_path, "SELECT day FROM wrapped_key")} == {"", "2026-11-23"}


async def test_no_key_within_reach_refuses_and_takes_nothing(tmp_path: Path) -> None:
    store, keys = _open(tmp_path)
    await _take(store, "1", NOW)
    keys.away = True
    with pytest.raises(KeysOutOfReach):
        await _take(store, "2", NOW + DAY)
    assert not (await _take(store, "3", NOW)).duplicate  # a partner whose key is there is served
    assert number(tmp_path, "inbox") == 2
    assert number(tmp_path, "audit_entry") == 2
    keys.away = False
    await _take(store, "2", NOW + DAY)
    await store.close()
    keys.away = True
    with pytest.raises(KeysOutOfReach):
        _open(tmp_path, keys)


async def test_a_provider_that_hangs_is_out_of_reach_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.store.keydesk.SECONDS", 0.05)
    store, keys = _open(tmp_path)
    await _take(store, "1", NOW)
    go, wrap = threading.Event(), keys.wrap
    monkeypatch.setattr(keys, "wrap", lambda *some: go.wait(30) and wrap(*some))
    for n in range(5):  # more than there are threads for it
        with pytest.raises(KeysOutOfReach, match="too long"):
            await _take(store, f"new{n}", NOW + DAY)
    await _take(store, "2", NOW)
    go.set()
    await store.close()
    assert number(tmp_path, "inbox") == 2


async def test_closing_waits_for_whoever_waits_for_a_key(tmp_path: Path) -> None:
    store, keys = _open(tmp_path)
    go = threading.Event()
    wrap, keys.wrap = keys.wrap, lambda *some: go.wait(30) and wrap(*some)  # type: ignore[method-assign]
    asked = asyncio.create_task(_take(store, "1", NOW))
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    go.set()
    assert not (await asked).duplicate
    await closing


async def test_a_day_gets_another_key_when_one_has_wrapped_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "USES", 5)
    store, _ = _open(tmp_path)
    for n in range(12):
        await _take(store, str(n), NOW)
    assert [one.payload for one in await store.pending(LINK, TO_FHIR, 99)] == [b"MSH|payload"] * 12
    await store.close()
    uses = [row[0] for row in rows(tmp_path, "SELECT uses FROM wrapped_key WHERE day <> '' ORDER BY uses")]
    assert uses == [2, 5, 5]


async def test_uses_are_counted_across_openings_and_not_for_what_was_rolled_back(tmp_path: Path) -> None:
    for n in range(3):
        store, _ = _open(tmp_path)
        await _take(store, str(n), NOW)
        with pytest.raises(TypeError):
            await store.accept(received(f"bad{n}"), "no bytes", [])  # type: ignore[arg-type]
        await store.close()
    (uses,) = [row[0] for row in rows(tmp_path, "SELECT uses FROM wrapped_key WHERE day <> ''")]
    assert 3 <= uses <= 6
    assert number(tmp_path, "wrapped_key") == 2


async def test_few_keys_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, keys = _open(tmp_path)
    monkeypatch.setattr("connector.store.keyring.KEPT", 3)
    for n in range(6):
        await _take(store, str(n), NOW + n * DAY)
    assert len(store._keys) == 3
    before = keys.asked
    for listed in await store.recent(2):
        assert await store.payload(listed.id) == b"MSH|payload"
    assert keys.asked == before
    assert await store.payload(1) == b"MSH|payload"
    assert keys.asked == before + 1
    await store.close()


@pytest.mark.parametrize("column", ["id", "partner", "day", "wrapped"])
async def test_a_wrapped_key_that_is_moved_opens_nothing(tmp_path: Path, column: str) -> None:
    store = new_store(tmp_path)
    await take(store)
    await _take(store, "2", NOW + DAY, "other")
    await store.close()
    one = f"(SELECT {column} FROM wrapped_key WHERE partner = 'other')"  # noqa: S608 - a name of ours
    if column == "id":
        rows(tmp_path, "DELETE FROM wrapped_key WHERE partner = 'demo'")
        one = "(SELECT substr(hex(data_key), 3, 16) FROM inbox WHERE link = 'demo')"
        name = int(rows(tmp_path, one[1:-1])[0][0], 16)
        rows(tmp_path, "UPDATE wrapped_key SET id = ? WHERE partner = 'other'", (name,))
    else:
        rows(tmp_path, f"UPDATE wrapped_key SET {column} = {one} WHERE partner = 'demo'")  # noqa: S608
    store = new_store(tmp_path)
    with pytest.raises(Tampered):
        await store.payload(1)
    await store.close()


async def test_a_root_that_is_gone_or_is_another_key_opens_no_store(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    await take(store)
    await store.close()
    before = rows(tmp_path, "SELECT wrapped FROM wrapped_key WHERE day = ''")[0]
    rows(tmp_path, "UPDATE wrapped_key SET wrapped = (SELECT wrapped FROM wrapped_key WHERE day <> '')")
    for read_only in (False, True):
        with pytest.raises(Tampered):
            new_store(tmp_path, read_only=read_only)
    rows(tmp_path, "UPDATE wrapped_key SET wrapped = ? WHERE day = ''", before)
    await new_store(tmp_path).close()
    rows(tmp_path, "DELETE FROM wrapped_key WHERE day = ''")
    for read_only in (False, True):
        with pytest.raises(KeyUnavailable, match="root"):
            new_store(tmp_path, read_only=read_only)


async def test_a_key_that_another_process_destroyed_is_used_no_more(tmp_path: Path) -> None:
    store, _ = _open(tmp_path)
    await _take(store, "1", NOW)
    await _take(store, "2", NOW + DAY)
    destroyed = "UPDATE wrapped_key SET wrapped = x'', destroyed_at = 7 WHERE day = '2026-11-23'"
    rows(tmp_path, destroyed)
    await _take(store, "3", NOW)  # under a new key: nothing is kept that the destroyed one wrapped
    with pytest.raises(Erased):
        await store.payload(1)
    assert await store.payload(2) == b"MSH|payload"
    assert await store.payload(3) == b"MSH|payload"
    await store.close()
    assert rows(tmp_path, "SELECT count(*) FROM wrapped_key WHERE day = '2026-11-23'") == [(2,)]
    assert verify(tmp_path / "store.db").good


def test_a_key_that_is_not_in_memory_is_asked_for() -> None:
    ring = Keyring(bytearray(32))
    with pytest.raises(KeyWanted):
        ring.writing("demo", 0)
    ring.put(DayKey(7, "demo", 1, 0, bytearray(32)), current=True)
    with pytest.raises(KeyWanted):
        ring.writing("demo", 2 * DAY_MICROS)
    assert ring.writing("demo", DAY_MICROS + 5).number == 7
    ring.drop(7)
    with pytest.raises(KeyWanted):
        ring.writing("demo", DAY_MICROS)


def test_derived_keys_differ_by_purpose_and_say_nothing_of_each_other() -> None:
    ring = Keyring(bytearray(b"r" * 32))
    derived = {ring.derive(purpose) for purpose in ("a", "b", "ab", "")}
    assert len(derived) == 4
    assert b"r" * 32 not in derived
    assert ring.pseudonym("patient", "1", "23") != ring.pseudonym("patient", "12", "3")
    assert len(ring.pseudonym("patient", "1")) == 16
