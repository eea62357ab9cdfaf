"""To v2 of what never was v2, and of what is deleted."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from connector.errors import InvalidResource, UnresolvedReference
from connector.hl7v2 import structure
from connector.hl7v2.tree import Message
from connector.mapping import Envelope
from connector.mapping.messages.events import code_of, structure_of
from connector.mapping.messages.registry import known_messages
from tests.mapping.profiles import Json, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
    "identifier": [
        {
            "type": {"coding": [{"system": V2 + "0203", "code": "MR"}]},
            "system": "http://hospital.example/ids",
            "value": "1032702",
        }
    ],
    "active": True,
    "name": [{"use": "official", "family": "Shaw", "given": ["Amy", "V."]}],
    "telecom": [{"system": "phone", "value": "555-5555", "use": "home"}],
    "gender": "female",
    "birthDate": "1987-02-20",
    "address": [{"line": ["49 Meadow St"], "city": "Mounds", "state": "OK", "postalCode": "74047"}],
}
ENCOUNTER: Json = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2026-11-02T09:00:00+01:00", "end": "2026-11-02T10:00:00+01:00"},
}
OBSERVATION: Json = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-11-02",
    "valueQuantity": {"value": 5, "unit": "mmol/L"},
}
REPORT: Json = {
    "resourceType": "DiagnosticReport",
    "id": "d1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "24323-8"}]},
    "subject": {"reference": "Patient/p1"},
    "result": [{"reference": "Observation/o1"}],
}
OTHERS: list[Json] = [
    {"resourceType": "Condition", "id": "c", "code": {"text": "Flu"}, "subject": {"reference": "Patient/p1"}},
    {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "code": {"text": "Nuts"},
        "patient": {"reference": "Patient/p1"},
    },
    {
        "resourceType": "RelatedPerson",
        "id": "k",
        "patient": {"reference": "Patient/p1"},
        "name": [{"family": "Shaw"}],
    },
    {
        "resourceType": "Procedure",
        "id": "r",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "code": {"text": "Appendectomy"},
    },
    {
        "resourceType": "Coverage",
        "id": "v",
        "status": "active",
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"reference": "Organization/i"}],
        "subscriberId": "77",
    },
    {"resourceType": "Organization", "id": "i", "name": "Insure Co"},
]


def _bundle(*resources: Json, urls: dict[str, str] | None = None) -> Json:
    known = urls or {}
    entries = [
        {
            "fullUrl": known.get(one["id"], f"https://x.example/{one['resourceType']}/{one['id']}"),
            "resource": one,
        }
        for one in map(deepcopy, resources)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _made(bundle: Json, event: str = "", prior: str | None = None) -> tuple[Message, list[str]]:
    envelope = Envelope(event, "C1", "20261123101500+0100") if event else None
    made = MADE.to_v2(bundle, prior, envelope=envelope)
    return Message.parse(made.message), made.lost


def _names(said: Message) -> list[str]:
    return [segment.name for segment in said.segments]


def _whole(said: Message) -> bool:
    found = structure.of(said.version, said.message_code, said.trigger_event, said.structure)
    assert found is not None
    return structure.missing(found, tuple(_names(said))) == ()


@pytest.mark.parametrize(
    ("resources", "event"),
    [
        ([PATIENT], "ADT^A28"),
        ([PATIENT], "ADT^A31"),
        ([PATIENT], "ADT^A08"),
        ([PATIENT, ENCOUNTER], "ADT^A01"),
        ([PATIENT, ENCOUNTER], "ADT^A02"),
        ([PATIENT, ENCOUNTER], "ADT^A03"),
        ([PATIENT, ENCOUNTER], "ADT^A08"),
        ([PATIENT, ENCOUNTER, *OTHERS], "ADT^A01"),
        ([PATIENT, *OTHERS], "ADT^A31"),
        ([PATIENT, OBSERVATION], "ORU^R01"),
        ([PATIENT, OBSERVATION, REPORT], "ORU^R01"),
        ([OBSERVATION, REPORT, ENCOUNTER, PATIENT], "ORU^R01"),
    ],
)
def test_what_fhir_began_becomes_a_whole_message(resources: list[Json], event: str) -> None:
    said, _ = _made(_bundle(*resources), event)
    assert f"{said.message_code}^{said.trigger_event}" == event
    assert said.structure == structure_of(*event.split("^"))
    assert _whole(said)
    MADE.to_fhir(str(said))


def test_a_patient_of_us_core_says_what_v2_can_say_and_names_the_rest() -> None:
    said, lost = _made(_bundle(PATIENT))
    pid = said.first("PID")
    assert pid is not None
    assert said.get("PID-5.1") == "Shaw"
    assert (pid.field(5), pid.field(7), pid.field(8)) == ("Shaw^Amy^V.^^^^L", "19870220", "F")
    assert lost == ["Patient.active"]


def test_a_person_without_a_visit_says_so_and_no_visit_comes_back() -> None:
    said, _ = _made(_bundle(PATIENT), "ADT^A31")
    assert str(said.first("PV1")) == "PV1|1|N"
    back = MADE.to_fhir(str(said))
    assert of_type(back.bundle, "Encounter") == []
    assert back.lost == ["PV1-2"]


def test_a_class_that_is_not_applicable_beside_a_visit_number_is_a_visit() -> None:
    said = MADE.to_fhir(message("PID|||1", "PV1|1|N" + "|" * 17 + "V1"))
    assert only(said.bundle, "Encounter")["class"]["code"] == "N"


def test_an_observation_alone_gets_an_order_of_what_it_answers() -> None:
    said, _ = _made(_bundle(PATIENT, OBSERVATION), "ORU^R01")
    assert _names(said) == ["MSH", "PID", "OBR", "OBX"]
    obr = said.first("OBR")
    assert obr is not None
    assert (obr.field(4), obr.field(7), obr.field(25)) == ("2339-0^Glucose^LN", "20261102", "F")


def test_a_report_stands_before_its_results_whatever_the_order_of_the_bundle() -> None:
    said, lost = _made(_bundle(OBSERVATION, REPORT, PATIENT), "ORU^R01")
    assert _names(said) == ["MSH", "PID", "OBR", "OBX"]
    assert lost == ["Patient.active"]


def test_what_goes_back_was_v2_and_gets_nothing_added() -> None:
    text = message("EVN||20261123", "PID|||1", event="ADT^A31")
    assert "PV1" not in MADE.to_v2(MADE.to_fhir(text).bundle).message
    result = message("PID|||1", "OBX|1|ST|K||low", event="ORU^R01")
    assert "OBR" not in MADE.to_v2(MADE.to_fhir(result).bundle).message


def test_a_message_bundle_that_never_was_v2_is_completed_under_its_envelope() -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "h",
        "eventCoding": {"system": V2 + "0003", "code": "A31"},
        "source": {"endpoint": "https://x.example"},
    }
    said, _ = _made(_bundle(header, PATIENT), "ADT^A31")
    assert _whole(said)


def test_a_prior_message_is_not_completed() -> None:
    text = message("PID|||1", event="ADT^A31")
    there = MADE.to_fhir(text).bundle
    only(there, "Patient")["gender"] = "male"
    assert "PV1" not in MADE.to_v2(there, text).message


# --- references ---------------------------------------------------------------------------------------------


def test_references_by_urn_resolve() -> None:
    report = {**REPORT, "subject": {"reference": "urn:uuid:p"}, "result": [{"reference": "urn:uuid:o"}]}
    urls = {"p1": "urn:uuid:p", "o1": "urn:uuid:o"}
    said, lost = _made(
        _bundle(PATIENT, {**OBSERVATION, "subject": {"reference": "urn:uuid:p"}}, report, urls=urls)
    )
    assert _names(said) == ["MSH", "PID", "OBR", "OBX"]
    assert lost == ["Patient.active"]


@pytest.mark.parametrize("reference", ["https://x.example/Patient/p1", "Patient/p1/_history/3"])
def test_references_by_address_and_by_version_resolve(reference: str) -> None:
    _, lost = _made(_bundle(PATIENT, {**ENCOUNTER, "subject": {"reference": reference}}), "ADT^A01")
    assert "Encounter.subject.reference" not in lost


def test_contained_resources_are_said() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    attender = [{"coding": [{"system": system, "code": "ATND", "display": "attender"}]}]
    visit = {
        **ENCOUNTER,
        "contained": [{"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Bone"}]}],
        "participant": [{"type": attender, "individual": {"reference": "#dr"}}],
    }
    said, lost = _made(_bundle(PATIENT, visit), "ADT^A01")
    assert said.get("PV1-7.2") == "Bone"
    assert lost == ["Patient.active"]


def test_two_resources_may_contain_things_of_one_name() -> None:
    def result(name: str, family: str) -> Json:
        return {
            **OBSERVATION,
            "id": name,
            "contained": [{"resourceType": "Practitioner", "id": "x", "name": [{"family": family}]}],
            "performer": [{"reference": "#x"}],
        }

    said, _ = _made(_bundle(PATIENT, result("o1", "Bone"), result("o2", "Quinn")), "ORU^R01")
    assert [segment.value(16, 1, 2) for segment in said.all("OBX")] == ["Bone", "Quinn"]


def test_a_patient_that_is_only_named_by_an_identifier_is_that_patient() -> None:
    subject = {"identifier": {"system": "urn:id:STV", "value": "77"}, "display": "Jo"}
    said, _ = _made(_bundle({**OBSERVATION, "subject": subject}), "ORU^R01")
    assert said.get("PID-3.1") == "77"
    assert said.get("PID-3.4") == "STV"


def test_a_change_of_somebody_unknown_is_refused() -> None:
    with pytest.raises(UnresolvedReference):
        _made(_bundle(OTHERS[0]), "ADT^A08")


@pytest.mark.parametrize(
    "wrong", [[], {}, {"resourceType": 5}, "x", {"resourceType": "Bundle", "entry": [{}]}]
)
def test_what_is_no_resource_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidResource):
        MADE.to_v2(wrong)


# --- deletes ------------------------------------------------------------------------------------------------

STANDS = message("PID|||1||Moe", "NK1|1|Poe", "PV1|1|I", "AL1|1||^Nuts", "AL1|2||^Milk", "DG1|1||J10^Flu^I10")


def _delete(kind: str, at: int = 0) -> str:
    there = MADE.to_fhir(STANDS).bundle
    gone = of_type(there, kind)[at]
    entries = [entry for entry in there["entry"] if entry["resource"] is not gone]
    entries.append({"request": {"method": "DELETE", "url": f"{kind}/{gone['id']}"}})
    return MADE.to_v2({**there, "entry": entries}, STANDS).message


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("RelatedPerson", "NK1|1|Poe\r"),
        ("AllergyIntolerance", "AL1|1||^Nuts\r"),
        ("Condition", "DG1|1||J10^Flu^I10\r"),
    ],
)
def test_a_delete_takes_its_segment_out_and_nothing_else(kind: str, line: str) -> None:
    assert _delete(kind) == STANDS.replace(line, "")


def test_a_delete_of_what_the_message_does_not_say_changes_nothing() -> None:
    there = MADE.to_fhir(STANDS).bundle
    there["entry"].append({"request": {"method": "DELETE", "url": "AllergyIntolerance/unknown"}})
    assert MADE.to_v2(there, STANDS).message == STANDS


def test_a_resource_that_the_bundle_does_not_speak_of_stays() -> None:
    patient = only(MADE.to_fhir(STANDS).bundle, "Patient")
    patient["gender"] = "male"
    assert MADE.to_v2(_bundle(patient), STANDS).message == STANDS.replace("||Moe", "||Moe|||M")


# --- events -------------------------------------------------------------------------------------------------


def test_an_event_has_its_structure_and_its_code() -> None:
    assert structure_of("ADT", "A31") == "ADT_A05"
    assert structure_of("ADT", "A08") == "ADT_A01"
    assert structure_of("XYZ", "Q99") == "XYZ_Q99"
    assert (code_of("R01"), code_of("A08")) == ("ORU", "ADT")
    assert {"ADT^A01", "ADT^A28", "ORU^R01"} <= known_messages()


@pytest.mark.parametrize("named", sorted(known_messages()))
def test_every_known_message_has_a_structure_that_the_standard_knows(named: str) -> None:
    found = structure.of("2.5.1", *named.split("^"))
    assert found is not None
    assert found.name == structure_of(*named.split("^"))


@pytest.mark.parametrize(
    ("resources", "event"),
    [
        ([PATIENT], "ADT^A28"),
        ([PATIENT, ENCOUNTER], "ADT^A03"),
        ([PATIENT, OBSERVATION], "ORU^R01"),
        ([PATIENT, REPORT], "ORU^R01"),
    ],
)
def test_without_an_envelope_the_event_is_the_one_that_fits(resources: list[Json], event: str) -> None:
    said, _ = _made(_bundle(*resources))
    assert f"{said.message_code}^{said.trigger_event}" == event


def test_the_envelope_decides_over_the_prior_message() -> None:
    there = MADE.to_fhir(STANDS).bundle
    said, _ = _made(there, "ADT^A03", STANDS)
    assert (said.trigger_event, said.structure, said.control_id) == ("A03", "ADT_A03", "C1")
    assert said.get("MSH-7") == "20261123101500+0100"
