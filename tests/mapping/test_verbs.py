from __future__ import annotations

from pathlib import Path

import pytest

from connector.hl7v2.delimiters import Delimiters
from connector.mapping.filling import respelled
from tests.mapping.profiles import lawful, lines, message, of_type, only, refusal, translator
from tests.shipped import TRANSLATOR

DEMO = Path(__file__).parents[2] / "profiles" / "demo" / "profile.toml"
PID = "PID|1||123^^^STV^MR||Moe^Jo||19610615|F|||||||||||123-45-6789"
URL = "https://st-vincent.example/fhir/meal"


def _extension(source: str, kind: str = "string", to: str = "Patient", url: str = URL) -> str:
    return f'[[mapping.extension]]\nfrom = "{source}"\nto = "{to}"\nurl = "{url}"\ntype = "{kind}"\n'


def _identifier(source: str, to: str = "Patient", system: str = "urn:oid:1.2.3", kind: str = "") -> str:
    type_of = f'type = "{kind}"\n' if kind else ""
    return f'[[mapping.identifier]]\nfrom = "{source}"\nto = "{to}"\nsystem = "{system}"\n{type_of}'


# --- drop -----------------------------------------------------------------------------------------------


def test_a_dropped_field_is_not_said_and_is_named_among_the_lost(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["PID-19"]\n').to_fhir(message(PID))
    assert [one["value"] for one in only(made.bundle, "Patient")["identifier"]] == ["123"]
    assert made.lost == ["PID-19"]


def test_a_dropped_field_is_not_written_either(tmp_path: Path) -> None:
    dropping = translator(tmp_path, 'mapping.drop = ["PID-19"]\n')
    back = dropping.to_v2(TRANSLATOR.to_fhir(message(PID)).bundle)
    assert "123-45-6789" not in back.message
    assert back.lost == ["Patient.identifier[1]"]


def test_a_dropped_field_keeps_its_words_in_the_prior_message(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["PID-19"]\n')
    there = made.to_fhir(message(PID)).bundle
    only(there, "Patient")["birthDate"] = "1961-06-16"
    assert made.to_v2(there, message(PID)).message == message(PID.replace("19610615", "19610616"))


def test_a_dropped_segment_is_lost_as_a_whole_and_stays_in_the_prior_message(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["NK1"]\n')
    text = message(PID, "NK1|1|Moe^Al|SPO", "PV1|1|I")
    said = made.to_fhir(text)
    assert of_type(said.bundle, "RelatedPerson") == []
    assert said.lost == ["NK1-1", "NK1-2", "NK1-3"]
    assert made.to_v2(said.bundle, text).message == text


@pytest.mark.parametrize("segment", ["PV1", "PV2", "PD1", "EVN", "OBR", "ORC", "OBX", "NTE", "DG1", "IN1"])
def test_every_segment_but_two_can_be_dropped(segment: str, tmp_path: Path) -> None:
    made = translator(tmp_path, f'mapping.drop = ["{segment}"]\n')
    parts = (PID, "PD1|||Clinic", "PV1|1|I", "PV2|||^fever", "DG1|1||J10^Flu^I10", "IN1|1|A|B")
    order = ("ORC|RE|1", "OBR|1|1||GLU", "NTE|1||fasting", "OBX|1|ST|GLU||low||||||F")
    text = message("EVN||20261123", *parts, *order)
    said = made.to_fhir(text)
    assert any(location.startswith(f"{segment}-") for location in said.lost)
    assert made.to_v2(said.bundle, text).message == text


def test_a_message_without_its_patient_is_not_offered(tmp_path: Path) -> None:
    assert refusal(tmp_path, '\nmapping.drop = ["PID"]\n').startswith("p.toml:3: no message can be said")


def test_a_dropped_component_is_lost_in_every_repetition(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["PID-3.5", "PID-11.1.2"]\n')
    text = message("PID|1||1^^^A^MR~2^^^B^PI||Moe||||||Lane 5&Lane&5^^Wien")
    said = made.to_fhir(text)
    assert all("type" not in one for one in only(said.bundle, "Patient")["identifier"])
    assert {"PID-3.5", "PID-3(2).5", "PID-11.1.2"} <= set(said.lost)
    assert made.to_v2(said.bundle, text).message == text


def test_a_dropped_component_stays_beside_an_edit_of_its_sisters(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["PID-5.5"]\n')
    text = message("PID|1||1^^^A||Moe^Jo^^^Dr")
    there = made.to_fhir(text).bundle
    only(there, "Patient")["name"][0]["family"] = "Poe"
    assert lines(made.to_v2(there, text).message)["PID"] == "PID|1||1^^^A||Poe^Jo^^^Dr"


def test_a_dropped_component_goes_with_the_person_it_belonged_to(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["PV1-7.6"]\n')
    text = message(PID, "PV1|1|I|||||D1^House^Greg^^^Dr^^^HIS")
    there = made.to_fhir(text).bundle
    other = {"resourceType": "Practitioner", "id": "x", "name": [{"family": "Wilson"}]}
    only(there, "Encounter")["participant"][0]["individual"] = {"reference": "Practitioner/x"}
    there["entry"].append({"resource": other})
    assert lines(made.to_v2(there, text).message)["PV1"] == "PV1|1|I|||||^Wilson"


def test_a_part_of_what_spans_fields_can_be_dropped(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["OBX-6", "PID-25"]\n')
    text = message(PID + "|||||Y|2", "OBR|1|||GLU", "OBX|1|NM|GLU||5.4|mmol/L|||||F", event="ORU^R01")
    said = made.to_fhir(text)
    assert only(said.bundle, "Observation")["valueQuantity"].keys() == {"value"}
    assert only(said.bundle, "Patient")["multipleBirthBoolean"] is True
    assert said.lost == ["PID-25", "OBX-6"]
    only(said.bundle, "Observation")["valueString"] = "high"
    del only(said.bundle, "Observation")["valueQuantity"]
    assert lines(made.to_v2(said.bundle, text).message)["OBX"] == "OBX|1|ST|GLU||high|mmol/L|||||F"


def test_a_field_of_a_segment_that_repeats_can_be_dropped(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.drop = ["NTE-6"]\n')
    text = message(PID, "OBR|1|||GLU", "OBX|1|ST|GLU||x", "NTE|1||so|||20261123", event="ORU^R01")
    said = made.to_fhir(text)
    assert only(said.bundle, "Observation")["note"] == [{"text": "so"}]
    assert said.lost == ["NTE-6"]
    assert made.to_v2(said.bundle, text).message == text


# --- default and constant -------------------------------------------------------------------------------


def test_a_default_is_assumed_where_the_field_is_empty(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.default."PV1-2" = "I"\n')
    assert only(made.to_fhir(message(PID, "PV1|1")).bundle, "Encounter")["class"]["code"] == "IMP"
    assert only(made.to_fhir(message(PID, "PV1|1|O")).bundle, "Encounter")["class"]["code"] == "AMB"


def test_a_default_is_not_written_into_the_words_of_the_prior_message(tmp_path: Path) -> None:
    made = translator(
        tmp_path, '[mapping.default]\n"PV1-2" = "I"\n"PV1-44" = "20261123"\n"PID-3.4" = "STV"\n'
    )
    lawful(made, message("PID|1||1~2^^^B||Moe", "PV1|1||WARD"))
    lawful(made, message("PID|1||1~2^^^B||Moe", "PV1|1"))


def test_a_default_that_was_edited_is_written(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.default."PV1-2" = "I"\n')
    text = message(PID, "PV1|1||WARD")
    there = made.to_fhir(text).bundle
    only(there, "Encounter")["class"] = {"code": "AMB", "system": only(there, "Encounter")["class"]["system"]}
    assert lines(made.to_v2(there, text).message)["PV1"] == "PV1|1|O|WARD"


def test_a_default_of_a_component_stands_in_every_repetition_that_lacks_it(tmp_path: Path) -> None:
    made = translator(tmp_path, '[mapping.default]\n"PID-3.4" = "STV"\n"PID-3.5" = "MR"\n')
    found = only(made.to_fhir(message("PID|1||1~2^^^B^PI~||Moe")).bundle, "Patient")["identifier"]
    assert [one["system"] for one in found] == ["urn:id:STV", "urn:id:B"]
    assert [one["type"]["coding"][0]["code"] for one in found] == ["MR", "PI"]


def test_a_default_of_a_component_needs_a_field_that_says_something(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.default."PID-13.3" = "PH"\n')
    assert "telecom" not in only(made.to_fhir(message(PID)).bundle, "Patient")


def test_a_default_overrides_nothing_that_stands_in_fhir(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.default."PV1-2" = "I"\n')
    stands = only(made.to_fhir(message(PID, "PV1|1|O" + "|" * 17 + "V1")).bundle, "Encounter")
    again = made.to_fhir(message(PID, "PV1|1" + "|" * 18 + "V1"), prior=[stands])
    assert only(again.bundle, "Encounter")["class"]["code"] == "AMB"
    new = made.to_fhir(message(PID, "PV1|1" + "|" * 18 + "V1"), prior=[])
    assert only(new.bundle, "Encounter")["class"]["code"] == "IMP"


def test_a_constant_is_always_written_towards_v2(tmp_path: Path) -> None:
    made = translator(tmp_path, '[mapping.constant]\n"MSH-5" = "HIS2"\n"OBX-11" = "F"\n"PID-3.4" = "STV"\n')
    text = message(PID, "OBR|1|||GLU", "OBX|1|ST|GLU||x", "OBX|2|ST|K||y", event="ORU^R01")
    back = made.to_v2(TRANSLATOR.to_fhir(text).bundle).message
    assert lines(back)["MSH"].split("|")[4] == "HIS2"
    assert [line.split("|")[11] for line in back.split("\r") if line.startswith("OBX")] == ["F", "F"]
    assert "123^^^STV^MR" in back


def test_a_constant_changes_what_fhir_hears_back_and_that_is_told(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.constant."PID-8" = "M"\n')
    back = made.to_v2(TRANSLATOR.to_fhir(message(PID)).bundle)
    assert lines(back.message)["PID"].split("|")[8] == "M"
    assert back.lost == ["Patient.gender"]


def test_texts_of_a_profile_are_spelled_as_the_message_is() -> None:
    other = Delimiters("#", "@", "*", "!", "%")
    assert respelled(r"A^B&C~D\T\E", other) == "A@B%C*D&E"
    assert respelled("100%", other) == "100!T!"


# --- move -----------------------------------------------------------------------------------------------


def test_a_moved_list_is_read_as_the_other_and_written_back(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.move."PID-18" = "PID-3"\n')
    text = message("PID|1||1^^^A^MR||Moe|||||||||||||77^^^STV^MR")
    there = lawful(made, text)
    assert [one["value"] for one in only(there, "Patient")["identifier"]] == ["1", "77"]
    assert of_type(there, "Account") == []
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:id:STV", "value": "5"}]}
    assert lines(made.to_v2(patient).message)["PID"] == "PID|1" + "|" * 16 + "|5^^^STV"


@pytest.mark.parametrize(("source", "place"), [("PID-32", 32), ("PID-2", 2), ("PID-30", 30)])
def test_a_moved_element_agrees_with_the_other_place(source: str, place: int, tmp_path: Path) -> None:
    if source == "PID-30":
        assert "is read together" in refusal(tmp_path, f'mapping.move."{source}" = "PID-8"\n')
        return
    toml = f'mapping.move."{source}" = "PID-8"\n'
    if source == "PID-32":
        assert refusal(tmp_path, toml).startswith("p.toml:2: the maps have no PID-32")
        return
    made = translator(tmp_path, toml)
    patient = {"resourceType": "Patient", "gender": "female"}
    assert lines(made.to_v2(patient).message)["PID"].split("|")[place] == "F"
    both = made.to_fhir(message("PID|1|F|1||Moe|||M"))
    assert (only(both.bundle, "Patient")["gender"], both.lost) == ("female", ["PID-8"])


def test_a_field_of_a_z_segment_can_stand_for_another(tmp_path: Path) -> None:
    made = translator(tmp_path, 'mapping.move."ZPI-3" = "PID-13"\n')
    text = message("PID|1||1||Moe", "ZPI|1||^NET^Internet^jo@x.example")
    there = lawful(made, text)
    assert only(there, "Patient")["telecom"][0]["value"] == "jo@x.example"
    assert made.to_fhir(text).lost == ["ZPI-1"]


def test_a_field_does_not_move_to_another_resource(tmp_path: Path) -> None:
    said = refusal(tmp_path, '[mapping]\nmove."NK1-5" = "PID-13"\n')
    assert said.startswith("p.toml:3: NK1 and PID do not speak of the same resource")


# --- authorities, systems, codes, identity ---------------------------------------------------------------


def test_authorities_and_systems_have_the_names_that_the_profile_gives(tmp_path: Path) -> None:
    made = translator(
        tmp_path, '[mapping]\nauthorities.STV = "urn:oid:1.2.3"\nsystems.LOC = "urn:oid:1.2.4"\n'
    )
    there = lawful(made, message(PID, "DG1|1||J10^Flu^LOC"))
    assert only(there, "Patient")["identifier"][0]["system"] == "urn:oid:1.2.3"
    assert only(there, "Condition")["code"]["coding"][0]["system"] == "urn:oid:1.2.4"


def test_a_code_of_the_partner_gets_its_meaning_in_the_form_of_the_table_that_allows_it(
    tmp_path: Path,
) -> None:
    made = translator(tmp_path, '[mapping.codes]\nHL70001.9 = "unknown"\nHL70190.XX = "postal"\n')
    there = made.to_fhir(message("PID|1||1||Moe|||9|||Lane^^Wien^^^^XX")).bundle
    assert only(there, "Patient")["gender"] == "unknown"
    assert only(there, "Patient")["address"][0]["type"] == "postal"


def test_a_code_that_fhir_does_not_allow_is_refused_with_its_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, '\n[mapping.codes.HL70001]\n9 = "robot"\n')
    assert said.startswith("p.toml:4: FHIR does not allow this code here (one of: female")


def test_a_patient_is_known_by_the_preferred_authority(tmp_path: Path) -> None:
    made = translator(tmp_path, 'identity.patient_authorities = ["NAT", "STV"]\n')
    one = made.to_fhir(message("PID|1||1^^^STV^MR~9^^^NAT^NI||Moe")).bundle
    other = made.to_fhir(message("PID|1||9^^^NAT^NI~2^^^STV^MR||Moe")).bundle
    assert only(one, "Patient")["id"] == only(other, "Patient")["id"]
    third = made.to_fhir(message("PID|1||1^^^STV^MR||Moe")).bundle
    assert only(third, "Patient")["id"] != only(one, "Patient")["id"]


def test_two_profiles_do_not_share_ids(tmp_path: Path) -> None:
    first = translator(tmp_path, "").to_fhir(message(PID)).bundle
    second = translator(tmp_path, 'identity.namespace = "q"\n').to_fhir(message(PID)).bundle
    assert only(first, "Patient")["id"] != only(second, "Patient")["id"]


def test_the_zone_and_the_base_come_from_the_profile(tmp_path: Path) -> None:
    toml = 'fhir.base = "https://x.example/fhir/"\nv2.time_zone = "Europe/Vienna"\n'
    there = translator(tmp_path, toml).to_fhir(message(PID, "PV1|1|I" + "|" * 42 + "202611231000")).bundle
    assert only(there, "Encounter")["period"]["start"] == "2026-11-23T10:00:00+01:00"
    assert there["entry"][0]["fullUrl"].startswith("https://x.example/fhir/Organization/")


def test_without_a_zone_a_time_without_an_offset_is_lost(tmp_path: Path) -> None:
    said = translator(tmp_path, "").to_fhir(message(PID, "PV1|1|I" + "|" * 42 + "202611231000"))
    assert "PV1-44" in said.lost


def test_messages_are_written_as_v2_to_says(tmp_path: Path) -> None:
    toml = """[v2.to]
    host = "h"
    port = 1
    application = "A"
    facility = "B"
    receiving_application = "C"
    receiving_facility = "D"
    version = "2.3"
    charset = "8859/1"
    processing_id = "T"
    """
    back = translator(tmp_path, toml).to_v2({"resourceType": "Patient", "gender": "male"}).message
    header = lines(back)["MSH"].split("|")
    assert (header[2:6], header[10:12], header[17]) == (["A", "B", "C", "D"], ["T", "2.3"], "8859/1")
