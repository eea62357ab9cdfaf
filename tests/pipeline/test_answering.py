"""The application acknowledgment comes after processing, through the store, once, under its own id."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    ConnectorError,
    NotTranslatable,
    PartnerRefusedMessage,
    PartnerUnreachable,
    UnsupportedEvent,
)
from connector.hl7v2.ack import Ack, read_ack
from connector.hl7v2.tree import Message
from connector.pipeline.answering import Answering, ToSender, undelivered
from connector.pipeline.breaker import Pauses
from connector.pipeline.dispatch import Delivering, Rules
from connector.store import Delivery, Direction, Filter, Store
from tests.pipeline.site import Cycle, message, peer
from tests.store.site import open_store


@dataclass
class Sender:
    """Takes answers; ``says`` in turn, an error is raised."""

    says: list[Ack | ConnectorError | None] = field(default_factory=list)
    got: list[tuple[str, str, str]] = field(default_factory=list)  # control id, connection, text

    async def say(self, payload: bytes, control_id: str, connection: str) -> Ack | None:
        self.got.append((control_id, connection, payload.decode()))
        said = self.says.pop(0) if self.says else None
        if isinstance(said, ConnectorError):
            raise said
        return said


class Answered(Cycle):
    """A cycle whose sender hears of what became of its messages."""

    def __init__(self, store: Store, folder: Path, first: int = 1, **changes: Any) -> None:
        super().__init__(store, folder, first, **changes)
        self.sender = Sender()
        self.answering = Answering(self.link, store, self.clock)
        rules = Rules(lane="patient", parallel=8)
        way, pauses = ToSender(self.sender), Pauses(1.0, 2.0, 10.0)
        self.telling = Delivering("demo", Direction.ANSWER, store, self.clock, way, pauses, rules)

    async def tell(self) -> list[tuple[str, str]]:
        """Make and hand over what is owed; code and MSA-2 of all that was said so far."""
        await self.answering.step()
        while await self.telling.step():
            pass
        return [read_ack(text)[:2] for _, _, text in self.sender.got]


def asking(control_id: str, application: str = "AL", accept: str = "AL", **more: Any) -> str:
    return message(control_id, msh={15: accept, 16: application}, **more)


@pytest.fixture
def answered(store: Store, tmp_path: Path) -> Answered:
    return Answered(store, tmp_path)


async def test_first_comes_the_commit_and_after_delivery_the_application_acknowledgment(
    answered: Answered,
) -> None:
    assert read_ack(str(await answered.receive(asking("M1")))).code == "CA"
    assert await answered.tell() == []
    await answered.run()
    assert await answered.tell() == [("AA", "M1")]
    ((control_id, connection, text),) = answered.sender.got
    said = Message.parse(text)
    assert connection == peer().address
    assert (
        said.control_id == control_id != Message.parse(str(await answered.receive(asking("M1")))).control_id
    )
    assert [said.get(f"MSH-{n}") for n in (3, 4, 5, 6)] == ["CONNECTOR", "DEMO", "STVADT", "STV"]
    assert said.msh.field(9) == "ACK^A28^ACK"
    assert (said.get("MSH-15"), said.get("MSH-16")) == ("NE", "NE")
    tags = [tag for tag in answered.tags() if "answered" in tag or "delivery:v2" in tag]
    assert tags == ["message:v2:answered", "delivery:v2:intended", "delivery:v2:acknowledged"]


async def test_it_is_said_once(answered: Answered) -> None:
    await answered.receive(asking("M1"))
    await answered.run()
    assert await answered.tell() == [("AA", "M1")]
    assert await answered.tell() == [("AA", "M1")]


async def test_a_sender_that_asks_again_is_told_again_under_the_same_control_id(answered: Answered) -> None:
    first = await answered.receive(asking("M1"))
    assert await answered.receive(asking("M1")) == first
    await answered.run()
    assert await answered.tell() == [("AA", "M1")]
    assert await answered.receive(asking("M1")) == first
    await answered.run()
    assert await answered.tell() == [("AA", "M1")] * 2
    assert len({control_id for control_id, _, _ in answered.sender.got}) == 1
    assert len(answered.fhir.got) == 1


async def test_a_sender_without_a_commit_acknowledgment_hears_of_its_message_once_it_is_delivered(
    answered: Answered,
) -> None:
    assert await answered.receive(asking("M1", accept="NE")) == ""
    await answered.run()
    assert await answered.tell() == [("AA", "M1")]


async def test_what_is_refused_at_the_door_is_not_answered_a_second_time(answered: Answered) -> None:
    assert read_ack(str(await answered.receive(asking("M1", kind="ADT^A40")))).code == "CR"
    assert read_ack(str(await answered.receive(asking("M2", accept="NE", kind="ADT^A40")))).code == "AR"
    await answered.run()
    assert await answered.tell() == []


@pytest.mark.parametrize(
    ("application", "refused", "expected"),
    [
        ("AL", False, ["AA"]),
        ("AL", True, ["AE"]),
        ("ER", False, []),
        ("ER", True, ["AE"]),
        ("SU", False, ["AA"]),
        ("SU", True, []),
        ("NE", False, []),
        ("NE", True, []),
        ("", True, []),
    ],
)
async def test_msh_16_says_of_which_outcome_the_sender_hears(
    answered: Answered, application: str, refused: bool, expected: Sequence[str]
) -> None:
    answered.fhir.errors = [PartnerRefusedMessage("no")] if refused else []
    await answered.receive(asking("M1", application))
    await answered.run()
    assert [code for code, _ in await answered.tell()] == list(expected)
    assert await answered.store.owed("demo", 9) == []


async def test_original_mode_owes_nothing_after_its_answer(answered: Answered) -> None:
    assert read_ack(str(await answered.receive(message("M1")))).code == "AA"
    await answered.run()
    assert await answered.tell() == []


async def test_a_dead_letter_is_told_with_its_error(answered: Answered) -> None:
    answered.fhir.errors = [PartnerRefusedMessage("no")]
    await answered.receive(asking("M1"))
    await answered.run()
    await answered.tell()
    said = Message.parse(answered.sender.got[0][2])
    assert (said.get("MSA-1"), said.get("ERR-3"), said.get("ERR-5")) == ("AE", "207", "PartnerRefusedMessage")
    assert "70012" not in str(said)


def test_what_is_told_of_a_dead_letter_follows_its_error() -> None:
    assert undelivered("UnsupportedEvent").answer == UnsupportedEvent("x").answer
    assert undelivered("NotTranslatable").answer == NotTranslatable("x").answer
    assert undelivered("SomethingOfOldTimes").answer.acknowledgment == "AE"


async def test_it_waits_for_a_sender_that_is_away_and_goes_out_under_the_same_control_id(
    answered: Answered,
) -> None:
    answered.sender.says = [PartnerUnreachable("away")] * 2
    await answered.receive(asking("M1"))
    await answered.run()
    for _ in range(3):
        await answered.tell()
        answered.clock.move(30)
    assert len({control_id for control_id, _, _ in answered.sender.got}) == 1
    assert len(answered.sender.got) == 3
    assert await answered.tell() == [("AA", "M1")] * 3


async def test_it_outlives_a_restart(tmp_path: Path) -> None:
    control_ids = []
    for first, says in ((1, [PartnerUnreachable("away")]), (100, [])):
        store = open_store(tmp_path)
        answered = Answered(store, tmp_path, first)
        answered.sender.says = list(says)
        if first == 1:
            await answered.receive(asking("M1"))
            await answered.run()
        answered.clock.move(first)
        await answered.tell()
        control_ids += [control_id for control_id, _, _ in answered.sender.got]
        await store.close()
    assert len(control_ids) == 2
    assert len(set(control_ids)) == 1


async def test_what_was_settled_before_a_restart_is_answered_after_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    before = Answered(store, tmp_path)
    await before.receive(asking("M1"))
    await before.run()
    await store.close()
    store = open_store(tmp_path)
    assert await Answered(store, tmp_path, 100).tell() == [("AA", "M1")]
    await store.close()


async def test_where_a_confirmation_is_asked_for_only_ca_settles_it(store: Store, tmp_path: Path) -> None:
    answered = Answered(store, tmp_path, asks="AL")
    answered.sender.says = [PartnerUnreachable("no CA"), Ack("CA", "x")]
    await answered.receive(asking("M1"))
    await answered.run()
    await answered.tell()
    assert Message.parse(answered.sender.got[0][2]).get("MSH-15") == "AL"
    (made,) = await store.find_made(Filter("demo", Direction.ANSWER, delivery=Delivery.QUEUED))
    assert made.acknowledgment == "pending"
    answered.clock.move(30)
    await answered.tell()
    (made,) = await store.find_made(Filter("demo", Direction.ANSWER, delivery=Delivery.DELIVERED))
    assert made.acknowledgment == "positive"


async def test_a_sender_that_rejects_its_answer_leaves_a_dead_letter(store: Store, tmp_path: Path) -> None:
    answered = Answered(store, tmp_path, asks="AL")
    answered.sender.says = [Ack("CR", "x")]
    await answered.receive(asking("M1"))
    await answered.run()
    await answered.tell()
    (made,) = await store.find_made(Filter("demo", Direction.ANSWER))
    assert made.delivery == "dead"
    assert (await answered.counts(Direction.TO_FHIR)).delivered == 1


async def test_a_connection_that_takes_no_answers_holds_up_no_other(answered: Answered) -> None:
    slow, good = peer(), dataclasses.replace(peer(), address="127.0.0.1:50000")
    for number, who in enumerate((slow, slow, good)):
        await answered.receive(asking(f"M{number}"), who)
    await answered.run()
    await answered.answering.step()
    heads = await answered.store.heads("demo", Direction.ANSWER, answered.clock(), 9, frozenset())
    assert [item.meta["connection"] for item in heads] == [slow.address, good.address]


async def test_the_answer_is_in_the_senders_version_and_character_set(answered: Answered) -> None:
    text = message("M\u00e4", msh={12: "2.4", 15: "AL", 16: "AL", 18: "8859/1"})
    await answered.v2.receive(text.encode("latin-1"), peer())
    await answered.run()
    await answered.answering.step()
    (item,) = await answered.store.heads("demo", Direction.ANSWER, answered.clock(), 9, frozenset())
    assert b"MSA|AA|M\xe4\r" in item.payload
    assert b"|P|2.4|" in item.payload


async def test_all_of_a_batch_is_answered_after_processing(answered: Answered) -> None:
    await answered.receive("".join(asking(f"M{number}") for number in range(3)))
    await answered.run()
    assert await answered.tell() == [("AA", "M0"), ("AA", "M1"), ("AA", "M2")]
