"""Replay by a person: over a real store with a real audit log."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.pipeline.replay import Replay
from connector.store import Direction, Store
from tests.store.site import LINK, NOW, TO_FHIR, head, open_store, queue, rows, take


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def replay(store: Store) -> Replay:
    return Replay(store, lambda: NOW, LINK, TO_FHIR, "mia")


def audited(folder: Path) -> list[dict[str, Any]]:
    entries = [json.loads(row[0]) for row in rows(folder, "SELECT entry FROM audit_entry ORDER BY seq")]
    return [one for one in entries if one["tag"] == "operator:message:replayed"]


async def untranslatable(store: Store, control_id: str) -> int:
    row = (await take(store, control_id, control_id.encode())).id
    await store.untranslatable(row, "SegmentSequence", [])
    return row


async def refused(store: Store, control_id: str) -> int:
    await queue(store, b"a bundle", control_id=control_id)
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await store.dead(item.id, "PartnerRefusedMessage", [])
    return item.id


async def test_a_message_that_was_untranslatable_waits_for_its_translation_again(
    store: Store, replay: Replay
) -> None:
    row = await untranslatable(store, "1")
    assert await store.pending(LINK, TO_FHIR, 10) == []
    await replay.message(row)
    assert [one.id for one in await store.pending(LINK, TO_FHIR, 10)] == [row]
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.dead, counts.waiting_translation, counts.reconciled) == (0, 1, True)


async def test_a_refused_delivery_goes_back_before_what_is_younger(store: Store, replay: Replay) -> None:
    first = await refused(store, "1")
    await queue(store, b"younger", control_id="2")
    assert (await head(store)).payload == b"younger"
    await replay.delivery(first)
    assert (await head(store)).id == first


async def test_what_was_delivered_is_sent_again_under_the_same_correlation(
    store: Store, replay: Replay
) -> None:
    await queue(store, b"a bundle")
    item = await head(store)
    await store.intent(item.id, 1, NOW, [])
    await store.delivered(item.id, NOW, [], [])
    await replay.delivery(item.id)
    again = await head(store)
    assert (again.id, again.uid, again.payload) == (item.id, item.uid, item.payload)


async def test_a_replay_is_audited_with_who_did_it_and_to_what(
    store: Store, replay: Replay, tmp_path: Path
) -> None:
    row = await untranslatable(store, "1")
    await replay.message(row)
    (entry,) = audited(tmp_path)
    assert entry["actor"] == {"role": "operator", "name": "mia"}
    assert entry["object"] == {"link": LINK, "direction": "to_fhir", "kind": "message", "number": row}
    assert entry["outcome"] == "success"
    assert dt.datetime.fromisoformat(entry["time"]) == NOW.replace(microsecond=123000)


@pytest.mark.parametrize("kind", ["message", "delivery"])
async def test_what_is_not_there_is_refused_and_not_audited(
    replay: Replay, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(ConnectorError, match="no row"):
        await getattr(replay, kind)(4711)
    assert audited(tmp_path) == []


async def test_what_waits_already_is_not_replayed(store: Store, replay: Replay, tmp_path: Path) -> None:
    row = (await take(store)).id
    with pytest.raises(ConnectorError):
        await replay.message(row)
    assert audited(tmp_path) == []


async def test_all_dead_letters_of_a_lane_go_back_at_once_and_each_is_audited(
    store: Store, replay: Replay, tmp_path: Path
) -> None:
    messages = [await untranslatable(store, str(n)) for n in range(3)]
    delivery = await refused(store, "9")
    assert await replay.dead() == 4
    assert await store.dead_letters(LINK, TO_FHIR) == ([], [])
    assert [one.id for one in await store.pending(LINK, TO_FHIR, 10)] == messages
    assert (await head(store)).id == delivery
    assert len(audited(tmp_path)) == 4


async def test_more_dead_letters_than_one_listing_holds_all_go_back(store: Store, replay: Replay) -> None:
    for number in range(120):
        await untranslatable(store, str(number))
    assert await replay.dead() == 120
    assert await replay.dead() == 0


async def test_the_dead_of_another_lane_stay(store: Store) -> None:
    await untranslatable(store, "1")
    other = Replay(store, lambda: NOW, LINK, Direction.TO_V2, "mia")
    assert await other.dead() == 0
    assert len((await store.dead_letters(LINK, TO_FHIR))[0]) == 1
