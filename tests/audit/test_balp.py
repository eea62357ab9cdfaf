"""AuditEvents: valid R4, and saying what the table of events says."""

from __future__ import annotations

import copy
import json
from base64 import b64decode
from typing import Any, Final

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from audit import balp, balp_rules, codes, events
from audit.balp import Json
from audit.canonical import canonical
from audit.entry import Tag
from audit.events import BALP, EVENTS, Pattern
from audit.merkle import leaf_hash
from audit.parties import Source
from tests.audit.bare import HOSTILE, OTHER, PATIENT, SOURCE, bare, full, hostile, refused, several
from tests.audit.samples import log, samples

TAGS: Final = sorted(map(str, Tag))


def _roles(event: Json) -> dict[str, Json]:
    return {one["type"]["coding"][0]["code"]: one for one in event["agent"]}


def _entity(event: Json, kind: codes.Code) -> list[Json]:
    return [
        one
        for one in event["entity"]
        if one["type"]["code"] == kind.code and one["type"]["system"] == kind.system.uri
    ]


def _details(event: Json) -> dict[str, str]:
    found = event["entity"][-1]["detail"]
    return {
        one["type"]: one.get("valueString") or b64decode(one["valueBase64Binary"]).decode("utf-8")
        for one in found
    }


@pytest.mark.parametrize("tag", TAGS)
def test_the_event_of_each_tag_is_valid(tag: str) -> None:
    for made in (bare, full, refused, several, hostile):
        for event in (balp.event(made(tag), SOURCE), *balp.events_of(made(tag), SOURCE)):
            AuditEvent.model_validate(event)
            assert json.loads(json.dumps(event)) == event


@pytest.mark.parametrize("entry", [*samples(), *log(200)], ids=lambda entry: entry["tag"])
def test_the_events_of_a_real_log_are_valid_and_keep_what_they_claim(entry: dict[str, Any]) -> None:
    for event in (balp.event(entry, SOURCE), *balp.events_of(entry, SOURCE)):
        AuditEvent.model_validate(event)
        assert balp_rules.broken(event) == []


def test_a_real_log_has_events_of_most_profiles() -> None:
    claimed = {
        event["meta"]["profile"][0].removeprefix(BALP)
        for entry in samples()
        for event in balp.events_of(entry, SOURCE)
        if "meta" in event
    }
    assert {"PatientRead", "PatientQuery", "PatientUpdate", "PatientDelete"} <= claimed
    assert {"PrivacyDisclosure.Source", "PrivacyDisclosure.Recipient"} <= claimed


def test_what_the_connector_does_by_itself_names_no_person() -> None:
    entry = bare("keys:rotated")
    agents = balp.event(entry, SOURCE)["agent"]
    assert {one["who"]["identifier"]["value"] for one in agents} == {SOURCE.host}


@pytest.mark.parametrize("tag", TAGS)
def test_an_event_says_what_the_table_of_events_says(tag: str) -> None:
    row, event = EVENTS[tag], balp.event(refused(tag), SOURCE)
    assert event["action"] == row.action
    assert event["outcome"] == str(row.failing)
    assert event["outcomeDesc"] == "Forbidden"
    assert event["recorded"] == "2026-11-23T10:00:00.123Z"
    assert event["type"]["code"] == row.id.code
    assert [one["code"] for one in event["subtype"]] == [*(one.code for one in row.types), tag]
    assert [one["requestor"] for one in event["agent"]].count(True) == 1
    assert "meta" not in event  # no profile is for what failed


@pytest.mark.parametrize("tag", TAGS)
def test_an_event_leads_back_to_its_entry(tag: str) -> None:
    entry = full(tag)
    for event in balp.events_of(entry, SOURCE):
        details = _details(event)
        assert details["sequence"] == "7"
        assert details["leaf-hash"] == leaf_hash(canonical(entry)).hex()
        assert details["tag"] == tag
        assert event["entity"][-1]["what"]["identifier"]["value"] == "7"
        assert details["leaf-hash"].startswith(event["id"])


