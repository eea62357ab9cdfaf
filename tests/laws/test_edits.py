"""An edit in FHIR touches only its own fields in v2, and arrives."""

from __future__ import annotations

from copy import deepcopy
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.errors import ConnectorError
from connector.hl7v2.tree import Message
from tests.laws import corpus, edits, oracles
from tests.laws.messages import messages
from tests.shipped import TRANSLATOR

Json = oracles.Json

ADMIT = (
    "MSH|^~\\&|HIS|MAIN|CON|MAIN|20240818093000+0200||ADT^A01^ADT_A01|C1|P|2.5.1\r"
    "EVN||20240818093000+0200\r"
    "PID|1||4711^^^MAIN^MR~0815^^^PASS^PPN||Larsen^Anna^^^^^L~Berg^Anna^^^^^M||19700102|F|||Kirkeveien 1^^Os"
    "lo^^0150^NOR^H~Box 3^^Oslo^^0151^NOR^M||22334455^PRN^PH~^NET^Internet^anna@example.org|99887766^WPN^PH\r"
    "ZPI|keep|me\r"
    "NK1|1|Larsen^Per|SPO^Spouse^HL70063||40404040^PRN^CP\r"
    "PV1|1|I|W1^12^2^MAIN||||77^Roe^Jane^^^Dr^^^NPI||||||||||||V1^^^MAIN^VN||||||||||||||||||||||||||20240818\r"
    "AL1|1|DA|PEN^Penicillin^L|SV|Rash~Hives\r"
    "DG1|1||J18.9^Pneumonia^I10||20240818|A\r"
)
RESULT = (
    "MSH|^~\\&|LAB|MAIN|HIS|MAIN|20240818120000+0200||ORU^R01^ORU_R01|C2|P|2.5.1\r"
    "PID|1||4711^^^MAIN^MR||Larsen^Anna\r"
    "ORC|RE|P1^HIS|F1^LAB\r"
    "OBR|1|P1^HIS|F1^LAB|24323-8^CMP^LN|||20240818110000+0200|||||||||77^Roe^Jane||||||20240818120000+0200||CH|F\r"
    "OBX|1|NM|2345-7^Glucose^LN||5.40|mmol/L^^UCUM|4.0-6.0|N|||F\r"
    "NTE|1||fasting\r"
    "OBX|2|ST|2823-3^Potassium^LN||hemolysed||||||X\r"
)
STEADY = settings(max_examples=80, deadline=None)


def changed(text: str, bundle: Json) -> tuple[list[str], str]:
    """The fields that differ in what comes back, as ``PID-11``, and the text that came."""
    back = TRANSLATOR.to_v2(bundle, text).message
    before, after = Message.parse(text), Message.parse(back)
    assert [segment.name for segment in after.segments] == [segment.name for segment in before.segments]
    places = sorted(oracles.changed_fields(before, after))
    return [f"{before.segments[at].name}-{number}" for at, number in places], back


def bundle_and(text: str, kind: str) -> tuple[Json, Json]:
    """A bundle to edit, and its first resource of a kind."""
    bundle = deepcopy(TRANSLATOR.to_fhir(text).bundle)
    return bundle, next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


@STEADY
@given(messages(), st.integers(0, 2**32 - 1))
def test_any_edit_arrives_and_touches_nothing_else(text: str, seed: int) -> None:
    try:
        bundle = TRANSLATOR.to_fhir(text).bundle
    except ConnectorError:
        assume(False)
        raise
    possible = list(edits.possible(bundle))
    assume(possible)
    for edit in Random(seed).sample(possible, min(3, len(possible))):
        assert edits.faults(TRANSLATOR, text, bundle, edit) == []


@pytest.mark.corpus
def test_any_edit_of_the_corpus_arrives_and_touches_nothing_else() -> None:
    faults: list[str] = []
    for at, (name, text) in enumerate(corpus.messages()):
        try:
            bundle = TRANSLATOR.to_fhir(text).bundle
        except ConnectorError:
            continue
        possible = list(edits.possible(bundle))
        for edit in Random(at).sample(possible, min(8, len(possible))):
            faults += [f"{name}: {fault}" for fault in edits.faults(TRANSLATOR, text, bundle, edit)]
    assert not faults, "\n".join(faults[:20])


def test_a_new_city_touches_the_address_alone_and_keeps_the_other_words() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    patient["address"][0]["city"] = "Bergen & Voss"
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PID-11"]
    assert "|Kirkeveien 1^^Bergen \\T\\ Voss^^0150^NOR^H~Box 3^^Oslo^^0151^NOR^M|" in back


