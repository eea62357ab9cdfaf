"""What a pharmacy asks to give (RGV^O15): each dose an instance of its order, with its way back."""

from __future__ import annotations

from tests.mapping.profiles import Json, lawful, lines, message, of_type
from tests.mapping.test_adt_segments import PID, at
from tests.shipped import TRANSLATOR as MADE

ORC = "ORC|NW|P1^H|F1^P"
RXG = at("RXG", _1="1", _4="D^Drug^L", _5="5", _6="10", _7="mg^^UCUM")


def give(*segments: str) -> Json:
    """The dose that a message asks to give."""
    bundle = lawful(MADE, message(PID, *segments, event="RGV^O15"))
    return of_type(bundle, "MedicationRequest")[-1]


def test_a_dose_to_give_is_an_instance_of_the_order() -> None:
    text = message(PID, ORC, "RXO|D^Drug^L|5||mg", "RXE||D^Drug^L|5||mg", RXG, event="RGV^O15")
    placed, encoded, dose = of_type(lawful(MADE, text), "MedicationRequest")
    assert [one["intent"] for one in (placed, encoded, dose)] == [
        "original-order",
        "filler-order",
        "instance-order",
    ]
    assert dose["basedOn"] == [{"reference": f"MedicationRequest/{encoded['id']}"}]
    assert dose["identifier"] == [{"value": "1", "type": {"text": "give sub-ID"}}]


def test_an_order_that_only_orc_speaks_of_is_said_with_its_dose() -> None:
    dose = give(ORC, RXG, "RXR|IV")
    numbers = {one["value"]: one["type"].get("text") for one in dose["identifier"]}
    assert numbers == {"1": "give sub-ID", "P1": None, "F1": None}
    assert (dose["status"], dose["medicationCodeableConcept"]["coding"][0]["code"]) == ("active", "D")


def test_how_much_how_fast_and_how_are_a_dosage() -> None:
    segment = at(
        "RXG",
        _1="1",
        _4="D^Drug^L",
        _5="5",
        _6="10",
        _7="mg^^UCUM",
        _13="I1^With water^L",
        _15="2",
        _16="mL/h^^UCUM",
    )
    dosage = give(ORC, segment, "TQ1|1||BID", "RXR|PO")["dosageInstruction"][0]
    amount = dosage["doseAndRate"][0]
    assert (amount["doseRange"]["low"]["value"], amount["doseRange"]["high"]["unit"]) == (5, "mg")
    assert amount["rateQuantity"]["code"] == "mL/h"
    assert dosage["additionalInstruction"][0]["coding"][0]["code"] == "I1"
    assert dosage["timing"]["code"]["coding"][0]["code"] == "BID"
    assert dosage["route"]["coding"][0]["code"] == "PO"


def test_a_lot_and_a_strength_make_a_medication_of_its_own() -> None:
    segment = at(
        "RXG",
        _1="1",
        _4="D^Drug^L",
        _5="5",
        _7="mg",
        _8="TAB^Tablet^L",
        _17="500",
        _18="mg",
        _19="L1",
        _20="20270101",
    )
    bundle = lawful(MADE, message(PID, ORC, segment, event="RGV^O15"))
    (medication,) = of_type(bundle, "Medication")
    assert medication["batch"] == {"lotNumber": "L1", "expirationDate": "2027-01-01"}
    assert medication["form"]["coding"][0]["code"] == "TAB"
    assert medication["ingredient"][0]["strength"]["numerator"]["value"] == 500


def test_why_with_what_instead_and_from_where_are_said_too() -> None:
    segment = at(
        "RXG",
        _1="1",
        _4="D^Drug^L",
        _5="5",
        _7="mg",
        _10="G",
        _22="R1^Pain^L",
        _26="M",
        _27="PH^Pharm",
        _31="T1^P",
    )
    dose = give(ORC, segment, "NTE|1||Slowly")
    assert dose["substitution"]["allowedCodeableConcept"]["coding"][0]["code"] == "G"
    assert dose["reasonCode"][0]["coding"][0]["code"] == "R1"
    assert dose["category"][0]["coding"][0]["code"] == "M"
    assert dose["dispenseRequest"]["performer"]["reference"].startswith("Organization/")
    assert {"value": "T1", "system": "urn:id:P"} in dose["identifier"]
    assert dose["note"] == [{"text": "Slowly"}]


def test_an_edit_of_one_dose_leaves_the_other() -> None:
    text = message(PID, ORC, "RXO|D^Drug^L|5||mg", RXG, RXG.replace("RXG|1", "RXG|2"), event="RGV^O15")
    bundle = MADE.to_fhir(text).bundle
    of_type(bundle, "MedicationRequest")[-1]["reasonCode"] = [{"text": "Fever"}]
    said = MADE.to_v2(bundle, text).message
    first, second = [line for line in said.split("\r") if line.startswith("RXG")]
    assert first == RXG
    assert second == RXG.replace("RXG|1", "RXG|2") + "|" * 15 + "^Fever"


def test_what_an_order_has_no_place_for_is_lost_and_named() -> None:
    segment = at("RXG", _1="1", _2="3", _4="D", _5="5", _7="mg", _12="Y", _14="H1", _25="B", _29="W^1^1")
    made = MADE.to_fhir(message(PID, ORC, segment, event="RGV^O15"))
    assert made.lost == ["RXG-2", "RXG-12", "RXG-14", "RXG-25", "RXG-29"]


def test_a_second_timing_begins_no_other_order() -> None:
    text = message(PID, ORC, "TQ1|1||BID", "TQ1|2||QID", "OBR|1|P1^H|F1^P|C^Test^L", event="OML^O21")
    made = MADE.to_fhir(text)
    (request,) = of_type(made.bundle, "ServiceRequest")
    assert request["occurrenceTiming"]["code"]["coding"][0]["code"] == "BID"
    assert made.lost == ["TQ1[2]-1", "TQ1[2]-3"]
    assert lines(MADE.to_v2(made.bundle, text).message) == lines(text)