def test_the_same_entry_is_the_same_event_and_another_has_another_id() -> None:
    one, other = full("message:v2:received"), full("message:v2:received", seq=8)
    assert balp.event(one, SOURCE) == balp.event(one, SOURCE, canonical(one))
    assert balp.event(one, SOURCE)["id"] != balp.event(other, SOURCE)["id"]


def test_the_observer_is_the_agent_that_reports() -> None:
    """BALP, val-audit-source: the very same reference."""
    sent = balp.event(full("delivery:v2:acknowledged"), SOURCE)
    assert _roles(sent)["110153"]["who"] == sent["source"]["observer"]
    came = balp.event(full("message:v2:received"), SOURCE)
    assert _roles(came)["110152"]["who"] == came["source"]["observer"]


@pytest.mark.parametrize(
    ("tag", "alone", "about"),
    [
        ("message:v2:received", None, "PrivacyDisclosure.Recipient"),
        ("delivery:v2:acknowledged", None, "PrivacyDisclosure.Source"),
        ("delivery:fhir:acknowledged", "Update", "PrivacyDisclosure.Source"),
        ("operator:content:viewed", "Read", "PatientRead"),
        ("operator:content:searched", "Query", "PatientQuery"),
        ("operator:message:edited", "Update", "PatientUpdate"),
        ("store:erased", "Delete", "PatientDelete"),
        ("service:started", None, None),
    ],
)
def test_an_event_claims_the_profile_that_it_keeps(tag: str, alone: str | None, about: str | None) -> None:
    def claims(name: str | None) -> Json | None:
        return {"profile": [f"{BALP}{name}"]} if name else None

    entry = full(tag)
    assert balp.event(entry, SOURCE).get("meta") == claims(about)
    nobody = {**entry, "object": {**entry["object"], "patient": []}}
    assert balp.event(nobody, SOURCE).get("meta") == claims(alone)


def test_a_request_for_one_resource_keeps_the_profile_of_its_interaction() -> None:
    for interaction, name in (("create", "PatientCreate"), ("update", "PatientUpdate")):
        entry = full("message:fhir:received")
        entry["object"] |= {"interaction": interaction, "resource": "Observation"}
        event = balp.event(entry, SOURCE)
        assert event["meta"]["profile"] == [f"{BALP}{name}"]
        assert event["type"]["code"] == "rest"
        assert event["subtype"][0]["code"] == interaction
        assert _entity(event, codes.SYSTEM_OBJECT)[0]["what"]["type"] == "Observation"
        entry["object"]["resource"] = "no type"
        assert "type" not in _entity(balp.event(entry, SOURCE), codes.SYSTEM_OBJECT)[0]["what"]


def test_an_entry_about_several_patients_is_an_event_for_each() -> None:
    entry = several("delivery:fhir:acknowledged")
    both = balp.events_of(entry, SOURCE)
    assert [_entity(one, codes.PERSON)[0]["what"]["identifier"]["value"] for one in both] == [PATIENT, OTHER]
    assert len({one["id"] for one in both}) == 2
    assert OTHER not in json.dumps(both[0])
    assert {one["meta"]["profile"][0] for one in both} == {f"{BALP}{Pattern.DISCLOSED}"}
    together = balp.event(entry, SOURCE)
    assert len(_entity(together, codes.PERSON)) == 2
    assert "meta" not in together


def test_a_disclosure_names_who_sent_who_got_and_who_keeps_the_records() -> None:
    roles = _roles(balp.event(full("delivery:fhir:acknowledged"), SOURCE))
    assert roles["110153"]["who"]["identifier"]["value"] == SOURCE.host
    assert roles["110152"]["who"]["identifier"]["value"] == "anna"
    assert roles["110152"]["network"]["extension"][0]["valueCode"] == "unknown"
    assert roles["159541003"]["who"]["identifier"]["value"] == SOURCE.site


