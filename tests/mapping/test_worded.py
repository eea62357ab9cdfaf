"""The words of a code that FHIR has a list of its own for: kept beside it, and back."""

from __future__ import annotations

import pytest

from tests.mapping.profiles import Json, lawful, lines, message, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR||Roe^Ann"
ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"


def adt(allergy: str) -> str:
    return message(PID, "PV1|1|I", allergy, event="ADT^A01^ADT_A01")


def kept(code: str, display: str, table: str) -> Json:
    system = f"http://terminology.hl7.org/CodeSystem/v2-{table}"
    coding = {"code": code, "display": display, "system": system}
    return {"extension": [{"url": ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}]}


ALLERGY = "AL1|1|DA^Drug allergy^HL70127|P^Penicillin^L|SV^Severe^HL70128"


def test_the_words_of_a_category_and_a_criticality_stand_beside_them() -> None:
    text = adt(ALLERGY)
    found = only(lawful(MADE, text), "AllergyIntolerance")
    assert (found["category"], found["criticality"]) == (["medication"], "high")
    assert found["_category"] == [kept("DA", "Drug allergy", "0127")]
    assert found["_criticality"] == kept("SV", "Severe", "0128")
    made = MADE.to_fhir(text)
    assert not [at for at in made.lost if at.startswith("AL1")]
    assert ALLERGY in MADE.to_v2(made.bundle).message.split("\r")


@pytest.mark.parametrize("segment", ["AL1", "IAM"])
def test_words_of_a_code_that_fhir_does_not_know_stand_alone(segment: str) -> None:
    text = adt(f"{segment}|1||P^Penicillin^L|MO^Moderate^HL70128")
    made = MADE.to_fhir(text)
    found = only(made.bundle, "AllergyIntolerance")
    assert "criticality" not in found
    assert found["_criticality"] == kept("MO", "Moderate", "0128")
    assert "|MO^Moderate^HL70128" in MADE.to_v2(made.bundle).message


def test_a_code_without_words_has_no_more_beside_it_than_before() -> None:
    found = only(lawful(MADE, adt("AL1|1|DA|P^Penicillin^L|SV")), "AllergyIntolerance")
    assert not {"_category", "_criticality"} & found.keys()


def test_another_code_in_fhir_takes_the_words_along() -> None:
    text = adt(ALLERGY)
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "AllergyIntolerance")["criticality"] = "low"
    assert MADE.to_v2(bundle, text).message == text.replace("SV^Severe^HL70128", "MI")


def test_other_words_in_fhir_are_written() -> None:
    text = adt(ALLERGY)
    bundle = MADE.to_fhir(text).bundle
    found = only(bundle, "AllergyIntolerance")
    found["_criticality"]["extension"][0]["valueCodeableConcept"]["coding"][0]["display"] = "Grave"
    assert MADE.to_v2(bundle, text).message == text.replace("Severe", "Grave")


def test_the_words_of_an_appointments_status() -> None:
    sch = "SCH|1^A|2^B|||||||||^^^20260501080000+0200|||||7^Berg||||7^Berg|||||Booked^Is booked^HL70278"
    text = message(sch, PID, event="SIU^S12^SIU_S12")
    found = only(MADE.to_fhir(text).bundle, "Appointment")
    assert found["status"] == "booked"
    assert found["_status"] == kept("Booked", "Is booked", "0278")
    assert "|Booked^Is booked^HL70278" in MADE.to_v2(MADE.to_fhir(text).bundle).message


def test_the_words_of_a_class_stand_beside_the_one_of_fhir() -> None:
    text = message(PID, "PV1|1|E^EMERGENCY^HL70004", event="ADT^A01^ADT_A01")
    bundle = lawful(MADE, text)
    said = only(bundle, "Encounter")["class"]
    assert (said["code"], said["display"]) == ("EMER", "emergency")
    assert said["_code"] == kept("E", "EMERGENCY", "0004")
    assert lines(MADE.to_v2(bundle).message)["PV1"] == "PV1|1|E^EMERGENCY^HL70004"
    said["code"], said["display"] = "IMP", "inpatient encounter"
    assert lines(MADE.to_v2(bundle, text).message)["PV1"] == "PV1|1|I"


def test_words_that_are_those_of_fhir_are_not_kept_twice() -> None:
    bundle = lawful(MADE, message(PID, "PV1|1|E^emergency", event="ADT^A01^ADT_A01"))
    assert "_code" not in only(bundle, "Encounter")["class"]
