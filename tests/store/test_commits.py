from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog, verify
from connector.errors import AuditRefused, ConnectorError, Overloaded, ShuttingDown, StoreUnavailable
from connector.store import Store, commits, database
from tests.store.site import ANSWER, LINK, NOW, TO_FHIR, draft, number, open_store, received, rows, take


class CountingLog(AuditLog):
    """The real log; remembers how many entries came together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def append(self, connection: Any, drafts: Sequence[Any]) -> None:
        self.batches.append(len(drafts))
        super().append(connection, drafts)


async def test_what_is_acknowledged_is_on_the_disk_for_everybody(store: Store, tmp_path: Path) -> None:
    for expected in range(1, 6):
        await take(store, str(expected))
        assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == expected


async def test_many_callers_share_few_transactions(tmp_path: Path) -> None:
    log = CountingLog()
    store = open_store(tmp_path, log)
    await asyncio.gather(*(take(store, str(n)) for n in range(500)))
    assert sum(log.batches) == 500
    assert len(log.batches) < 50
    assert max(log.batches) <= commits.BATCH
    await store.close()
    assert verify(tmp_path / "store.db").entries == 500


async def test_one_callers_failure_is_nobody_elses(store: Store, tmp_path: Path) -> None:
    def broken(unit: Any) -> None:
        unit.connection.exec_driver_sql("INSERT INTO tally VALUES ('x', 'y', 'z', 1)")
        unit.record([draft()])
        unit.count(LINK, TO_FHIR, received=1)
        raise ZeroDivisionError

    asked = [take(store, str(n)) if n % 3 else store._write(broken) for n in range(90)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, ZeroDivisionError) for one in done] == [n % 3 == 0 for n in range(90)]
    assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == 60
    assert rows(tmp_path, "SELECT * FROM tally WHERE link = 'x'") == []
    assert (await store.counts())[LINK, TO_FHIR].received == 60


async def test_a_rule_of_the_database_fails_its_caller_only(store: Store) -> None:
    same = [store.accept(received(str(n), uid="one-and-the-same"), ANSWER, []) for n in range(2)]
    done = await asyncio.gather(*same, take(store, "3"), return_exceptions=True)
    assert [isinstance(one, ConnectorError) for one in done] == [False, True, False]
    assert "one-and-the-same" not in f"{done[1]!r} {getattr(done[1], '__cause__', '')}"


async def test_an_entry_that_the_log_does_not_take_leaves_nothing_of_its_caller(
    store: Store, tmp_path: Path
) -> None:
    bad = [
        draft()._replace(tag="message:v2:eaten"),
        draft()._replace(outcome="fine"),
        draft()._replace(time="23.11.2026"),
        draft(message="Smith\ud800"),
        draft(secret="Smith"),
        draft(patient={1, 2}),
    ]
    asked = [store.accept(received(f"bad{n}"), ANSWER, [draft(), one]) for n, one in enumerate(bad)]
    asked += [take(store, str(n)) for n in range(50)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, AuditRefused) for one in done] == [n < len(bad) for n in range(len(done))]
    assert not any("Smith" in str(one) for one in done)
    assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == 50
    assert (await store.counts())[LINK, TO_FHIR].received == 50


async def test_a_log_that_takes_nothing_lets_nothing_happen(store: Store, tmp_path: Path) -> None:
    await take(store, "before")
    rows(tmp_path, "CREATE TRIGGER no BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no'); END")
    done = await asyncio.gather(*(take(store, str(n)) for n in range(40)), return_exceptions=True)
    assert all(isinstance(one, AuditRefused) for one in done)
    assert number(tmp_path, "inbox") == 1
    rows(tmp_path, "DROP TRIGGER no")
    await take(store, "after")
    assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == 2


async def test_a_full_database_takes_what_fits_and_keeps_what_it_took(store: Store, tmp_path: Path) -> None:
    await take(store, "before")

    def limit(unit: Any) -> None:
        pages = unit.connection.exec_driver_sql("PRAGMA page_count").scalar()
        unit.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}")

    await store._write(limit)
    large = [take(store, f"large{n}", b"x" * 1_000_000) for n in range(3)]
    small = [take(store, f"small{n}", b"x") for n in range(20)]
    done = await asyncio.gather(*large, *small, return_exceptions=True)
    assert [isinstance(one, StoreUnavailable) for one in done] == [True] * 3 + [False] * 20
    assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == 21
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a file system of two megabytes can only be made by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_refuses_and_loses_nothing(small_disk: Path) -> None:
    store = open_store(small_disk)
    kept = await _taken_until_full(store)
    assert kept > 10
    many = await asyncio.gather(
        *(take(store, f"n{n}", b"x" * 50_000) for n in range(8)), return_exceptions=True
    )
    assert all(isinstance(one, StoreUnavailable) for one in many)
    await store.close()
    again = open_store(small_disk)
    assert len(await again.recent(1000)) == (await again.counts())[LINK, TO_FHIR].received == kept
    for listed in await again.recent(1000):
        assert await again.payload(listed.id) == b"x" * 20_000
    await again.close()
    assert verify(small_disk / "store.db").good


async def _taken_until_full(store: Store) -> int:
    for kept in range(1000):
        try:
            await take(store, str(kept), b"x" * 20_000)
        except StoreUnavailable:
            return kept
    raise AssertionError("the disk is not full")


async def test_a_database_that_another_holds_is_unavailable_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = open_store(tmp_path)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="BUSY"):
        await take(store)
    other.execute("ROLLBACK")
    other.close()
    assert not (await take(store)).duplicate
    await store.close()


async def test_a_caller_that_gives_up_is_served_all_the_same(store: Store) -> None:
    await take(store, "first")  # brings the key of the day
    asked = [asyncio.create_task(take(store, str(n))) for n in range(20)]
    await asyncio.sleep(0)
    for one in asked[::2]:
        one.cancel()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, asyncio.CancelledError) for one in done) == 10
    assert not (await take(store, "last")).duplicate
    assert (await store.counts())[LINK, TO_FHIR].received == 22


async def test_closing_finishes_what_waits_and_then_takes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    asked = [asyncio.create_task(take(store, str(n))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*asked)) == 50
    for late in (take(store, "late"), store.recent(1)):
        with pytest.raises(ShuttingDown):
            await late
    await store.close()


async def test_more_than_the_limit_may_not_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "WAITING", 5)
    done = await asyncio.gather(*(take(store, str(n)) for n in range(50)), return_exceptions=True)
    assert {type(one).__name__ for one in done} == {"Accepted", "Overloaded"}
    assert sum(isinstance(one, Overloaded) for one in done) <= 45
    assert (await store.counts())[LINK, TO_FHIR].received == sum(
        not isinstance(one, Overloaded) for one in done
    )


async def test_a_connection_that_broke_is_replaced(store: Store) -> None:
    def gone(unit: Any) -> None:
        unit.connection.connection.dbapi_connection.close()

    with pytest.raises(ConnectorError):
        await store._write(gone)
    assert not (await take(store)).duplicate


def test_a_store_serves_one_event_loop_after_another(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert not asyncio.run(take(store)).duplicate
    assert asyncio.run(take(store)).duplicate
    asyncio.run(store.close())


async def test_a_refusal_is_audited_and_counted_and_nothing_else(store: Store, tmp_path: Path) -> None:
    await store.refuse(LINK, TO_FHIR, "UnsupportedVersion", NOW, [draft()])
    await store.record([draft(), draft()])
    assert number(tmp_path, "audit_entry") == 3
    assert number(tmp_path, "inbox") == 0
    assert (await store.counts())[LINK, TO_FHIR].refused == 1
