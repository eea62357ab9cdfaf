"""Accidents, disabilities and deaths: ACC, DB1 and PDA are resources of their own, each with its way back."""

from __future__ import annotations

from typing import Any

from tests.mapping.profiles import Json, lawful, lines, message, of_type, only
from tests.mapping.test_adt_segments import PID, at, edited
from tests.shipped import TRANSLATOR as MADE

SCT = "http://snomed.info/sct"

# --- ACC ---------------------------------------------------------------------------------------------------


def _part(observation: Json, words: str) -> Json:
    """The only component that the standard calls so."""
    (one,) = [each for each in observation["component"] if each["code"] == {"text": words}]
    return {name: value for name, value in one.items() if name != "code"}


ACC = at(
    "ACC",
    _1="202601011430",
    _2="MVA^Car accident^L",
    _3="Highway 1",
    _4="WA^Washington",
    _5="Y",
    _6="N",
    _7="D1^Clerk^Cleo",
    _8="Hit a tree",
    _9="Ambulance 7",
    _10="Y",
    _11="Road 1^^Town",
    _12="50",
    _13="A-1^H",
)


def test_an_accident_is_an_observation_of_the_patient() -> None:
    accident = only(lawful(MADE, message(PID, "PV1|1|E", ACC)), "Observation")
    assert accident["code"]["coding"] == [{"system": SCT, "code": "55566008", "display": "Accident"}]
    assert accident["status"] == "final"
    assert accident["effectiveDateTime"][:16] == "2026-01-01T14:30"
    assert accident["valueCodeableConcept"]["coding"][0]["code"] == "MVA"
    assert accident["identifier"] == [{"value": "A-1", "system": "urn:id:H"}]
    assert accident["note"] == [{"text": "Hit a tree"}]
    assert accident["encounter"]["reference"].startswith("Encounter/")
    assert accident["performer"][0]["reference"].startswith("Practitioner/")


def test_what_ticks_and_words_say_of_an_accident_are_components() -> None:
    accident = only(MADE.to_fhir(message(PID, ACC)).bundle, "Observation")
    state = _part(accident, "Auto accident state")["valueCodeableConcept"]["coding"][0]
    assert (state["code"], state["system"][-4:]) == ("WA", "0347")
    assert _part(accident, "Accident job related") == {"valueBoolean": True}
    assert _part(accident, "Accident death") == {"valueBoolean": False}
    assert _part(accident, "Brought in by") == {"valueString": "Ambulance 7"}
    assert _part(accident, "Police notified") == {"valueBoolean": True}
    assert _part(accident, "Degree of patient liability")["valueQuantity"]["value"] == 50


def test_where_an_accident_was_is_a_place_with_a_name_and_an_address() -> None:
    bundle = MADE.to_fhir(message(PID, ACC)).bundle
    place = only(bundle, "Location")
    assert only(bundle, "Observation")["extension"] == [
        {
            "valueReference": {"reference": f"Location/{place['id']}"},
            "url": "http://hl7.org/fhir/StructureDefinition/event-location",
        }
    ]
    assert (place["name"], place["address"]) == ("Highway 1", {"line": ["Road 1"], "city": "Town"})


def test_an_accident_stands_behind_the_insurances() -> None:
    bundle = MADE.to_fhir(message(PID, "PV1|1|E", "IN1|1|PL|C1|ACME", ACC)).bundle
    names = [line[:3] for line in MADE.to_v2(bundle).message.split("\r") if line]
    assert names == ["MSH", "PID", "PV1", "IN1", "ACC"]


def test_an_edit_of_an_accident_touches_its_own_field() -> None:
    text = message(PID, ACC)
    after = edited(text, "Observation", note=[{"text": "Hit a fence"}])
    assert after == text.replace("Hit a tree", "Hit a fence")
    place = only(MADE.to_fhir(text).bundle, "Location")
    assert edited(text, "Location", name="Highway 2") == text.replace("Highway 1", "Highway 2"), place


def test_an_accident_that_fhir_tells_first_is_one_segment() -> None:
    accident: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "a",
        "status": "final",
        "code": {"coding": [{"system": SCT, "code": "55566008"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-01-01",
        "component": [{"code": {"text": "Police notified"}, "valueBoolean": True}],
    }
    patient = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "1"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in (patient, accident)],
    }
    said = lines(MADE.to_v2(bundle, message("PID|||1")).message)
    assert said["ACC"] == "ACC|20260101|||||||||Y"
    assert "OBX" not in said


def test_an_observation_of_an_accident_that_says_more_is_an_obx() -> None:
    text = message(PID, "OBX|1|ST|55566008^Accident^SCT||Fell|||A|||F", ACC)
    bundle = lawful(MADE, text)
    assert len(of_type(bundle, "Observation")) == 2


