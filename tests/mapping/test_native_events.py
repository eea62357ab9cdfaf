"""Which event a change of FHIR becomes, by the default table."""

from __future__ import annotations

from typing import Any

import pytest

from connector.mapping.messages.aspects import ASPECTS, KINDS
from connector.mapping.messages.changes import DEFAULTS, event_for, may_happen, rules, split
from connector.mapping.messages.choosing import event_of, headed, named_event

Json = dict[str, Any]
TABLE = rules()
V2_EVENTS = "http://terminology.hl7.org/CodeSystem/v2-0003"


def _visit(status: str, code: str = "IMP", place: str = "1") -> Json:
    stays = [{"location": {"reference": f"Location/{place}"}}] if place else []
    return {"resourceType": "Encounter", "status": status, "class": {"code": code}, "location": stays}


def _slot(status: str, start: str = "2026-11-23T09:00:00Z") -> Json:
    return {"resourceType": "Appointment", "status": status, "start": start}


def _document(status: str = "current", doc: str = "final", **more: Any) -> Json:
    return {"resourceType": "DocumentReference", "status": status, "docStatus": doc, **more}


def _listed(kind: str, element: str, *codes: str, **more: Any) -> Json:
    concepts = [{"coding": [{"code": code}]} for code in codes]
    return {"resourceType": kind, element: concepts, **more}


def _relates(code: str) -> list[Json]:
    return [{"code": code, "target": {"reference": "DocumentReference/1"}}]


def _event(now: Json | None, old: Json | None = None, kind: str = "") -> str | None:
    return event_for(TABLE, kind or str((now or old or {})["resourceType"]), now, old)


@pytest.mark.parametrize(
    ("now", "event"),
    [
        (_visit("planned"), "ADT^A05"),
        (_visit("arrived"), "ADT^A01"),
        (_visit("in-progress"), "ADT^A01"),
        (_visit("in-progress", "ACUTE"), "ADT^A01"),
        (_visit("in-progress", "AMB"), "ADT^A04"),
        (_visit("triaged", "EMER"), "ADT^A04"),
        (_visit("unknown", "PRENC"), "ADT^A05"),
        (_visit("onleave"), "ADT^A21"),
        (_visit("finished", "AMB"), "ADT^A03"),
        (_visit("cancelled"), "ADT^A11"),
        (_visit("entered-in-error"), "ADT^A11"),
        (_slot("proposed"), "SIU^S12"),
        (_slot("booked"), "SIU^S12"),
        (_slot("cancelled"), "SIU^S15"),
        (_slot("noshow"), "SIU^S26"),
        (_slot("entered-in-error"), "SIU^S17"),
        (_document(), "MDM^T02"),
        (_document(relatesTo=_relates("replaces")), "MDM^T10"),
        (_document(relatesTo=_relates("appends")), "MDM^T06"),
        (_document("entered-in-error", relatesTo=_relates("replaces")), "MDM^T11"),
        (_listed("ServiceRequest", "category", "108252007"), "OML^O21"),
        (_listed("ServiceRequest", "category", "387713003"), "OMG^O19"),
        (_listed("ServiceRequest", "category", "3457005"), "REF^I12"),
        (_listed("Condition", "category", "problem-list-item"), "PPR^PC1"),
        (_listed("Condition", "category", "encounter-diagnosis", encounter={"reference": "x"}), "ADT^A08"),
        (_listed("Condition", "category", "encounter-diagnosis"), "ADT^A31"),
        ({"resourceType": "Patient"}, "ADT^A28"),
        ({"resourceType": "AllergyIntolerance"}, "ADT^A60"),
        ({"resourceType": "MedicationRequest"}, "OMP^O09"),
        ({"resourceType": "MedicationDispense"}, "RDS^O13"),
        ({"resourceType": "MedicationAdministration"}, "RAS^O17"),
        ({"resourceType": "Immunization", "status": "entered-in-error"}, "VXU^V04"),
        ({"resourceType": "Observation"}, "ORU^R01"),
        ({"resourceType": "DiagnosticReport"}, "ORU^R01"),
        ({"resourceType": "Basic"}, None),
    ],
)
def test_what_is_new_has_its_event(now: Json, event: str | None) -> None:
    assert _event(now) == event


@pytest.mark.parametrize(
    ("old", "now", "event"),
    [
        (_visit("planned"), _visit("in-progress"), "ADT^A01"),
        (_visit("planned", "AMB"), _visit("arrived", "AMB"), "ADT^A04"),
        (_visit("planned"), _visit("cancelled"), "ADT^A38"),
        (_visit("in-progress"), _visit("cancelled"), "ADT^A11"),
        (_visit("arrived"), _visit("in-progress"), "ADT^A08"),
        (_visit("in-progress"), _visit("in-progress", place="2"), "ADT^A02"),
        (_visit("in-progress"), _visit("in-progress", place=""), "ADT^A02"),
        (_visit("in-progress"), _visit("finished", place="2"), "ADT^A03"),
        (_visit("finished"), _visit("in-progress"), "ADT^A13"),
        (_visit("in-progress"), _visit("onleave"), "ADT^A21"),
        (_visit("onleave"), _visit("in-progress"), "ADT^A22"),
        (_visit("onleave"), _visit("finished"), "ADT^A03"),
        (_visit("in-progress", "EMER"), _visit("in-progress", "IMP"), "ADT^A06"),
        (_visit("in-progress", "IMP"), _visit("in-progress", "AMB"), "ADT^A07"),
        (_visit("in-progress"), {**_visit("in-progress"), "priority": {"text": "now"}}, "ADT^A08"),
        (_slot("proposed"), _slot("booked"), "SIU^S12"),
        (_slot("booked"), _slot("booked", "2026-11-24T09:00:00Z"), "SIU^S13"),
        (_slot("booked"), _slot("cancelled", "2026-11-24T09:00:00Z"), "SIU^S15"),
        (_slot("booked"), {**_slot("booked"), "comment": "ring twice"}, "SIU^S14"),
        (_slot("booked"), _slot("arrived"), "SIU^S14"),
        (_document(doc="preliminary"), _document(), "MDM^T04"),
        (_document(), _document("superseded"), "MDM^T04"),
        (_document(), _document("entered-in-error"), "MDM^T11"),
        (_document(), {**_document(), "description": "other"}, "MDM^T08"),
        ({"resourceType": "Patient"}, {"resourceType": "Patient", "gender": "male"}, "ADT^A31"),
    ],
)
def test_what_changed_decides_the_event(old: Json, now: Json, event: str) -> None:
    assert _event(now, old) == event