def test_a_telecom_more_follows_those_of_its_field() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    patient["telecom"].append({"system": "phone", "use": "work", "value": "12121212"})
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PID-14"]
    assert "|99887766^WPN^PH~12121212^WPN^PH\r" in back


def test_a_name_less_leaves_the_other() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    del patient["name"][0]
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PID-5"]
    assert "|Berg^Anna^^^^^M|" in back


def test_the_last_of_a_list_taken_away_is_a_delete() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    patient["telecom"] = [one for one in patient["telecom"] if one.get("use") != "work"]
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PID-14"]
    assert '|""\rZPI' in back


def test_lists_in_another_order_say_the_same() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    for name in ("identifier", "telecom", "address", "name"):
        patient[name].reverse()
    assert TRANSLATOR.to_v2(bundle, ADMIT).message == ADMIT


def test_an_edit_of_a_practitioner_touches_the_fields_that_refer_to_him() -> None:
    bundle, practitioner = bundle_and(ADMIT, "Practitioner")
    practitioner["name"][0]["family"] = "Doe"
    assert changed(ADMIT, bundle)[0] == ["PV1-7"]


def test_an_edit_of_a_bed_touches_the_place_alone() -> None:
    bundle, _ = bundle_and(ADMIT, "Patient")
    bed = next(
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"].get("physicalType", {}).get("coding", [{}])[0].get("code") == "bd"
    )
    bed["identifier"][0]["value"] = "9"
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PV1-3"]
    assert "|W1^12^9^MAIN|" in back


def test_another_doctor_takes_the_place_of_the_first() -> None:
    bundle, encounter = bundle_and(ADMIT, "Encounter")
    other = {"resourceType": "Practitioner", "id": "x", "name": [{"family": "Moe", "given": ["Sam"]}]}
    bundle["entry"].append({"fullUrl": "urn:uuid:1", "resource": other})
    encounter["participant"][0]["individual"] = {"reference": "urn:uuid:1"}
    fields, back = changed(ADMIT, bundle)
    assert fields == ["PV1-7"]
    assert "|^Moe^Sam|" in back


def test_a_result_that_is_corrected_changes_its_value_alone() -> None:
    bundle, observation = bundle_and(RESULT, "Observation")
    observation["valueQuantity"]["value"] += 1
    fields, back = changed(RESULT, bundle)
    assert fields == ["OBX-5"]
    assert "|6.40|" in back


def test_a_result_of_another_type_changes_type_value_and_units() -> None:
    bundle, observation = bundle_and(RESULT, "Observation")
    del observation["valueQuantity"]
    observation["valueString"] = "not done"
    assert changed(RESULT, bundle)[0] == ["OBX-2", "OBX-5", "OBX-6"]


def test_an_allergy_more_is_a_segment_behind_the_others() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "new",
        "patient": {"reference": f"Patient/{patient['id']}"},
        "code": {"coding": [{"code": "LTX", "display": "Latex"}]},
    }
    bundle["entry"].append({"fullUrl": "urn:uuid:2", "resource": allergy})
    back = TRANSLATOR.to_v2(bundle, ADMIT)
    assert back.message == ADMIT.replace("DG1|1", "AL1|2||LTX^Latex\rDG1|1")
    assert "AllergyIntolerance[1].code" not in " ".join(back.lost)


def test_a_relative_more_is_a_segment_of_its_own() -> None:
    bundle, patient = bundle_and(ADMIT, "Patient")
    kin = {
        "resourceType": "RelatedPerson",
        "id": "new",
        "patient": {"reference": f"Patient/{patient['id']}"},
        "name": [{"family": "Larsen", "given": ["Ida"]}],
    }
    bundle["entry"].append({"resource": kin})
    back = TRANSLATOR.to_v2(bundle, ADMIT)
    assert back.message == ADMIT.replace("PV1|1", "NK1|2|Larsen^Ida\rPV1|1")
    assert back.lost == []


def test_an_observation_more_stands_with_the_report_that_collects_it() -> None:
    bundle, report = bundle_and(RESULT, "DiagnosticReport")
    observation = {
        "resourceType": "Observation",
        "id": "new",
        "status": "final",
        "subject": report["subject"],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2951-2"}]},
        "valueQuantity": {"value": 140, "unit": "mmol/L"},
    }
    bundle["entry"].append({"resource": observation})
    report["result"].append({"reference": "Observation/new"})
    back = TRANSLATOR.to_v2(bundle, RESULT)
    assert back.message == RESULT + "OBX|3|NM|2951-2^^LN||140|mmol/L|||||F\r"
    assert back.lost == []


