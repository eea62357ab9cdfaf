"""OBX-2, OBX-5 and OBX-6 as a value; and back without a prior."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.hl7v2.tree import Message
from tests.shipped import TRANSLATOR as MADE

Json = dict[str, Any]


def observed(kind: str, value: str, units: str = "") -> tuple[Json, list[str], list[str]]:
    """What an OBX says beside its constants, what is lost, and OBX-2, 5 and 6 as they go back."""
    made = MADE.to_fhir(
        "MSH|^~\\&|A|B|||20240101120000||ORU^R01|1|P|2.5.1\rPID|||1^^^H^MR\rOBR|1||F|P^^LN\r"
        f"OBX|1|{kind}|C^^LN||{value}|{units}|||||F\r"
    )
    found = made.bundle["entry"][-1]["resource"]
    values = {name: inner for name, inner in found.items() if name.startswith(("value", "component"))}
    obx = Message.parse(MADE.to_v2(made.bundle).message).first("OBX")
    assert obx is not None
    return values, made.lost, [obx.field(2), obx.field(5), obx.field(6)]


UCUM = {"unit": "mg/L", "system": "http://unitsofmeasure.org", "code": "mg/L"}


def test_a_number_keeps_its_digits_and_its_unit() -> None:
    values, lost, back = observed("NM", "5.40", "mg/L^^UCUM")
    assert str(values["valueQuantity"]["value"]) == "5.40"
    assert values["valueQuantity"] == {"value": Decimal("5.40"), **UCUM}
    assert (lost, back) == ([], ["NM", "5.40", "mg/L^^UCUM"])


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (">^100", "valueQuantity"),
        ("^1^-^4", "valueRange"),
        ("^1^:^128", "valueRatio"),
        ("^7", "valueQuantity"),
    ],
)
def test_a_structured_number_is_a_quantity_a_range_or_a_ratio(sent: str, name: str) -> None:
    values, lost, back = observed("SN", sent, "mg/L^^UCUM")
    assert list(values) == [name]
    assert lost == []
    assert back[1] in (sent, sent.lstrip("^"))


def test_a_number_that_is_none_is_kept_as_text_and_its_type_named() -> None:
    values, lost, back = observed("NM", "haemolysed", "mg/L")
    assert values == {"valueString": "haemolysed"}
    assert lost == ["OBX-2", "OBX-6"]
    assert back == ["ST", "haemolysed", ""]


def test_numbers_that_repeat_are_components_of_one_question() -> None:
    values, lost, back = observed("NM", "1~2~3", "mg/L^^UCUM")
    assert [part["valueQuantity"]["value"] for part in values["component"]] == [1, 2, 3]
    assert (lost, back) == ([], ["NM", "1~2~3", "mg/L^^UCUM"])


def test_numbers_of_which_one_is_none_are_text() -> None:
    values, lost, _ = observed("NM", "1~many")
    assert values == {"valueString": "1\nmany"}
    assert lost == ["OBX-2"]


def test_lines_of_text_are_one_text() -> None:
    values, lost, back = observed("TX", "one~two\\.br\\three")
    assert values == {"valueString": "one\ntwo\nthree"}
    assert (lost, back[1]) == ([], "one\\.br\\two\\.br\\three")


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("CWE", "A^^LN", {"valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "A"}]}}),
        ("DT", "202402", {"valueDateTime": "2024-02"}),
        ("TM", "0915", {"valueTime": "09:15:00"}),
        ("DR", "2024^2025", {"valuePeriod": {"start": "2024", "end": "2025"}}),
        ("NR", "1^4", {"valueRange": {"low": {"value": Decimal(1)}, "high": {"value": Decimal(4)}}}),
    ],
)  # fmt: skip
def test_a_value_has_the_form_of_its_type(kind: str, sent: str, value: Json) -> None:
    values, lost, _ = observed(kind, sent)
    assert (values, lost) == (value, [])


def test_a_type_nobody_knows_is_text_and_named() -> None:
    values, lost, _ = observed("XPN", "Doe^Jo")
    assert values == {"valueString": "Doe^Jo"}
    assert lost == ["OBX-2"]


def test_a_value_that_is_blank_says_nothing() -> None:
    values, lost, _ = observed("ST", " ")
    assert (values, lost) == ({}, ["OBX-5"])
