"""Translations go ahead of the disk, but never past what they depend on, nor past one that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from connector.errors import StoreUnavailable
from connector.fhir import json as fjson
from connector.pipeline.underway import UnderWay
from connector.store import JournalEntry
from tests.store.site import LINK, rows

from .room import TO_FHIR, Room, adt, room

_OTHER = "H2^^^STV^MR"


class Gate:
    """Holds what is to be committed until it is opened."""

    def __init__(self, here: Room, monkeypatch: pytest.MonkeyPatch, enough: int) -> None:
        self._translated, self._enough = here.store.translated, enough
        self.open, self.crowded = asyncio.Event(), asyncio.Event()
        self.begun: list[int] = []
        monkeypatch.setattr(here.store, "translated", self.translated)

    async def translated(self, inbox_id: int, *what: Any, **more: Any) -> None:
        self.begun.append(inbox_id)
        if len(self.begun) == self._enough:
            self.crowded.set()
        await self.open.wait()
        await self._translated(inbox_id, *what, **more)


async def test_a_message_about_somebody_else_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt(identity="C0", patient="H3^^^STV^MR"))
        await here.work(TO_FHIR)  # what they have in common is there
        await here.ack(adt(identity="C1"))
        await here.ack(adt(identity="C2", patient=_OTHER))
        gate = Gate(here, monkeypatch, 2)
        step = asyncio.create_task(here.lanes[TO_FHIR].translating.step())
        await asyncio.wait_for(gate.crowded.wait(), 10)
        assert rows(tmp_path, "SELECT count(*) FROM outbox") == [(1,)]
        gate.open.set()
        assert await step == 2
        assert rows(tmp_path, "SELECT inbox_id FROM outbox ORDER BY id") == [(1,), (2,), (3,)]


async def test_a_message_about_the_same_patient_is_translated_over_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt("A28", "C1", more=[]).replace("|19700101|F", "|19700101|F|||Weg 1^^Graz"))
        await here.ack(adt("A31", "C2", family="Neu"))
        gate = Gate(here, monkeypatch, 1)
        step = asyncio.create_task(here.lanes[TO_FHIR].translating.step())
        await asyncio.wait_for(gate.crowded.wait(), 10)
        for _ in range(100):
            await asyncio.sleep(0)
        assert gate.begun == [1]
        gate.open.set()
        await step
        await here.work(TO_FHIR)
        first, second = here.fhir.patients()
        assert second["address"] == first["address"]
        assert second["name"][0]["family"] == "Neu"


async def test_what_stands_behind_one_that_failed_is_translated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        for identity, patient in (("C1", "H1^^^STV^MR"), ("C2", _OTHER), ("C3", "H3^^^STV^MR")):
            await here.ack(adt(identity=identity, patient=patient))
        translated: Callable[..., Coroutine[Any, Any, None]] = here.store.translated

        async def first_fails(inbox_id: int, *what: Any, **more: Any) -> None:
            if inbox_id == 1:
                raise StoreUnavailable("no room")
            await translated(inbox_id, *what, **more)

        with monkeypatch.context() as patched:
            patched.setattr(here.store, "translated", first_fails)
            with pytest.raises(StoreUnavailable):
                await here.lanes[TO_FHIR].translating.step()
        assert (await here.counts(TO_FHIR)).waiting_translation == 3
        assert await here.lanes[TO_FHIR].translating.step() == 3
        assert rows(tmp_path, "SELECT inbox_id FROM outbox ORDER BY id") == [(1,), (2,), (3,)]


async def test_one_that_was_taken_up_by_somebody_else_is_no_fault_of_the_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt(identity="C1"))
        translated: Callable[..., Coroutine[Any, Any, None]] = here.store.translated

        async def twice(inbox_id: int, *what: Any, **more: Any) -> None:
            await translated(inbox_id, *what, **more)
            await translated(inbox_id, *what, **more)

        monkeypatch.setattr(here.store, "translated", twice)
        assert await here.lanes[TO_FHIR].translating.step() > 0
        assert await here.lanes[TO_FHIR].translating.step() == 0


async def test_no_more_are_under_way_than_there_is_room_for() -> None:
    under_way, opened = UnderWay(2), asyncio.Event()

    async def commit() -> None:
        await opened.wait()

    await under_way.begin(commit(), frozenset({"Patient/a"}))
    await under_way.begin(commit(), frozenset({"Patient/b"}))
    assert under_way.keys == {"Patient/a", "Patient/b"}
    third = asyncio.create_task(under_way.begin(commit(), frozenset({"Patient/c"})))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not third.done()
    opened.set()
    await third
    await under_way.end()
    assert under_way.keys == frozenset()


async def test_what_a_delivery_learned_meanwhile_is_not_lost_under_a_translation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt("A28", "C1", more=[]))
        await here.work(TO_FHIR)
        (patient,) = here.fhir.patients()
        key = f"Patient/{patient['id']}"
        await here.ack(adt("A31", "C2", family="Neu"))
        translated = here.store.translated

        async def late(*what: Any, **more: Any) -> None:
            monkeypatch.setattr(here.store, "translated", translated)
            known = fjson.loads(await here.store.resource(LINK, key) or b"")
            told = JournalEntry(LINK, key, fjson.dumps({**known, "photo": [{"title": "face"}]}), None, "")
            await here.store.remember([told])  # somebody else's change, that a delivery met
            await translated(*what, **more)

        monkeypatch.setattr(here.store, "translated", late)
        translating = here.lanes[TO_FHIR].translating
        assert await translating.step() > 0  # look again
        assert rows(tmp_path, "SELECT count(*) FROM outbox") == [(1,)]
        assert await translating.step() == 1
        known = fjson.loads(await here.store.resource(LINK, key) or b"")
        assert (known["photo"], known["name"][0]["family"]) == ([{"title": "face"}], "Neu")
