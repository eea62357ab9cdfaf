"""What was translated goes out in order, is tried again by the class of its error, and can be sent again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit import verify
from connector.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.operate import Operator
from connector.store import Delivery
from tests.store.site import rows

from .room import START, TO_FHIR, TO_V2, Room, adt, patient, room

LATER = [PartnerUnreachable("silence"), PartnerBusy("later"), AnswerNotUnderstood("noise")]


def families(here: Room) -> list[str]:
    return [str(one["name"][0]["family"]) for one in here.fhir.patients()]


async def three(here: Room) -> None:
    for n in range(3):
        assert (await here.ack(adt(identity=f"C{n}", patient=f"H{n}^^^STV^MR", family=f"F{n}"))).code == "AA"


async def test_messages_arrive_in_the_order_in_which_they_were_acknowledged(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await three(here)
        await here.work(TO_FHIR)
        counts = await here.counts(TO_FHIR)
        assert (counts.delivered, counts.sent, counts.reconciled) == (3, 3, True)
        assert families(here) == ["F0", "F1", "F2"]


@pytest.mark.parametrize("error", LATER, ids=lambda one: type(one).__name__)
async def test_what_may_pass_is_tried_again_and_nothing_overtakes_it(
    tmp_path: Path, error: ConnectorError
) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers += [error, error]
        for pause in (1.0, 2.0):
            await here.work(TO_FHIR)
            assert here.to_fhir.again_at is not None
            assert (here.to_fhir.again_at - here.clock()).total_seconds() == pause
            here.clock.pass_by(pause - 0.1)
            await here.work(TO_FHIR)
            assert here.fhir.got == []
            here.clock.pass_by(0.1)
        await here.work(TO_FHIR)
        assert families(here) == ["F0", "F1", "F2"]
        assert here.lanes[TO_FHIR].state() is True
    assert verify(tmp_path / "store.db").good


async def test_a_partner_that_names_a_time_is_left_alone_until_then(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers.append(PartnerBusy("later", after=17.5))
        await here.work(TO_FHIR)
        assert here.to_fhir.again_at is not None
        assert (here.to_fhir.again_at - START).total_seconds() == 17.5


async def test_what_is_never_taken_leaves_the_lane_and_the_next_goes_on(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers.append(PartnerRefusedMessage("no", location="Bundle.entry[0]"))
        await here.work(TO_FHIR)
        counts = await here.counts(TO_FHIR)
        assert (counts.dead, counts.parked, counts.delivered, counts.reconciled) == (1, 1, 2, True)
        assert families(here) == ["F1", "F2"]


@pytest.mark.parametrize(
    "error", [PartnerRefusedUs("tls"), ConfigurationError("key")], ids=["refused us", "configuration"]
)
async def test_what_a_person_must_mend_holds_the_lane(tmp_path: Path, error: ConnectorError) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers.append(error)
        await here.work(TO_FHIR)
        here.clock.pass_by(3600)
        await here.work(TO_FHIR)
        assert here.fhir.got == []
        assert here.lanes[TO_FHIR].state() == type(error).__name__
        here.to_fhir.resume()
        await here.work(TO_FHIR)
        assert families(here) == ["F0", "F1", "F2"]
        assert here.lanes[TO_FHIR].state() is True


async def test_a_held_lane_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers.append(PartnerRefusedUs("tls"))
        await here.work(TO_FHIR)
    async with room(tmp_path) as here:
        await here.work(TO_FHIR)
        assert families(here) == ["F0", "F1", "F2"]


ANSWERS: list[tuple[Any, str]] = [
    ("AA", Delivery.DELIVERED),
    ("CA", Delivery.DELIVERED),
    (("AE", "206"), Delivery.QUEUED),
    (("AE", "207"), Delivery.QUEUED),
    (("CE", "207"), Delivery.QUEUED),
    (("AE", "101"), Delivery.DEAD),
    ("AE", Delivery.DEAD),
    (("AR", "207"), Delivery.DEAD),
    ("CR", Delivery.DEAD),
]


@pytest.mark.parametrize(("answer", "state"), ANSWERS)
async def test_an_acknowledgment_decides_what_becomes_of_a_message(
    tmp_path: Path, answer: Any, state: str
) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        here.hospital.answers.append(answer)
        await here.work(TO_V2)
        assert rows(tmp_path, "SELECT delivery FROM outbox") == [(state,)]
        assert len(here.hospital.got) == 1


async def test_a_message_goes_out_again_under_the_same_control_id(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        here.hospital.answers.append(("AE", "207"))
        await here.work(TO_V2)
        here.clock.pass_by(1)
        await here.work(TO_V2)
        first, again = here.hospital.got
        assert first == again


async def test_what_was_being_sent_when_the_power_failed_is_sent_again(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        here.hospital.answers.append(RuntimeError("the power fails"))
        with pytest.raises(RuntimeError):
            await here.work(TO_V2)
        assert rows(tmp_path, "SELECT delivery, attempts FROM outbox") == [("sending", 1)]
    async with room(tmp_path) as here:
        await here.work(TO_V2)
        assert len(here.hospital.got) == 1
        assert rows(tmp_path, "SELECT delivery, attempts FROM outbox") == [("delivered", 2)]


async def test_a_dead_letter_that_is_replayed_goes_before_what_came_after_it(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await three(here)
        here.fhir.answers += [PartnerRefusedMessage("no"), PartnerUnreachable("silence")]
        await here.work(TO_FHIR)
        assert await ada(here).replay_dead(here.link.name, TO_FHIR) == 1
        here.clock.pass_by(60)
        await here.work(TO_FHIR)
        assert families(here) == ["F0", "F1", "F2"]
        assert (await here.counts(TO_FHIR)).dead == 0
    assert '"name":"ada"' in str(rows(tmp_path, "SELECT entry FROM audit_entry"))


async def test_a_delivered_message_that_is_replayed_is_sent_as_it_was(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        await here.work(TO_V2)
        (row,) = rows(tmp_path, "SELECT id FROM outbox")
        made = await here.store.made(row[0])
        assert made is not None
        await ada(here).replay(made)
        await here.work(TO_V2)
        first, again = here.hospital.got
        assert first == again
        assert await here.store.made(99) is None


async def test_every_attempt_is_in_the_audit_trail_with_its_outcome(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        here.hospital.answers += [PartnerUnreachable("silence"), ("AE", "101")]
        await here.work(TO_V2)
        here.clock.pass_by(1)
        await here.work(TO_V2)
    entries = [json.loads(entry) for (entry,) in rows(tmp_path, "SELECT entry FROM audit_entry ORDER BY seq")]
    told = [(one["tag"], one["reason"]) for one in entries if one["tag"].startswith("delivery:v2:")]
    assert told == [
        ("delivery:v2:intended", ""),
        ("delivery:v2:deferred", "PartnerUnreachable"),
        ("delivery:v2:intended", ""),
        ("delivery:v2:refused", "PartnerRefusedMessage"),
    ]
    assert len({one["correlation"] for one in entries}) == 1


@pytest.mark.parametrize(("attempt", "pause"), [(1, 0.5), (2, 1.0), (3, 2.0), (11, 300.0), (10_000, 300.0)])
def test_pauses_grow_up_to_the_longest(attempt: int, pause: float) -> None:
    assert Pauses().after(attempt, PartnerUnreachable("silence")) == pause


def ada(here: Room) -> Operator:
    return Operator(here.store, here.clock, "ada", "the partner is back")
