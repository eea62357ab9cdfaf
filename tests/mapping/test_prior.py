"""To FHIR over what stands on the FHIR side."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.mapping.overlay import deep, is_absent, over, united
from connector.mapping.owning import Ownership
from tests.mapping.profiles import Json, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^STV^MR||Moe^Jo||19610615|F|||Lane 5^^Wien^^1010||555-1~^NET^^jo@x.example|555-2||M"
VISIT = "PV1|1|I|WARD^1^2||||D1^House|||SUR|||||||||V1^^^STV" + "|" * 25 + "20261123"
NUMBER = "PV1|1" + "|" * 18 + "V1^^^STV"
BARE = "PID|||1^^^STV^MR"


def _stands(*segments: str, event: str = "ADT^A01") -> dict[str, Json]:
    bundle = MADE.to_fhir(message(*segments, event=event)).bundle
    return {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}


def _after(stands: dict[str, Json], *segments: str, event: str = "ADT^A08") -> dict[str, Json]:
    before = deepcopy(stands)
    bundle = MADE.to_fhir(message(*segments, event=event), prior=list(stands.values())).bundle
    assert stands == before, "what was handed in was changed"
    return stands | {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}


def _one(stands: dict[str, Json], kind: str) -> Json:
    (found,) = (one for one in stands.values() if one["resourceType"] == kind)
    return found


def _patient(*segments: str, **foreign: Any) -> Json:
    stands = _stands(PID)
    _one(stands, "Patient").update(foreign)
    return _one(_after(stands, *segments), "Patient")


def test_what_is_absent_is_unchanged() -> None:
    assert _one(_after(_stands(PID), BARE), "Patient") == _one(_stands(PID), "Patient")


def test_what_is_sent_as_deleted_is_removed() -> None:
    patient = _patient(BARE + '||""||""|""|||""||""|||""')
    assert {"name", "birthDate", "gender", "address", "maritalStatus"} & patient.keys() == set()
    assert [one["value"] for one in patient["telecom"]] == ["555-2"]


def test_a_field_that_repeats_says_the_whole_of_what_it_would_claim() -> None:
    patient = _patient(BARE + "||||||||||555-9")
    assert [one["value"] for one in patient["telecom"]] == ["555-9", "555-2"]


def test_a_changed_element_keeps_what_no_component_can_say() -> None:
    stands = _stands(PID)
    patient = _one(stands, "Patient")
    patient["telecom"][0]["id"] = "t"
    patient["address"][0]["extension"] = [{"url": "https://x.example/geo", "valueString": "here"}]
    patient["address"][0]["text"] = "the yellow house"
    after = _one(_after(stands, BARE + "||||||||Lane 6^^Wien||555-1"), "Patient")
    assert after["telecom"][0] == patient["telecom"][0]
    assert after["address"] == [
        {
            "line": ["Lane 6"],
            "city": "Wien",
            "extension": patient["address"][0]["extension"],
            "text": "the yellow house",
        }
    ]


def test_foreign_elements_and_extensions_survive() -> None:
    foreign: Json = {
        "photo": [{"title": "face"}],
        "extension": [{"url": "https://x.example/e", "valueString": "kept"}],
        "_birthDate": {"extension": [{"url": "https://x.example/b", "valueString": "kept"}]},
        "meta": {"profile": ["https://x.example/p"]},
        "active": True,
    }
    after = _patient(PID.replace("19610615", "19610616") + "|CAT", **foreign)
    assert {name: after[name] for name in foreign if name != "extension"} == {
        name: foreign[name] for name in foreign if name != "extension"
    }
    assert after["extension"][0] == foreign["extension"][0]
    assert len(after["extension"]) == 2
    assert after["birthDate"] == "1961-06-16"


def test_an_extension_of_ours_is_replaced_and_removed_beside_a_foreign_one() -> None:
    foreign = {"url": "https://x.example/e", "valueString": "kept"}
    stands = _stands(PID + "|CAT")
    _one(stands, "Patient")["extension"].insert(0, foreign)
    changed = _one(_after(stands, BARE + "|" * 14 + "JEW"), "Patient")["extension"]
    assert changed[0] == foreign
    assert [one["valueCodeableConcept"]["coding"][0]["code"] for one in changed[1:]] == ["JEW"]
    removed = _one(_after(stands, BARE + "|" * 14 + '""'), "Patient")["extension"]
    assert removed == [foreign]


def test_the_time_of_birth_goes_with_the_date_that_has_none() -> None:
    stands = _stands(PID.replace("19610615", "196106151200+0100"))
    assert "_birthDate" in _one(stands, "Patient")
    assert "_birthDate" not in _one(_after(stands, BARE + "||||19610615"), "Patient")


def test_a_coding_that_others_added_stays_while_the_code_stays() -> None:
    stands = _stands(PID)
    added = {"system": "http://snomed.info/sct", "code": "87915002"}
    _one(stands, "Patient")["maritalStatus"]["coding"].append(added)
    assert added in _one(_after(stands, PID), "Patient")["maritalStatus"]["coding"]
    changed = _one(_after(stands, PID.removesuffix("M") + "S"), "Patient")["maritalStatus"]
    assert added not in changed["coding"]


def test_what_could_not_be_said_changes_nothing() -> None:
    patient = _patient(BARE + "||||soon|X99")
    assert (patient["birthDate"], patient["gender"]) == ("1961-06-15", "female")


def test_a_choice_is_replaced_by_its_other_form() -> None:
    stands = _stands(PID + "|" * 14 + "N")
    assert _one(stands, "Patient")["deceasedBoolean"] is False
    after = _one(_after(stands, BARE + "|" * 26 + "20261123|Y"), "Patient")
    assert "deceasedBoolean" not in after
    assert after["deceasedDateTime"] == "2026-11-23"


def test_defaults_never_override() -> None:
    stands = _stands(PID, "AL1|1||^Nuts", "PR1|1||X^Y", "OBR|1|P1|F1|GLU" + "|" * 21 + "F")
    resolved = {"coding": [{"code": "resolved"}]}
    _one(stands, "AllergyIntolerance")["clinicalStatus"] = resolved
    _one(stands, "Procedure")["status"] = "stopped"
    after = _after(stands, PID, "AL1|1||^Nuts", "PR1|1||X^Y", "OBR|1|P1|F1|GLU")
    assert _one(after, "AllergyIntolerance")["clinicalStatus"] == resolved
    assert _one(after, "Procedure")["status"] == "stopped"
    assert _one(after, "DiagnosticReport")["status"] == "final"


def test_an_update_does_not_reopen_a_visit_and_an_admission_does() -> None:
    stands = _stands(PID, VISIT, event="ADT^A03")
    assert _one(stands, "Encounter")["status"] == "finished"
    assert _one(_after(stands, PID, VISIT, event="ADT^A08"), "Encounter")["status"] == "finished"
    assert _one(_after(stands, PID, VISIT, event="ORU^R01"), "Encounter")["status"] == "finished"
    assert _one(_after(stands, PID, VISIT, event="ADT^A13"), "Encounter")["status"] == "in-progress"
    opened = _stands(PID, VISIT)
    assert _one(_after(opened, PID, VISIT, event="ADT^A03"), "Encounter")["status"] == "finished"


def test_what_is_not_known_does_not_override_what_is() -> None:
    stands = _stands(PID, VISIT)
    after = _one(_after(stands, PID, NUMBER), "Encounter")
    assert after["class"] == _one(stands, "Encounter")["class"]
    unknown = _stands(PID, NUMBER)
    assert is_absent(_one(unknown, "Encounter")["class"])
    assert _one(_after(unknown, PID, VISIT), "Encounter")["class"]["code"] == "IMP"


def test_a_patients_place_changes_alone() -> None:
    stands = _stands(PID, VISIT)
    moved = _one(_after(stands, PID, NUMBER.replace("|||", "||WARD^3^4|", 1), event="ADT^A02"), "Encounter")
    before = _one(stands, "Encounter")
    assert {name for name in moved if moved[name] != before.get(name)} == {"location"}
    assert len(moved["location"]) == 1


def test_deleting_a_part_of_an_element_leaves_the_other_parts() -> None:
    stands = _stands(PID, "PV1|1" + "|" * 13 + "1|||||V1^^^STV" + "|" * 17 + "01|HOME")
    before = _one(stands, "Encounter")["hospitalization"]
    assert before.keys() == {"admitSource", "dischargeDisposition", "destination"}
    gone = _one(_after(stands, PID, NUMBER + "|" * 18 + '""'), "Encounter")
    assert gone["hospitalization"].keys() == {"admitSource", "dischargeDisposition"}


def test_a_report_unites_its_results() -> None:
    order = "OBR|1|P1^A|F1^A|GLU"
    stands = _stands(PID, order, "OBX|1|ST|A||x", event="ORU^R01")
    after = _after(stands, PID, order, "OBX|1|ST|B||y", event="ORU^R01")
    assert len(_one(after, "DiagnosticReport")["result"]) == 2
    again = _after(after, PID, order, "OBX|1|ST|A||x", event="ORU^R01")
    assert _one(again, "DiagnosticReport") == _one(after, "DiagnosticReport")


def test_a_visit_unites_its_diagnoses_and_changes_the_one_it_says() -> None:
    first = "DG1|1||J10^Flu^I10|||A|||||||||2"
    stands = _stands(PID, VISIT, first, "DG1|2||J11^Cold^I10|||F")
    diagnoses = _one(stands, "Encounter")["diagnosis"]
    diagnoses[0]["id"] = "d"
    said = _one(_after(stands, PID, VISIT, "DG1|1||J10^Flu^I10|||W"), "Encounter")["diagnosis"]
    assert [one["condition"] for one in said] == [one["condition"] for one in diagnoses]
    assert (said[0]["id"], said[0]["rank"], said[1]) == ("d", 2, diagnoses[1])
    assert said[0]["use"]["coding"][0]["code"] == "W"
    gone = _one(_after(stands, PID, VISIT, 'DG1|1||J10^Flu^I10|||A|||||||||""'), "Encounter")["diagnosis"]
    assert "rank" not in gone[0]


def test_notes_are_said_anew_and_those_of_others_stay() -> None:
    result = (PID, "OBR|1|P1|F1|GLU", "OBX|1|ST|A||x")
    stands = _stands(*result, "NTE|1||first", event="ORU^R01")
    other = {"text": "by hand", "authorString": "Jo"}
    _one(stands, "Observation")["note"].append(other)
    after = _one(_after(stands, *result, "NTE|1||second", event="ORU^R01"), "Observation")
    assert after["note"] == [other, {"text": "second"}]
    silent = _one(_after(stands, *result, event="ORU^R01"), "Observation")
    assert silent["note"] == [{"text": "first"}, other]


def test_a_changed_value_replaces_the_old_one_whatever_its_type() -> None:
    stands = _stands(PID, "OBR|1|P1|F1|GLU", "OBX|1|NM|A||5|mg|||||P", event="ORU^R01")
    _one(stands, "Observation")["method"] = {"text": "by eye"}
    after = _one(
        _after(stands, PID, "OBR|1|P1|F1|GLU", "OBX|1|ST|A||low||||||F", event="ORU^R01"), "Observation"
    )
    assert "valueQuantity" not in after
    assert (after["valueString"], after["status"], after["method"]["text"]) == ("low", "final", "by eye")


def test_a_person_that_is_only_referred_to_keeps_what_the_reference_does_not_say() -> None:
    stands = _stands(PID, VISIT)
    doctor = _one(stands, "Practitioner")
    doctor["telecom"] = [{"value": "1234"}]
    doctor["name"][0]["prefix"] = ["Dr"]
    assert _one(_after(stands, PID, VISIT), "Practitioner") == doctor
    renamed = _one(_after(stands, PID, VISIT.replace("House", "Wilson")), "Practitioner")
    assert renamed["name"] == [{"family": "Wilson"}]
    assert renamed["telecom"] == doctor["telecom"]


def test_a_reference_keeps_its_words_while_it_refers_to_the_same() -> None:
    stands = _stands(PID, VISIT)
    _one(stands, "Encounter")["subject"]["display"] = "Jo Moe"
    assert _one(_after(stands, PID, VISIT), "Encounter")["subject"]["display"] == "Jo Moe"


def test_an_insurance_keeps_its_other_classes() -> None:
    stands = _stands(PID, "IN1|1|PLAN|C1|Co||||G1")
    coverage = _one(stands, "Coverage")
    coverage["class"].append({"type": {"text": "plan"}, "value": "gold"})
    after = _one(_after(stands, PID, "IN1|1|PLAN|C1|Co||||G2"), "Coverage")
    assert [one["value"] for one in after["class"]] == ["G2", "gold"]


def test_resources_that_the_message_does_not_touch_are_not_in_the_bundle() -> None:
    other = {"resourceType": "Patient", "id": "other"}
    assert "other" not in {
        one["id"] for one in of_type(MADE.to_fhir(message(PID), prior=[other]).bundle, "Patient")
    }


def test_a_bundle_may_stand_for_what_is_known() -> None:
    stands = MADE.to_fhir(message(PID)).bundle
    assert only(MADE.to_fhir(message(BARE), prior=stands).bundle, "Patient") == only(stands, "Patient")


def test_a_list_keeps_its_order_where_nothing_changes_it() -> None:
    stands = _stands("PID|||1^^^STV^MR||Moe^Jo^^^^^L~Poe^Jo^^^^^M")
    names = _one(stands, "Patient")["name"]
    foreign = {"use": "nickname", "text": "Joe"}
    names.insert(0, foreign)
    assert _one(_after(stands, BARE), "Patient")["name"] == names


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        ({"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}, {"a": 1, "b": {"c": 1, "d": 2}}),
        (
            {"s": {"reference": "A/1", "display": "x"}},
            {"s": {"reference": "A/2"}},
            {"s": {"reference": "A/2"}},
        ),
        ({"given": ["A", "B"]}, {"given": ["A"]}, {"given": ["A"]}),
        ({"p": [{"x": 1}, {"y": 2}]}, {"p": [{"x": 3}]}, {"p": [{"x": 3}, {"y": 2}]}),
        ({"q": [{"x": 1}, {"y": 2}]}, {"q": [{"x": 3}]}, {"q": [{"x": 3}]}),
    ],
)
def test_a_value_goes_over_another(before: Json, now: Json, after: Json) -> None:
    assert deep(before, now, frozenset({"p"})) == after


def test_what_v2_can_say_and_does_not_say_goes() -> None:
    before = {"value": "1", "type": {"text": "x"}, "period": {"start": "2026", "id": "p"}, "rank": 1}
    after = over(before, {"value": "2"}, Ownership({"value", "type", "period.start"}))
    assert after == {"value": "2", "period": {"id": "p"}, "rank": 1}


@pytest.mark.parametrize("race", ["", "2106-3^White^CDCREC"])
def test_a_contact_is_said_anew_also_beside_what_fields_say_together(race: str) -> None:
    def sent(employer: str) -> tuple[str, str]:
        return f"{BARE}||Moe^Jo|||||{race}", f"NK1|1||EMR^Employer^HL70063||||||||||{employer}"

    after = _after(_stands(*sent("North")), *sent("South"))
    (contact,) = _one(after, "Patient")["contact"]
    assert after[contact["organization"]["reference"]]["name"] == "South"


def test_references_are_united_by_what_they_refer_to() -> None:
    one, other = {"reference": "O/1", "display": "x"}, {"reference": "O/2"}
    assert united([one], [{"reference": "O/1"}, other]) == [one, other]


SEGMENTS = st.lists(
    st.sampled_from(
        [
            "PD1|||Clinic^^1|D9^Best",
            "NK1|1|Moe^Al|SPO|Lane 1|555-7",
            VISIT,
            "PV1|1|O|OTHER^1||||D2^Wilson||||||||||||V1^^^STV",
            'PV1|1|I|""||||""||||||||||||V1^^^STV',
            "AL1|1|DA|^Nuts|SV",
            "DG1|1||J10^Flu^I10|||A",
            "PR1|1||X^Y||20261123",
            "IN1|1|PLAN|C1|Co||||G1",
            "OBR|1|P1|F1|GLU|||20261123",
            "OBX|1|NM|A||5|mg|||||F",
            "OBX|2|CWE|B||a^b^c~d^e^f||||||P",
            "NTE|1||note",
        ]
    ),
    max_size=6,
)
PATIENTS = st.sampled_from(
    [PID, BARE, PID + "|CAT", BARE + '||""|Mom|""|M', BARE + "||A^B~C^D^^^^^L||19610616|M||||555-3~555-4|"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PATIENTS, SEGMENTS, PATIENTS, SEGMENTS, st.sampled_from(["ADT^A01", "ADT^A08", "ADT^A03"]))
def test_the_same_message_twice_changes_nothing(
    first: str, more: list[str], second: str, others: list[str], event: str
) -> None:
    stands = _stands(first, *more)
    for one in stands.values():
        one["text"] = {"status": "generated"}
        one.setdefault("extension", []).append({"url": "https://x.example/e", "valueString": "kept"})
    once = _after(stands, second, *others, event=event)
    assert _after(once, second, *others, event=event) == once
    for key, one in once.items():
        if key in stands:
            assert {"url": "https://x.example/e", "valueString": "kept"} in one["extension"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PATIENTS, SEGMENTS)
def test_a_message_over_what_it_said_itself_changes_nothing(first: str, more: list[str]) -> None:
    stands = _stands(first, *more)
    assert _after(stands, first, *more, event="ADT^A01") == stands
