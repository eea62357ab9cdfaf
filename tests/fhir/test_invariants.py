"""The invariants of R4, each with an object that keeps it and one that breaks it; and the quick judge."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.fhir import elements, quick, validate
from connector.fhir.invariants import INVARIANTS
from tests.fhir.test_validate import MESSAGE, OBSERVATION, PATIENT, PLANTED, TRANSACTION, changed, trees

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
CT = "http://terminology.hl7.org/CodeSystem/"


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": CT + system, "code": code}]}


def observation(**more: Any) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


def valued(**quantity: Any) -> Json:
    return observation(valueQuantity=quantity)


def appointment(**more: Any) -> Json:
    said: Json = {"status": "booked", "start": "2026-11-01T10:00:00Z", "end": "2026-11-01T10:30:00Z"}
    participant = {"actor": {"reference": "Patient/p"}, "status": "accepted"}
    said |= {"resourceType": "Appointment", "participant": [participant], **more}
    return {name: value for name, value in said.items() if value is not None}


def allergy(**more: Any) -> Json:
    return {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, **more}


def condition(**more: Any) -> Json:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, **more}


def timed(**repeat: Any) -> Json:
    return request(occurrenceTiming={"repeat": repeat})


def request(**more: Any) -> Json:
    said = {"resourceType": "ServiceRequest", "status": "active", "intent": "order"}
    return {**said, "subject": {"reference": "Patient/p"}, **more}


def administration(**dosage: Any) -> Json:
    said = {"resourceType": "MedicationAdministration", "status": "completed"}
    said |= {"subject": {"reference": "Patient/p"}, "effectiveDateTime": "2026-11-01"}  # type: ignore[dict-item]
    return {**said, "medicationCodeableConcept": {"text": "x"}, "dosage": dosage}


def family(**more: Any) -> Json:
    said = {"resourceType": "FamilyMemberHistory", "status": "completed", "relationship": {"text": "x"}}
    return {**said, "patient": {"reference": "Patient/p"}, **more}


ACTIVE = coded("allergyintolerance-clinical", "active")
WRONG = coded("allergyintolerance-verification", "entered-in-error")
OVER = coded("condition-clinical", "resolved")
AGE = {"value": Decimal(5), "system": UCUM, "code": "a"}

CASES: list[tuple[str, Json, Json]] = [
    ("obs-6", observation(valueString="x"), observation(valueString="x", dataAbsentReason={"text": "y"})),
    (
        "obs-7",
        observation(valueString="x", component=[{"code": coded("a", "b")}]),
        observation(code=coded("a", "b"), valueString="x", component=[{"code": coded("a", "b")}]),
    ),
    ("obs-3", observation(referenceRange=[{"text": "x"}]), observation(referenceRange=[{"id": "x"}])),
    ("pat-1", {**PATIENT, "contact": [{"telecom": [{"id": "x"}]}]}, {**PATIENT, "contact": [{"id": "x"}]}),
    ("prr-1", request(orderDetail=[{"text": "x"}], code={"text": "y"}), request(orderDetail=[{"text": "x"}])),
    ("app-2", appointment(), appointment(end=None, status="proposed")),
    ("app-3", appointment(start=None, end=None, status="cancelled"), appointment(start=None, end=None)),
    (
        "app-4",
        appointment(status="noshow", cancelationReason={"text": "x"}),
        appointment(cancelationReason={"text": "x"}),
    ),
    (
        "app-1",
        appointment(participant=[{"type": [{"text": "x"}], "status": "accepted"}]),
        appointment(participant=[{"status": "accepted"}]),
    ),
    ("ait-1", allergy(clinicalStatus=ACTIVE), allergy()),
    ("ait-2", allergy(verificationStatus=WRONG), allergy(verificationStatus=WRONG, clinicalStatus=ACTIVE)),
    (
        "con-4",
        condition(abatementDateTime="2026", clinicalStatus=OVER),
        condition(abatementDateTime="2026", clinicalStatus=coded("condition-clinical", "active")),
    ),
    (
        "con-5",
        condition(verificationStatus=coded("condition-ver-status", "entered-in-error")),
        condition(verificationStatus=coded("condition-ver-status", "entered-in-error"), clinicalStatus=OVER),
    ),
    ("con-1", condition(stage=[{"summary": {"text": "x"}}]), condition(stage=[{"type": {"text": "x"}}])),
    ("con-2", condition(evidence=[{"code": [{"text": "x"}]}]), condition(evidence=[{"id": "x"}])),
    (
        "org-1",
        {"resourceType": "Organization", "name": "x"},
        {"resourceType": "Organization", "active": True},
    ),
    (
        "org-2",
        {"resourceType": "Organization", "name": "x", "address": [{"use": "work", "city": "x"}]},
        {"resourceType": "Organization", "name": "x", "address": [{"use": "home", "city": "x"}]},
    ),
    (
        "org-3",
        {"resourceType": "Organization", "name": "x", "telecom": [{"use": "work"}]},
        {"resourceType": "Organization", "name": "x", "telecom": [{"use": "home"}]},
    ),
    (
        "mdd-1",
        {"resourceType": "MedicationDispense", "status": "completed", "medicationReference": {"display": "x"}}
        | {"whenPrepared": "2026-11-01", "whenHandedOver": "2026-11-02"},
        {"resourceType": "MedicationDispense", "status": "completed", "medicationReference": {"display": "x"}}
        | {"whenPrepared": "2026-11-02", "whenHandedOver": "2026-11-01"},
    ),
    ("mad-1", administration(dose={"value": 1}), administration(text="x")),
    ("fhs-1", family(ageString="5"), family(ageString="5", bornDate="2020")),
    ("fhs-2", family(ageString="5", estimatedAge=True), family(estimatedAge=True)),
    ("qty-3", valued(value=1, code="mg", system=UCUM), valued(value=1, code="mg")),
    ("age-1", family(ageAge=AGE), family(ageAge={**AGE, "value": 0})),
    (
        "rng-2",
        observation(valueRange={"low": {"value": 1}, "high": {"value": 2}}),
        observation(valueRange={"low": {"value": 3}, "high": {"value": 2}}),
    ),
    (
        "rat-1",
        observation(valueRatio={"numerator": {"value": 1}, "denominator": {"value": 2}}),
        observation(valueRatio={"numerator": {"value": 1}}),
    ),
    (
        "cpt-2",
        {**PATIENT, "telecom": [{"system": "phone", "value": "1"}]},
        {**PATIENT, "telecom": [{"value": "1"}]},
    ),
    ("tim-1", timed(duration=1, durationUnit="h"), timed(duration=1)),
    ("tim-2", timed(period=1, periodUnit="h"), timed(period=1)),
    ("tim-5", timed(period=0, periodUnit="h"), timed(period=-1, periodUnit="h")),
    ("tim-8", timed(count=1, countMax=2), timed(countMax=2)),
    ("tim-9", timed(offset=5, when=["ACM"]), timed(offset=5, when=["C"])),
    ("tim-10", timed(when=["ACM"]), timed(when=["ACM"], timeOfDay=["10:00:00"])),
]  # fmt: skip


@pytest.mark.parametrize(("key", "kept", "broken"), CASES, ids=[key for key, *_ in CASES])
def test_each_invariant_lets_the_good_pass_and_finds_the_broken(key: str, kept: Json, broken: Json) -> None:
    assert validate.fast(kept) == []
    assert len(validate.fast(broken)) == 1
    assert not quick.good(broken)


def test_every_invariant_is_of_a_type_that_exists() -> None:
    for kind, listed in INVARIANTS.items():
        shape = elements.shape(kind)
        assert shape is not None, kind
        named = {element.path_name for element in shape.elements.values()}
        assert {one.at for one in listed} - {""} <= named, kind


@pytest.mark.parametrize(
    ("contained", "general"),
    [
        ([{"resourceType": "Organization", "id": "o", "name": "x"}], "#p"),
        ([{"resourceType": "Organization", "id": "o", "name": "x", "meta": {"versionId": "1"}}], "#o"),
        ([], "#o"),
    ],
)
def test_what_is_contained_is_referred_to_and_has_no_version(contained: list[Json], general: str) -> None:
    said = {"resourceType": "Patient", "generalPractitioner": [{"reference": general}]}
    assert validate.fast(said | ({"contained": contained} if contained else {})) != []


# --- the quick judge ---------------------------------------------------------------------------------------


GOOD = [OBSERVATION, *(kept for _, kept, _ in CASES if "contained" not in kept)]


@pytest.mark.parametrize("resource", GOOD)
def test_the_quick_judge_knows_a_good_resource(resource: Json) -> None:
    assert quick.good(resource)


def test_the_quick_judge_knows_what_stands_beside_one_of_several_values() -> None:
    beside = {"extension": [{"url": "http://x.org/kept", "valueCode": "DA"}]}
    allergy = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "patient": {"reference": "Patient/p"},
        "category": ["medication", "food"],
        "_category": [None, beside],
    }
    assert quick.good(allergy)
    assert not quick.good(allergy | {"_category": [None, {}]})
    assert not quick.good(allergy | {"_category": []})


@pytest.mark.parametrize(("resource", "path", "value", "location"), PLANTED)
def test_the_quick_judge_passes_no_planted_fault(
    resource: Json, path: tuple[Any, ...], value: Any, location: str
) -> None:
    assert not quick.good(changed(resource, path, value))


_BASES = [PATIENT, OBSERVATION, TRANSACTION, MESSAGE, *(kept for _, kept, _ in CASES)]


@given(st.sampled_from(_BASES), st.randoms(use_true_random=False), trees)
def test_what_the_quick_judge_passes_the_careful_one_passes(base: Json, random: Any, tree: Any) -> None:
    path: list[Any] = []
    node: Any = base
    while isinstance(node, (dict, list)) and node and (not path or random.randrange(3)):
        key = random.choice([*node]) if isinstance(node, dict) else random.randrange(len(node))
        path.append(key)
        node = node[key]
    for value in (tree, " ", "\u2003", "a\nb", True, 0, "x y", {"reference": "#x"}, "Patient/1/_history/2"):
        told = changed(base, tuple(path), value)
        if quick.good(told):
            assert list(validate.carefully(told)) == []
