"""What a person does to the queues: over a real store with a real audit log."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    ConfigurationError,
    ConnectorError,
    InvalidJson,
    InvalidResource,
    MessageError,
    UnreadableMessage,
)
from connector.pipeline.operate import Operator
from connector.store import Delivery, Direction, Filter, Listed, Made, Outgoing, State, Store
from tests.store.site import LINK, NOW, TO_FHIR, head, open_store, queue, received, rows, take

V2 = rb"MSH|^~\&|A|B|C|D|20260101||ADT^A08|C1|P|2.5" + b"\rPID|1||7\r"
MIA = {"role": "operator", "name": "mia", "realm": "machine"}
BUNDLE = b'{"resourceType": "Bundle", "type": "transaction"}'


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def mia(store: Store) -> Operator:
    return Operator(store, lambda: NOW, "mia", "the partner is back")


def audited(folder: Path, verb: str = "message:replayed") -> list[dict[str, Any]]:
    entries = [json.loads(row[0]) for row in rows(folder, "SELECT entry FROM audit_entry ORDER BY seq")]
    return [one for one in entries if one["tag"] == f"operator:{verb}"]


async def untranslatable(store: Store, control_id: str, direction: Direction = TO_FHIR) -> Listed:
    row = (await take(store, control_id, control_id.encode(), direction=direction)).id
    await store.untranslatable(row, "SegmentSequence", [])
    found = await store.taken(row)
    assert found is not None
    return found


async def refused(store: Store, control_id: str, *, stop: bool = False) -> Made:
    await queue(store, b"a bundle", control_id=control_id)
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await (store.refused if stop else store.dead)(item.id, "PartnerRefusedMessage", [])
    return await made(store, item.id)


async def made(store: Store, row: int) -> Made:
    found = await store.made(row)
    assert found is not None
    return found


# --- put back -----------------------------------------------------------------------------------------


async def test_a_message_that_was_untranslatable_waits_for_its_translation_again(
    store: Store, mia: Operator
) -> None:
    one = await untranslatable(store, "1")
    assert await store.pending(LINK, TO_FHIR, 10) == []
    await mia.replay(one)
    assert [item.id for item in await store.pending(LINK, TO_FHIR, 10)] == [one.id]
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.dead, counts.waiting_translation, counts.reconciled) == (0, 1, True)


async def test_a_dead_delivery_goes_back_before_what_is_younger(store: Store, mia: Operator) -> None:
    first = await refused(store, "1")
    await queue(store, b"younger", control_id="2")
    assert (await head(store)).payload == b"younger"
    await mia.replay(first)
    assert (await head(store)).id == first.id


async def test_what_was_delivered_is_sent_again_under_the_same_correlation(
    store: Store, mia: Operator
) -> None:
    await queue(store, b"a bundle")
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await store.delivered(item.id, NOW, [], [])
    await mia.replay(await made(store, item.id))
    again = await head(store)
    assert (again.id, again.uid, again.payload) == (item.id, item.uid, item.payload)


async def test_a_replay_is_audited_with_who_did_it_to_what_and_why(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    one = await untranslatable(store, "1")
    await mia.replay(one)
    (entry,) = audited(tmp_path)
    assert entry["actor"] == MIA
    about = {"link": LINK, "direction": "to_fhir", "kind": "message", "number": one.id}
    assert entry["object"] == {**about, "because": "the partner is back"}
    assert (entry["outcome"], entry["correlation"]) == ("success", one.uid)
    assert dt.datetime.fromisoformat(entry["time"]) == NOW.replace(microsecond=123000)


async def test_what_has_moved_on_meanwhile_is_not_put_back_and_not_audited(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    one = await untranslatable(store, "1")
    await mia.replay(one)
    with pytest.raises(ConnectorError, match="no row"):
        await mia.replay(one)
    assert len(audited(tmp_path)) == 1


async def test_all_dead_letters_of_a_lane_go_back_at_once_and_each_is_audited(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    messages = [(await untranslatable(store, str(n))).id for n in range(3)]
    delivery = await refused(store, "9")
    await untranslatable(store, "5", Direction.TO_V2)
    assert await mia.replay_dead(LINK, TO_FHIR) == 4
    assert await store.dead_letters(LINK, TO_FHIR) == ([], [])
    assert [one.id for one in await store.pending(LINK, TO_FHIR, 10)] == messages
    assert (await head(store)).id == delivery.id
    assert len(audited(tmp_path)) == 4
    assert len((await store.dead_letters(LINK, Direction.TO_V2))[0]) == 1


async def test_more_dead_letters_than_one_listing_holds_all_go_back(store: Store, mia: Operator) -> None:
    for number in range(120):
        await untranslatable(store, str(number))
    assert await mia.replay_dead(LINK, TO_FHIR) == 120
    assert await mia.replay_dead(LINK, TO_FHIR) == 0


async def test_no_more_are_put_back_at_once_than_is_said(store: Store, mia: Operator) -> None:
    for number in range(5):
        await untranslatable(store, str(number))
    by = Filter(LINK, TO_FHIR, state=State.DEAD)
    assert await mia.replay_dead(LINK, TO_FHIR, 2) == 2
    assert await mia.replay_all(by, 2) == 2
    assert await mia.replay_all(by, 2) == 1


async def test_one_that_has_moved_on_while_others_are_put_back_stays(
    store: Store, mia: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await untranslatable(store, "1"), await untranslatable(store, "2")

    async def seen_before(*_: Any) -> list[Listed]:
        return [first, second]

    await mia.replay(first)
    monkeypatch.setattr(store, "find", seen_before)
    assert await mia.replay_all(Filter(LINK, TO_FHIR, state=State.DEAD)) == 1


async def test_who_did_it_is_told_with_what_is_known_of_them(store: Store, tmp_path: Path) -> None:
    mia = Operator(store, lambda: NOW, "mia", "the partner is back", {"client": "console"})
    await mia.replay(await untranslatable(store, "1"))
    assert audited(tmp_path)[0]["actor"] == {**MIA, "client": "console"}


async def test_a_filter_puts_back_what_it_names_and_nothing_else(store: Store, mia: Operator) -> None:
    wanted = await untranslatable(store, "1")
    row = (await take(store, "2", b"2")).id
    await store.untranslatable(row, "MessageError", [])
    by = Filter(LINK, TO_FHIR, state=State.DEAD, reason="SegmentSequence")
    assert await mia.replay_all(by) == 1
    assert [one.id for one in await store.pending(LINK, TO_FHIR, 10)] == [wanted.id]


async def test_a_filter_of_deliveries_goes_on_behind_the_first_hundred(store: Store, mia: Operator) -> None:
    for number in range(130):
        await refused(store, str(number))
    assert await mia.replay_all(Filter(LINK, TO_FHIR, delivery=Delivery.DEAD)) == 130
    (lane,) = await store.lanes()
    assert lane.depth == 130


# --- decide -------------------------------------------------------------------------------------------


async def test_a_refused_message_that_is_skipped_lets_its_lane_go_on(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    first = await refused(store, "1", stop=True)
    await queue(store, b"younger", control_id="2")
    assert await store.due(LINK, TO_FHIR, NOW) is None
    await mia.skip(first)
    assert (await head(store)).payload == b"younger"
    assert (await made(store, first.id)).delivery is Delivery.DEAD
    assert [one["object"]["number"] for one in audited(tmp_path, "message:skipped")] == [first.id]


async def test_a_corrected_copy_of_a_received_message_is_translated_and_the_original_kept(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    one = await untranslatable(store, "1")
    new = await mia.correct(one, V2)
    assert [(item.id, item.payload) for item in await store.pending(LINK, TO_FHIR, 10)] == [(new, V2)]
    assert await store.payload(one.id) == b"1"
    original = await store.taken(one.id)
    assert original is not None
    assert original.state is State.REPLACED
    assert [entry["object"]["size"] for entry in audited(tmp_path, "message:edited")] == [len(V2)]


async def test_a_corrected_copy_of_a_refused_delivery_goes_out_in_its_place(
    store: Store, mia: Operator
) -> None:
    first = await refused(store, "1", stop=True)
    await queue(store, b"younger", control_id="2")
    kept = await mia.correct(first, BUNDLE)
    item = await head(store)
    assert (item.id, item.payload) == (first.id, BUNDLE)
    assert await store.made_payload(kept) == b"a bundle"


async def test_a_copy_that_is_no_message_is_refused_and_nothing_changes(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    one, delivery = await untranslatable(store, "1"), await refused(store, "2")
    submitted = await untranslatable(store, "3", Direction.TO_V2)
    for item, payload, kind in (
        (one, b"PID|1", UnreadableMessage),
        (delivery, b"{", InvalidJson),
        (submitted, b'{"resourceType": "Banana"}', InvalidResource),
    ):
        with pytest.raises(kind):
            await mia.correct(item, payload)
    assert audited(tmp_path, "message:edited") == []
    assert (await store.counts())[LINK, TO_FHIR].dead == 2


async def test_a_copy_of_what_goes_to_v2_has_a_control_id_of_its_own(store: Store, mia: Operator) -> None:
    row = await store.accept(received("1", b"{}", direction=Direction.TO_V2), b"", [])
    await store.translated(row.id, [Outgoing(V2, {"control_id": "C1"})], [], [], [])
    item = await store.due(LINK, Direction.TO_V2, NOW)
    assert item is not None
    await store.intent(item.id, 1, NOW, [])
    await store.dead(item.id, "PartnerRefusedMessage", [])
    one = await made(store, item.id)
    with pytest.raises(MessageError, match="control id"):
        await mia.correct(one, V2.replace(b"PID|1", b"PID|2"))
    await mia.correct(one, V2.replace(b"C1", b"C2"))
    assert (await made(store, item.id)).meta["control_id"] == "C2"


# --- hold back and look ---------------------------------------------------------------------------------


async def test_pauses_are_kept_with_who_and_why_and_taken_away_one_by_one(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    await mia.pause(LINK, TO_FHIR)
    await mia.pause(LINK, None, intake=True)
    found = {(one.direction, one.intake): (one.by, one.reason) for one in await store.pauses()}
    assert found == {
        (TO_FHIR, False): ("mia", "the partner is back"),
        (None, True): ("mia", "the partner is back"),
    }
    assert not await mia.resume(LINK, None)
    assert await mia.resume(LINK, None, intake=True)
    assert await mia.resume(LINK, TO_FHIR)
    assert await store.pauses() == []
    assert [one["object"]["direction"] for one in audited(tmp_path, "link:paused")] == ["to_fhir", "intake"]


async def test_who_looks_at_content_stands_in_the_audit_trail_first(
    store: Store, mia: Operator, tmp_path: Path
) -> None:
    assert await mia.content(await untranslatable(store, "1")) == b"1"
    assert await mia.content(await refused(store, "2")) == b"a bundle"
    assert [one["object"]["kind"] for one in audited(tmp_path, "content:viewed")] == ["message", "delivery"]


@pytest.mark.parametrize("because", ["", "  ", "x" * 201])
def test_nobody_acts_without_a_reason_or_with_a_whole_story(store: Store, because: str) -> None:
    with pytest.raises(ConfigurationError):
        Operator(store, lambda: NOW, "mia", because)
