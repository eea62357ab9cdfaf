"""The quick judge finds planted faults, names their place and never a value; the models judge again."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import RequiredElementMissing
from connector.fhir import elements, validate

SECRET = "Everywoman"

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "123"}],
    "name": [{"family": SECRET, "given": ["Eve", "E."]}],
    "gender": "female",
    "birthDate": "1962-03-20",
    "_birthDate": {"extension": [{"url": "http://x.test/time", "valueDateTime": "1962-03-20T10:00:00Z"}]},
    "contact": [{"name": {"family": SECRET}}],
    "managingOrganization": {"reference": "Organization/o1"},
    "generalPractitioner": [{"reference": "#o"}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Lab"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-02-29T10:00:00.5+02:00",
    "issued": "2024-02-29T10:00:00Z",
    "valueQuantity": {"value": Decimal("0.40"), "unit": "g/dl"},
    "component": [{"code": {"text": "a"}, "valueString": "b"}],
}
TRANSACTION: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "https://x.test/Patient/p1",
            "resource": PATIENT,
            "request": {"method": "PUT", "url": "Patient/p1"},
        },
        {"resource": OBSERVATION, "request": {"method": "POST", "url": "Observation"}},
        {"request": {"method": "DELETE", "url": "Observation/o9"}},
    ],
}
MESSAGE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "message",
    "entry": [
        {
            "resource": {
                "resourceType": "MessageHeader",
                "eventCoding": {"code": "A08"},
                "source": {"endpoint": "urn:oid:1.2"},
            }
        },
        {"resource": PATIENT},
    ],
}
DROP = object()


def changed(resource: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with one place set to a value (or dropped)."""
    found = copy.deepcopy(resource)
    node: Any = found
    for step in path[:-1]:
        node = node[step]
    if value is DROP:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return found


def locations(resource: Any) -> list[str]:
    return [error.location for error in validate.fast(resource)]


@pytest.mark.parametrize("resource", [PATIENT, OBSERVATION, TRANSACTION, MESSAGE])
def test_a_good_resource_has_no_faults(resource: dict[str, Any]) -> None:
    assert validate.fast(resource) == []
    assert validate.models(resource) == []


