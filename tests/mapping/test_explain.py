from __future__ import annotations

from pathlib import Path

import pytest

from connector.mapping.explain import Explained
from connector.mapping.naming import fhir_place, names_of, v2_place
from connector.mapping.saying import walk
from tests.mapping.profiles import message, only, translator
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||123^^^STV^MR~9^^^O^PI||Moe&van^Jo^Al||19610615|F|||Lane 5^^Wien||555|||M^Married|||123-45-6789"
VISIT = "PV1|1|I|WARD^1^2||||D1^House^Greg"
RESULT = (
    "OBR|1|P1|F1|GLU", "OBX|1|NM|GLU^Glucose^LN||5.4|mmol/L^^UCUM|||||F", "NTE|1||note", "OBX|2|ST|K||low",
)  # fmt: skip


def _by_element(explained: list[Explained]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for one in explained:
        found.setdefault(one.element, []).append((one.location, one.row))
    return found


def test_a_component_is_named_with_its_row() -> None:
    found = _by_element(MADE.explain(message(PID)))
    assert found["Patient.name[0].given[0]"] == [("PID-5.2", "PID-5 XPN.2 -> HumanName.given")]
    assert found["Patient.name[0].given[1]"] == [("PID-5.3", "PID-5 XPN.3 -> HumanName.given")]
    assert found["Patient.name[0].family"] == [("PID-5.1.1", "PID-5 XPN.1.1 -> HumanName.family")]
    assert found["Patient.identifier[1].value"] == [("PID-3(2).1", "PID-3 CX.1 -> Identifier.value")]
    assert found["Patient.birthDate"] == [("PID-7", "PID-7 TS.1 -> Patient.birthDate")]


@pytest.mark.parametrize(
    ("element", "location"),
    [
        ("Patient.maritalStatus.coding[0].code", "PID-16.1"),
        ("Patient.maritalStatus.coding[0].display", "PID-16.2"),
        ("Location[1].identifier[0].value", "PV1-3.2"),
        ("Location[1].partOf.reference", "PV1-3.2"),
        ("Practitioner.name[0].family", "PV1-7.2"),
        ("Encounter.participant[0].individual.reference", "PV1-7.1"),
        ("Encounter.subject.reference", "PID"),
        ("Observation[0].note[0].text", "NTE-3"),
        ("Observation[1].valueString", "OBX[2]-5"),
        ("DiagnosticReport.result[1].reference", "OBX[2]"),
        ("Bundle.identifier.value", "MSH-10"),
        ("Encounter.status", ""),
        ("ServiceRequest.intent", ""),
    ],
)
def test_each_kind_of_row_names_its_place(element: str, location: str) -> None:
    found = _by_element(MADE.explain(message(PID, VISIT, *RESULT, event="ORU^R01")))
    assert [where for where, _ in found[element]] == [location]


def test_a_value_comes_from_its_type_too() -> None:
    found = _by_element(MADE.explain(message(PID, *RESULT, event="ORU^R01")))
    assert [where for where, _ in found["Observation[0].valueQuantity.value"]] == ["OBX-2", "OBX-5"]
    assert [where for where, _ in found["Observation[0].valueQuantity.code"]] == ["OBX-6"]


def test_constants_and_defaults_are_told_apart_from_what_was_sent() -> None:
    found = _by_element(MADE.explain(message(PID, VISIT, *RESULT, event="ORU^R01")))
    assert found["Patient.identifier[2].system"][0][1].endswith("(constant)")
    assert found["Encounter.location[0].status"] == [
        ("PV1-3", "PV1-3 PL -> Encounter.location.status (constant)")
    ]
    assert found["ServiceRequest.intent"] == [("", "default -> ServiceRequest.intent")]
    assert found["Encounter.status"] == [("", "follows from other elements")]


def test_an_element_of_a_diagnosis_stands_in_the_visit() -> None:
    found = _by_element(MADE.explain(message(PID, VISIT, "DG1|1||J10^Flu^I10|||A", "DG1|2||J11|||F")))
    assert found["Encounter.diagnosis[1].use.coding[0].code"][0][0] == "DG1[2]-6"
    assert found["Encounter.diagnosis[1].condition.reference"][0][0] == "DG1[2]"


def test_every_primitive_of_the_bundle_is_explained_and_every_location_exists() -> None:
    text = message(PID, VISIT, *RESULT, event="ORU^R01")
    bundle = MADE.to_fhir(text).bundle
    resources = {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}
    names = names_of(resources)
    wanted = {f"{names[key]}.{path}" for key, resource in resources.items() for path, _ in walk(resource)}
    explained = MADE.explain(text)
    assert wanted <= {one.element for one in explained}
    assert {one.element for one in explained} - wanted == {"Bundle.timestamp", "Bundle.identifier.value"}
    segments = [line[:3] for line in text.split("\r")]
    assert all(one.location[:3] in segments for one in explained if one.location)


def test_what_a_profile_adds_and_assumes_is_said(tmp_path: Path) -> None:
    toml = """
    [mapping.default]
    "PV1-2" = "I"
    [[mapping.identifier]]
    from = "ZPI-5"
    to = "Patient"
    system = "urn:oid:1.2.3"
    """
    found = _by_element(translator(tmp_path, toml).explain(message(PID, "ZPI|||||L", "PV1|1||WARD")))
    assert found["Patient.identifier[3].value"] == [("ZPI-5", "ZPI-5.1 -> Patient.identifier.value")]
    assert found["Encounter.class.code"] == [("PV1-2", "PV1-2 IS -> Coding.code (assumed by the profile)")]


def test_what_stands_in_fhir_is_not_said_to_come_from_v2() -> None:
    patient = only(MADE.to_fhir(message(PID)).bundle, "Patient")
    patient["telecom"].insert(0, {"use": "work", "value": "555-2"})
    found = _by_element(MADE.explain(message("PID|||123^^^STV^MR||Moe^Jo||||||||555"), [patient]))
    assert found["Patient.name[0].given[0]"] == [("PID-5.2", "PID-5 XPN.2 -> HumanName.given")]
    assert found["Patient.telecom[1].value"] == [("PID-13", "PID-13 XTN.1 -> ContactPoint.value")]
    assert found["Patient.telecom[0].value"] == [("", "stands in FHIR")]
    assert found["Patient.gender"] == [("", "stands in FHIR")]


def test_the_way_to_v2_is_explained_part_by_part() -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Moe", "given": ["Jo"]}],
        "gender": "female",
        "identifier": [{"system": "urn:id:STV", "value": "1"}],
    }
    explained = MADE.explain(patient)
    found = {one.location: (one.element, one.row) for one in explained}
    assert found["PID-5.1"] == ("Patient.name[0].family", "HumanName.family -> PID-5 XPN.1")
    assert found["PID-8"] == ("Patient.gender", "Patient.gender -> PID-8 IS")
    assert found["PID-3.1"][0] == "Patient.identifier[0].value"
    assert found["MSH-12"][0] == ""
    assert [one.location for one in explained][:2] == ["MSH-1", "MSH-2"]
    assert str(explained[-1]).startswith("PV1-2 ")


def test_the_way_to_v2_names_resources_as_the_bundle_does() -> None:
    bundle = MADE.to_fhir(message(PID, VISIT, *RESULT, event="ORU^R01")).bundle
    found = {one.location: one.element for one in MADE.explain(bundle)}
    assert found["OBX[2]-5"] == "Observation[1].valueString"
    assert found["OBX-6.3"].startswith("Observation[0].valueQuantity.")


def test_people_read_types_where_the_standards_know_them() -> None:
    assert v2_place("PID", "-5.1", "2.5.1") == "PID-5 XPN.1"
    assert v2_place("ZPI", "-5.1", "2.5.1") == "ZPI-5.1"
    assert v2_place("PID", "-8", "9.9") == "PID-8 CWE"
    assert fhir_place("Patient", "name", "family") == "HumanName.family"
    assert fhir_place("Encounter", "", "class.code") == "Encounter.class.code"
    assert (
        fhir_place("Encounter", "location", "location.reference", "Location/x")
        == "Location.location.reference"
    )
