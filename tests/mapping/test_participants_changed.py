"""What FHIR changes of those who take part, and what of it becomes PRT and ROL."""

from __future__ import annotations

from typing import Any

from tests.mapping.profiles import Json, message, of_type, only
from tests.mapping.test_participation import PID, V2, codes, rol, told
from tests.shipped import TRANSLATOR as MADE

VISITED = message(
    PID,
    "PV1|1|I",
    rol({1: "R1", 2: "UC", 3: "AT", 4: "77^Okafor^^Jr", 7: "10"}),
    rol({2: "UC", 3: "CP", 4: "78^Núñez", 12: "555^WPN^PH"}),
)


def changed(edit: Any) -> list[str]:
    """The lines of the visit's message after an edit of its bundle."""
    bundle = MADE.to_fhir(VISITED).bundle
    edit(bundle)
    return MADE.to_v2(bundle, VISITED).message.split("\r")[3:-1]


def test_an_edit_of_a_role_touches_its_own_field_only() -> None:
    def edit(bundle: Json) -> None:
        of_type(bundle, "PractitionerRole")[1]["telecom"][0]["value"] = "777"

    assert changed(edit) == [VISITED.split("\r")[3], "ROL||UC|CP|78^Núñez||||||||777^WPN^PH"]


def test_a_participant_taken_out_takes_out_its_segment() -> None:
    def edit(bundle: Json) -> None:
        del only(bundle, "Encounter")["participant"][0]

    assert changed(edit) == [VISITED.split("\r")[4]]


def test_a_role_that_is_deleted_takes_out_its_segment() -> None:
    def edit(bundle: Json) -> None:
        gone = of_type(bundle, "PractitionerRole")[1]["id"]
        entry = next(one for one in bundle["entry"] if one["resource"].get("id") == gone)
        del entry["resource"]
        entry["request"] = {"method": "DELETE", "url": f"PractitionerRole/{gone}"}

    assert changed(edit) == [VISITED.split("\r")[3]]


def test_a_participant_of_another_part_changes_the_code_only() -> None:
    def edit(bundle: Json) -> None:
        only(bundle, "Encounter")["participant"][1]["type"] = [
            {"coding": [{"system": V2 + "0443", "code": "RP"}]}
        ]

    assert changed(edit) == [VISITED.split("\r")[3], "ROL||UC|RP|78^Núñez||||||||555^WPN^PH"]


def test_a_new_participant_gets_a_segment_behind_the_visit() -> None:
    def edit(bundle: Json) -> None:
        role = {
            "resourceType": "PractitionerRole",
            "id": "new",
            "practitioner": {"reference": "Practitioner/dr"},
        }
        person = {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Li"}]}
        bundle["entry"] += [{"resource": role}, {"resource": person}]
        kind = {"coding": [{"system": V2 + "0443", "code": "RT"}]}
        only(bundle, "Encounter")["participant"].append(
            {"type": [kind], "individual": {"reference": "PractitionerRole/new"}}
        )

    assert changed(edit)[2:] == ["ROL|||RT|^Li"]


def test_one_person_in_two_parts_is_two_segments() -> None:
    bundle = told(PID, "PV1|1|I", rol({3: "AT", 4: "77^Okafor"}), rol({3: "AD", 4: "77^Okafor"}))
    assert len(of_type(bundle, "PractitionerRole")) == 1
    assert len(only(bundle, "Encounter")["participant"]) == 2


def test_the_same_part_said_twice_is_one_participant_and_both_segments_stay() -> None:
    twice = rol({3: "AT", 4: "77^Okafor"})
    bundle = MADE.to_fhir(message(PID, "PV1|1|I", twice, twice)).bundle
    assert len(only(bundle, "Encounter")["participant"]) == 1
    assert MADE.to_v2(bundle, message(PID, "PV1|1|I", twice, twice)).message.count("ROL|") == 2


def test_what_fhir_knows_of_others_stays_when_a_message_names_some() -> None:
    prior = MADE.to_fhir(VISITED).bundle
    later = message(PID, "PV1|1|I|||||80^Larsen", rol({3: "AT", 4: "77^Okafor^^Jr", 5: "2024"}))
    participants = only(MADE.to_fhir(later, prior).bundle, "Encounter")["participant"]
    parts = sorted(
        (one["individual"]["reference"].split("/")[0], codes(one["type"][0])[0]) for one in participants
    )
    assert parts == [("Practitioner", "ATND"), ("PractitionerRole", "AT"), ("PractitionerRole", "CP")]


def test_a_deleted_field_is_taken_out_of_the_role() -> None:
    prior = MADE.to_fhir(VISITED).bundle
    later = VISITED.replace("555^WPN^PH", '""')
    role = of_type(MADE.to_fhir(later, prior).bundle, "PractitionerRole")[1]
    assert "telecom" not in role


def test_explaining_names_the_segment_of_each_element() -> None:
    found = {str(one.element): one.location for one in MADE.explain(VISITED)}
    assert found["Encounter.participant[0].type[0].coding[0].code"] == "ROL-3"
    assert found["Encounter.participant[0].individual.reference"] == "ROL"
    assert found["PractitionerRole[1].telecom[0].value"] == "ROL[2]-12.1"


def test_a_care_team_of_fhir_alone_becomes_roles_behind_the_patient() -> None:
    team = {
        "resourceType": "CareTeam",
        "id": "t",
        "subject": {"reference": "Patient/p"},
        "participant": [
            {"member": {"reference": "PractitionerRole/r"}, "role": [{"text": "Nurse in charge"}]}
        ],
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "p", "name": [{"family": "Larsen"}]}},
            {"resource": team},
            {
                "resource": {
                    "resourceType": "PractitionerRole",
                    "id": "r",
                    "organization": {"reference": "Organization/o"},
                }
            },
            {"resource": {"resourceType": "Organization", "id": "o", "name": "Ward 8"}},
        ],
    }
    back = MADE.to_v2(bundle)
    assert "ROL||AD|^Nurse in charge|||||||||||Ward 8" in back.message.split("\r")
    assert back.lost == []