PLANTED = [
    (PATIENT, ("resourceType",), "Person2", "resourceType"),
    (PATIENT, ("resourceType",), "Resource", "resourceType"),
    (PATIENT, ("id",), "a b", "Patient.id"),
    (PATIENT, ("id",), "x" * 65, "Patient.id"),
    (PATIENT, ("gender",), "banana", "Patient.gender"),
    (PATIENT, ("gender",), ["female"], "Patient.gender"),
    (PATIENT, ("gender",), None, "Patient.gender"),
    (PATIENT, ("birthDate",), "20.3.1962", "Patient.birthDate"),
    (PATIENT, ("birthDate",), "1962-02-30", "Patient.birthDate"),
    (PATIENT, ("birthDate",), "1962-13", "Patient.birthDate"),
    (PATIENT, ("birthDate",), "1962-03-20T10:00:00Z", "Patient.birthDate"),
    (PATIENT, ("birthDate",), "٢٠٢٤", "Patient.birthDate"),
    (PATIENT, ("name", 0, "family"), "", "Patient.name[0].family"),
    (PATIENT, ("name", 0, "family"), "  ", "Patient.name[0].family"),
    (PATIENT, ("name", 0, "family"), "a\x00b", "Patient.name[0].family"),
    (PATIENT, ("name", 0, "family"), 5, "Patient.name[0].family"),
    (PATIENT, ("name", 0, "given"), [], "Patient.name[0].given"),
    (PATIENT, ("name", 0, "given"), "Eve", "Patient.name[0].given"),
    (PATIENT, ("name", 0, "given", 1), None, "Patient.name[0].given[1]"),
    (PATIENT, ("name", 0), {}, "Patient.name[0]"),
    (PATIENT, ("name", 0), None, "Patient.name[0]"),
    (PATIENT, ("name",), {"family": "x"}, "Patient.name"),
    (PATIENT, ("nmae",), [{"family": "x"}], "Patient"),
    (PATIENT, ("_name",), [{"id": "x"}], "Patient"),
    (PATIENT, ("_birthDate",), {}, "Patient.birthDate"),
    (PATIENT, ("_birthDate",), {"value": "x"}, "Patient.birthDate"),
    (PATIENT, ("_birthDate", "extension", 0, "url"), DROP, "Patient.birthDate.extension[0].url"),
    (PATIENT, ("_birthDate", "extension", 0, "valueDateTime"), DROP, "Patient.birthDate.extension[0]"),
    (PATIENT, ("contact", 0, "name"), DROP, "Patient.contact[0]"),
    (
        PATIENT,
        ("contact", 0, "period"),
        {"start": "2024-03-01", "end": "2024-02"},
        "Patient.contact[0].period",
    ),
    (PATIENT, ("deceasedBoolean",), "true", "Patient.deceased"),
    (PATIENT, ("multipleBirthInteger",), True, "Patient.multipleBirth"),
    (PATIENT, ("multipleBirthInteger",), Decimal("1.0"), "Patient.multipleBirth"),
    (
        PATIENT,
        ("managingOrganization",),
        {"reference": "Patient/p1"},
        "Patient.managingOrganization.reference",
    ),
    (PATIENT, ("managingOrganization",), {"reference": "o1"}, "Patient.managingOrganization.reference"),
    (
        PATIENT,
        ("managingOrganization",),
        {"reference": "Organization/"},
        "Patient.managingOrganization.reference",
    ),
    (PATIENT, ("managingOrganization",), "Organization/o1", "Patient.managingOrganization"),
    (PATIENT, ("contained", 0, "contained"), [{"resourceType": "Basic"}], "Patient.contained[0].contained"),
    (PATIENT, ("contained", 0, "resourceType"), DROP, "Patient.contained[0]"),
    (OBSERVATION, ("status",), DROP, "Observation.status"),
    (OBSERVATION, ("status",), "done", "Observation.status"),
    (OBSERVATION, ("code",), DROP, "Observation.code"),
    (OBSERVATION, ("component", 0, "code"), DROP, "Observation.component[0].code"),
    (OBSERVATION, ("issued",), "2024-02-29", "Observation.issued"),
    (OBSERVATION, ("issued",), "2024-02-29T10:00:00", "Observation.issued"),
    (OBSERVATION, ("effectiveDateTime",), "2023-02-29T10:00:00Z", "Observation.effective"),
    (OBSERVATION, ("effectiveDateTime",), "2024-02-29T10:00Z", "Observation.effective"),
    (OBSERVATION, ("effectiveDateTime",), "2024-02-29T10:00:00+15:00", "Observation.effective"),
    (OBSERVATION, ("valueString",), "x", "Observation.value"),
    (OBSERVATION, ("valueQuantity", "value"), "0.40", "Observation.value.value"),
    (OBSERVATION, ("dataAbsentReason",), {"text": "x"}, "Observation.dataAbsentReason"),
    (TRANSACTION, ("entry", 0, "resource", "birthDate"), "x", "Bundle.entry[0].resource.birthDate"),
    (TRANSACTION, ("entry", 1, "request"), DROP, "Bundle.entry[1].request"),
    (TRANSACTION, ("entry", 1, "resource"), DROP, "Bundle.entry[1].resource"),
    (TRANSACTION, ("entry", 0, "request", "url"), "Patient/p2", "Bundle.entry[0].request.url"),
    (TRANSACTION, ("entry", 0, "request", "method"), "put", "Bundle.entry[0].request.method"),
    (TRANSACTION, ("entry", 1, "fullUrl"), "https://x.test/Patient/p1", "Bundle.entry[1].fullUrl"),
    (TRANSACTION, ("type",), DROP, "Bundle.type"),
    (MESSAGE, ("entry", 0), {"resource": PATIENT}, "Bundle.entry[0].resource"),
]


@pytest.mark.parametrize(("resource", "path", "value", "location"), PLANTED)
def test_a_planted_fault_is_found_at_its_place(
    resource: dict[str, Any], path: tuple[Any, ...], value: Any, location: str
) -> None:
    errors = validate.fast(changed(resource, path, value))
    assert location in [error.location for error in errors]
    assert not any(SECRET in str(error) for error in errors)


