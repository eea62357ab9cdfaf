"""The clock is watched, and so is what the store refuses: none of it happens unseen."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from audit import verify
from connector.errors import AuditRefused
from connector.store import Store
from connector.wiring.vigil import STEP, Pace, Vigil
from tests.audit.samples import sample
from tests.pipeline.room import Audit
from tests.store.site import open_store, rows

NOW = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)


class Clocks:
    """A clock that is set by hand, and one that only goes on."""

    def __init__(self) -> None:
        self.at, self.gone, self.error = NOW, 0.0, 3

    def go(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)
        self.gone += seconds

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.at.timestamp(), lambda: self.gone)


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
async def store(tmp_path: Path, audit: Audit) -> AsyncIterator[Store]:
    opened = open_store(tmp_path, audit)
    yield opened
    await opened.close()


def vigil(store: Store, clocks: Clocks) -> Vigil:
    return Vigil(store, lambda: clocks.at, clocks.pace, lambda: clocks.error)


def told(folder: Path) -> list[tuple[str, dict[str, Any], str]]:
    said = [json.loads(entry) for (entry,) in rows(folder, "SELECT entry FROM audit_entry ORDER BY seq")]
    return [(one["tag"], one["object"], one["reason"]) for one in said]


@pytest.mark.parametrize("seconds", [3600.0, -1.52, STEP, -STEP])
async def test_a_clock_that_is_set_is_told_with_the_size_of_the_step(
    store: Store, tmp_path: Path, seconds: float
) -> None:
    clocks = Clocks()
    watch = vigil(store, clocks)
    clocks.go(1.0)
    clocks.at += dt.timedelta(seconds=seconds)
    await watch._turn()
    clocks.go(1.0)
    await watch._turn()
    assert told(tmp_path) == [("clock:stepped", {"milliseconds": round(seconds * 1000)}, "")]
    assert verify(tmp_path / "store.db").good


async def test_a_clock_that_drifts_or_sleeps_with_the_machine_is_not_set(
    store: Store, tmp_path: Path
) -> None:
    clocks = Clocks()
    watch = vigil(store, clocks)
    for _ in range(100):
        clocks.go(1.0)
        clocks.at += dt.timedelta(microseconds=500)  # 500 ppm: the most that a kernel slews
        await watch._turn()
    clocks.go(8 * 3600.0)
    await watch._turn()
    assert told(tmp_path) == []


async def test_a_step_that_could_not_be_recorded_is_told_later(
    store: Store, tmp_path: Path, audit: Audit
) -> None:
    clocks = Clocks()
    watch = vigil(store, clocks)
    audit.broken = True
    for _ in range(2):
        clocks.at += dt.timedelta(seconds=2)
        await watch._turn()
    audit.broken = False
    await watch._turn()
    assert told(tmp_path)[0] == ("clock:stepped", {"milliseconds": 4000}, "")


async def test_synchronisation_that_is_lost_and_found_is_told_once_each(store: Store, tmp_path: Path) -> None:
    clocks = Clocks()
    watch = vigil(store, clocks)
    await watch.begin()
    assert told(tmp_path) == []
    for error in (None, None, 7, 7):
        clocks.error = error  # type: ignore[assignment]
        await watch._turn()
    assert [tag for tag, _, _ in told(tmp_path)] == ["clock:unsynchronised", "clock:synchronised"]


async def test_a_start_with_a_clock_that_nobody_keeps_says_so(store: Store, tmp_path: Path) -> None:
    clocks = Clocks()
    clocks.error = None  # type: ignore[assignment]
    await vigil(store, clocks).begin()
    assert [tag for tag, _, _ in told(tmp_path)] == ["clock:unsynchronised"]


async def test_entries_from_the_future_show_a_step_while_nothing_ran(store: Store, tmp_path: Path) -> None:
    later = NOW + dt.timedelta(minutes=5)
    await store.record([sample("service:stopped")._replace(time=later.isoformat().replace("+00:00", "Z"))])
    await vigil(store, Clocks()).begin()
    assert told(tmp_path)[1:] == [("clock:stepped", {"milliseconds": -300_000}, "")]


async def test_what_the_log_did_not_take_is_counted_and_told_when_it_takes_something(
    store: Store, tmp_path: Path, audit: Audit
) -> None:
    watch = vigil(store, Clocks())
    audit.broken = True
    for _ in range(3):
        with pytest.raises(AuditRefused):
            await store.record([sample("service:resumed")])
    for _ in range(4):
        await watch._turn()  # cannot tell, and is not counted itself
    audit.broken = False
    await watch._turn()
    await watch._turn()
    assert told(tmp_path) == [("store:refused", {"count": 3}, "AuditRefused")]


async def test_the_real_clocks_are_watched_until_the_end(store: Store, tmp_path: Path) -> None:
    watch = Vigil(store, lambda: dt.datetime.now(dt.UTC), known_error=lambda: 3)
    await watch.begin()
    watch.start()
    await asyncio.sleep(0)
    await watch.stop()
    assert told(tmp_path) == []