def test_a_resource_that_is_deleted_takes_its_segment_along() -> None:
    bundle, allergy = bundle_and(ADMIT, "AllergyIntolerance")
    gone = f"AllergyIntolerance/{allergy['id']}"
    bundle["entry"] = [e for e in bundle["entry"] if e["request"]["url"] != gone]
    bundle["entry"].append({"request": {"method": "DELETE", "url": gone}})
    back = TRANSLATOR.to_v2(bundle, ADMIT)
    assert back.message == "".join(line + "\r" for line in ADMIT.split("\r") if line and line[:3] != "AL1")


def test_a_note_more_follows_its_observation() -> None:
    bundle, observation = bundle_and(RESULT, "Observation")
    observation["note"].append({"text": "see comment"})
    assert TRANSLATOR.to_v2(bundle, RESULT).message == RESULT.replace(
        "fasting\r", "fasting\rNTE|2||see comment\r"
    )


def test_what_the_bundle_does_not_speak_of_stays() -> None:
    _, patient = bundle_and(ADMIT, "Patient")
    patient["birthDate"] = "1970-02-01"
    alone = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient}]}
    assert changed(ADMIT, alone)[0] == ["PID-7"]


# --- who a message is about -----------------------------------------------------------------------------


def _with(*resources: Json) -> Json:
    entries = [
        {"fullUrl": f"https://x.example/{r['resourceType']}/{r['id']}", "resource": r} for r in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_over_the_message_of_another_patient_nothing_of_that_one_stays() -> None:
    other = {"resourceType": "Patient", "id": "o", "name": [{"family": "Vik", "given": ["Ola"]}]}
    back = TRANSLATOR.to_v2(_with(other), ADMIT).message
    assert [str(segment) for segment in Message.parse(back).segments[1:]] == [
        "EVN||20240818093000+0200",
        "PID|1||||Vik^Ola",
    ]


def test_a_new_visit_takes_the_place_of_the_old_one() -> None:
    _, patient = bundle_and(ADMIT, "Patient")
    subject = {"reference": f"Patient/{patient['id']}"}
    visit = {"resourceType": "Encounter", "id": "n", "status": "planned", "subject": subject}
    visit |= {"class": {"code": "AMB"}, "identifier": [{"value": "V2"}]}
    said = Message.parse(TRANSLATOR.to_v2(_with(patient, visit), ADMIT).message)
    assert [segment.name for segment in said.segments] == ["MSH", "EVN", "PID", "ZPI", "NK1", "PV1", "AL1"]
    assert said.get("PV1-19") == "V2"
    assert said.get("PV1-7.2") == ""


def test_what_is_about_another_patient_is_lost_and_not_said_of_this_one() -> None:
    _, patient = bundle_and(ADMIT, "Patient")
    foreign = {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "patient": {"reference": "Patient/somebody-else"},
        "code": {"coding": [{"code": "NUT"}]},
    }
    back = TRANSLATOR.to_v2(_with(patient, foreign), ADMIT)
    assert back.message == ADMIT
    assert back.lost == ["AllergyIntolerance"]


def test_a_provenance_of_something_else_is_no_event() -> None:
    _, patient = bundle_and(ADMIT, "Patient")
    about = {
        "resourceType": "Provenance",
        "id": "pr",
        "target": [{"reference": f"Patient/{patient['id']}"}],
        "recorded": "2030-01-01T00:00:00Z",
        "agent": [{"who": {"display": "x"}}],
    }
    back = TRANSLATOR.to_v2(_with(patient, about), ADMIT)
    assert back.message == ADMIT
    assert back.lost != []


def test_another_payor_takes_the_place_of_the_first() -> None:
    text = ADMIT + "IN1|1|P1|C1|Old Co\r"
    bundle, coverage = bundle_and(text, "Coverage")
    bundle["entry"].append({"resource": {"resourceType": "Organization", "id": "new", "name": "New Co"}})
    coverage["payor"] = [{"reference": "Organization/new"}]
    fields, back = changed(text, bundle)
    assert fields == ["IN1-3", "IN1-4"]
    assert back.endswith('IN1|1|P1|""|New Co\r')
