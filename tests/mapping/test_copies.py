"""To whom copies of the results go: OBR-28 and PRT <-> a CommunicationRequest for the order."""

from __future__ import annotations

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR||Roe^Ann"
RCT = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0912", "code": "RCT"}]}]
ORDER = "OBR|1|||57698-3^Lipids^LN"
COPIES = ORDER + "|" * 24 + "7^Hamlin^Paula~8^Sol^Kim"
PART = "PRT||AD||RCT^Result Copies To^HL70912^^^^^^Blind copies|9^Berg^Liv||||||||||^WPN^FX^^^323^5555555"


def ordered(*segments: str, event: str = "OML^O21^OML_O21") -> Json:
    return lawful(MADE, message(PID, "ORC|NW|P1^HIS", *segments, event=event))


def written(bundle: Json, *names: str) -> list[str]:
    message = MADE.to_v2(bundle).message
    return [line for line in message.split("\r") if line[:3] in names]


def test_copies_go_to_the_recipients_of_a_communication_request() -> None:
    bundle = ordered(COPIES)
    asked = only(bundle, "CommunicationRequest")
    assert (asked["status"], asked["category"]) == ("unknown", RCT)
    assert asked["basedOn"] == [{"reference": "ServiceRequest/" + only(bundle, "ServiceRequest")["id"]}]
    assert asked["subject"] == {"reference": "Patient/" + only(bundle, "Patient")["id"]}
    people = {one["id"]: one["name"][0]["family"] for one in of_type(bundle, "Practitioner")}
    named = [people[one["reference"].removeprefix("Practitioner/")] for one in asked["recipient"]]
    assert named == ["Hamlin", "Sol"]
    assert written(bundle, "OBR") == [COPIES]


@pytest.mark.parametrize("order", [ORDER, COPIES])
def test_whom_a_participation_tells_more_of_is_a_role(order: str) -> None:
    text = message(PID, "ORC|NW|P1^HIS", order, PART, event="OML^O21^OML_O21")
    assert [at for at in MADE.to_fhir(text).lost if at.startswith(("OBR", "PRT"))] == []
    bundle = ordered(order, PART)
    role = only(bundle, "PractitionerRole")
    assert {"reference": "PractitionerRole/" + role["id"]} in only(bundle, "CommunicationRequest")[
        "recipient"
    ]
    assert role["code"][0]["text"] == "Blind copies"
    assert role["telecom"][0]["system"] == "fax"
    assert written(bundle, "OBR", "PRT") == [order, PART]


def test_copies_of_what_answers_are_said_in_a_result_too() -> None:
    report = "OBR|1||F1^LAB|57698-3^Lipids^LN" + "|" * 21 + "F|||7^Hamlin^Paula"
    bundle = ordered(report, event="ORU^R01^ORU_R01")
    asked = only(bundle, "CommunicationRequest")
    assert asked["category"] == RCT
    assert asked["about"] == [{"reference": "DiagnosticReport/" + only(bundle, "DiagnosticReport")["id"]}]
    assert asked["basedOn"] == [{"reference": "ServiceRequest/" + only(bundle, "ServiceRequest")["id"]}]
    assert "7^Hamlin^Paula" in written(bundle, "OBR")[0]


def test_another_recipient_in_fhir_is_another_in_the_order() -> None:
    text = message(PID, "ORC|NW|P1^HIS", COPIES, event="OML^O21^OML_O21")
    bundle = MADE.to_fhir(text).bundle
    del only(bundle, "CommunicationRequest")["recipient"][0]
    assert MADE.to_v2(bundle, text).message == text.replace("7^Hamlin^Paula~", "")


def test_a_communication_that_is_for_no_copies_is_not_said() -> None:
    bundle = ordered(COPIES)
    only(bundle, "CommunicationRequest")["category"] = [{"text": "reminder"}]
    made = MADE.to_v2(bundle)
    assert "Hamlin" not in made.message
    assert any(at.startswith("CommunicationRequest") for at in made.lost)
