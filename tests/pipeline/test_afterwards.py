"""What a v2 partner's application says after its commit acknowledgment has ended the delivery."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.pipeline import afterwards
from connector.pipeline.afterwards import Afterwards
from connector.store import OutboxItem
from tests.mllp.loopback import until
from tests.store.site import rows

from .room import TO_V2, Room, patient, room


async def committed(here: Room) -> OutboxItem:
    """A message whose delivery has ended with CA."""
    await here.put(patient())
    here.hospital.answers.append("CA")
    await here.lanes[TO_V2].translating.step()
    (item,) = await here.store.heads(here.link.name, TO_V2, here.clock(), 1)
    await here.to_v2.step()
    return item


def state(folder: Path) -> Any:
    return rows(folder, "SELECT delivery, acknowledgment FROM outbox")


def told(folder: Path) -> int:
    entries = rows(folder, "SELECT entry FROM audit_entry")
    return sum("delivery:v2:processed" in str(entry) for entry in entries)


@pytest.mark.parametrize(("code", "said"), [("AA", "positive"), ("AE", "negative"), ("AR", "negative")])
async def test_its_word_goes_into_the_second_column_and_the_audit_trail(
    tmp_path: Path, code: str, said: str
) -> None:
    async with room(tmp_path) as here:
        item, later = await committed(here), Afterwards(here.link.name, here.store, here.clock)
        later.expect(item)()
        await later.heard(str(item.meta["control_id"]), code)
        assert state(tmp_path) == [("delivered", said)]
        await later.heard(str(item.meta["control_id"]), "AE")
        assert state(tmp_path) == [("delivered", said)]
        assert told(tmp_path) == 1


async def test_it_is_not_kept_before_the_delivery_itself_is_on_the_disk(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        item, later = await committed(here), Afterwards(here.link.name, here.store, here.clock)
        recorded = later.expect(item)
        hearing = asyncio.create_task(later.heard(str(item.meta["control_id"]), "AE"))
        await asyncio.sleep(0.01)
        assert told(tmp_path) == 0
        recorded()
        await hearing
        assert state(tmp_path) == [("delivered", "negative")]


async def test_it_may_come_over_a_connection_of_the_partner(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        item, later = await committed(here), Afterwards(here.link.name, here.store, here.clock)
        control_id = str(item.meta["control_id"])
        assert not later.overheard("AE", control_id)
        later.expect(item)()
        assert not later.overheard("CA", control_id)
        assert later.overheard("AE", control_id)
        await until(lambda: told(tmp_path) == 1)
        assert state(tmp_path) == [("delivered", "negative")]


async def test_what_nobody_expects_changes_nothing(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await committed(here)
        await Afterwards(here.link.name, here.store, here.clock).heard("another", "AE")
        assert state(tmp_path) == [("delivered", "positive")]
        assert told(tmp_path) == 0


async def test_only_so_many_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afterwards, "MEMORY", 1)
    async with room(tmp_path) as here:
        item, later = await committed(here), Afterwards(here.link.name, here.store, here.clock)
        later.expect(item)()
        later.expect(OutboxItem(99, "u", 1, b"", {"control_id": "another"}, 0, False))()
        await later.heard(str(item.meta["control_id"]), "AE")
        assert told(tmp_path) == 0
