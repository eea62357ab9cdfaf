"""What is owed to senders, the numbers of their messages, and what lost where both sides changed a thing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from connector.errors import ConnectorError, MovedOn
from connector.store import Acknowledgment, Clash, Direction, Outgoing, State, Store
from tests.store.site import ANSWER, LINK, NOW, TO_FHIR, draft, head, number, open_store, received, rows

ANSWERED = Direction.ANSWER


async def _owing(store: Store, control_id: str = "1", made: int = 1) -> int:
    one = dataclasses.replace(received(control_id, control_id.encode()), owed=True)
    row = (await store.accept(one, ANSWER, [])).id
    await store.translated(row, [Outgoing(b"made")] * made, [], [], [])
    return row


async def test_an_answer_is_owed_once_the_message_is_settled(store: Store) -> None:
    row = await _owing(store, made=2)
    assert await store.owed(LINK, 9) == []
    await store.delivered((await head(store)).id, NOW, [], [])
    assert await store.owed(LINK, 9) == []
    await store.delivered((await head(store)).id, NOW, [], [])
    (owed,) = await store.owed(LINK, 9)
    assert (owed.id, owed.payload, owed.state, owed.reason) == (row, b"1", State.DELIVERED, "")
    assert owed.received_at == NOW


async def test_a_dead_message_is_answered_with_its_reason(store: Store) -> None:
    await _owing(store, "refused")
    await store.dead((await head(store)).id, "PartnerRefusedMessage", [])
    one = dataclasses.replace(received("unsayable", b"u"), owed=True)
    await store.untranslatable((await store.accept(one, ANSWER, [])).id, "MessageError", [])
    owed = await store.owed(LINK, 9)
    assert [(one.state, one.reason) for one in owed] == [
        (State.DEAD, "PartnerRefusedMessage"),
        (State.DEAD, "MessageError"),
    ]
    assert await store.owed(LINK, 1) == owed[:1]


async def test_what_stops_its_lane_is_not_settled(store: Store) -> None:
    await _owing(store)
    item = await head(store)
    await store.refused(item.id, "PartnerRefusedMessage", [])
    assert await store.owed(LINK, 9) == []
    await store.skip(item.id, [])
    assert len(await store.owed(LINK, 9)) == 1


async def test_what_asks_for_no_answer_is_owed_none(store: Store) -> None:
    row = (await store.accept(received(), ANSWER, [])).id
    await store.translated(row, [], [], [], [])
    assert await store.owed(LINK, 9) == []
    with pytest.raises(ConnectorError):
        await store.answered(row, None, True, [draft()])


async def test_an_answer_goes_out_as_any_message_and_once(store: Store, tmp_path: Path) -> None:
    row = await _owing(store)
    await store.delivered((await head(store)).id, NOW, [], [])
    await store.answered(row, Outgoing(b"MSA|AA", {"control_id": "X"}), True, [draft()])
    assert await store.owed(LINK, 9) == []
    with pytest.raises(ConnectorError):
        await store.answered(row, None, True, [draft()])
    item = await store.due(LINK, ANSWERED, NOW)
    assert item is not None
    assert (item.payload, item.meta, item.inbox_id) == (
        b"MSA|AA",
        {"control_id": "X"},
        row,
    )
    await store.retry(item.id, NOW, "PartnerUnreachable", [])
    await store.delivered(item.id, NOW, [], [])
    assert rows(tmp_path, "SELECT state, acknowledgment FROM inbox") == [("delivered", "positive")]


async def test_what_becomes_of_an_answer_changes_nothing_of_its_message(store: Store, tmp_path: Path) -> None:
    row = await _owing(store)
    await store.dead((await head(store)).id, "PartnerRefusedMessage", [])
    await store.answered(row, Outgoing(b"MSA|AE"), False, [])
    item = await store.due(LINK, ANSWERED, NOW)
    assert item is not None
    await store.dead(item.id, "PartnerRefusedMessage", [])
    assert rows(tmp_path, "SELECT state, acknowledgment FROM inbox") == [("dead", "negative")]
    await store.replay_translation(row, [])
    await store.translated(row, [], [], [], [])
    assert (await store.recent(1))[0].state is State.DELIVERED
    counts = await store.counts()
    assert (counts[LINK, TO_FHIR].reconciled, counts[LINK, ANSWERED].parked) == (True, 1)


async def test_an_answer_nobody_wants_is_noted_and_not_sent(store: Store, tmp_path: Path) -> None:
    row = await _owing(store)
    await store.delivered((await head(store)).id, NOW, [], [])
    await store.answered(row, None, True, [])
    assert number(tmp_path, "outbox") == 1
    assert await store.owed(LINK, 9) == []


async def test_what_the_partner_s_application_says_later_is_kept(store: Store, tmp_path: Path) -> None:
    await _owing(store)
    item = await head(store)
    await store.delivered(item.id, NOW, [], [], Acknowledgment.PENDING)
    assert rows(tmp_path, "SELECT delivery, acknowledgment FROM outbox") == [("delivered", "pending")]
    await store.acknowledged(item.id, Acknowledgment.NEGATIVE, [draft()])
    assert rows(tmp_path, "SELECT delivery, acknowledgment FROM outbox") == [("delivered", "negative")]
    with pytest.raises(ConnectorError):
        await store.acknowledged(99, Acknowledgment.POSITIVE, [])


async def test_the_next_number_of_a_sender_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert await store.expected(LINK, "ADT") is None
    await store.expect(LINK, "ADT", 1, [draft()])
    await store.expect(LINK, "ADT", 7, [draft()])
    await store.close()
    again = open_store(tmp_path)
    assert await again.expected(LINK, "ADT") == 7
    assert await again.expected("other", "ADT") is None
    await again.close()


async def test_what_lost_is_kept_once_until_somebody_settles_it(store: Store, tmp_path: Path) -> None:
    lost = [
        Clash(LINK, "Patient/a", f"Patient.{name}", b'"x"', "v2", state, NOW, uid=f"{name:0>32}")
        for name, state in (("birthDate", "lost"), ("gender", "held"), ("name", "held"))
    ]
    await store.clash(lost, [draft()] * len(lost))
    await store.clash(lost, [draft()] * len(lost))
    assert number(tmp_path, "audit_entry") == len(lost)
    held = await store.clashes(LINK, "held")
    assert [dataclasses.replace(one, id=0) for one in held] == lost[1:]
    await store.settle_clash(held[0].id, "settled", [draft()])
    with pytest.raises(MovedOn):
        await store.settle_clash(held[0].id, "v2", [draft()], of="held")
    assert [one.path for one in await store.clashes(LINK, "held")] == ["Patient.name"]
    assert await store.clashes(LINK, "held", after=held[1].id) == []
    assert await store.clashes("other", "lost") == []
    with pytest.raises(ConnectorError):
        await store.settle_clash(99, "settled", [])
