"""Fields of the guide that one resource says in an element of its own; each with its way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type
from tests.shipped import TRANSLATOR as MADE

SD = "http://hl7.org/fhir/StructureDefinition/"
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/"
PID = "PID|||1^^^H^MR"


def at(name: str, number: int, text: str) -> str:
    """A segment with one field."""
    return "|".join((name, *[""] * (number - 1), text))


@pytest.mark.parametrize(
    ("segments", "kind", "element", "value"),
    [
        (("OBR|1||F|P^^LN||S",), "ServiceRequest", "priority", None),
        (("OBR|1||F|P^^LN|S",), "ServiceRequest", "priority", "stat"),
        (("PV1||I", at("PV2", 1, "W9")), "Encounter", "location", "planned"),
        (("DG1|1||J18.9^^I10",), "Condition", "verificationStatus", None),
        ((at("DG1", 21, "D"),), "Condition", "verificationStatus", "entered-in-error"),
        (("ORC|RE|||G7^HIS", "OBR|1||F|P^^LN"), "ServiceRequest", "requisition", "G7"),
        ((at("IN1", 49, "S-1^^^NAV"),), "Coverage", "extension", R5 + "extension-subscriberId"),
        ((at("OBX", 10, "A"),), "Observation", "extension", SD + "observation-nature-of-abnormal-test"),
    ],
)  # fmt: skip
def test_a_field_is_said_and_comes_back(
    segments: tuple[str, ...], kind: str, element: str, value: Any
) -> None:
    event = "ORU^R01" if any(one.startswith("OB") for one in segments) else "ADT^A01"
    resource = of_type(lawful(MADE, message(PID, *segments, event=event)), kind)[0]
    assert _word(resource, element) == value


def _word(resource: Json, element: str) -> Any:
    found = resource.get(element)
    found = found[0] if isinstance(found, list) else found
    if not isinstance(found, dict):
        return found
    coding = (found.get("coding") or [{}])[0].get("code")
    return found.get("url") or found.get("status") or found.get("value") or coding


def test_a_tribe_is_a_citizenship_too() -> None:
    patient = of_type(lawful(MADE, message("PID|||1" + "|" * 36 + "NAV^Navajo^L")), "Patient")[0]
    assert patient["extension"][0]["url"] == SD + "patient-citizenship"


@pytest.mark.parametrize("action", ["A", "U"])
def test_a_diagnosis_that_is_added_or_updated_is_not_taken_back(action: str) -> None:
    made = MADE.to_fhir(message(PID, "DG1|1||J18.9^^I10" + "|" * 18 + action))
    assert made.lost == ["DG1-21"]
