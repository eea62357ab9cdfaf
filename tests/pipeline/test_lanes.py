"""In which lanes a message stands: its link's, or those of every patient it speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.errors import PartnerBusy
from connector.pipeline.translate import NOBODY, lanes_of
from tests.pipeline.room import HOSPITAL, TO_FHIR, TO_V2, Room, adt, patient, room
from tests.store.site import rows, take

PATIENT = {"delivery__lane": '"patient"'}
MERGE = ("MRG|H2^^^STV^MR",)


async def lanes(here: Room, direction: Any = TO_FHIR) -> list[frozenset[bytes]]:
    """The lanes of each message, in order."""
    await here.lanes[direction].translating.step()
    found: dict[int, set[bytes]] = {}
    for number, lane in rows(here.folder, "SELECT outbox_id, lane FROM outbox_lane"):
        found.setdefault(number, set()).add(lane)
    return [frozenset(found[number]) for number in sorted(found)]


def of(number: int, event: str = "A31", more: tuple[str, ...] = (), identity: str = "") -> str:
    return adt(event, identity or f"C{number}{event}", patient=f"H{number}^^^STV^MR", more=more)


async def test_without_a_word_in_the_profile_everything_stands_in_one(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        for number in (1, 2):
            assert (await here.ack(of(number))).code == "AA"
        first, second = await lanes(here)
        assert first == second
        assert [one.lane for one in await here.store.lanes()] == ["link"]


async def test_each_patient_has_one(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        for one in (of(1), of(2), of(1, "A08")):
            assert (await here.ack(one)).code == "AA"
        first, second, again = await lanes(here)
        assert first == again
        assert len(first) == len(second) == 1
        assert not first & second


async def test_a_merge_stands_in_those_of_both_patients(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        for number, one in enumerate((of(1), of(2), of(1, "A40", MERGE))):
            await take(here.store, str(number), one.encode())
        first, second, merge = await lanes(here)
        assert merge == first | second


async def test_what_speaks_of_no_patient_stands_in_one_of_its_own(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        place = {"resourceType": "Location", "id": "l1", "name": "Ward"}
        assert lanes_of(here.link, {"Location/l1": place}, {}) == (NOBODY,)


async def test_what_goes_to_v2_stands_in_the_lane_of_its_patient(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        for key in ("p1", "p2"):
            await here.put(patient(key=key))
        await here.put(patient("Another", "p1"))
        first, second, again = await lanes(here, TO_V2)
        assert first == again
        assert not first & second


async def test_a_patient_whose_name_there_was_learned_keeps_the_lane_of_both_names(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        resources = {"Patient/p1": patient(key="p1")}
        assert lanes_of(here.link, resources, {}) == ("Patient/p1",)
        assert lanes_of(here.link, resources, {"Patient/abc": "Patient/p1"}) == ("Patient/abc", "Patient/p1")
        visit = {"resourceType": "Encounter", "id": "v", "subject": {"reference": "Patient/p9"}}
        assert lanes_of(here.link, {"Encounter/v": visit}, {}) == ("Patient/p9",)


async def test_patients_of_one_link_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with room(tmp_path, **PATIENT) as here:
        here.fhir.answers.append(PartnerBusy("a record is locked"))
        for one in (of(1), of(2), of(1, "A08")):
            assert (await here.take(one, HOSPITAL)) is not None
        await here.work(TO_FHIR)
        assert 0 < len(here.fhir.got) < 3  # which of the two patients met it is by chance
        here.clock.pass_by(1)
        await here.work(TO_FHIR)
        assert len(here.fhir.got) == 3
