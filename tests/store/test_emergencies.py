"""Who broke the glass: kept across restarts, over by itself, and never prolonged in silence."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from connector.errors import ConnectorError, MovedOn
from connector.store import Broken, Store
from tests.store.site import NOW, draft, open_store, rows

HOUR = dt.timedelta(hours=1)
MIA = Broken("machine", "mia", "the analyst is away", NOW, NOW + HOUR)


async def test_it_is_known_after_a_restart_until_it_is_over(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.break_glass(MIA, [draft()])
    await store.close()
    again = open_store(tmp_path)
    assert await again.emergencies(NOW) == [MIA]
    assert await again.emergencies(NOW + HOUR - dt.timedelta(microseconds=1)) == [MIA]
    assert await again.emergencies(NOW + HOUR) == []
    await again.close()


async def test_a_second_one_does_not_prolong_the_first(tmp_path: Path, store: Store) -> None:
    longer = dataclasses.replace(MIA, since=NOW + HOUR / 2, until=NOW + 2 * HOUR)
    asked = (store.break_glass(one, [draft()]) for one in (MIA, longer, longer))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in found] == [type(None), MovedOn, MovedOn]
    assert await store.emergencies(NOW) == [MIA]
    assert len(rows(tmp_path, "SELECT 1 FROM audit_entry")) == 1
    await store.break_glass(dataclasses.replace(longer, since=MIA.until), [draft()])
    assert [one.until for one in await store.emergencies(MIA.until)] == [longer.until]


async def test_it_is_of_one_person_of_one_realm(store: Store) -> None:
    other = dataclasses.replace(MIA, realm="login")
    await store.break_glass(MIA, [draft()])
    await store.break_glass(other, [draft()])
    assert not await store.end_emergency("machine", "ben", NOW, [draft()])
    assert await store.end_emergency("machine", "mia", NOW, [draft()])
    assert await store.emergencies(NOW) == [other]


async def test_what_is_over_cannot_be_ended_and_leaves_no_entry(tmp_path: Path, store: Store) -> None:
    await store.break_glass(MIA, [draft()])
    assert not await store.end_emergency("machine", "mia", MIA.until, [draft()])
    assert len(rows(tmp_path, "SELECT 1 FROM audit_entry")) == 1


async def test_without_its_entry_it_is_not_granted(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(ConnectorError):
        await store.break_glass(MIA, [draft("")])
    assert await store.emergencies(NOW) == []
    await store.close()
