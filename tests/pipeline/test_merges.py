"""Merges go through the cycle: both patients are written, and later messages are about one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .room import TO_FHIR, TO_V2, Room, adt, of_type, patient, room

OTHER = "H2^^^STV^MR"
MERGES = '["ADT^A40",'  # before the messages that the profile accepts


def _named(bundle: dict[str, Any], value: str) -> dict[str, Any]:
    (one,) = (one for one in of_type(bundle, "Patient") if one["identifier"][0]["value"] == value)
    return one


async def _merged(here: Room) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two patients of the hospital that it merged, as written last: the kept one and the retired one."""
    await here.ack(adt("A28", "C1", more=["ZPI|1|kept"]))
    await here.ack(adt("A28", "C2", patient=OTHER).replace("|19700101|F", "|19700101|F|||Weg 1^^Graz"))
    await here.ack(adt("A40^ADT_A39", "C3", more=[f"MRG|{OTHER}"]))
    await here.work(TO_FHIR)
    return _named(here.fhir.got[-1], "H1"), _named(here.fhir.got[-1], "H2")


async def test_the_retired_patient_is_written_too_over_what_was_known_of_him(tmp_path: Path) -> None:
    async with room(tmp_path, v2__messages=MERGES) as here:
        kept, gone = await _merged(here)
        assert (await here.counts(TO_FHIR)).reconciled
        assert gone["active"] is False
        assert gone["address"][0]["city"] == "Graz"
        assert gone["id"] == of_type(here.fhir.got[1], "Patient")[0]["id"]
        assert gone["link"][0]["other"]["reference"] == f"Patient/{kept['id']}"
        assert kept["link"][0]["other"]["reference"] == f"Patient/{gone['id']}"


async def test_what_we_wrote_of_a_merge_makes_no_message_when_it_comes_back(tmp_path: Path) -> None:
    async with room(tmp_path, v2__messages=MERGES) as here:
        for one in await _merged(here):
            await here.put(one)
        await here.work(TO_V2)
        assert here.hospital.got == []


async def test_a_later_message_about_one_of_them_is_not_written_over_the_merge(tmp_path: Path) -> None:
    async with room(tmp_path, v2__messages=MERGES) as here:
        kept, _ = await _merged(here)
        await here.put({**kept, "gender": "other"})
        await here.work(TO_V2)
        (message,) = here.hospital.got
        assert "MRG|" not in message
        assert "ZPI|1|kept" in message
        assert message.count("PID|") == 1


async def test_a_merge_at_the_fhir_side_is_said_to_the_hospital(tmp_path: Path) -> None:
    async with room(tmp_path, v2__messages=MERGES) as here:
        await here.put(patient(key="p1"))
        await here.put(patient(key="p2"))
        gone = {"other": {"reference": "Patient/p1"}, "type": "replaced-by"}
        await here.put({**patient(key="p2"), "active": False, "link": [gone]})
        await here.work(TO_V2)
        lines = here.hospital.got[-1].split("\r")
        assert lines[0].split("|")[8] == "ADT^A40^ADT_A39"
        assert [line.split("^")[0] for line in lines if line[:3] in ("PID", "MRG")] == ["PID|1||P1", "MRG|P2"]
