from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import Tag
from connector.errors import ConnectorError, DuplicateControlId
from connector.store import Direction, Outgoing, State, Store
from connector.store.statement import instant, micros
from tests.store.site import ANSWER, LINK, NOW, TO_FHIR, draft, number, queue, received, rows, take


async def test_a_repeated_message_gets_the_answer_of_the_first(store: Store, tmp_path: Path) -> None:
    first = await store.accept(received(), b"the first answer", [draft()])
    again = await store.accept(received(), b"another answer", [draft()])
    assert (first.duplicate, again.duplicate) == (False, True)
    assert (first.id, first.uid) == (again.id, again.uid)
    assert first.answer == again.answer == b"the first answer"
    assert number(tmp_path, "inbox") == 1
    assert number(tmp_path, "audit_entry") == 2


async def test_the_same_message_twice_at_once_is_taken_once(store: Store, tmp_path: Path) -> None:
    done = await asyncio.gather(*(take(store) for _ in range(30)))
    assert sum(not one.duplicate for one in done) == 1
    assert len({(one.id, one.uid) for one in done}) == 1
    assert number(tmp_path, "inbox") == 1
    assert (await store.counts())[LINK, TO_FHIR].duplicates == 29


async def test_a_duplicate_can_be_audited_as_one(store: Store, tmp_path: Path) -> None:
    for _ in range(2):
        await store.accept(
            received(), ANSWER, [draft()], if_duplicate=[draft(Tag.MESSAGE_V2_DUPLICATE), draft()]
        )
    tags = rows(tmp_path, "SELECT entry ->> '$.tag' FROM audit_entry ORDER BY seq")
    assert [tag for (tag,) in tags] == ["message:v2:received", "message:v2:duplicate", "message:v2:received"]


async def test_another_content_under_the_same_control_id_is_another_message(store: Store) -> None:
    first, second = await take(store, "7", b"one"), await take(store, "7", b"two")
    assert not second.duplicate
    assert first.id != second.id
    assert (first.control_id_reused, second.control_id_reused) == (False, True)
    assert (await take(store, "7", b"one")).id == first.id


async def test_a_reused_control_id_can_be_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    await take(store, "7", b"one")
    with pytest.raises(DuplicateControlId):
        await store.accept(received("7", b"two"), ANSWER, [draft()], refuse_reused=True)
    assert (await store.accept(received("7", b"one"), ANSWER, [], refuse_reused=True)).duplicate
    assert number(tmp_path, "inbox") == number(tmp_path, "audit_entry") == 1


async def test_what_was_seen_can_be_asked(store: Store) -> None:
    one, other, third = received("7", b"one"), received("7", b"two"), received("8", b"one")
    await store.accept(one, ANSWER, [])
    assert await store.seen(TO_FHIR, one.key) == (True, True)
    assert await store.seen(TO_FHIR, other.key) == (False, True)
    assert await store.seen(TO_FHIR, third.key) == (False, False)
    assert await store.seen(Direction.TO_V2, one.key) == (False, False)


@pytest.mark.parametrize("part", ["partner", "application", "facility", "control_id", "digest", "direction"])
async def test_every_part_of_the_key_counts(store: Store, part: str) -> None:
    one = received()
    await store.accept(one, ANSWER, [])
    if part == "direction":
        other = received(direction=Direction.TO_V2)
    else:
        base = received()
        key = {name: getattr(base.key, name) for name in type(base.key).__dataclass_fields__}
        changed = type(base.key)(**(key | {part: key[part] + "x"}))
        other = type(base)(LINK, TO_FHIR, changed, base.payload, base.meta, NOW)
    assert not (await store.accept(other, ANSWER, [])).duplicate


async def test_what_waits_comes_back_whole_and_in_order(store: Store) -> None:
    for n in range(10):
        await take(store, str(n), bytes([n]) * n)
    items = await store.pending(LINK, TO_FHIR, 4)
    assert [item.payload for item in items] == [bytes([n]) * n for n in range(4)]
    assert {(item.received_at, item.meta["kind"]) for item in items} == {(NOW, "ADT^A01")}
    assert len(await store.pending(LINK, TO_FHIR, 100)) == 10
    assert await store.pending(LINK, Direction.TO_V2, 100) == []
    assert await store.pending("other", TO_FHIR, 100) == []


