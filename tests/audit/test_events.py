"""The table of events: complete, and as the standards have it."""

from __future__ import annotations

import re

import pytest

from audit import codes, described, events
from audit.entry import GRAMMAR, Tag
from audit.events import EVENTS, INSIDE, OF_A_PATIENT, Party, Pattern


def test_each_tag_of_the_log_has_its_event() -> None:
    missing = {str(tag) for tag in Tag} - EVENTS.keys()
    assert not missing, f"give these a row in audit/events.py: {sorted(missing)}"


def test_a_row_is_of_a_tag_that_the_grammar_knows() -> None:
    assert all(GRAMMAR.fullmatch(tag) for tag in EVENTS)


def test_a_tag_without_a_row_is_an_error_that_does_not_repeat_it() -> None:
    with pytest.raises(events.UnknownTag) as caught:
        events.of({"tag": "message:v9:swallowed"})
    assert "swallowed" not in str(caught.value)


@pytest.mark.parametrize("tag", EVENTS)
def test_exactly_one_participant_asks_for_the_event(tag: str) -> None:
    shape = EVENTS[tag].shape
    assert [one.requestor for one in shape] == [True] + [False] * (len(shape) - 1)
    assert any(one.party is Party.SELF for one in shape)


@pytest.mark.parametrize("tag", EVENTS)
def test_the_action_is_the_one_that_dicom_has_for_the_event(tag: str) -> None:
    """PS3.15, tables A.5.3.1-1 (application activity) to A.5.3.14-1 (patient record)."""
    only = {
        codes.APPLICATION_ACTIVITY: "E",
        codes.AUDIT_LOG_USED: "R",
        codes.EXPORT: "R",
        codes.IMPORT: "C",
        codes.QUERY: "E",
        codes.SECURITY_ALERT: "E",
        codes.USER_AUTHENTICATION: "E",
        codes.PATIENT_RECORD: "CRUD",
    }
    row = EVENTS[tag]
    assert row.action in only.get(row.id, "CRUDE")


@pytest.mark.parametrize("tag", EVENTS)
def test_what_dicom_asks_for_a_kind_has_one_of_its_own(tag: str) -> None:
    """PS3.16: CID 401 for the activity of an application, 403 for an alert; login and logout."""
    kinds = {
        codes.APPLICATION_ACTIVITY: range(110120, 110122),
        codes.SECURITY_ALERT: range(110126, 110143),
        codes.USER_AUTHENTICATION: range(110122, 110124),
    }
    row = EVENTS[tag]
    if (allowed := kinds.get(row.id)) is not None:
        assert [one for one in row.types if one.system is codes.DCM and int(one.code) in allowed]


@pytest.mark.parametrize("tag", EVENTS)
def test_a_failure_is_never_a_success(tag: str) -> None:
    row = EVENTS[tag]
    assert row.failing in (4, 8, 12)
    assert events.outcome(row, "success") == 0
    assert events.outcome(row, "refused") == events.outcome(row, "failure") == row.failing


def test_what_is_tried_again_is_a_minor_failure_and_what_stops_the_work_a_major_one() -> None:
    assert EVENTS["delivery:v2:deferred"].failing == 4
    assert EVENTS["delivery:v2:refused"].failing == 8
    assert EVENTS["store:refused"].failing == 12


def _entry(tag: str, outcome: str = "success", **what: object) -> dict[str, object]:
    return {"tag": tag, "outcome": outcome, "object": what}


@pytest.mark.parametrize("tag", EVENTS)
def test_only_a_success_keeps_a_profile_of_balp(tag: str) -> None:
    for outcome in ("refused", "failure"):
        assert events.pattern(EVENTS[tag], _entry(tag, outcome), 1) is None


@pytest.mark.parametrize("tag", ["delivery:fhir:acknowledged", "delivery:v2:acknowledged"])
def test_a_delivery_about_a_patient_is_a_disclosure_as_its_source_records_it(tag: str) -> None:
    row = EVENTS[tag]
    assert events.pattern(row, _entry(tag), 1) is Pattern.DISCLOSED
    roles = {one.role: one.party for one in row.shape}
    assert roles[codes.SOURCE] is Party.SELF
    assert roles[codes.DESTINATION] is Party.PEER
    assert roles[codes.RECORD_KEEPING] is Party.SITE


def test_a_message_about_a_patient_is_a_disclosure_as_its_recipient_records_it() -> None:
    row = EVENTS["message:v2:received"]
    assert events.pattern(row, _entry("message:v2:received"), 1) is Pattern.RECEIVED
    assert events.pattern(row, _entry("message:v2:received"), 0) is None
    assert {one.role: one.party for one in row.shape}[codes.DESTINATION] is Party.SELF


@pytest.mark.parametrize(("interaction", "pattern"), events.INTERACTIONS.items())
def test_a_fhir_request_for_one_resource_keeps_the_profile_of_its_interaction(
    interaction: str, pattern: Pattern
) -> None:
    row = EVENTS["message:fhir:received"]
    entry = _entry("message:fhir:received", interaction=interaction)
    assert events.pattern(row, entry, 0) is pattern
    assert events.pattern(row, entry, 1) is OF_A_PATIENT[pattern]


def test_an_acknowledgment_discloses_nothing() -> None:
    row = EVENTS["delivery:v2:acknowledged"]
    assert events.pattern(row, _entry("delivery:v2:acknowledged", direction="answer"), 1) is None


def test_one_event_about_several_patients_keeps_no_profile() -> None:
    for tag, row in EVENTS.items():
        assert events.pattern(row, _entry(tag), 2) is None


def test_people_are_named_where_people_act() -> None:
    people = re.compile(r"operator:|access:login|access:emergency|store:backup|audit:(exported|reviewed)")
    for tag, row in EVENTS.items():
        parties = {one.party for one in row.shape}
        assert (Party.PERSON in parties) >= bool(people.match(tag)), tag
        assert row.shape != INSIDE or Party.PERSON not in parties


@pytest.mark.parametrize("tag", EVENTS)
def test_each_row_can_be_said_in_words(tag: str) -> None:
    said = described.described(tag)
    assert EVENTS[tag].id.code in said.event
    assert said.participants.count(" as ") == len(EVENTS[tag].shape)
    assert described.atna(tag).startswith(said.event)
    assert described.balp(tag)


def test_the_words_of_a_row_name_all_its_profiles() -> None:
    assert described.balp("operator:content:viewed") == "PatientRead; without a patient Read"
    assert described.balp("service:started") == "none"
    assert described.atna("service:started") == (
        "Application Activity (110100, DCM), E; Application Start (110120, DCM)"
    )
    assert described.described("message:v2:received").participants == (
        "the other end as source; this application as destination"
    )
    assert "PatientCreate or Create for one resource to create" in described.balp("message:fhir:received")
