from __future__ import annotations

from typing import Any

import pytest

from connector.errors import NotTranslatable
from connector.mapping.messages.changes import rules
from connector.pipeline import changes
from connector.pipeline.changes import Change, plan, read

Json = dict[str, Any]

RULES = rules(
    {
        "Encounter.create": "ADT^A01",
        "Encounter.finished": "ADT^A03",
        "Encounter.update": "ADT^A08",
        "Patient.create": "ADT^A28",
        "Patient.update": "ADT^A08",
        "Flag.update": "",
    }
)
PATIENT: Json = {"resourceType": "Patient", "id": "p1", "birthDate": "1961-06-15"}
VISIT: Json = {
    "resourceType": "Encounter", "id": "e1", "status": "in-progress", "subject": {"reference": "Patient/p1"},
}  # fmt: skip
OTHER: Json = {**VISIT, "id": "e2", "subject": {"reference": "Patient/p2"}}


def _put(*resources: Json) -> Json:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _planned(content: Json, before: Json | None = None) -> list[tuple[str, str]]:
    asked = read(content, "", "", "fresh")
    return [(one.event, one.focus) for one in plan(asked, before or {}, RULES)]


def _before(*resources: Json) -> dict[str, Json]:
    return {f"{one['resourceType']}/{one['id']}": one for one in resources}


def test_a_resource_seen_for_the_first_time_is_a_create() -> None:
    assert _planned(_put(PATIENT)) == [("ADT^A28", "Patient/p1")]


def test_a_resource_known_before_is_an_update() -> None:
    changed = {**PATIENT, "birthDate": "1961-06-16"}
    assert _planned(_put(changed), _before(PATIENT)) == [("ADT^A08", "Patient/p1")]


def test_an_echo_of_what_is_known_makes_no_message() -> None:
    echo = {**PATIENT, "meta": {"versionId": "7", "lastUpdated": "2026-11-23T10:00:00Z"}}
    assert _planned(_put(echo), _before(PATIENT)) == []


def test_an_echo_in_another_order_of_members_is_still_an_echo() -> None:
    assert _planned(_put(dict(reversed(PATIENT.items()))), _before(PATIENT)) == []


def test_a_tag_in_meta_is_a_change() -> None:
    tagged = {**PATIENT, "meta": {"tag": [{"code": "x"}]}}
    assert _planned(_put(tagged), _before(PATIENT)) == [("ADT^A08", "Patient/p1")]


def test_entering_a_status_has_its_own_event() -> None:
    finished = {**VISIT, "status": "finished"}
    assert _planned(_put(finished), _before(VISIT)) == [("ADT^A03", "Encounter/e1")]


def test_staying_in_a_status_falls_to_the_next_rule() -> None:
    finished = {**VISIT, "status": "finished"}
    later = {**finished, "period": {"end": "2026-11-23"}}
    assert _planned(_put(later), _before(finished)) == [("ADT^A08", "Encounter/e1")]


def test_a_visit_speaks_for_its_patient() -> None:
    assert _planned(_put(PATIENT, VISIT)) == [("ADT^A01", "Encounter/e1")]


def test_visits_of_two_patients_are_two_messages_and_carry_their_own() -> None:
    second = {**PATIENT, "id": "p2"}
    asked = read(_put(PATIENT, VISIT, second, OTHER), "", "", "fresh")
    planned = plan(asked, {}, RULES)
    carried = [[change.key for change in one.changes] for one in planned]
    assert carried == [["Patient/p1", "Encounter/e1"], ["Patient/p2", "Encounter/e2"]]


def test_two_visits_of_one_patient_do_not_stand_in_one_message() -> None:
    again = {**VISIT, "id": "e3"}
    planned = plan(read(_put(PATIENT, VISIT, again), "", "", "fresh"), {}, RULES)
    assert [[change.key for change in one.changes] for one in planned] == [
        ["Patient/p1", "Encounter/e1"],
        ["Patient/p1", "Encounter/e3"],
    ]


def test_a_common_practitioner_does_not_join_two_patients() -> None:
    doctor = {"reference": "Practitioner/d1"}
    first = {**PATIENT, "generalPractitioner": [doctor]}
    second = {**PATIENT, "id": "p2", "generalPractitioner": [doctor]}
    assert len(_planned(_put(first, second))) == 2


def test_a_report_carries_its_observations_and_refers_by_full_url() -> None:
    report = {"resourceType": "DiagnosticReport", "result": [{"reference": "urn:uuid:o"}]}
    value = {"resourceType": "Observation", "status": "final"}
    entries = [
        {"fullUrl": "urn:uuid:r", "resource": report, "request": {"method": "POST"}},
        {"fullUrl": "urn:uuid:o", "resource": value, "request": {"method": "POST"}},
    ]
    asked = read({"resourceType": "Bundle", "type": "transaction", "entry": entries}, "", "", "fresh")
    assert [change.key for change in asked] == ["DiagnosticReport/fresh", "Observation/fresh-2"]
    assert asked[0].resource is not None
    assert asked[0].resource["result"] == [{"reference": "Observation/fresh-2"}]
    (planned,) = plan(asked, {}, RULES)
    assert (planned.event, planned.family, len(planned.changes)) == ("ORU^R01", "ORU", 2)


def test_a_change_without_a_rule_is_refused_with_its_place() -> None:
    with pytest.raises(NotTranslatable) as refused:
        _planned(_put({"resourceType": "Basic", "id": "b"}))
    assert refused.value.location == "Bundle.entry[0].resource"


