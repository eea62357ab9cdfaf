from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from audit import Tag
from connector.errors import ConnectorError
from connector.store import Direction, Outgoing, Store
from tests.store.site import LINK, NOW, TO_FHIR, draft, head, number, queue, rows, take

LATER = NOW + dt.timedelta(seconds=5)


async def test_the_head_of_the_lane_is_the_oldest(store: Store) -> None:
    await queue(store, b"1", b"2", control_id="a")
    await queue(store, b"3", control_id="b")
    for expected in (b"1", b"2", b"3"):
        item = await head(store)
        assert (item.payload, item.meta, item.attempts, item.unsure) == (expected, {"n": 1}, 0, False)
        await store.delivered(item.id, NOW, [], [])
    assert await store.due(LINK, TO_FHIR, NOW) is None


async def test_nothing_overtakes_a_head_that_waits(store: Store) -> None:
    await queue(store, b"1", b"2")
    first = await head(store)
    await store.retry(first.id, LATER, "PartnerBusy", [])
    assert await store.due(LINK, TO_FHIR, NOW) is None
    assert await store.due(LINK, TO_FHIR, LATER - dt.timedelta(microseconds=1)) is None
    assert (await head(store, LATER)).id == first.id


async def test_what_is_behind_the_head_can_be_read_with_it(store: Store) -> None:
    await queue(store, b"1", b"2", control_id="a")
    await queue(store, b"3", control_id="b")
    behind = await store.queue(LINK, TO_FHIR, NOW, 2)
    assert [one.payload for one in behind] == [b"1", b"2"]
    assert behind[0] == await head(store)


async def test_with_a_head_that_waits_nothing_behind_it_is_given_out(store: Store) -> None:
    await queue(store, b"1", b"2")
    await store.retry((await head(store)).id, LATER, "PartnerBusy", [])
    assert await store.queue(LINK, TO_FHIR, NOW, 8) == []
    assert len(await store.queue(LINK, TO_FHIR, LATER, 8)) == 2


async def test_lanes_do_not_wait_for_each_other(store: Store) -> None:
    for link in ("a", "b"):
        for direction in (TO_FHIR, Direction.TO_V2):
            row = (await take(store, link=link, direction=direction)).id
            await store.translated(row, [Outgoing(f"{link} {direction}".encode())], [], [], [])
    stuck = await store.due("a", TO_FHIR, NOW)
    assert stuck is not None
    await store.retry(stuck.id, LATER, "PartnerUnreachable", [])
    found = [await store.due(link, way, NOW) for link in ("a", "b") for way in (TO_FHIR, Direction.TO_V2)]
    assert [one and one.payload for one in found] == [None, b"a to_v2", b"b to_fhir", b"b to_v2"]


async def test_an_intended_message_stays_at_the_head_until_its_outcome_is_known(store: Store) -> None:
    await queue(store, b"1", b"2")
    item = await head(store)
    await store.intent(item.id, 1, NOW, [draft(Tag.DELIVERY_FHIR_INTENDED)])
    again = await head(store)
    assert (again.id, again.attempts, again.unsure) == (item.id, 1, True)
    await store.retry(item.id, NOW, "PartnerBusy", [])
    assert not (await head(store)).unsure


async def test_a_dead_letter_leaves_the_lane(store: Store, tmp_path: Path) -> None:
    await queue(store, b"1", b"2")
    first = await head(store)
    await store.dead(first.id, "PartnerRefusedMessage", [draft(Tag.DELIVERY_FHIR_REFUSED)])
    assert (await head(store)).payload == b"2"
    _, letters = await store.dead_letters(LINK, TO_FHIR)
    assert [one.payload for one in letters] == [b"1"]
    assert rows(tmp_path, "SELECT reason FROM outbox WHERE delivery = 'dead'") == [("PartnerRefusedMessage",)]


@pytest.mark.parametrize("end", ["dead", "delivered"])
async def test_a_replayed_message_takes_its_place_again(store: Store, end: str) -> None:
    await queue(store, b"1", b"2")
    first = await head(store)
    await store.retry(first.id, NOW, "PartnerBusy", [])
    await _end(store, first.id, end)
    await store.replay_delivery(first.id, [draft(Tag.OPERATOR_MESSAGE_REPLAYED)])
    assert (await head(store)).id == first.id
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.queued, counts.waiting_delivery, counts.delivered, counts.dead) == (2, 1, 0, 0)


async def _end(store: Store, row: int, end: str) -> None:
    if end == "dead":
        await store.dead(row, "X", [])
    else:
        await store.delivered(row, NOW, [], [])


async def test_steps_that_do_not_fit_the_state_are_refused_and_leave_nothing(
    store: Store, tmp_path: Path
) -> None:
    await queue(store, b"1")
    row = (await head(store)).id
    with pytest.raises(ConnectorError):
        await store.replay_delivery(row, [draft()])
    await store.delivered(row, NOW, [], [draft()])
    steps: list[Any] = [
        store.intent(row, 2, NOW, [draft()]),
        store.delivered(row, NOW, [], [draft()]),
        store.retry(row, NOW, "X", [draft()]),
        store.dead(row, "X", [draft()]),
        store.intent(999, 1, NOW, [draft()]),
    ]
    for step in steps:
        with pytest.raises(ConnectorError):
            await step
    assert number(tmp_path, "audit_entry") == 2  # taken, delivered
    assert (await store.counts())[LINK, TO_FHIR].sent == 1


async def test_a_message_is_delivered_when_all_that_was_made_of_it_is(store: Store) -> None:
    row = await queue(store, b"1", b"2", b"3")
    states = []
    for _ in range(3):
        await store.delivered((await head(store)).id, NOW, [], [])
        states.append((await store.recent(1))[0].state.value)
    assert states == ["translated", "translated", "delivered"]
    assert (await store.recent(1))[0].id == row


async def test_one_dead_part_makes_the_whole_dead_once_nothing_waits(store: Store) -> None:
    await queue(store, b"1", b"2")
    await store.dead((await head(store)).id, "X", [])
    assert (await store.recent(1))[0].state == "translated"
    await store.delivered((await head(store)).id, NOW, [], [])
    assert (await store.recent(1))[0].state == "dead"
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.dead, counts.sent, counts.parked, counts.reconciled) == (1, 1, 1, True)


async def test_a_dead_letter_that_was_translated_again_counts_no_more(store: Store) -> None:
    row = await queue(store, b"wrong")
    await store.dead((await head(store)).id, "X", [])
    await store.replay_translation(row, [])
    await store.translated(row, [Outgoing(b"right")], [], [], [])
    await store.delivered((await head(store)).id, NOW, [], [])
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.delivered, counts.dead, counts.parked, counts.sent) == (1, 0, 0, 1)
    assert counts.reconciled


async def test_many_lanes_at_once_keep_their_orders(store: Store) -> None:
    links = [f"link{n}" for n in range(8)]
    for link in links:
        row = (await take(store, link=link)).id
        await store.translated(row, [Outgoing(bytes([n])) for n in range(12)], [], [], [])

    async def drain(link: str) -> list[int]:
        seen = []
        while (item := await store.due(link, TO_FHIR, NOW)) is not None:
            seen.append(item.payload[0])
            await store.intent(item.id, 1, NOW, [draft(Tag.DELIVERY_FHIR_INTENDED)])
            await store.delivered(item.id, NOW, [], [draft(Tag.DELIVERY_FHIR_ACKNOWLEDGED)])
        return seen

    assert await asyncio.gather(*map(drain, links)) == [list(range(12))] * 8