def test_a_problem_entered_in_error_is_taken_off_the_list() -> None:
    listed = _listed("Condition", "category", "problem-list-item")
    wrong = {**listed, "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    assert _event(wrong, listed) == "PPR^PC3"
    assert _event(None, listed) == "PPR^PC3"
    assert _event({**listed, "clinicalStatus": {"coding": [{"code": "resolved"}]}}, listed) == "PPR^PC2"


def test_what_is_deleted_has_its_event() -> None:
    assert _event(None, _visit("in-progress")) == "ADT^A23"
    assert _event(None, {"resourceType": "Patient"}) == "ADT^A29"
    assert _event(None, {"resourceType": "Observation"}) is None


def test_a_patient_that_another_replaces_is_a_merge() -> None:
    link = [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]
    assert _event({"resourceType": "Patient", "link": link}, {"resourceType": "Patient"}) == "ADT^A40"
    seen = [{"type": "seealso", "other": {"reference": "Patient/2"}}]
    assert _event({"resourceType": "Patient", "link": seen}, {"resourceType": "Patient"}) == "ADT^A24"


@pytest.mark.parametrize("odd", [None, 7, "x", [], [7], {}, {"coding": 7}, [{"coding": [7]}], {"code": {}}])
@pytest.mark.parametrize("kind", sorted({*KINDS, *ASPECTS, "Basic"}))
def test_what_is_malformed_reads_as_absent(kind: str, odd: Any) -> None:
    names = ("class", "category", "link", "relatesTo", "location", "status", "clinicalStatus", "encounter")
    _event({"resourceType": kind, **dict.fromkeys(names, odd)}, {"resourceType": kind})
    _event({"resourceType": kind}, {"resourceType": kind, **dict.fromkeys(names, odd)})


def test_every_row_of_the_table_says_what_may_happen() -> None:
    for key in DEFAULTS:
        resource, what, kind = split(key)
        assert may_happen(resource, what), key
        assert not kind or kind in KINDS[resource], key


# --- several resources at once ------------------------------------------------------------------------------


def _of(*resources: Json) -> str:
    return event_of({f"{one['resourceType']}/{n}": one for n, one in enumerate(resources)}, TABLE)


PATIENT: Json = {"resourceType": "Patient"}


@pytest.mark.parametrize(
    ("kinds", "event"),
    [
        (["Patient"], "ADT^A28"),
        (["Patient", "Coverage", "RelatedPerson"], "ADT^A28"),
        (["Patient", "Encounter", "Condition", "Observation"], "ORU^R01"),
        (["Patient", "Encounter", "Condition", "Procedure"], "ADT^A01"),
        (["ServiceRequest", "Patient", "DiagnosticReport"], "ORU^R01"),
        (["MedicationRequest", "MedicationDispense", "Patient"], "RDS^O13"),
        (["Patient", "Practitioner", "Organization"], "ADT^A28"),
        (["Organization"], "ADT^A31"),
        ([], "ADT^A31"),
    ],
)
def test_the_first_of_the_speakers_decides(kinds: list[str], event: str) -> None:
    assert _of(*({"resourceType": kind} for kind in kinds)) == event


def test_an_order_speaks_unless_an_observation_answers_it() -> None:
    order = {"resourceType": "ServiceRequest"}
    assert _of(order, PATIENT, {"resourceType": "Observation"}) == "OMG^O19"
    answer = {"resourceType": "Observation", "basedOn": [{"reference": "ServiceRequest/0"}]}
    assert _of(order, PATIENT, answer) == "ORU^R01"


def test_a_merge_is_told_before_anything_else() -> None:
    old = {**PATIENT, "link": [{"type": "replaced-by", "other": {"reference": "Patient/9"}}]}
    assert _of(_visit("finished"), PATIENT, old) == "ADT^A40"


def test_a_message_header_names_the_event_itself() -> None:
    def named(**said: Any) -> tuple[str, bool]:
        there = {"MessageHeader/1": {"resourceType": "MessageHeader", **said}}
        return named_event(there), headed(there)

    assert named(eventCoding={"code": "A31", "display": "ADT^A31^ADT_A05"}) == ("ADT^A31", True)
    assert named(eventCoding={"system": V2_EVENTS, "code": "S12"}) == ("SIU^S12", False)
    assert named(eventCoding={"system": "https://x.example", "code": "A31"}) == ("", False)
    assert named(eventUri="urn:hl7-org:v2:message:ADT") == ("", True)
    assert named(eventCoding=7) == ("", True)