def test_what_has_no_rule_rides_along_with_what_has() -> None:
    allergy = {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p1"}}
    (planned,) = plan(read(_put(PATIENT, allergy), "", "", "fresh"), {}, RULES)
    assert len(planned.changes) == 2


def test_a_rule_without_an_event_makes_no_message_and_is_no_refusal() -> None:
    flag = {"resourceType": "Flag", "id": "f", "status": "active"}
    assert _planned(_put(flag), _before({**flag, "status": "inactive"})) == []


def test_a_delete_of_what_is_not_known_changes_nothing() -> None:
    assert plan([Change("Patient/gone", None, "")], {}, RULES) == []


def test_a_delete_without_a_rule_is_refused() -> None:
    with pytest.raises(NotTranslatable):
        plan([Change("Flag/f", None, "")], {"Flag/f": {"resourceType": "Flag", "id": "f"}}, RULES)


def test_one_resource_takes_the_id_of_its_address() -> None:
    (change,) = read({"resourceType": "Patient"}, "update", "Patient/p9", "fresh")
    assert change.key == "Patient/p9"


def test_a_created_resource_without_an_id_gets_a_fresh_one() -> None:
    (change,) = read({"resourceType": "Patient"}, "create", "Patient/", "fresh")
    assert change.key == "Patient/fresh"


def _message(code: str) -> Json:
    header = {"resourceType": "MessageHeader", "eventCoding": {"code": code}}
    return {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [{"resource": header}, {"resource": PATIENT}],
    }


def test_a_message_bundle_names_its_event() -> None:
    assert changes.message_event(_message("A08"), RULES) == "ADT^A08"
    planned = plan(read(_message("A08"), "", "", "fresh"), {}, RULES, "ADT^A08")
    assert [(one.event, one.focus) for one in planned] == [("ADT^A08", "Patient/p1")]


def test_a_message_bundle_with_an_event_that_the_profile_does_not_send_is_refused() -> None:
    with pytest.raises(NotTranslatable):
        changes.message_event(_message("Z99"), RULES)


def test_other_content_names_no_event() -> None:
    assert changes.message_event(PATIENT, RULES) == ""


# --- several families in one submission ---------------------------------------------------------------------


def _about(kind: str, name: str, **more: Any) -> Json:
    patient = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
    return {"resourceType": kind, "id": name, patient: {"reference": "Patient/p1"}, **more}


def _carried(*resources: Json) -> dict[str, list[str]]:
    asked = read(_put(*resources), "", "", "fresh")
    return {one.event: [change.key for change in one.changes] for one in plan(asked, {}, RULES)}


def test_each_family_has_its_message_and_only_patient_and_visit_stand_in_both() -> None:
    vaccine = _about("Immunization", "i1", status="completed")
    assert _carried(PATIENT, VISIT, vaccine) == {
        "ADT^A01": ["Patient/p1", "Encounter/e1"],
        "VXU^V04": ["Patient/p1", "Encounter/e1", "Immunization/i1"],
    }


def test_an_order_that_comes_with_its_result_has_no_message_of_its_own() -> None:
    order = _about("ServiceRequest", "s1", status="active")
    report = _about("DiagnosticReport", "r1", basedOn=[{"reference": "ServiceRequest/s1"}])
    assert _carried(order, report) == {"ORU^R01": ["ServiceRequest/s1", "DiagnosticReport/r1"]}


def test_what_a_message_refers_to_is_told_in_it_too() -> None:
    order = _about("ServiceRequest", "s1", status="active")
    slot = _about("Appointment", "a1", status="booked", basedOn=[{"reference": "ServiceRequest/s1"}])
    assert _carried(order, slot) == {
        "OMG^O19": ["ServiceRequest/s1"],
        "SIU^S12": ["ServiceRequest/s1", "Appointment/a1"],
    }


def test_problems_that_came_and_problems_that_changed_are_two_messages() -> None:
    listed = {"category": [{"coding": [{"code": "problem-list-item"}]}]}
    problems = [_about("Condition", name, **listed) for name in ("c1", "c2", "c3")]
    asked = read(_put(*problems), "", "", "fresh")
    before = _before({**problems[1], "code": {"text": "other"}})
    planned = {one.event: [change.key for change in one.changes] for one in plan(asked, before, RULES)}
    assert planned == {"PPR^PC1": ["Condition/c1", "Condition/c3"], "PPR^PC2": ["Condition/c2"]}


def test_a_merge_is_one_message_of_both_patients() -> None:
    there = {**PATIENT, "id": "old"}
    old = {**there, "active": False, "link": [{"type": "replaced-by", "other": {"reference": "Patient/p1"}}]}
    new = {**PATIENT, "link": [{"type": "replaces", "other": {"reference": "Patient/old"}}]}
    asked = read(_put(new, old), "", "", "fresh")
    (planned,) = plan(asked, _before(PATIENT, there), RULES)
    assert (planned.event, planned.focus) == ("ADT^A40", "Patient/old")
    assert [change.key for change in planned.changes] == ["Patient/p1", "Patient/old"]


def test_a_patient_that_was_replaced_before_is_updated_like_any_other() -> None:
    old = {**PATIENT, "link": [{"type": "replaced-by", "other": {"reference": "Patient/p2"}}]}
    changed = {**old, "birthDate": "1961-06-16"}
    assert _planned(_put(changed), _before(old)) == [("ADT^A08", "Patient/p1")]