def test_a_missing_element_is_told_from_a_wrong_one() -> None:
    [error] = validate.fast(changed(OBSERVATION, ("status",), DROP))
    assert isinstance(error, RequiredElementMissing)


def test_a_required_element_may_be_there_by_its_extension_alone() -> None:
    absent = {"extension": [{"url": "http://x.test/absent", "valueCode": "unknown"}]}
    assert locations({**changed(OBSERVATION, ("status",), DROP), "_status": absent}) == []


def test_null_holds_the_place_of_a_repetition_with_extensions_only() -> None:
    name = {
        "given": [None, "E."],
        "_given": [{"extension": [{"url": "http://x.test/a", "valueCode": "u"}]}, None],
    }
    assert locations({"resourceType": "Patient", "name": [name]}) == []


@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"resourceType": 5}, {"resourceType": ["Patient"]}])
def test_what_is_no_resource_is_one_fault(body: Any) -> None:
    assert len(validate.fast(body)) == 1


def test_the_findings_are_limited() -> None:
    entry = [{"resource": {"resourceType": "Observation"}}] * 1000
    found = validate.fast({"resourceType": "Bundle", "type": "collection", "entry": entry})
    assert len(found) == validate.MAX_FINDINGS


def test_a_period_over_a_change_of_offset_is_not_called_backwards() -> None:
    period = {"start": "2024-03-02T00:30:00+05:00", "end": "2024-03-01T22:00:00+00:00"}
    assert locations(changed(PATIENT, ("contact", 0, "period"), period)) == []


def test_every_row_of_the_tables_names_a_type_that_exists() -> None:
    from connector.fhir.primitives import CHECKS

    todo, seen = list(elements.resource_types()), set()
    while todo:
        kind = todo.pop()
        if kind in seen or kind in CHECKS or kind == "Resource":
            continue
        seen.add(kind)
        shape = elements.shape(kind)
        assert shape is not None, kind
        todo.extend(element.type for element in shape.elements.values())
    assert len(elements.resource_types()) == 146


keys = st.sampled_from(
    ["resourceType", "id", "name", "_name", "entry", "resource", "type", "extension", "url", "value"]
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5) | st.just("Patient"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=4)
    ),
)


@settings(deadline=None)  # the machine may be busy
@given(trees, st.sampled_from(["Patient", "Bundle", "Observation", "Provenance"]))
def test_no_json_makes_the_judge_fail(tree: Any, kind: str) -> None:
    validate.fast(tree)
    validate.fast(
        {**tree, "resourceType": kind} if isinstance(tree, dict) else {"resourceType": kind, "name": tree}
    )


MODEL_FAULTS = [
    (PATIENT, ("birthDate",), SECRET, "Patient.birthDate"),
    (PATIENT, ("name", 0, "family"), 5, "Patient.name[0].family"),
    (PATIENT, (SECRET,), "x", "Patient"),
    (PATIENT, ("deceasedBoolean",), SECRET, "Patient.deceased"),
    (OBSERVATION, ("component", 0, "code"), DROP, "Observation.component[0].code"),
    (OBSERVATION, ("valueString",), SECRET, "Observation"),
    (TRANSACTION, ("entry", 0, "resource", "birthDate"), SECRET, "Bundle.entry[0].resource.birthDate"),
    (TRANSACTION, ("entry", 0, "resource", "resourceType"), SECRET, "Bundle"),
]


@pytest.mark.parametrize(("resource", "path", "value", "location"), MODEL_FAULTS)
def test_the_models_name_the_place_and_no_value(
    resource: dict[str, Any], path: tuple[Any, ...], value: Any, location: str
) -> None:
    errors = validate.models(changed(resource, path, value))
    assert location in [error.location for error in errors]
    assert not any(SECRET in f"{error} {error.args}" for error in errors)
    assert all(error.__context__ is None for error in errors)


def test_the_models_take_what_stands_beside_the_value_of_an_extension() -> None:
    beside = {"url": "https://example.org/u", "valueCode": "a", "_valueCode": {"id": "b"}}
    assert validate.models(PATIENT | {"extension": [beside]}) == []
    assert validate.models(PATIENT | {"extension": [{"url": "https://example.org/u", "_worth": {}}]}) != []