# --- DB1 ---------------------------------------------------------------------------------------------------

DB1 = at("DB1", _1="1", _2="PT", _4="Y", _5="20260101", _6="20260201", _7="20260202", _8="20251231")


def test_what_is_about_another_patient_has_no_visit_of_the_one_behind() -> None:
    text = message(PID, DB1, PID.replace("1^^^H", "2^^^H"), "PV1|1|I", event="BAR^P02")
    bundle = lawful(MADE, text)
    assert "encounter" not in only(bundle, "Observation")
    back = MADE.to_v2(bundle).message.split("\r")
    assert [line[:3] for line in back if line][1:] == ["PID", "DB1", "PID", "PV1"]


def test_a_disability_is_an_observation_with_its_period() -> None:
    disability = only(lawful(MADE, message(PID, DB1)), "Observation")
    assert disability["code"]["coding"][0]["code"] == "21134002"
    assert disability["valueBoolean"] is True
    assert disability["effectivePeriod"] == {"start": "2026-01-01", "end": "2026-02-01"}
    assert _part(disability, "Disability return to work") == {"valueDateTime": "2026-02-02"}
    assert _part(disability, "Disability unable to work") == {"valueDateTime": "2025-12-31"}


def test_the_disability_of_somebody_else_is_lost_and_named() -> None:
    made = MADE.to_fhir(message(PID, "DB1|1|GT||Y"))
    assert not of_type(made.bundle, "Observation")
    assert {"DB1-2", "DB1-4"} <= {*made.lost}


def test_numbers_of_who_is_disabled_are_lost_and_named() -> None:
    assert MADE.to_fhir(message(PID, "DB1|1|PT|7^^^H|Y")).lost == ["DB1-3"]


def test_an_end_of_a_disability_is_one_field() -> None:
    period = {"start": "2026-01-01", "end": "2026-03-01"}
    text = message(PID, DB1)
    assert edited(text, "Observation", effectivePeriod=period) == text.replace("20260201", "20260301")


# --- PDA ---------------------------------------------------------------------------------------------------

PDA = at(
    "PDA",
    _1="I21^Infarction^I10~J18^Pneumonia^I10",
    _3="Y",
    _4="20260301",
    _5="D2^Certo",
    _6="Y",
    _7="20260302^20260303",
    _8="D3^Patho",
    _9="N",
)


def test_the_first_cause_of_death_is_the_value_and_others_stand_beside_it() -> None:
    bundle = lawful(MADE, message(PID, PDA))
    cause = next(one for one in of_type(bundle, "Observation") if "valueCodeableConcept" in one)
    assert cause["code"]["coding"][0]["code"] == "69453-9"
    assert cause["valueCodeableConcept"]["coding"][0]["code"] == "I21"
    (further,) = cause["component"]
    assert further["code"] == {"text": "Further cause of death"}
    assert further["valueCodeableConcept"]["coding"][0]["code"] == "J18"


def test_death_is_certified_and_the_body_examined_by_procedures() -> None:
    bundle = MADE.to_fhir(message(PID, PDA)).bundle
    certified, examined = of_type(bundle, "Procedure")
    assert certified["code"]["coding"][0]["code"] == "308646001"
    assert (certified["status"], certified["performedDateTime"]) == ("completed", "2026-03-01")
    assert examined["code"]["coding"][0]["code"] == "29240004"
    assert examined["performedPeriod"] == {"start": "2026-03-02", "end": "2026-03-03"}
    names = {f"Practitioner/{one['id']}": one["name"][0]["family"] for one in of_type(bundle, "Practitioner")}
    done_by = [names[one["performer"][0]["actor"]["reference"]] for one in (certified, examined)]
    assert done_by == ["Certo", "Patho"]


def test_no_autopsy_is_a_procedure_that_was_not_done() -> None:
    text = message(PID, at("PDA", _6="N"))
    assert only(lawful(MADE, text), "Procedure")["status"] == "not-done"
    assert lines(edited(text, "Procedure", status="completed"))["PDA"] == "PDA||||||Y"


def test_whether_a_coroner_was_asked_is_an_observation() -> None:
    coroner = only(lawful(MADE, message(PID, at("PDA", _9="Y"))), "Observation")
    assert (coroner["code"]["coding"][0]["code"], coroner["valueBoolean"]) == ("74497-9", True)


def test_where_somebody_died_is_lost_and_named() -> None:
    assert MADE.to_fhir(message(PID, at("PDA", _2="W^1^1", _9="Y"))).lost == ["PDA-2"]
