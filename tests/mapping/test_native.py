"""FHIR that never was v2, in the style of US Core: what it becomes, what is lost, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import NotTranslatable, UnresolvedReference
from connector.hl7v2 import structure
from connector.hl7v2.tree import Message
from connector.mapping import Envelope, Outgoing, Translator
from connector.mapping.messages.changes import DEFAULTS
from connector.mapping.messages.registry import known_messages
from tests.mapping import native
from tests.mapping.native import (
    ALLERGY,
    APPOINTMENT,
    CHARGE,
    COVERAGE,
    DIAGNOSIS,
    DISPENSE,
    DOCTOR,
    DOCUMENT,
    GIVEN,
    HOSPITAL,
    KIN,
    MADE,
    ORDER,
    PATIENT,
    PAYOR,
    PRESCRIPTION,
    PRESSURE,
    PROBLEM,
    PROCEDURE,
    REPORT,
    ROLE,
    SODIUM,
    TERMS,
    VACCINE,
    VISIT,
    WARD,
    bundle,
    coded,
    judged,
    to,
    written,
)  # fmt: skip

Json = dict[str, Any]

STAY = [PATIENT, DOCTOR, HOSPITAL, WARD, VISIT, KIN, PAYOR, COVERAGE, ALLERGY, DIAGNOSIS, PROCEDURE]
ATTENDING = [coded(TERMS + "v3-ParticipationType", "ATND")]
PANEL = "OBX|1||85354-9^Blood pressure panel^LN||||||||F|||20261102100000+0100"
HIGH = "OBX|2|NM|8480-6^Systolic blood pressure^LN||109|mm[Hg]^mmHg^UCUM|||||F|||20261102100000+0100"
LOW = "OBX|3|NM|8462-4^Diastolic blood pressure^LN||44|mm[Hg]^mmHg^UCUM|||||F|||20261102100000+0100"
RESULT = "OBX|1|NM|2951-2^Sodium^LN||140|mmol/L^^UCUM|135-145|N|||F|||20261102100000+0100"
REPORTED = (
    "|L-1^^2.999.4^ISO|51990-0^Basic metabolic panel^LN|||20261102100000+0100"
    + "|" * 15
    + "20261102120000+0100||LAB|F"
)


def _lines(said: Message, *names: str) -> list[str]:
    return [str(segment) for segment in said.segments if segment.name in names]


def _names(said: Message) -> str:
    return " ".join(segment.name for segment in said.segments)


@pytest.mark.parametrize(
    ("resources", "event", "segments"),
    [
        ([PATIENT], "ADT^A28^ADT_A05", "MSH EVN PID PV1"),
        (STAY, "ADT^A01^ADT_A01", "MSH EVN PID NK1 PV1 PV2 AL1 DG1 PR1 IN1 IN2"),
        ([PATIENT, PROBLEM], "PPR^PC1^PPR_PC1", "MSH PID PRB"),
        ([PATIENT, REPORT, SODIUM], "ORU^R01^ORU_R01", "MSH PID OBR OBX"),
        ([PATIENT, PRESSURE], "ORU^R01^ORU_R01", "MSH PID OBR OBX OBX OBX"),
        ([PATIENT, DOCTOR, ORDER], "OML^O21^OML_O21", "MSH PID ORC OBR"),
        ([PATIENT, {**ORDER, "category": []}], "OMG^O19^OMG_O19", "MSH PID ORC OBR"),
        ([PATIENT, DOCTOR, PRESCRIPTION], "OMP^O09^OMP_O09", "MSH PID ORC TQ1 RXO RXR"),
        ([PATIENT, DISPENSE], "RDS^O13^RDS_O13", "MSH PID ORC RXD RXR"),
        ([PATIENT, GIVEN], "RAS^O17^RAS_O17", "MSH PID ORC RXA RXR"),
        ([PATIENT, VACCINE], "VXU^V04^VXU_V04", "MSH PID ORC RXA"),
        ([PATIENT, DOCTOR, WARD, APPOINTMENT], "SIU^S12^SIU_S12", "MSH SCH PID RGS AIS AIL AIP"),
        (
            [PATIENT, DOCTOR, WARD, {**APPOINTMENT, "status": "cancelled"}],
            "SIU^S15^SIU_S12",
            "MSH SCH PID RGS AIS AIL AIP",
        ),
        ([PATIENT, DOCTOR, DOCUMENT], "MDM^T02^MDM_T02", "MSH EVN PID PV1 TXA OBX"),
        ([PATIENT, CHARGE], "DFT^P03^DFT_P03", "MSH EVN PID FT1"),
        ([PATIENT, {**VISIT, "status": "finished"}], "ADT^A03^ADT_A03", "MSH EVN PID PV1"),
        ([PATIENT, {**VISIT, "status": "planned"}], "ADT^A05^ADT_A05", "MSH EVN PID PV1"),
    ],
)
def test_every_kind_becomes_the_whole_message_that_the_table_names(
    resources: list[Json], event: str, segments: str
) -> None:
    said, _ = written(*resources)
    assert said.msh.field(9) == event
    assert _names(said) == segments
    assert not [fault for fault in judged(said) if fault.startswith("segment")]
    MADE.to_fhir(str(said))


def test_a_stay_says_who_where_and_why() -> None:
    said, lost = written(*STAY)
    assert said.get("PV1-3.1") == "4 West"
    assert said.get("PV1-44") == "20261102090000+0100"
    assert _lines(said, "NK1") == ["NK1|1|Shaw^Sam|SPS^spouse^ROLECODE||555-6666^^PH"]
    assert said.get("DG1-3.1") == "S42.001A"
    assert said.get("IN1-4.1") == "Insure Co"
    assert {"Organization[0].active", "Location.status", "RelatedPerson.active"} <= set(lost)
    assert not [path for path in lost if path.startswith("Encounter")]


def test_the_panel_of_a_blood_pressure_has_its_values_beside_it() -> None:
    said, lost = written(PATIENT, PRESSURE)
    assert _lines(said, "OBX") == [PANEL, HIGH, LOW]
    assert lost == ["Patient.identifier[0].use", "Observation.category[0]", "Observation.encounter"]


def test_what_is_lost_of_a_component_is_told_by_its_place() -> None:
    first, second = PRESSURE["component"]
    odd = {**PRESSURE, "component": [first, {**second, "extension": [{"url": "x", "valueString": "y"}]}]}
    assert "Observation.component[1].extension[0]" in written(PATIENT, odd)[1]


def test_a_panel_stands_in_its_report() -> None:
    report = {**REPORT, "result": [to("Observation/sodium"), to("Observation/pressure")]}
    said, _ = written(PATIENT, report, SODIUM, PRESSURE)
    assert _names(said) == "MSH PID OBR OBX OBX OBX OBX"
    assert _lines(said, "OBR") == ["OBR|1|" + REPORTED]


def test_a_report_and_what_is_no_part_of_it_have_an_order_each() -> None:
    said, _ = written(PATIENT, REPORT, SODIUM, PRESSURE)
    assert _names(said) == "MSH PID OBR OBX OBX OBX OBR OBX"
    assert _lines(said, "OBR")[1] == "OBR|2|" + REPORTED
    assert _lines(said, "OBX") == [PANEL, HIGH, LOW, RESULT]


def test_a_patient_of_whom_nothing_is_known_is_asked_for() -> None:
    for resource in (SODIUM, VISIT, ORDER, VACCINE, DOCUMENT, {**ALLERGY, "patient": {"display": "Amy"}}):
        with pytest.raises(UnresolvedReference) as refused:
            written(resource)
        assert refused.value.location == "Bundle.entry"


def test_what_has_no_segment_that_its_message_needs_is_refused() -> None:
    with pytest.raises(NotTranslatable, match="needs a"):
        written(PATIENT, event="RDS^O13")


# --- ways to refer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "more"),
    [
        (to("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), {}),
        (to("https://ehr.example/fhir/Patient/amy"), {}),
        (to("Patient/amy/_history/3"), {}),
        ({"identifier": {"system": "urn:oid:2.999.1", "value": "1032702"}}, {}),
        ({"type": "Patient", "identifier": {"system": "urn:oid:2.999.1", "value": "1032702"}}, {}),
    ],
)
def test_a_patient_may_be_referred_to_in_any_way(subject: Json, more: Json) -> None:
    urls = {"amy": subject["reference"]} if "urn" in subject.get("reference", "") else {}
    made = MADE.to_v2(bundle(PATIENT, {**SODIUM, "subject": subject}, urls=urls))
    assert _lines(Message.parse(made.message), "OBX") == [RESULT]
    assert "Observation.subject" not in made.lost


def test_a_result_of_another_patient_than_the_one_at_hand_is_not_his() -> None:
    other = {"identifier": {"system": "urn:oid:2.999.1", "value": "9"}}
    made = MADE.to_v2(bundle(PATIENT, {**SODIUM, "subject": other}))
    said = Message.parse(made.message)
    assert _names(said) == "MSH PID PID OBR OBX"
    assert said.segments[2].field(3) == "9^^^&2.999.1&ISO"


def test_contained_resources_are_said_like_others() -> None:
    visit = {
        **VISIT,
        "contained": [{**DOCTOR, "id": "doc"}, {**WARD, "id": "here"}],
        "participant": [{"type": ATTENDING, "individual": to("#doc")}],
        "location": [{"location": to("#here")}],
    }
    said, lost = written(PATIENT, visit)
    assert (said.get("PV1-7.2"), said.get("PV1-3.1")) == ("Bone", "4 West")
    assert "Location.status" in lost


def test_who_acts_in_a_role_is_said_with_it() -> None:
    individual = to("PractitionerRole/bone-at-valley")
    visit = {**VISIT, "participant": [{"type": ATTENDING, "individual": individual}]}
    said, lost = written(PATIENT, ROLE, DOCTOR, HOSPITAL, visit)
    assert said.get("ROL-4.1") == "9941339108"
    assert not [path for path in lost if path.startswith("Practitioner")]


def test_who_acts_in_a_role_that_has_no_segment_is_the_practitioner() -> None:
    said, lost = written(
        PATIENT, ROLE, DOCTOR, {**DOCUMENT, "author": [to("PractitionerRole/bone-at-valley")]}
    )
    assert said.get("TXA-9.1") == "9941339108"
    assert {"PractitionerRole.organization", "PractitionerRole.specialty[0]"} <= set(lost)
    assert "PractitionerRole.practitioner" not in lost


def test_who_is_known_by_a_display_alone_is_said_by_it() -> None:
    visit = {
        **VISIT,
        "participant": [{"type": ATTENDING, "individual": to("Practitioner/elsewhere", "Dr. Bone")}],
        "location": [{"location": {"display": "4 West"}}],
        "serviceProvider": {"display": "Valley"},
    }
    said, lost = written(PATIENT, visit)
    assert (said.get("PV1-7.2"), said.get("PV1-3.1"), said.get("PV2-23.1")) == (
        "Dr. Bone",
        "4 West",
        "Valley",
    )
    assert lost == ["Patient.identifier[0].use"]


def test_a_name_in_one_text_is_the_family_name() -> None:
    said, lost = written({**PATIENT, "name": [{"text": "Amy Shaw"}]})
    assert said.get("PID-5.1") == "Amy Shaw"
    assert lost == ["Patient.identifier[0].use"]


def test_a_relative_who_insures_is_no_next_of_kin_beside() -> None:
    plan = {
        **COVERAGE,
        "relationship": coded(TERMS + "subscriber-relationship", "spouse"),
        "subscriber": to("RelatedPerson/sam"),
    }
    said, _ = written(PATIENT, KIN, plan, PAYOR)
    assert "NK1" not in _names(said)
    assert said.get("IN1-16.1") == "Shaw"


def test_where_a_visit_was_and_where_it_is() -> None:
    old = {**WARD, "id": "old", "name": "Emergency"}
    places = [{"location": to("Location/old")}, {"location": to("Location/ward")}]
    said, _ = written(PATIENT, WARD, old, {**VISIT, "location": places}, event="ADT^A02")
    assert (said.get("PV1-3.1"), said.get("PV1-6.1")) == ("4 West", "Emergency")


# --- what is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "control"),
    [("active", "NW"), ("revoked", "CA"), ("on-hold", "HD"), ("completed", "SC"), ("entered-in-error", "CA")],
)
def test_the_status_of_an_order_controls_it(status: str, control: str) -> None:
    said, _ = written(PATIENT, {**ORDER, "status": status})
    assert said.get("ORC-1") == control


@pytest.mark.parametrize(("status", "control"), [("active", "XO"), ("revoked", "CA"), ("on-hold", "HD")])
def test_an_order_that_was_placed_is_changed_or_cancelled(status: str, control: str) -> None:
    said, _ = written(PATIENT, ORDER)
    there = MADE.to_fhir(str(said)).bundle
    for entry in there["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"] |= {"status": status, "priority": "urgent"}
    made = MADE.to_v2(there, str(said), envelope=Envelope("OML^O21", "C2", "20261103"))
    assert Message.parse(made.message).get("ORC-1") == control


def test_what_is_new_over_a_prior_message_has_its_defaults() -> None:
    said, _ = written(PATIENT, VISIT)
    there = MADE.to_fhir(str(said)).bundle
    names = {entry["request"]["url"].partition("/")[0]: entry["request"]["url"] for entry in there["entry"]}
    around = {"subject": to(names["Patient"]), "encounter": to(names["Encounter"])}
    there["entry"].append({"resource": {**DIAGNOSIS, **around}})
    made = MADE.to_v2(there, str(said), envelope=Envelope("ADT^A08", "C2", "20261103"))
    assert Message.parse(made.message).get("DG1-6") == "W"


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
@pytest.mark.parametrize(
    "resources", [[PATIENT], [PATIENT, VISIT, KIN, ALLERGY], [PATIENT, REPORT, SODIUM], [PATIENT, ORDER]]
)
def test_every_version_gets_a_whole_message(version: str, resources: list[Json]) -> None:
    using = Translator(MADE.atlas, Outgoing(version=version))
    said, _ = written(*resources, using=using)
    assert said.version == version
    found = structure.of(version, said.message_code, said.trigger_event, said.structure)
    assert found is not None
    using.to_fhir(str(said))


@pytest.mark.parametrize("resources", [[PATIENT], STAY, [PATIENT, REPORT, SODIUM], [PATIENT, VACCINE]])
def test_what_was_said_comes_back_and_goes_again(resources: list[Json]) -> None:
    said, _ = written(*resources)
    back = MADE.to_fhir(str(said)).bundle
    again = MADE.to_fhir(MADE.to_v2(back).message).bundle
    assert again == back


def test_every_default_event_has_a_map() -> None:
    assert set(DEFAULTS.values()) - known_messages() == set()


def test_the_samples_are_fhir() -> None:
    from connector.fhir import validate

    for one in vars(native).values():
        if isinstance(one, dict) and isinstance(one.get("resourceType"), str):
            assert [str(fault) for fault in validate.fast(one)] == [], one["resourceType"]