async def test_what_is_translated_or_dead_waits_no_more(store: Store) -> None:
    first, second, third = [(await take(store, str(n))).id for n in range(3)]
    await store.translated(first, [Outgoing(b"x")], ["PID-3", "Z"], [], [draft(Tag.MESSAGE_V2_TRANSLATED)])
    await store.untranslatable(second, "DataTypeFault", [draft(Tag.MESSAGE_V2_UNTRANSLATABLE)])
    assert [item.id for item in await store.pending(LINK, TO_FHIR, 9)] == [third]
    listed = {one.id: one for one in await store.recent(9)}
    assert [listed[n].state for n in (first, second, third)] == ["translated", "dead", "waiting"]
    assert listed[first].lost == ["PID-3", "Z"]
    assert (listed[second].reason, listed[second].lost) == ("DataTypeFault", [])
    (letters, _) = await store.dead_letters(LINK, TO_FHIR)
    assert [one.id for one in letters] == [second]


async def test_a_message_is_translated_once(store: Store, tmp_path: Path) -> None:
    row = await queue(store, b"out")
    for again in (
        store.translated(row, [Outgoing(b"x")], [], [], [draft(Tag.MESSAGE_V2_TRANSLATED)]),
        store.untranslatable(row, "X", [draft()]),
        store.translated(999, [], [], [], [draft(Tag.MESSAGE_V2_TRANSLATED)]),
        store.replay_translation(row, [draft()]),
        store.payload(999),
    ):
        with pytest.raises(ConnectorError):
            await again
    assert number(tmp_path, "outbox") == number(tmp_path, "audit_entry") == 1


async def test_a_message_that_needs_no_delivery_is_done(store: Store) -> None:
    row = (await take(store)).id
    await store.translated(row, [], [], [], [])
    counts = (await store.counts())[LINK, TO_FHIR]
    assert (counts.delivered, counts.queued, counts.reconciled) == (1, 0, True)


async def test_an_untranslatable_message_can_be_translated_later(store: Store) -> None:
    row = (await take(store)).id
    await store.untranslatable(row, "DataTypeFault", [])
    await store.replay_translation(row, [draft(Tag.OPERATOR_MESSAGE_REPLAYED)])
    assert [item.id for item in await store.pending(LINK, TO_FHIR, 9)] == [row]
    assert (await store.counts())[LINK, TO_FHIR].waiting_translation == 1


async def test_the_uid_of_the_caller_is_kept(store: Store) -> None:
    accepted = await store.accept(received(uid="0123abcd"), ANSWER, [])
    assert accepted.uid == (await store.recent(1))[0].uid == "0123abcd"
    assert len((await take(store, "2")).uid) == 32


async def test_bytes_that_nobody_can_read_are_kept(store: Store, tmp_path: Path) -> None:
    row = await store.quarantine(LINK, b"\xff\x00?", "UnreadableMessage", "sha256:aa", NOW, [draft()])
    assert rows(tmp_path, "SELECT id, link, reason, fingerprint, received_at FROM quarantine") == [
        (row, LINK, "UnreadableMessage", "sha256:aa", micros(NOW))
    ]
    assert (await store.counts())[LINK, TO_FHIR].quarantined == 1
    assert number(tmp_path, "audit_entry") == 1


async def test_the_latest_are_listed_the_oldest_of_them_first(store: Store) -> None:
    ids = [(await take(store, str(n), link=f"link{n % 2}")).id for n in range(6)]
    assert [one.id for one in await store.recent(4)] == ids[2:]
    assert {one.state for one in await store.recent(4)} == {State.WAITING}


@given(st.datetimes(timezones=st.timezones(), min_value=dt.datetime(1900, 1, 2)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_time_keeps_its_microseconds(at: dt.datetime) -> None:
    assert instant(micros(at)) == at.astimezone(dt.UTC)  # zones compare unequal around a change of clocks
