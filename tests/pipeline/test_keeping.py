"""What was acknowledged stays, whatever fails afterwards; and what a profile limits is limited."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import verify
from connector.hl7v2.ack import read_ack
from tests.store.site import number

from .room import SECRET, TO_FHIR, adt, disk_full, room


async def test_a_repeated_message_is_known_after_a_restart(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        first = await here.take(adt())
    async with room(tmp_path) as here:
        here.clock.pass_by(3600)
        assert await here.take(adt()) == first
        counts = await here.counts(TO_FHIR)
        assert (counts.received, counts.duplicates) == (1, 1)


async def test_what_a_full_disk_does_not_take_is_put_off_and_what_was_taken_stays(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        assert (await here.ack(adt(identity="C1"))).code == "AA"
        with disk_full():
            found = await here.ack(adt(identity="C2"))
        assert (found.code, found.control_id, found.errors[0].condition) == ("AE", "C2", "207")
        assert (await here.counts(TO_FHIR)).received == 1
        assert (await here.ack(adt(identity="C2"))).code == "AA"
    assert verify(tmp_path / "store.db").entries == 2


async def test_a_full_disk_during_delivery_sends_the_message_again_later(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt())
        await here.lanes[TO_FHIR].translating.step()
        with disk_full(), pytest.raises(Exception, match="refuses"):
            await here.to_fhir.step()
        assert here.fhir.got == []  # the intent comes first
        await here.work(TO_FHIR)
        assert len(here.fhir.got) == 1


@pytest.mark.parametrize("message", [adt(), adt("A40"), adt(patient=""), adt().encode() + b"\xff"])
async def test_what_the_audit_log_refuses_is_neither_taken_nor_said_to_be(
    tmp_path: Path, message: str | bytes
) -> None:
    async with room(tmp_path) as here:
        here.audit.broken = True
        answer = await here.take(message)
        assert answer is not None
        found = read_ack(answer.decode("latin-1"))
        assert (found.code, found.errors[0].condition) == ("AE", "207")
        assert SECRET.encode() not in answer
        here.audit.broken = False
        assert number(tmp_path, "inbox") == 0
        assert (await here.ack(adt())).code == "AA"


async def test_more_segments_than_the_profile_allows_are_refused(tmp_path: Path) -> None:
    async with room(tmp_path, limits__segments="4") as here:
        assert (await here.ack(adt(more=["ZZZ|1"]))).code == "AA"
        found = await here.ack(adt(identity="C2", more=["ZZZ|1", "ZZZ|2"]))
        assert (found.code, found.errors[0].condition) == ("AE", "207")


@pytest.mark.parametrize(
    ("limit", "fine", "more", "place"),
    [
        ("fields", "ZZZ" + "|1" * 60, "ZZZ" + "|1" * 61, "ZZZ"),
        ("repetitions", "ZZZ|x|" + "~" * 59, "ZZZ|x|" + "~" * 60, "ZZZ-2"),
    ],
)
async def test_more_fields_or_repetitions_than_the_profile_allows_are_refused(
    tmp_path: Path, limit: str, fine: str, more: str, place: str
) -> None:
    async with room(tmp_path, **{f"limits__{limit}": "60"}) as here:
        assert (await here.ack(adt(more=[fine]))).code == "AA"
        found = await here.ack(adt(identity="C2", more=[more]))
        assert (found.code, found.errors[0].location) == ("AE", place)
        assert number(tmp_path, "inbox") == 1


async def test_what_is_put_off_for_too_much_waiting_is_taken_after_a_delivery(tmp_path: Path) -> None:
    async with room(tmp_path, limits__waiting="2") as here:
        codes = []
        for n in range(3):
            codes.append((await here.ack(adt(identity=f"C{n}"))).code)
            here.clock.pass_by(2)
        assert codes == ["AA", "AA", "AE"]
        await here.work(TO_FHIR)
        here.clock.pass_by(2)
        assert (await here.ack(adt(identity="C2"))).code == "AA"


@pytest.mark.parametrize(
    ("mode", "asked", "good", "bad"),
    [
        ("by-message", "", "AA", "AR"),
        ("by-message", "AL|NE", "CA", "CR"),
        ("by-message", "ER|NE", "", "CR"),
        ("by-message", "NE|AL", "", "AR"),
        ("original", "AL|NE", "AA", "AR"),
        ("enhanced", "", "CA", "CR"),
        ("enhanced", "NE|NE", "", ""),
    ],
)
async def test_the_profile_may_say_which_acknowledgments_are_given(
    tmp_path: Path, mode: str, asked: str, good: str, bad: str
) -> None:
    async with room(tmp_path, v2__acknowledgment=f'"{mode}"') as here:
        for event, code in (("A31", good), ("A40", bad)):
            answer = await here.take(adt(event, header=f"|P|2.5.1|||{asked}"))
            assert answer is not None
            assert (read_ack(answer.decode()).code if answer else "") == code
        assert (await here.counts(TO_FHIR)).received == 1
