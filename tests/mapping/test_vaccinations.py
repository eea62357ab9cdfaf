"""VXU <-> Immunization: every field of ORC, RXA and RXR that FHIR has a place for, and the ways back."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type
from tests.shipped import TRANSLATOR as MADE

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
PID = "PID|1||77^^^CLINIC^MR||Berg^Nora"
ORC = (
    "ORC|RE|P5^HIS|F5^REG|G5^HIS|||||20240302101500+0100|11^Typist^Tim|12^Check^Vera|13^Order^Olaf"
    "|||||CLIN^City Clinic^L||||City Clinic^L"
)
RXA = (
    "RXA|0|1|20240302100000+0100|20240302100000+0100|207^COVID-19, mRNA^CVX|0.50|mL^^UCUM||00^New^NIP001"
    "~^watched for 15 minutes|14^Nurse^Nina|^^^North Ward||||LOT7|20250131|PFR^Pfizer^MVX||Z23^Need^I10|CP|A"
    "|20240302101000+0100||||||Main St 1^^Oslo^^0150^NOR|"
)
RXR = "RXR|IM^Intramuscular^HL70162|LD^Left Deltoid^HL70163"
OBX = "OBX|1|CWE|64994-7^Funding eligibility^LN|1|V01^Not eligible^HL70064||||||F"


def vaccination(*segments: str) -> Json:
    """The Immunization of a message, which obeys the laws."""
    return of_type(lawful(MADE, message(PID, *segments, event="VXU^V04")), "Immunization")[0]


def test_a_vaccination_says_what_was_given_when_and_how() -> None:
    said = vaccination(ORC, RXA, RXR)
    assert said["status"] == "completed"
    assert said["occurrenceDateTime"] == "2024-03-02T10:00:00+01:00"
    assert said["recorded"] == "2024-03-02T10:10:00+01:00"
    assert said["vaccineCode"]["coding"][0]["code"] == "207"
    assert said["doseQuantity"] == {
        "value": Decimal("0.50"), "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"
    }  # fmt: skip
    assert (said["lotNumber"], said["expirationDate"]) == ("LOT7", "2025-01-31")
    assert [coding["code"] for coding in said["route"]["coding"]] == ["IM", "IM"]
    assert said["site"]["coding"][0] == {"code": "LD", "display": "Left Deltoid", "system": V2 + "0163"}
    assert said["reasonCode"][0]["coding"][0]["code"] == "Z23"


def test_its_numbers_are_those_of_the_order() -> None:
    numbers = vaccination(ORC, RXA)["identifier"]
    assert [(one["type"]["coding"][0]["code"], one["value"]) for one in numbers] == [
        ("PLAC", "P5"), ("FILL", "F5"), ("PGN", "G5")
    ]  # fmt: skip


def test_who_took_part_is_told_by_function() -> None:
    bundle = lawful(MADE, message(PID, ORC, RXA, event="VXU^V04"))
    known = {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in bundle["entry"]}
    said = {
        (
            one["function"]["coding"][0]["code"],
            known[one["actor"]["reference"]].get("name")[0]["family"]
            if isinstance(known[one["actor"]["reference"]].get("name"), list)
            else known[one["actor"]["reference"]]["name"],
        )
        for one in of_type(bundle, "Immunization")[0]["performer"]
    }
    assert said == {
        ("EP", "Typist"), ("VP", "Check"), ("OP", "Order"), ("AP", "Nurse"), ("EP", "City Clinic"),
        ("OP", "City Clinic"),
    }  # fmt: skip


def test_the_place_has_the_address_that_is_sent_apart() -> None:
    place = of_type(lawful(MADE, message(PID, ORC, RXA, event="VXU^V04")), "Location")[0]
    assert place["identifier"] == [{"value": "North Ward"}]
    assert place["address"]["city"] == "Oslo"


def test_an_address_behind_the_place_of_an_old_version_is_one_too() -> None:
    bundle = lawful(MADE, message(PID, "RXA|0|1|2024||207^^CVX|1|||||W1^2^3^North|", event="VXU^V04"))
    assert len(of_type(bundle, "Location")) == 4
    place = of_type(
        lawful(
            MADE, message(PID, "RXA|0|1|2024||207^^CVX|1|||||^^^North^^^^^Main St 1^^Oslo", event="VXU^V04")
        ),
        "Location",
    )[0]
    assert place["address"] == {"line": ["Main St 1"], "city": "Oslo"}


def test_the_one_who_gave_it_is_the_source_and_words_are_notes() -> None:
    said = vaccination(ORC, RXA)
    assert said["primarySource"] is True
    assert said["reportOrigin"]["coding"][0]["code"] == "00"
    assert said["note"] == [{"text": "watched for 15 minutes"}]
    assert vaccination("RXA|0|1|2024||207^^CVX|999|||01^Historical^NIP001")["primarySource"] is False


def test_999_is_a_dose_nobody_knows() -> None:
    assert "doseQuantity" not in vaccination("RXA|0|1|2024||207^^CVX|999")


def test_a_dose_that_becomes_known_takes_the_place_of_999_and_goes_back_to_it() -> None:
    text = message(PID, "RXA|0|1|2024||207^^CVX|999", event="VXU^V04")
    bundle = deepcopy(MADE.to_fhir(text).bundle)
    dose = of_type(bundle, "Immunization")[0]
    dose["doseQuantity"] = {"value": Decimal("0.3"), "unit": "mL"}
    back = MADE.to_v2(bundle, text).message
    assert "|207^^CVX|0.3|mL\r" in back
    del dose["doseQuantity"]
    assert "|207^^CVX|999" in MADE.to_v2(bundle, back).message


@pytest.mark.parametrize(
    ("completion", "action", "status", "kept"),
    [
        ("CP", "A", "completed", None),
        ("", "", "completed", None),
        ("PA", "A", "completed", "PA"),
        ("NA", "A", "not-done", None),
        ("RE", "A", "not-done", "RE"),
        ("", "D", "entered-in-error", None),
    ],
)
def test_completion_and_action_decide_the_status(
    completion: str, action: str, status: str, kept: str | None
) -> None:
    refused = "00^Parental refusal^NIP002" if completion == "RE" else ""
    said = vaccination("RXA|0|1|2024||207^^CVX|1" + "|" * 12 + f"{refused}||{completion}|{action}")
    assert said["status"] == status
    beside = said.get("_status", {}).get("extension", [{}])[0].get("valueCodeableConcept")
    assert beside == (kept and {"coding": [{"system": V2 + "0322", "code": kept}]})
    assert ("statusReason" in said) is bool(refused)


def test_a_status_edited_in_fhir_is_written_where_it_is_said() -> None:
    text = message(PID, ORC, RXA, event="VXU^V04")
    bundle = deepcopy(MADE.to_fhir(text).bundle)
    of_type(bundle, "Immunization")[0]["status"] = "entered-in-error"
    assert MADE.to_v2(bundle, text).message == text.replace("|CP|A|", "|CP|D|")
    of_type(bundle, "Immunization")[0]["status"] = "not-done"
    assert MADE.to_v2(bundle, text).message == text.replace("|CP|A|", "|NA|A|")


def test_findings_are_part_of_the_vaccination_they_follow() -> None:
    second = RXA.replace("207^COVID-19, mRNA^CVX", "88^Influenza^CVX")
    bundle = lawful(MADE, message(PID, ORC, RXA, RXR, OBX, ORC, second, OBX, event="VXU^V04"))
    first, other = (one["id"] for one in of_type(bundle, "Immunization"))
    assert [one["partOf"][0]["reference"] for one in of_type(bundle, "Observation")] == [
        f"Immunization/{first}", f"Immunization/{other}"
    ]  # fmt: skip


def test_a_finding_without_a_vaccination_is_about_the_patient() -> None:
    finding = of_type(lawful(MADE, message(PID, OBX, ORC, RXA, event="VXU^V04")), "Observation")[0]
    assert "partOf" not in finding


def test_an_order_of_which_nothing_was_given_is_no_vaccination() -> None:
    made = MADE.to_fhir(message(PID, "ORC|RE||F9^REG", event="VXU^V04"))
    assert not of_type(made.bundle, "Immunization")
    assert made.lost == ["ORC-1", "ORC-3"]


def test_what_fhir_began_is_a_whole_message() -> None:
    given = {
        "resourceType": "Immunization", "id": "i", "status": "completed",
        "patient": {"reference": "Patient/p"},
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "207"}]},
        "occurrenceDateTime": "2024-03-02", "primarySource": False,
    }  # fmt: skip
    patient = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:id:H", "value": "7"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": patient}, {"resource": given}],
    }
    back = MADE.to_v2(bundle)
    assert "|VXU^V04^VXU_V04|" in back.message
    assert "\rORC|RE\r" in back.message
    assert (
        "\rRXA|0|1|20240302|20240302|207^^CVX|999|||01^Historical information - source unspecified^NIP001"
        in back.message
    )
    assert back.lost == []


def test_what_has_no_place_in_fhir_is_listed() -> None:
    made = MADE.to_fhir(message(PID, "RXA|1|2|2024|2025|207^^CVX|x||||||H1|5|mg||||||U|U", event="VXU^V04"))
    lost = {"RXA-1", "RXA-2", "RXA-4", "RXA-6", "RXA-12", "RXA-13", "RXA-14", "RXA-20", "RXA-21"}
    assert {*made.lost} == lost
