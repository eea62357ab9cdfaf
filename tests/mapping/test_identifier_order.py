"""What is said in lists stands in one order, whichever of the fields that can say it did."""

from __future__ import annotations

from tests.mapping.profiles import Json, lawful, message, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR"


def _numbers(bundle: Json) -> list[tuple[str, str]]:
    order = only(bundle, "ServiceRequest")
    return [(one["type"]["coding"][0]["code"], one["value"]) for one in order["identifier"]]


def test_the_numbers_of_an_order_come_before_its_groups_wherever_they_were_sent() -> None:
    text = message(PID, "ORC|NW|||^G1&LAB", "OBR|1|P1|F1|T1^Test^L", event="OML^O21^OML_O21")
    assert _numbers(lawful(MADE, text)) == [("PLAC", "P1"), ("FILL", "F1"), ("FGN", "G1")]


def test_the_placers_number_comes_before_the_fillers() -> None:
    text = message(PID, "ORC|NW||F1", "OBR|1|P1||T1^Test^L", event="OML^O21^OML_O21")
    bundle = lawful(MADE, text)
    assert _numbers(bundle) == [("PLAC", "P1"), ("FILL", "F1")]
    assert _numbers(MADE.to_fhir(MADE.to_v2(bundle).message).bundle) == _numbers(bundle)


def test_an_alternate_number_stands_between_those_and_the_groups() -> None:
    orc = f"ORC|NW|P1||^G1&LAB{'|' * 29}A1^^^LAB"
    text = message(PID, orc, "OBR|1|P1|F1|T1^Test^L", event="OML^O21^OML_O21")
    assert [code for code, _ in _numbers(lawful(MADE, text))] == ["PLAC", "FILL", "PLAC", "FGN"]


def test_an_allergy_taken_back_is_an_error_in_the_same_words_by_action_and_by_status() -> None:
    both = message(PID, f"IAM|1||A^Pollen^L|||D{'|' * 11}E", event="ADT^A60^ADT_A60")
    by_action = message(PID, "IAM|1||A^Pollen^L|||D", event="ADT^A60^ADT_A60")
    said = [only(lawful(MADE, text), "AllergyIntolerance") for text in (both, by_action)]
    errors = [one["verificationStatus"]["coding"][-1] for one in said]
    assert errors[0] == errors[1]
    assert errors[0]["display"] == "Entered in Error"
