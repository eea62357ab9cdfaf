"""Batches, files and many messages in one frame: each taken for itself, all answered together."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import AuditLog
from connector.hl7v2 import batch
from connector.hl7v2.ack import read_ack
from connector.hl7v2.envelope import read
from connector.pipeline.taking import Source
from connector.store import Store
from tests.pipeline.site import TO_FHIR, Cycle, message, peer
from tests.store.site import open_store

BHS = "BHS|^~\\&|STVADT|STV|CONNECTOR|DEMO|20261123||night||B1\r"
SOURCE = Source({"role": "partner", "certificate": "sha256:ab"})
FHS = "FHS|^~\\&|STVADT|STV|CONNECTOR|DEMO|20261123||night||F1\r"


def batched(*messages: str, count: int | None = None) -> str:
    return f"{BHS}{''.join(messages)}BTS|{len(messages) if count is None else count}\r"


async def answered(cycle: Cycle, text: str) -> list[tuple[str, str]]:
    """(code, control id) of each acknowledgment."""
    answer = str(await cycle.receive(text))
    return [read_ack(one)[:2] for one in batch.split(answer)]


async def test_each_message_of_a_batch_has_its_own_outcome_in_order(cycle: Cycle) -> None:
    answer = str(
        await cycle.receive(batched(message("1"), message("2", kind="ADT^A40"), message("1"), message("3")))
    )
    found = read(answer.encode())
    assert found.faults == ()
    (header,) = [one.header for one in found.batches]
    assert header is not None
    assert [header.value(number) for number in (3, 4, 5, 6, 12)] == [
        "CONNECTOR",
        "DEMO",
        "STVADT",
        "STV",
        "B1",
    ]
    codes = [read_ack(one.decode())[:2] for one in found.batches[0].messages]
    assert codes == [("AA", "1"), ("AR", "2"), ("AA", "1"), ("AA", "3")]
    counts = await cycle.counts(TO_FHIR)
    assert (counts.received, counts.duplicates, counts.refused) == (2, 1, 1)
    summary = cycle.entries("message:v2:batched")[0]["object"]
    assert (summary["messages"], summary["taken"], summary["duplicates"]) == (4, 2, 1)


async def test_what_is_taken_is_each_message_exactly_as_sent(cycle: Cycle) -> None:
    one, two = message("1"), message("2").replace("\r", "\r\n")
    await cycle.receive(FHS + batched(one, two) + "FTS|1\r")
    assert [item.payload for item in await cycle.store.pending("demo", TO_FHIR, 9)] == [
        one.encode(),
        two.encode(),
    ]


async def test_a_file_is_answered_with_a_file(cycle: Cycle) -> None:
    answer = str(await cycle.receive(f"{FHS}{batched(message('1'))}{batched(message('2'))}FTS|2\r"))
    found = read(answer.encode())
    assert found.header is not None
    assert found.header.value(12) == "F1"
    assert [len(one.messages) for one in found.batches] == [1, 1]
    assert answer.endswith("FTS|2\r")


async def test_an_empty_batch_is_answered_with_an_empty_one(cycle: Cycle) -> None:
    answer = str(await cycle.receive(batched()))
    assert answer.split("\r")[1] == "BTS|0"


@pytest.mark.parametrize(
    "text",
    [
        batched(message("1"), message("2"), count=3),
        batched(message("1"), message("2")).replace("BTS|2\r", ""),
        f"{FHS}{batched(message('1'), message('2'))}FTS|2\r",
        f"{FHS}{batched(message('1'), message('2'))}",
    ],
    ids=["count", "no trailer", "file count", "no file trailer"],
)
async def test_of_a_batch_that_may_have_lost_something_nothing_is_taken(cycle: Cycle, text: str) -> None:
    answer = str(await cycle.receive(text))
    acks = [read_ack(one) for one in batch.split(answer)]
    assert [(one.code, one.control_id, one.errors[0].condition) for one in acks] == [
        ("AE", "1", "100"),
        ("AE", "2", "100"),
    ]
    assert (await cycle.counts(TO_FHIR)).received == 0
    assert [one["reason"] for one in cycle.entries()] == ["BatchIncomplete"]


async def test_a_batch_that_comes_again_is_answered_as_before_and_not_taken_again(cycle: Cycle) -> None:
    text = batched(message("1"), message("2"))
    first = await answered(cycle, text)
    assert await answered(cycle, text) == first == [("AA", "1"), ("AA", "2")]
    assert (await cycle.counts(TO_FHIR)).received == 2


async def test_many_messages_in_one_frame_are_answered_in_one_frame(cycle: Cycle) -> None:
    text = "".join(message(str(number)) for number in range(5))
    assert await answered(cycle, text) == [("AA", str(number)) for number in range(5)]
    assert (await cycle.counts(TO_FHIR)).received == 5


async def test_a_part_that_nobody_can_read_goes_to_quarantine_and_the_rest_is_taken(cycle: Cycle) -> None:
    text = batched(message("1")) + "lost line\r" + batched(message("2"))
    assert await answered(cycle, text) == [("AA", "1"), ("AR", ""), ("AA", "2")]
    assert (await cycle.counts(TO_FHIR)).quarantined == 1


async def test_messages_of_a_batch_may_have_character_sets_of_their_own(cycle: Cycle) -> None:
    one = message("M\u00e4", msh={18: "8859/1"}).encode("latin-1")
    two = message("M\u00fc", msh={18: "UNICODE UTF-8"}).encode()
    answer = await cycle.v2.receive(BHS.encode() + one + two + b"BTS|2\r", peer())
    assert answer is not None
    assert b"MSA|AA|M\xe4\r" in answer
    assert b"MSA|AA|M\xc3\xbc\r" in answer


async def test_a_batch_in_utf_16_is_taken_and_answered_in_it(cycle: Cycle) -> None:
    text = batched(*(message(name, msh={18: "UNICODE UTF-16"}) for name in ("1", "2")))
    answer = await cycle.v2.receive(text.encode("utf-16"), peer())
    assert answer is not None
    assert [read_ack(one).code for one in batch.split(answer.decode("utf-16"))] == ["AA", "AA"]
    assert (await cycle.counts(TO_FHIR)).received == 2


async def test_a_profile_may_hear_of_errors_only(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, batch_answers="errors")
    assert await answered(cycle, batched(message("1"), message("2", kind="ADT^A40"))) == [("AR", "2")]
    assert str(await cycle.receive(batched(message("3")))).split("\r")[1] == "BTS|0"


async def test_msh_15_of_each_message_is_honoured_in_a_batch(cycle: Cycle) -> None:
    quiet = message("1", msh={15: "ER", 16: "NE"})
    bad = message("2", kind="ADT^A40", msh={15: "ER", 16: "NE"})
    assert await answered(cycle, batched(quiet, bad, message("3"))) == [("CR", "2"), ("AA", "3")]


class Breaking(AuditLog):
    """Takes what it takes, until it is broken."""

    broken = False

    def append(self, connection: object, drafts: object) -> None:
        if self.broken:
            raise ValueError
        super().append(connection, drafts)  # type: ignore[arg-type]


async def test_where_we_are_unable_to_work_nothing_overtakes_what_was_not_taken(tmp_path: Path) -> None:
    log = Breaking()
    store = open_store(tmp_path, log)
    cycle = Cycle(store, tmp_path)
    taken = 0

    async def breaks_at_the_third() -> None:
        nonlocal taken
        taken += 1
        log.broken = taken == 3

    text = batched(*(message(str(number)) for number in range(1, 6)))
    gone = await cycle.v2._batches.take(cycle.link, text.encode(), SOURCE, breaks_at_the_third)
    assert [one.code for one in gone.outcomes] == ["AA", "AA", "AE", "AE", "AE"]
    assert taken == 3
    log.broken = False
    assert [code for code, _ in await answered(cycle, text)] == ["AA"] * 5
    assert [item.payload for item in await store.pending("demo", TO_FHIR, 9)] == [
        message(str(number)).encode() for number in range(1, 6)
    ]
    await store.close()
