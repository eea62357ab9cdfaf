"""What was taken becomes the other side's words, once, or a dead letter that says why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidResource,
    NotTranslatable,
    Overloaded,
    ShuttingDown,
    StoreUnavailable,
    VersionConflict,
)
from connector.pipeline.links import Links
from connector.pipeline.operate import Operator
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.translate import control_id
from tests.store.site import number, rows

from .room import SECRET, TO_FHIR, TO_V2, Room, adt, disk_full, of_type, patient, room

VISIT = "PV1|1|I|W1^1^1^STV||||||||||||||||V1^^^STV^VN"


def street(line: str) -> dict[str, Any]:
    return {"address": [{"line": [line], "city": "Graz"}]}


# --- to FHIR -----------------------------------------------------------------------------------------


async def test_the_same_patient_keeps_the_id_and_what_the_update_does_not_say(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt("A28", "C1", more=[]).replace("|19700101|F", "|19700101|F|||Weg 1^^Graz"))
        await here.ack(adt("A31", "C2", family="Neu"))
        await here.work(TO_FHIR)
        first, second = here.fhir.patients()
        assert first["id"] == second["id"]
        assert second["name"][0]["family"] == "Neu"
        assert second["address"] == first["address"]


async def test_references_resolve_and_urls_name_their_resources(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt("A01", more=[VISIT]))
        await here.work(TO_FHIR)
        (bundle,) = here.fhir.got
        urls = [entry["request"]["url"] for entry in bundle["entry"]]
        assert len(urls) == len(set(urls))
        assert all(
            entry["request"]["url"] == f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
            for entry in bundle["entry"]
        )
        (visit,) = of_type(bundle, "Encounter")
        assert visit["subject"]["reference"] in urls


async def test_a_fault_of_the_maps_is_a_dead_letter_and_the_next_message_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt(identity="C1"))
        await here.ack(adt(identity="C2"))
        translator, original = type(here.link.translator), type(here.link.translator).heard

        def broken(self: Any, message: Any) -> Any:
            if message.control_id == "C1":
                raise KeyError(SECRET)
            return original(self, message)

        with monkeypatch.context() as patched:
            patched.setattr(translator, "heard", broken)
            await here.work(TO_FHIR)
        counts = await here.counts(TO_FHIR)
        assert (counts.dead, counts.delivered, counts.reconciled) == (1, 1, True)
        received, _ = await here.store.dead_letters(here.link.name, TO_FHIR)
        assert received[0].reason == "MessageError"
        ada = Operator(here.store, here.clock, "ada", "the maps are mended")
        assert await ada.replay_dead(here.link.name, TO_FHIR) == 1
        await here.work(TO_FHIR)
        assert (await here.counts(TO_FHIR)).delivered == 2
    assert SECRET not in str(rows(tmp_path, "SELECT entry FROM audit_entry"))


async def test_the_models_judge_what_is_delivered_where_the_profile_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(tmp_path, fhir__conformance='"models"') as here:
        await here.ack(adt(identity="C1"))
        await here.work(TO_FHIR)
        assert len(here.fhir.got) == 1
        await here.ack(adt(identity="C2"))
        translator, original = type(here.link.translator), type(here.link.translator).to_fhir

        def wrong(self: Any, message: Any, prior: Any = None) -> Any:
            made = original(self, message, prior)
            of_type(made.bundle, "Patient")[0]["birthDate"] = "never"
            return made

        with monkeypatch.context() as patched:
            patched.setattr(translator, "to_fhir", wrong)
            await here.work(TO_FHIR)
        assert len(here.fhir.got) == 1
        received, _ = await here.store.dead_letters(here.link.name, TO_FHIR)
        assert [one.reason for one in received] == ["InvalidResource"]
    (entry,) = rows(tmp_path, "SELECT entry FROM audit_entry WHERE entry LIKE '%untranslatable%'")
    assert json.loads(entry[0])["object"]["location"].endswith(".resource.birthDate")


async def test_a_stop_leaves_what_is_not_translated_for_the_next_start(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt(identity="C1"))
        here.lanes[TO_FHIR].end()
        await here.lanes[TO_FHIR].translate()
        assert (await here.counts(TO_FHIR)).waiting_translation == 1
    async with room(tmp_path) as here:
        await here.work(TO_FHIR)
        assert (await here.counts(TO_FHIR)).delivered == 1


# --- to v2 -------------------------------------------------------------------------------------------


async def test_what_we_delivered_ourselves_makes_no_message_when_it_comes_back(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt())
        await here.work(TO_FHIR)
        (written,) = here.fhir.patients()
        await here.put({**written, "meta": {"versionId": "1", "lastUpdated": "2026-11-23T10:15:00Z"}})
        await here.work(TO_V2)
        assert here.hospital.got == []
        counts = await here.counts(TO_V2)
        assert (counts.received, counts.delivered, counts.sent) == (1, 1, 0)


async def test_a_change_of_a_patient_of_the_hospital_keeps_the_hospitals_words(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.ack(adt(more=["ZPI|1|^vegetarian^L"]))
        await here.work(TO_FHIR)
        (written,) = here.fhir.patients()
        await here.put({**written, **street("Rosenallee 12")})
        await here.work(TO_V2)
        (message,) = here.hospital.got
        assert "|H1^^^STV^MR|" in message
        assert "ZPI|1|" in message
        assert "Rosenallee 12^" in message


async def test_every_change_of_a_patient_of_the_fhir_side_is_said(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        for line in ("Weg 1", "Weg 2", "Weg 1"):
            await here.put(patient(**street(line)))
        await here.work(TO_V2)
        said = [next(line for line in ("Weg 1", "Weg 2") if line in one) for one in here.hospital.got]
        assert said == ["Weg 1", "Weg 2", "Weg 1"]
        assert [one.split("|")[8] for one in here.hospital.got] == [
            "ADT^A28^ADT_A05",
            *["ADT^A31^ADT_A05"] * 2,
        ]


async def test_a_patient_of_the_fhir_side_is_the_same_one_when_the_hospital_speaks_of_it(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as here:
        await here.put(patient(**street("Weg 1")))
        await here.work(TO_V2)
        await here.ack(adt(patient="P1^^^STV^MR", family="Neu"))
        await here.work(TO_FHIR)
        (written,) = here.fhir.patients()
        assert written["id"] == "p1"
        assert written["name"][0]["family"] == "Neu"
        assert written["address"][0]["line"] == ["Weg 1"]


async def test_control_ids_follow_from_the_submission_and_are_never_the_same_twice(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        taken = [await here.put(patient(key=key)) for key in ("p1", "p2")]
        await here.work(TO_V2)
        assert [one.split("|")[9] for one in here.hospital.got] == [control_id(one, 1) for one in taken]
    made = {control_id(f"{n:032x}", number) for n in range(500) for number in (1, 2)}
    assert len(made) == 1000
    assert all(len(one) == 20 and one.isalnum() for one in made)


async def test_a_report_and_its_results_become_one_message(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        await here.put(patient())
        await here.post(report("37.2"))
        await here.post(report("38.5"))
        await here.work(TO_V2)
        _, first, second = here.hospital.got
        assert [one.count("\rOBX|") for one in (first, second)] == [1, 1]
        assert "|37.2|" in first
        assert "|38.5|" in second


def report(value: str) -> dict[str, Any]:
    subject, code = (
        {"reference": "Patient/p1"},
        {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
    )
    quantity = {
        "value": json.loads(value),
        "unit": "Cel",
        "system": "http://unitsofmeasure.org",
        "code": "Cel",
    }
    result = {"resourceType": "Observation", "id": "o1", "status": "final", "code": code, "subject": subject}
    resources: list[dict[str, Any]] = [
        {
            "resourceType": "DiagnosticReport",
            "id": "d1",
            "identifier": [{"system": "urn:oid:2.999.1.2", "value": "R1"}],
            "status": "final",
            "code": code,
            "subject": subject,
            "result": [{"reference": "Observation/o1"}],
        },
        {**result, "valueQuantity": quantity},
    ]
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


# --- what is not taken -------------------------------------------------------------------------------


async def nothing_taken(here: Room) -> None:
    assert (await here.counts(TO_V2)).received == 0
    assert number(here.folder, "inbox") == 0


async def test_what_no_rule_speaks_of_is_refused_at_once(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        with pytest.raises(NotTranslatable) as raised:
            await here.put({"resourceType": "Basic", "id": "b1", "code": {"text": SECRET}})
        assert raised.value.location == "Basic"
        assert SECRET not in str(raised.value)
        await nothing_taken(here)


async def test_a_version_that_is_not_known_is_a_conflict(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        with pytest.raises(VersionConflict):
            await here.put(patient(), if_match='W/"7"')
        await nothing_taken(here)
        await here.put(patient(meta={"versionId": "7"}))
        await here.work(TO_V2)
        await here.put(patient("Neu", meta={"versionId": "8"}), if_match='W/"7"')
        assert (await here.counts(TO_V2)).received == 2


async def test_the_models_judge_what_comes_in_where_the_profile_says_so(tmp_path: Path) -> None:
    wrong = patient(communication=[{"preferred": True}])
    async with room(tmp_path, fhir__conformance='"models"') as here:
        with pytest.raises(InvalidResource) as raised:
            await here.put(wrong)
        assert raised.value.location == "Patient.communication[0].language"
        await nothing_taken(here)


async def test_more_than_the_limits_is_refused(tmp_path: Path) -> None:
    async with room(tmp_path, limits__body_bytes="1024", limits__waiting="1") as here:
        with pytest.raises(BodyTooLarge):
            await here.put(patient(SECRET * 100))
        await here.put(patient())
        here.clock.pass_by(2)
        with pytest.raises(Overloaded):
            await here.put(patient("Neu"))


async def test_a_service_that_ends_takes_nothing(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        here.submitter.accepting = False
        with pytest.raises(ShuttingDown):
            await here.put(patient())
        await nothing_taken(here)


async def test_a_client_that_no_profile_names_is_refused(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        nobody = replace(here.link, clients=frozenset({"another"}))
        here.submitter = FhirReceiver(Links([nobody]), here.store, here.clock, lambda: "0" * 32)
        with pytest.raises(Forbidden):
            await here.put(patient())
        await nothing_taken(here)


async def test_what_the_disk_does_not_take_is_not_accepted(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        with disk_full(), pytest.raises(StoreUnavailable):
            await here.put(patient())
        await nothing_taken(here)
        await here.put(patient())


async def test_the_same_change_with_its_version_is_taken_once(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        first = await here.put(patient(meta={"versionId": "7"}))
        assert await here.put(patient(meta={"versionId": "7"})) == first
        counts = await here.counts(TO_V2)
        assert (counts.received, counts.duplicates) == (1, 1)
