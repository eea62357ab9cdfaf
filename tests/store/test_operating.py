"""What people see and do: lanes, search, pauses, corrected copies, and forgetting what is done."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from audit import Tag
from connector.errors import ConnectorError
from connector.store import Delivery, Direction, Filter, Outgoing, Paused, State, Store, searching
from tests.store.site import (
    ANSWER,
    LINK,
    NOW,
    TO_FHIR,
    draft,
    head,
    number,
    open_store,
    queue,
    received,
    rows,
    take,
)

LATER = NOW + dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


async def _made(store: Store, control_id: str, lanes: tuple[str, ...] = ()) -> int:
    """The row in the outbox of a message that was taken and translated."""
    row = (await take(store, control_id, control_id.encode())).id
    await store.translated(row, [Outgoing(control_id.encode(), {"kind": "ADT^A08"}, lanes)], [], [], [])
    by = Filter(LINK, TO_FHIR, delivery=Delivery.QUEUED)
    return max(one.id for one in await store.find_made(by))


# --- lanes ---


async def test_lanes_show_what_blocks_them_and_no_name(store: Store) -> None:
    a, b, both, c = [
        await _made(store, name, lanes)
        for name, lanes in (
            ("1", ("Patient/a",)),
            ("2", ("Patient/b",)),
            ("3", ("Patient/a", "Patient/b")),
            ("4", ()),
        )
    ]
    await store.refused(a, "PartnerRefusedMessage", [])
    await store.delivered(b, NOW, [], [])
    await store.retry(c, LATER, "PartnerBusy", [])
    found = await store.lanes()
    assert [(one.head, one.depth, one.blocked, one.reason, one.due_at) for one in found] == [
        (a, 2, "stopped", "PartnerRefusedMessage", None),
        (both, 1, "behind", "", None),
        (c, 1, "", "PartnerBusy", LATER),
    ]
    assert [one.lane for one in found][2] == "link"
    assert all(len(one.lane) == 12 and int(one.lane, 16) for one in found[:2])
    assert {one.oldest for one in found} == {NOW}
    assert await store.lanes("other") == await store.lanes(LINK, Direction.TO_V2) == []
    assert await store.lanes(limit=1) == found[:1]


async def test_the_time_of_the_next_lane_is_known_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for name, seconds in (("a", 9), ("b", 5), ("c", 7)):
        row = await _made(store, name, (name,))
        await store.retry(row, NOW + dt.timedelta(seconds=seconds), "PartnerBusy", [])
    await store.close()
    again = open_store(tmp_path)
    assert await again.next_due(LINK, TO_FHIR, NOW) == NOW + dt.timedelta(seconds=5)
    assert await again.next_due(LINK, TO_FHIR, NOW + dt.timedelta(seconds=9)) is None
    await again.close()


async def test_what_is_in_hand_is_not_given_out_again(store: Store) -> None:
    found = [await _made(store, name, (name,)) for name in "abc"]
    heads = await store.heads(LINK, TO_FHIR, NOW, 2)
    assert [one.id for one in heads] == found[:2]
    assert [one.id for one in await store.heads(LINK, TO_FHIR, NOW, 2, found[:2])] == found[2:]


async def test_a_name_in_another_link_is_another_lane(store: Store, tmp_path: Path) -> None:
    for link in ("one", "two"):
        row = (await take(store, link=link)).id
        await store.translated(row, [Outgoing(b"x", {}, ("Patient/a", "Patient/a"))], [], [], [])
    assert len({row[0] for row in rows(tmp_path, "SELECT lane FROM lane")}) == 2
    assert number(tmp_path, "outbox_lane") == 2


# --- search ---


@pytest.mark.parametrize("piece", [1, 2, 1000])
async def test_messages_are_found_by_what_people_know_of_them(
    store: Store, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(searching, "PIECE", piece)
    found = [await _made(store, str(n)) for n in range(4)]
    for row, reason in zip(found, ("PartnerRefusedMessage", "PartnerRefusedMessage", "InvalidResource")):
        await store.dead(row, reason, [])
    dead = Filter(LINK, TO_FHIR)

    async def numbers(**more: object) -> list[int]:
        return [one.id for one in await store.find_made(dataclasses.replace(dead, **more))]  # type: ignore[arg-type]

    assert await numbers() == found[:3]
    assert await numbers(reason="InvalidResource") == found[2:3]
    assert await numbers(kind="ADT^A01") == []
    assert await numbers(after=found[0], kind="ADT^A08") == found[1:3]
    assert await numbers(since=NOW, until=LATER) == found[:3]
    assert await numbers(until=NOW) == await numbers(since=LATER) == []
    assert await numbers(delivery=Delivery.QUEUED) == found[3:]
    assert len(await store.find_made(dead, limit=2)) == 2
    assert [one.reason for one in await store.find(Filter(LINK, TO_FHIR, State.DEAD))][2] == "InvalidResource"
    assert [one.id for one in await store.find(Filter(LINK, TO_FHIR, State.TRANSLATED))] == [4]


async def test_one_message_can_be_looked_at(store: Store) -> None:
    row = await _made(store, "1", ("Patient/a",))
    one = await store.made(row)
    assert one is not None
    assert (one.delivery, one.attempts, one.received_at, one.meta) == (
        Delivery.QUEUED,
        0,
        NOW,
        {"kind": "ADT^A08"},
    )
    assert [lane.lane for lane in await store.lanes()] == list(one.lanes)
    assert await store.made_payload(row) == b"1"
    assert await store.made(99) is None
    with pytest.raises(ConnectorError):
        await store.made_payload(99)


# --- pauses ---


async def test_a_pause_is_there_until_it_is_taken_away(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    pauses = [Paused(LINK, None, "ada", "upgrade", NOW), Paused(LINK, TO_FHIR, "ada", "night", NOW)]
    for one in pauses:
        await store.pause(one, [draft()])
    await store.pause(dataclasses.replace(pauses[0], reason="still"), [draft()])
    await store.close()
    again = open_store(tmp_path)
    assert await again.pauses() == [dataclasses.replace(pauses[0], reason="still"), pauses[1]]
    assert await again.resume(LINK, None, [draft()])
    assert not await again.resume(LINK, None, [draft()])
    assert await again.pauses() == pauses[1:]
    await again.close()


# --- corrected copies ---


async def test_a_corrected_copy_is_translated_and_the_original_stays(store: Store, tmp_path: Path) -> None:
    first = (await take(store, "1", b"wrong")).id
    await store.untranslatable(first, "MessageError", [])
    copy = await store.revise(first, b"right", LATER, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
    (item,) = await store.pending(LINK, TO_FHIR, 9)
    assert (item.id, item.payload, item.received_at) == (copy, b"right", LATER)
    assert await store.payload(first) == b"wrong"
    assert rows(tmp_path, "SELECT id, version_of, state FROM inbox") == [
        (first, None, "replaced"),
        (copy, first, "waiting"),
    ]
    assert (await take(store, "1", b"wrong")).id == first  # the sender still gets the first answer
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.received, counts.waiting_translation, counts.dead, counts.reconciled) == (1, 1, 0, True)
    with pytest.raises(ConnectorError):
        await store.revise(first, b"again", LATER, [])


async def test_a_copy_of_what_was_refused_takes_the_place_of_all_that_was_made_of_it(store: Store) -> None:
    row = await queue(store, b"1", b"2")
    await store.dead((await head(store)).id, "X", [])
    await store.delivered((await head(store)).id, NOW, [], [])
    copy = await store.revise(row, b"right", LATER, [])
    await store.translated(copy, [Outgoing(b"3")], [], [], [])
    await store.delivered((await head(store)).id, NOW, [], [])
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.delivered, counts.dead, counts.parked, counts.sent) == (1, 0, 0, 2)


async def test_what_is_owed_for_the_original_is_owed_for_the_copy(store: Store) -> None:
    row = (await store.accept(dataclasses.replace(received(), owed=True), ANSWER, [])).id
    await store.untranslatable(row, "MessageError", [])
    copy = await store.revise(row, b"right", LATER, [])
    assert await store.owed(LINK, 9) == []
    await store.translated(copy, [], [], [], [])
    assert [one.id for one in await store.owed(LINK, 9)] == [copy]


@pytest.mark.parametrize("end", ["dead", "refused"])
async def test_a_corrected_delivery_goes_out_in_the_place_of_the_original(store: Store, end: str) -> None:
    await queue(store, b"wrong", b"next")
    first = await head(store)
    await (store.dead if end == "dead" else store.refused)(first.id, "X", [])
    kept = await store.revise_delivery(first.id, b"right", [draft(Tag.OPERATOR_MESSAGE_EDITED)], {"n": 2})
    again = await head(store)
    assert (again.id, again.payload, again.meta) == (first.id, b"right", {"n": 2})
    original = await store.made(kept)
    assert original is not None
    assert (original.version_of, original.delivery, original.meta) == (first.id, Delivery.REPLACED, {"n": 1})
    assert await store.made_payload(kept) == b"wrong"
    with pytest.raises(ConnectorError):
        await store.revise_delivery(first.id, b"more", [])


# --- retention ---


async def test_only_what_is_done_is_forgotten_after_its_time(store: Store, tmp_path: Path) -> None:
    for name in ("old", "young", "dead", "queued", "refused"):
        await queue(store, b"x", control_id=name)
    old, young, dead, _, refused = [one.id for one in await store.queue(LINK, TO_FHIR, NOW, 9)]
    await store.delivered(old, NOW, [], [])
    await store.delivered(young, NOW + DAY, [], [])
    await store.dead(dead, "X", [])
    await store.refused(refused, "X", [])
    await take(store, "waiting")
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, [draft()]) == 1
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, [draft()]) == 0
    assert rows(tmp_path, "SELECT id FROM inbox ORDER BY id") == [(2,), (3,), (4,), (5,), (6,)]
    assert [row[0] for row in rows(tmp_path, "SELECT inbox_id FROM outbox ORDER BY id")] == [2, 3, 4, 5]
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.received, counts.delivered, counts.reconciled) == (6, 2, True)


async def test_what_is_owed_an_answer_is_not_forgotten(store: Store) -> None:
    row = (await store.accept(dataclasses.replace(received(), owed=True), ANSWER, [])).id
    await store.translated(row, [], [], [], [])
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, []) == 0
    await store.answered(row, Outgoing(b"AA"), True, [])
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, []) == 0
    answer = await store.due(LINK, Direction.ANSWER, NOW)
    assert answer is not None
    await store.delivered(answer.id, NOW, [], [])
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, []) == 1


async def test_a_dead_letter_that_was_mended_and_done_is_forgotten_with_its_versions(
    store: Store, tmp_path: Path
) -> None:
    await queue(store, b"wrong")
    item = await head(store)
    await store.dead(item.id, "X", [])
    await store.revise_delivery(item.id, b"right", [])
    await store.delivered(item.id, NOW, [], [])
    assert await store.prune(LINK, TO_FHIR, NOW + DAY, 9, []) == 1
    assert number(tmp_path, "outbox") == number(tmp_path, "inbox") == 0


async def test_forgetting_goes_in_parts_the_oldest_first(store: Store, tmp_path: Path) -> None:
    for n in range(5):
        row = await queue(store, control_id=str(n))
        assert row == n + 1
    assert [await store.prune(LINK, TO_FHIR, LATER, 2, []) for _ in range(4)] == [2, 2, 1, 0]
    assert (await take(store, "new")).id == 6
