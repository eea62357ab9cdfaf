"""Both sides change one patient at once: nothing is overwritten in silence, and nothing goes in circles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.pipeline.conflicts import newer
from connector.pipeline.operate import Operator
from connector.pipeline.reconcile import Authority, Way
from connector.store import Clash, State

from ..pipeline.site import NOW, TO_FHIR, TO_V2, Sent, message
from .fhir_room import FhirRoom, fhir_room

Json = dict[str, Any]

PHOTO = [{"title": "kept"}]
THEIRS = [{"system": "phone", "value": "+43 1 999", "use": "home"}]


def update(control_id: str, phone: str, at: str = "20261123101500+0100") -> str:
    return message(control_id, "ADT^A31^ADT_A05", phone=phone).replace("20261123101500+0100", at)


def patient(here: FhirRoom) -> Json:
    (found,) = here.server.of("Patient")
    return found


def key(here: FhirRoom) -> str:
    return f"Patient/{patient(here)['id']}"


def told(here: FhirRoom, version: str = "", **changed: Any) -> Sent:
    """The FHIR side tells of its patient."""
    resource = {**patient(here), **changed}
    return Sent.update({**resource, "meta": {"versionId": version}} if version else resource)


async def kept(here: FhirRoom, state: str = "lost") -> list[Clash]:
    return await here.store.clashes(here.cycle.link.name, state)


async def test_each_side_keeps_what_the_other_left_alone(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), gender="other")
        await here.takes(update("2", "5550202"))
        assert patient(here)["gender"] == "other"
        assert "5550202" in str(patient(here)["telecom"])
        assert await kept(here) == []


@pytest.mark.parametrize(("way", "theirs"), [("v2", False), ("fhir", True)])
async def test_what_both_changed_goes_by_the_table_and_the_loser_is_kept(
    tmp_path: Path, way: Way, theirs: bool
) -> None:
    async with fhir_room(tmp_path, authority=Authority(rows={"Patient.telecom": way})) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), telecom=THEIRS)
        await here.takes(update("2", "5550202"))
        assert (patient(here)["telecom"] == THEIRS) is theirs
        (clash,) = await kept(here)
        assert (clash.resource, clash.path, clash.winner) == (key(here), "Patient.telecom", way)
        values = json.loads(clash.value)
        assert values["fhir"] == {"telecom": THEIRS}
        assert "5550202" in str(values["v2"])
        (entry,) = here.cycle.entries("conflict:kept")
        assert entry["object"]["element"] == "Patient.telecom"
        assert "43 1 999" not in str(here.cycle.entries())


async def test_a_field_on_hold_stops_its_lane_until_a_person_decides(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, authority=Authority("hold")) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), telecom=THEIRS)
        await here.takes(update("2", "5550202"), update("3", "5550303"))
        assert await here.states() == [
            ("delivered", 1, ""),
            ("refused", 1, "BothChanged"),
            ("queued", 0, ""),
        ]
        assert patient(here)["telecom"] == THEIRS
        (held,) = await kept(here, "held")
        mia = Operator(here.store, here.cycle.clock, "mia", "asked the patient")
        await mia.decide(held, "v2")
        stopped = await here.store.made(2)
        assert stopped is not None
        await mia.replay(stopped)
        await here.work()
        assert [state for state, _, _ in await here.states()] == ["delivered"] * 3
        assert "5550303" in str(patient(here)["telecom"])
        assert [one["object"]["winner"] for one in here.cycle.entries("conflict:decided")] == ["v2"]


async def test_a_change_there_while_a_message_is_on_its_way_does_not_undo_it_at_either_side(
    tmp_path: Path,
) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        await here.cycle.receive(update("2", "5550202"))
        await here.cycle.lanes[TO_FHIR].translating.step()
        here.server.edit(key(here), gender="other", photo=PHOTO)
        await here.cycle.submit(told(here, "2"))
        await here.cycle.run()
        (_, sent) = here.cycle.hospital.got[-1]
        assert b"5550202" in sent
        assert b"|19840212|O|" in sent
        assert patient(here)["gender"] == "other"
        assert patient(here)["photo"] == PHOTO
        assert "5550202" in str(patient(here)["telecom"])
        assert await kept(here) == []


async def test_a_field_that_both_changed_at_once_ends_the_same_at_both_sides(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, authority=Authority(rows={"Patient.telecom": "fhir"})) as here:
        await here.takes(message("1"))
        await here.cycle.receive(update("2", "5550202"))
        await here.cycle.lanes[TO_FHIR].translating.step()
        here.server.edit(key(here), telecom=THEIRS)
        await here.cycle.submit(told(here, "2"))
        await here.cycle.run()
        (_, sent) = here.cycle.hospital.got[-1]
        assert b"999" in sent
        assert b"5550202" not in sent
        assert patient(here)["telecom"] == THEIRS
        assert {one.path for one in await kept(here)} == {"Patient.telecom"}


async def test_a_submission_on_hold_is_a_dead_letter_until_a_person_decides(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, authority=Authority("hold")) as here:
        await here.takes(message("1"))
        await here.cycle.receive(update("2", "5550202"))
        await here.cycle.lanes[TO_FHIR].translating.step()
        here.server.edit(key(here), telecom=THEIRS)
        await here.cycle.submit(told(here, "2"))
        await here.cycle.lanes[TO_V2].translating.step()
        (letters, _) = await here.store.dead_letters(here.cycle.link.name, TO_V2)
        assert [one.reason for one in letters] == ["BothChanged"]
        (held,) = await kept(here, "held")
        mia = Operator(here.store, here.cycle.clock, "mia", "asked the patient")
        await mia.decide(held, "fhir")
        await mia.replay(letters[0])
        await here.cycle.lanes[TO_V2].translating.step()
        again = await here.store.taken(letters[0].id)
        assert again is not None
        assert again.state is State.TRANSLATED


async def test_an_echo_of_our_own_write_changes_nothing_however_late_it_comes(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        first = told(here, "1")
        await here.takes(update("2", "5550202"))
        await here.cycle.submit(first)
        await here.cycle.submit(told(here, "2"))
        await here.cycle.run()
        assert here.cycle.hospital.got == []
        assert "5550202" in str(patient(here)["telecom"])
        assert [one["object"]["made"] for one in here.cycle.entries("message:fhir:unchanged")] == [0, 0]


async def test_an_earlier_content_that_a_person_puts_back_is_a_change(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        earlier = patient(here)
        await here.takes(update("2", "5550202"))
        here.server.edit(key(here), telecom=earlier["telecom"])
        await here.cycle.submit(told(here, "3"))
        await here.cycle.run()
        (_, sent) = here.cycle.hospital.got[-1]
        assert b"5550101" in sent


async def test_a_v2_system_that_repeats_what_it_was_told_is_not_heard_twice(tmp_path: Path) -> None:
    async with fhir_room(tmp_path) as here:
        await here.takes(message("1"))
        here.server.edit(key(here), gender="other")
        await here.cycle.submit(told(here, "2"))
        await here.cycle.run()
        (_, sent) = here.cycle.hospital.got[-1]
        asked = len(here.server.requests)
        lines = sent.decode().split("\r")
        header = lines[0].split("|")
        header[2:6], header[9] = ["STVADT", "STV", "CONNECTOR", "DEMO"], "ECHO1"
        await here.takes("\r".join(["|".join(header), *lines[1:]]))
        assert len(here.server.requests) == asked
        assert len(here.cycle.entries("message:v2:unchanged")) == 1


def test_the_newer_change_is_told_by_the_message_and_the_servers_clock() -> None:
    def updated(at: str) -> Json:
        return {"meta": {"lastUpdated": at}}

    assert newer(NOW, updated("2026-11-23T23:00:00Z")) == "fhir"
    assert newer(NOW, updated("2026-11-22T23:00:00Z")) == "v2"
    assert newer(NOW, {}) == newer(None, updated("2026-11-23T23:00:00Z")) == "v2"
    assert newer(NOW, updated("nonsense")) == "v2"
