"""References: their forms, where they are, and what they resolve to."""

from __future__ import annotations

from typing import Any

import pytest

from connector.fhir import references
from connector.fhir.references import Target

UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"fullUrl": "https://a.test/fhir/Patient/p1", "resource": {"resourceType": "Patient", "id": "p1"}},
        {"fullUrl": UUID, "resource": {"resourceType": "Practitioner"}},
        {
            "resource": {
                "resourceType": "Observation",
                "id": "o1",
                "contained": [{"resourceType": "Specimen", "id": "s"}],
                "subject": {"reference": "Patient/p1"},
                "performer": [{"reference": UUID}, {"reference": "Practitioner/gone"}, {"display": "none"}],
                "specimen": {"reference": "#s"},
                "device": {"reference": "#gone"},
                "encounter": {"reference": "https://other.test/Encounter/1"},
                "basedOn": [{"reference": "ServiceRequest?identifier=a|b"}],
            }
        },
    ],
}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Patient/p1", Target("relative", "Patient", "p1", "")),
        ("Patient/p1/_history/3", Target("relative", "Patient", "p1", "3")),
        ("https://a.test/fhir/Patient/p1", Target("absolute", "Patient", "p1", "")),
        ("https://a.test/fhir/Patient/p1/_history/2", Target("absolute", "Patient", "p1", "2")),
        ("https://a.test/anything", Target("absolute")),
        (UUID, Target("urn")),
        ("urn:oid:1.2.3", Target("urn")),
        ("#x", Target("fragment", id="x")),
        ("#", Target("fragment")),
        ("Patient?identifier=a|b", Target("search", "Patient")),
    ],
)
def test_the_forms_of_a_reference(text: str, target: Target) -> None:
    assert references.parse(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p1",
        "patient/p1",
        "Patient/",
        "Patient/a b",
        "/Patient/p1",
        "Patient/p1/",
        "ftp://a/b",
        "urn:uuid:X",
        "javascript:1",
    ],
)
def test_other_texts_are_no_reference(text: str) -> None:
    assert references.parse(text) is None


def test_walking_finds_every_reference_with_its_path() -> None:
    found = dict(references.walk(BUNDLE["entry"][2]["resource"]))
    assert found["Observation.subject"] == {"reference": "Patient/p1"}
    assert found["Observation.performer[1]"]["reference"] == "Practitioner/gone"
    assert len(found) == 7


def test_walking_gives_the_element_itself_to_change() -> None:
    resource = {"resourceType": "Observation", "subject": {"reference": "Patient/a"}}
    for _, element in references.walk(resource):
        element["reference"] = "Patient/b"
    assert resource["subject"] == {"reference": "Patient/b"}


def test_a_bundle_is_walked_from_its_entries() -> None:
    assert "Bundle.entry[2].resource.specimen" in dict(references.walk(BUNDLE))


def test_resolving_by_type_and_id_by_full_url_and_by_urn() -> None:
    known = references.index(BUNDLE)
    patient = BUNDLE["entry"][0]["resource"]
    assert references.resolve("Patient/p1", known) is patient
    assert references.resolve("Patient/p1/_history/7", known) is patient
    assert references.resolve("https://a.test/fhir/Patient/p1", known) is patient
    assert references.resolve(UUID, known) is BUNDLE["entry"][1]["resource"]
    assert references.resolve("https://other.test/Patient/p1", known) is None


def test_unresolved_references_are_listed_by_place() -> None:
    assert [error.location for error in references.unresolved(BUNDLE)] == [
        "Bundle.entry[2].resource.performer[1].reference",
        "Bundle.entry[2].resource.device.reference",
    ]


def test_what_is_known_elsewhere_resolves() -> None:
    known = {"Practitioner/gone": {"resourceType": "Practitioner"}}
    assert len(references.unresolved(BUNDLE, known)) == 1
