"""The sequence number protocol: MSH-13 against what is stored, and MSA-4 in every answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.hl7v2.tree import Message
from connector.store import Store
from tests.pipeline.site import TO_FHIR, Cycle, message
from tests.store.site import open_store


def bare(number: int, control_id: str = "S") -> str:
    """A message that starts the stream: no type, and nothing behind its header."""
    return rf"MSH|^~\&|STVADT|STV|CONNECTOR|DEMO|20261123101500+0100|||{control_id}|P|2.5.1|{number}" + "\r"


async def said(cycle: Cycle, text: str) -> tuple[str, str]:
    """MSA-1 and MSA-4."""
    answer = Message.parse(str(await cycle.receive(text)))
    return answer.get("MSA-1"), answer.get("MSA-4")


def numbered(number: int | str, control_id: str = "", **more: str) -> str:
    return message(control_id or f"M{number}", msh={13: str(number)}, **more)


@pytest.fixture
def cycle(store: Store, tmp_path: Path) -> Cycle:
    return Cycle(store, tmp_path, numbers="required")


async def test_the_first_number_that_comes_begins_the_stream_and_each_is_echoed(cycle: Cycle) -> None:
    assert [await said(cycle, numbered(n)) for n in (41, 42, 43)] == [
        ("AA", "41"),
        ("AA", "42"),
        ("AA", "43"),
    ]
    assert (await cycle.counts(TO_FHIR)).received == 3


async def test_a_gap_is_refused_with_the_number_that_is_expected_and_nothing_is_taken(cycle: Cycle) -> None:
    await said(cycle, numbered(1))
    assert await said(cycle, numbered(3)) == ("AE", "2")
    assert (await cycle.counts(TO_FHIR)).received == 1
    assert cycle.entries()[-1]["reason"] == "SequenceNumberUnexpected"
    assert await said(cycle, numbered(2)) == ("AA", "2")
    assert await said(cycle, numbered(3)) == ("AA", "3")


async def test_a_number_that_came_before_is_not_taken_again_under_another_control_id(cycle: Cycle) -> None:
    await said(cycle, numbered(1))
    assert await said(cycle, numbered(1, "other")) == ("AE", "2")
    assert (await cycle.counts(TO_FHIR)).received == 1


async def test_a_message_whose_acknowledgment_was_lost_gets_the_same_again(cycle: Cycle) -> None:
    first = await cycle.receive(numbered(1))
    assert await cycle.receive(numbered(1)) == first
    assert (await cycle.counts(TO_FHIR)).duplicates == 1


async def test_zero_asks_where_the_stream_stands(cycle: Cycle) -> None:
    assert await said(cycle, bare(0)) == ("AA", "-1")
    await said(cycle, numbered(7))
    assert await said(cycle, bare(0)) == ("AA", "8")
    assert (await cycle.counts(TO_FHIR)).received == 1
    assert "message:v2:restarted" in cycle.tags()


async def test_minus_one_begins_the_stream_anew(cycle: Cycle) -> None:
    await said(cycle, numbered(7))
    assert await said(cycle, bare(-1)) == ("AA", "-1")
    assert await said(cycle, bare(0, "S2")) == ("AA", "-1")
    assert await said(cycle, numbered(1)) == ("AA", "1")
    assert await said(cycle, numbered(9)) == ("AE", "2")
    assert "message:v2:resynchronised" in cycle.tags()


@pytest.mark.parametrize("number", [0, -1])
async def test_a_start_of_a_sender_that_the_profile_does_not_know_is_refused(
    cycle: Cycle, number: int
) -> None:
    answer = Message.parse(str(await cycle.receive(bare(number).replace("STVADT", "ELSE"))))
    assert (answer.get("MSA-1"), answer.get("ERR-3"), answer.get("MSA-4")) == ("AE", "103", "")


@pytest.mark.parametrize("number", [0, -1])
async def test_a_start_with_content_is_refused_since_nobody_would_take_it(cycle: Cycle, number: int) -> None:
    assert await said(cycle, numbered(number)) == ("AE", "-1")
    assert (await cycle.counts(TO_FHIR)).received == 0


async def test_a_start_may_have_segments_that_say_nothing(cycle: Cycle) -> None:
    assert await said(cycle, bare(0) + 'EVN||\rPID|""\r') == ("AA", "-1")


@pytest.mark.parametrize(
    ("number", "place"), [("", "101"), ("x", "102"), ("-2", "102"), ("1.5", "102"), ("01", "102")]
)
async def test_what_is_no_number_is_refused(cycle: Cycle, number: str, place: str) -> None:
    answer = Message.parse(str(await cycle.receive(numbered(number, "M"))))
    assert (answer.get("MSA-1"), answer.get("ERR-3"), answer.get("ERR-2")) == ("AE", place, "MSH")


async def test_each_sender_has_a_stream_of_its_own(cycle: Cycle) -> None:
    await said(cycle, numbered(1))
    assert await said(cycle, message("L", msh={13: "9", 3: "STVLAB"})) == ("AA", "9")
    assert await said(cycle, numbered(2)) == ("AA", "2")


async def test_a_stream_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number, code in ((1, "AA"), (2, "AA"), (9, "AE")):
        store = open_store(tmp_path)
        cycle = Cycle(store, tmp_path, number * 100, numbers="required")
        assert await said(cycle, numbered(number)) == (code, str(min(number, 3)))
        await store.close()


async def test_two_that_come_at_once_under_one_number_are_not_both_taken(cycle: Cycle) -> None:
    await said(cycle, numbered(1))
    both = await asyncio.gather(said(cycle, numbered(2, "A")), said(cycle, numbered(2, "B")))
    assert sorted(both) == [("AA", "2"), ("AE", "3")]


async def test_without_the_rule_the_number_is_not_looked_at(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path)
    assert [await said(cycle, numbered(n)) for n in (1, 9, 0)] == [("AA", "")] * 3
    where_sent = Cycle(store, tmp_path, 100, numbers="where sent")
    assert await said(where_sent, message("plain")) == ("AA", "")
    assert await said(where_sent, numbered(5)) == ("AA", "5")
    assert await said(where_sent, numbered(7)) == ("AE", "6")
