"""What is done is forgotten after its time, and nothing else ever is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from connector.errors import PartnerRefusedMessage
from connector.pipeline.retention import AT_ONCE, Retention
from tests.store.site import LINK, NOW, TO_FHIR, head, number, open_store, queue, rows, take

from .room import adt, room

DAY = dt.timedelta(days=1)


async def test_what_is_done_is_forgotten_after_its_time_and_what_waits_or_failed_is_kept(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as here:
        for one in range(3):
            await here.ack(adt(identity=f"C{one}", patient=f"H{one}^^^STV^MR"))
        here.fhir.answers += [PartnerRefusedMessage("no")]
        await here.work(TO_FHIR)
        retention = Retention(here.link.name, TO_FHIR, here.store, here.clock, 30 * DAY)
        assert await retention.step() == 0
        here.clock.pass_by(31 * 86_400)
        await here.ack(adt(identity="C9"))
        assert await retention.step() == 2
        assert rows(tmp_path, "SELECT state FROM inbox ORDER BY id") == [("dead",), ("waiting",)]
        assert number(tmp_path, "outbox") == 1
        counts = await here.counts(TO_FHIR)
        assert (counts.received, counts.delivered, counts.reconciled) == (4, 2, True)
    entries = rows(tmp_path, "SELECT entry FROM audit_entry WHERE entry LIKE '%store:pruned%'")
    assert len(entries) == 1


async def test_many_are_forgotten_a_few_at_a_time(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    try:
        for one in range(AT_ONCE + 5):
            row = (await take(store, str(one), str(one).encode())).id
            await store.translated(row, [], [], [], [])
        retention = Retention(LINK, TO_FHIR, store, lambda: NOW + 2 * DAY, DAY)
        assert await retention.step() == AT_ONCE + 5
        assert number(tmp_path, "inbox") == 0
    finally:
        await store.close()


async def test_a_message_of_which_one_part_still_waits_is_kept_whole(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    try:
        row = await queue(store, b"one", b"two")
        first = await head(store)
        await store.intent(first.id, 1, NOW, [])
        await store.delivered(first.id, NOW, [], [])
        retention = Retention(LINK, TO_FHIR, store, lambda: NOW + 9 * DAY, DAY)
        assert await retention.step() == 0
        assert await store.payload(row)
    finally:
        await store.close()