def test_who_acts_over_broken_glass_says_why() -> None:
    event = balp.event(full("operator:content:viewed"), SOURCE)
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
    person = _roles(event)["IRCP"]
    assert person["purposeOfUse"][0]["coding"][0]["code"] == "BTG"
    assert person["who"]["identifier"]["system"] == "urn:x-audit:person:st-anna.example:login"
    usual = full("operator:content:viewed")
    del usual["actor"]["emergency"]
    assert "purposeOfEvent" not in balp.event(usual, SOURCE)


def test_a_person_at_the_machine_itself_works_on_its_console() -> None:
    entry = full("operator:content:viewed")
    entry["actor"] = {"role": "operator", "name": "root", "realm": "machine"}
    assert _roles(balp.event(entry, SOURCE))["110152"]["who"]["identifier"]["value"] == SOURCE.host


def test_a_person_who_takes_a_file_stands_in_the_place_of_the_partner() -> None:
    entry = full("message:v2:received")
    entry["actor"] = {"role": "operator", "name": "root", "realm": "machine"}
    who = _roles(balp.event(entry, SOURCE))["110153"]["who"]
    assert who["identifier"] == {"system": "urn:x-audit:person:st-anna.example:machine", "value": "root"}


def test_a_search_says_its_kind_and_the_pseudonym_and_no_value() -> None:
    entry = full("operator:content:searched")
    entry["object"]["pseudonym"] = PATIENT
    event = balp.event(entry, SOURCE)
    (asked,) = _entity(event, codes.SYSTEM_OBJECT)
    assert b64decode(asked["query"]) == f"find?kind=mrn&pseudonym={PATIENT}".encode("ascii")


def test_the_correlation_is_an_entity_and_none_is_none() -> None:
    (found,) = _entity(balp.event(full("message:v2:received"), SOURCE), codes.REQUEST_ID)
    assert found["what"]["identifier"]["value"] == "0198-7c"
    assert not _entity(balp.event(bare("message:v2:received"), SOURCE), codes.REQUEST_ID)


def test_a_number_of_rows_is_said_and_a_long_list_counted() -> None:
    entry = full("store:erased", correlation="")
    entry["object"] = {"records": [4, 5], "numbers": list(range(1000))}
    event = balp.event(entry, SOURCE)
    (erased,) = _entity(event, codes.SYSTEM_OBJECT)
    assert erased["what"]["identifier"]["value"] == "4, 5"
    assert _details(event)["object.numbers"] == "1000 listed"
    entry["object"] = {"lost": [], "removed": [""]}
    said = _details(balp.event(entry, SOURCE))
    assert (said["object.lost"], said["object.removed"]) == ("(none)", "1 listed")


@pytest.mark.parametrize("tag", TAGS)
def test_what_is_no_fhir_string_is_said_as_bytes(tag: str) -> None:
    assert _details(balp.event(hostile(tag), SOURCE))["object.because"] == HOSTILE


def test_sites_have_systems_of_their_own() -> None:
    entry = full("message:v2:received")
    here, there = (balp.event(entry, Source(site, "host")) for site in ("a/b c", "d"))
    systems = [_entity(one, codes.PERSON)[0]["what"]["identifier"]["system"] for one in (here, there)]
    assert systems == ["urn:x-audit:patient:a%2Fb%20c", "urn:x-audit:patient:d"]


def test_events_share_parts_that_nobody_changes() -> None:
    """They are made once; who writes into one would write into all, so a copy is taken first."""
    entry = full("message:v2:received")
    before = copy.deepcopy(balp.event(entry, SOURCE))
    for tag in TAGS:
        balp.events_of(several(tag), SOURCE)
    assert balp.event(entry, SOURCE) == before


def test_a_tag_that_is_not_known_makes_no_event() -> None:
    for make in (balp.event, balp.events_of):
        with pytest.raises(events.UnknownTag):
            make(bare("service:paused"), SOURCE)


def test_the_numbers_of_an_entry_read_as_doubles_are_said_the_same() -> None:
    entry: dict[str, Any] = full("message:v2:received")
    assert balp.event({**entry, "seq": 7.0, "uncertainty": 12.0}, SOURCE, b"") == balp.event(
        entry, SOURCE, b""
    )
