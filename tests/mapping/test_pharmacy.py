"""OMP, RDE, RDS, RAS <-> what is ordered, encoded, dispensed and administered, and the ways back."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, lines, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
PID = "PID|1||77^^^WARD^MR||Berg^Nora"
ORC = "ORC|NW|P5^HIS|F5^RX|G5^HIS|||||20240302101500+0100|11^Typist^Tim||13^Order^Olaf||||PRN^as needed^L"
TQ1 = "TQ1|1|2|BID||||20240302|20240309|R||after meals|||14"
RXO = (
    "RXO|860975^metformin 500 MG^RXN|500|1000|mg^^UCUM|TAB^tablet^L|^keep cool|FOOD^with food^L||G||30"
    "|TAB^tablet^L|3|||||||E11^Diabetes^I10|5|mL/h|2000^mg&&UCUM||||I|7||||PH1^Main Pharmacy^L"
    "|Main St 1^^Oslo|||555^WPN^PH"
)
RXR = "RXR|PO^Oral^HL70162|||CH^Chew^HL70165|SLOW^slowly^L"
RXE = "RXE||860975^metformin 500 MG^RXN|500||mg^^UCUM||||N|30|TAB||||RX-77||||2000^mg"


def said(*segments: str, event: str = "OMP^O09") -> Json:
    """The bundle of a message, which obeys the laws."""
    return lawful(MADE, message(PID, *segments, event=event))


def order(*segments: str, event: str = "OMP^O09") -> Json:
    return only(said(*segments, event=event), "MedicationRequest")


def test_an_order_says_what_for_whom_and_by_whom() -> None:
    one = order(ORC, TQ1, RXO, RXR)
    assert (one["status"], one["intent"], one["priority"]) == ("active", "original-order", "routine")
    assert one["authoredOn"] == "2024-03-02T10:15:00+01:00"
    assert [i["type"]["coding"][0]["code"] for i in one["identifier"]] == ["PLAC", "FILL"]
    assert one["groupIdentifier"]["value"] == "G5"
    assert one["statusReason"]["coding"][0]["code"] == "PRN"
    assert one["reasonCode"][0]["coding"][0]["code"] == "E11"
    assert one["category"][0]["coding"] == [{"code": "I", "system": V2 + "0480"}]
    assert {"requester", "recorder"} <= one.keys()


def test_how_much_and_how_fast_is_the_dose_of_the_order() -> None:
    dose = order(ORC, RXO)["dosageInstruction"][0]["doseAndRate"]
    milligram = {"unit": "mg", "system": UCUM, "code": "mg"}
    assert dose[0]["type"]["coding"][0]["code"] == "ordered"
    assert dose[0]["doseRange"] == {
        "low": {"value": Decimal(500), **milligram}, "high": {"value": Decimal(1000), **milligram}
    }  # fmt: skip
    assert dose[0]["rateQuantity"] == {"value": Decimal(5), "unit": "mL/h"}


def test_without_a_maximum_the_minimum_is_the_exact_dose() -> None:
    dose = order("ORC|NW|1", "RXO|1^A^L|500||mg")["dosageInstruction"][0]["doseAndRate"][0]
    assert dose["doseQuantity"] == {"value": Decimal(500), "unit": "mg"}


def test_when_and_how_often_is_its_timing() -> None:
    dosage = order(ORC, TQ1, RXO)["dosageInstruction"][0]
    assert dosage["timing"]["code"]["coding"][0]["code"] == "BID"
    assert dosage["timing"]["repeat"]["boundsPeriod"] == {"start": "2024-03-02", "end": "2024-03-09"}
    assert dosage["timing"]["repeat"]["count"] == 14
    assert dosage["text"] == "after meals"
    assert dosage["maxDosePerPeriod"]["denominator"]["code"] == "d"


def test_the_way_into_the_body_stands_in_the_same_dosage() -> None:
    dosage = order(ORC, TQ1, RXO, RXR)["dosageInstruction"]
    assert len(dosage) == 1
    assert dosage[0]["route"]["coding"][0]["code"] == "PO"
    assert dosage[0]["method"]["coding"][1]["system"] == "http://snomed.info/sct"
    assert [one["coding"][0]["code"] for one in dosage[0]["additionalInstruction"]] == ["FOOD", "SLOW"]


def test_what_the_pharmacy_is_asked_for() -> None:
    bundle = said(ORC, RXO)
    asked = only(bundle, "MedicationRequest")["dispenseRequest"]
    assert asked["quantity"] == {
        "value": Decimal(30), "unit": "tablet", "system": "urn:id:L", "code": "TAB"
    }  # fmt: skip
    assert asked["numberOfRepeatsAllowed"] == 3
    assert asked["dispenseInterval"]["value"] == 7
    assert asked["extension"][0]["valueAnnotation"] == {"text": "keep cool"}
    (pharmacy,) = (one for one in of_type(bundle, "Organization") if one.get("name") == "Main Pharmacy")
    assert (pharmacy["address"][0]["city"], pharmacy["telecom"][0]["value"]) == ("Oslo", "555")


def test_a_code_alone_is_the_medication_and_more_is_a_medication_of_its_own() -> None:
    assert "medicationCodeableConcept" in order("ORC|NW|1", "RXO|1^A^L|500||mg")
    bundle = said(ORC, RXO)
    assert only(bundle, "Medication")["form"]["coding"][0]["code"] == "TAB"
    assert "medicationCodeableConcept" not in only(bundle, "MedicationRequest")


def test_the_strength_is_in_one_dosage_unit_or_in_a_volume() -> None:
    strength = "RXO|1^A^L|" + "|" * 16 + "120|mg"
    (own,) = only(said("ORC|NW|1", strength), "Medication")["ingredient"]
    assert own["strength"] == {
        "numerator": {"value": Decimal(120), "unit": "mg"},
        "denominator": {"value": 1},
    }
    (own,) = only(said("ORC|NW|1", strength + "||||||5|mL"), "Medication")["ingredient"]
    assert own["strength"]["denominator"] == {"value": Decimal(5), "unit": "mL"}


def test_components_are_its_ingredients() -> None:
    mixed = only(
        said(ORC, "RXO|1^Mix^L", "RXC|B|D5W^Dextrose^L|1000|mL", "RXC|A|KCL^Potassium^L|20|meq"), "Medication"
    )["ingredient"]
    assert [(one["isActive"], one["strength"]["numerator"]["value"]) for one in mixed] == [
        (False, Decimal(1000)), (True, Decimal(20))
    ]  # fmt: skip


def test_without_a_code_the_medication_is_unknown() -> None:
    assert "extension" in order("ORC|NW|1", "RXO|" + "|" * 10 + "10")["medicationCodeableConcept"]


@pytest.mark.parametrize(
    ("control", "status", "becomes", "kept"),
    [
        ("NW", "", "active", None),
        ("CA", "", "cancelled", None),
        ("DC", "", "stopped", None),
        ("HD", "", "on-hold", None),
        ("SC", "CM", "completed", None),
        ("NW", "A", "active", "A"),
        ("XX", "", "unknown", None),
        ("", "", "unknown", None),
    ],
)
def test_order_status_decides_else_order_control(
    control: str, status: str, becomes: str, kept: str | None
) -> None:
    one = order(f"ORC|{control}|1|||{status}", "RXO|1^A^L")
    assert one["status"] == becomes
    beside = one.get("_status", {}).get("extension", [{}])[0].get("valueCodeableConcept", {}).get("coding")
    assert beside == (kept and [{"system": V2 + "0038", "code": kept}])


def test_the_old_timing_of_an_order_is_its_dosage_too() -> None:
    dosage = order("ORC|NW|1|||||2^BID^D4^^^R", "RXO|1^A^L|500||mg")["dosageInstruction"][0]
    assert dosage["timing"]["repeat"]["boundsDuration"]["code"] == "d"
    assert [one["doseQuantity"]["value"] for one in dosage["doseAndRate"]] == [Decimal(500), Decimal(2)]


def test_what_the_pharmacy_encoded_is_based_on_the_order() -> None:
    bundle = said(ORC, RXO, RXR, RXE, "RXR|IV", event="RDE^O11")
    placed, encoded = of_type(bundle, "MedicationRequest")
    assert (placed["intent"], encoded["intent"]) == ("original-order", "filler-order")
    assert encoded["basedOn"] == [{"reference": f"MedicationRequest/{placed['id']}"}]
    assert [one["dosageInstruction"][0]["route"]["coding"][0]["code"] for one in (placed, encoded)] == [
        "PO",
        "IV",
    ]
    (number,) = encoded["identifier"]
    assert (number["value"], number["use"]) == ("RX-77", "secondary")


def test_without_the_order_the_encoded_one_has_its_numbers() -> None:
    encoded = order(ORC, RXE, event="RDE^O11")
    assert [one["value"] for one in encoded["identifier"]] == ["P5", "F5", "RX-77"]
    assert "basedOn" not in encoded


def test_each_order_control_begins_an_order_of_its_own() -> None:
    bundle = said(ORC, RXO, RXE, ORC.replace("5^", "6^"), RXE, event="RDE^O11")
    assert ["basedOn" in one for one in of_type(bundle, "MedicationRequest")] == [False, True, False]


def test_what_is_observed_supports_the_order_it_follows() -> None:
    bundle = said(ORC, RXO, "OBX|1|NM|29463-7^Weight^LN||90|kg|||||F")
    (seen,) = of_type(bundle, "Observation")
    support = only(bundle, "MedicationRequest")["supportingInformation"]
    assert support == [{"reference": f"Observation/{seen['id']}"}]


def test_a_dispense_is_by_authority_of_what_was_encoded() -> None:
    bundle = said(
        ORC, RXE, "RXD|1|860975^metformin^RXN|20240303|30|TAB|TAB^tablet^L|RX-77||^shaken|15^Phil^Pharma|G"
        "|||||500|mg|LOT1|20260101", "NTE|1||fragile", event="RDS^O13",
    )  # fmt: skip
    given, ordered = only(bundle, "MedicationDispense"), only(bundle, "MedicationRequest")
    assert given["status"] == "completed"
    assert given["authorizingPrescription"] == [{"reference": f"MedicationRequest/{ordered['id']}"}]
    assert (given["whenHandedOver"], given["quantity"]["value"]) == ("2024-03-03", Decimal(30))
    assert given["substitution"]["wasSubstituted"] is True
    assert given["performer"][0]["function"]["coding"][0]["code"] == "DP"
    assert [note["text"] for note in given["note"]] == ["shaken", "fragile"]
    batches = [one["batch"] for one in of_type(bundle, "Medication") if "batch" in one]
    assert batches == [{"lotNumber": "LOT1", "expirationDate": "2026-01-01"}]


@pytest.mark.parametrize("before", [(RXO,), (RXE,), (RXO, RXE)], ids=len)
def test_an_administration_is_of_what_was_encoded_else_of_what_was_ordered(before: tuple[str, ...]) -> None:
    given = "RXA|0|1|202403031000+0100|202403031030+0100|860975^metformin^RXN|500|mg|||16^Nurse^Nina"
    bundle = said(ORC, *before, given, "RXR|PO", event="RAS^O17")
    last = of_type(bundle, "MedicationRequest")[-1]
    one = only(bundle, "MedicationAdministration")
    assert one["request"] == {"reference": f"MedicationRequest/{last['id']}"}
    assert one["effectivePeriod"]["end"] == "2024-03-03T10:30:00+01:00"
    assert one["dosage"]["dose"] == {"value": Decimal(500), "unit": "mg"}
    assert one["dosage"]["route"]["coding"][0]["code"] == "PO"


def test_an_administration_without_an_order_has_its_numbers() -> None:
    given = "RXA|0|1|202403031000+0100||860975^metformin^RXN|500|mg" + "|" * 11 + "AGE^refused^L||RE"
    one = only(said(ORC, given, event="RAS^O17"), "MedicationAdministration")
    assert one["status"] == "not-done"
    assert one["statusReason"][0]["coding"][0]["code"] == "AGE"
    assert [number["value"] for number in one["identifier"]] == ["P5", "F5", "G5"]
    assert "request" not in one


# --- edits ------------------------------------------------------------------------------------------------


def edited(change: Any, *segments: str) -> dict[str, str]:
    """The lines of a message after a change of its MedicationRequest."""
    text = message(PID, *segments, event="OMP^O09")
    bundle = deepcopy(MADE.to_fhir(text).bundle)
    change(only(bundle, "MedicationRequest"))
    return lines(MADE.to_v2(bundle, text).message)


def test_a_new_dose_touches_its_field_alone() -> None:
    def change(one: Json) -> None:
        one["dosageInstruction"][0]["doseAndRate"][0]["doseRange"]["high"]["value"] = Decimal(850)

    after = edited(change, ORC, TQ1, RXO, RXR)
    assert after["RXO"] == RXO.replace("|500|1000|", "|500|850|")
    assert (after["ORC"], after["TQ1"], after["RXR"]) == (ORC, TQ1, RXR)


def test_an_order_stopped_in_fhir_says_so_in_its_status() -> None:
    after = edited(lambda one: one.update(status="stopped"), ORC, RXO)
    assert after["ORC"] == ORC.replace("|G5^HIS||", "|G5^HIS|DC|")
    assert after["RXO"] == RXO


def test_what_is_taken_away_is_deleted() -> None:
    after = edited(lambda one: one.pop("reasonCode"), ORC, RXO)
    assert after["RXO"] == RXO.replace("|E11^Diabetes^I10|", '|""|')


def test_an_order_that_fhir_began() -> None:
    patient = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:id:H", "value": "7"}]}
    given = {
        "resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "1"}]},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}],
    }  # fmt: skip
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": r} for r in (patient, given)],
    }
    after = lines(MADE.to_v2(bundle).message)
    assert after["ORC"].startswith("ORC|NW|")
    assert after["RXO"] == "RXO|1^^RXNORM|5||mg"
    assert after["RXR"].startswith("RXR|")


def test_a_general_order_message_orders_services_and_medication_side_by_side() -> None:
    bundle = said(
        "ORC|NW|1^HIS", "OBR|1|1^HIS||CBC^Blood count^L", ORC, RXO, "DG1|1||E11^Diabetes^I10",
        "OBX|1|NM|29463-7^Weight^LN||90|kg|||||F", event="ORM^O01",
    )  # fmt: skip
    assert len(of_type(bundle, "ServiceRequest")) == 1
    medication = only(bundle, "MedicationRequest")
    assert medication["reasonReference"] == [{"reference": f"Condition/{only(bundle, 'Condition')['id']}"}]
    assert len(medication["supportingInformation"]) == 1
