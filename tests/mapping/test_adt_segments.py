"""What the segments of ADT say beyond the everyday, each with its way back, with and without a prior."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, lines, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

SD = "http://hl7.org/fhir/StructureDefinition/"
TERM = "http://terminology.hl7.org/CodeSystem/"
US = "http://hl7.org/fhir/us/core/StructureDefinition/"
PID = "PID|||1^^^H^MR||Doe^Jo"


def at(name: str, **fields: str) -> str:
    """A segment with some fields: ``at("PV1", _2="I")``."""
    said = {int(number[1:]): text for number, text in fields.items()}
    return "|".join((name, *(said.get(n, "") for n in range(1, max(said) + 1))))


def pid(**fields: str) -> str:
    return at("PID", _3="1^^^H^MR", _5="Doe^Jo", **fields)


def extension(resource: Json, url: str) -> Json:
    """The only extension of a url."""
    (one,) = [each for each in resource.get("extension", ()) if each["url"] == url]
    return one


def edited(sent: str, kind: str, **elements: Any) -> str:
    """A message after an edit of the first resource of a kind."""
    bundle = MADE.to_fhir(sent).bundle
    resource = of_type(bundle, kind)[0]
    for name, value in elements.items():
        if value is None:
            del resource[name]
        else:
            resource[name] = value
    return MADE.to_v2(bundle, sent).message


# --- PID ---------------------------------------------------------------------------------------------------


def test_race_and_ethnicity_are_said_as_us_core_says_them() -> None:
    text = message(pid(_10="2106-3^White^HL70005~1041-3^Inupiat^CDCREC", _22="H^Hispanic^HL70189"))
    patient = only(lawful(MADE, text), "Patient")
    race = extension(patient, US + "us-core-race")["extension"]
    assert [(one["url"], one.get("valueCoding", {}).get("code")) for one in race] == [
        ("ombCategory", "2106-3"),
        ("detailed", "1041-3"),
        ("text", None),
    ]
    assert extension(patient, US + "us-core-ethnicity")["extension"][1]["valueString"] == "Hispanic"


def test_a_race_that_is_no_code_of_the_united_states_is_lost_and_named() -> None:
    assert "PID-10" in MADE.to_fhir(message(pid(_10="X^Somewhere^L"))).lost


def test_a_county_of_its_own_is_an_address_that_says_no_more() -> None:
    patient = only(lawful(MADE, message(pid(_11="Road 1^^Town", _12="Kent"))), "Patient")
    assert patient["address"][1] == {"district": "Kent"}


def test_species_and_breed_are_parts_of_one_extension() -> None:
    text = message(pid(_35="canis^Dog^L", _36="poodle^Poodle^L"))
    parts = extension(only(lawful(MADE, text), "Patient"), SD + "patient-animal")["extension"]
    assert [one["url"] for one in parts] == ["species", "breed"]


def test_over_fhir_a_part_that_is_absent_stays_and_one_that_is_deleted_goes() -> None:
    there = MADE.to_fhir(message(pid(_35="canis^Dog^L", _36="poodle"))).bundle
    for fields, urls in ({"_36": "boxer"}, ["species", "breed"]), ({"_35": '""'}, ["breed"]):
        now = MADE.to_fhir(message(pid(**fields)), prior=there).bundle
        parts = extension(only(now, "Patient"), SD + "patient-animal")["extension"]
        assert [one["url"] for one in parts] == urls


def test_the_mothers_identifier_is_a_related_person_of_whom_nothing_else_is_known() -> None:
    bundle = lawful(MADE, message(pid(_21="M-1^^^H^MR~M-2"), at("NK1", _2="Doe^Ann", _3="MTH")))
    mothers = of_type(bundle, "RelatedPerson")
    assert [len(one.get("identifier", ())) for one in mothers] == [2, 0]
    assert mothers[0]["relationship"][0]["coding"][0]["code"] == "MTH"


def test_a_living_will_is_an_observation() -> None:
    will = only(lawful(MADE, message(PID, at("PD1", _7="Y"))), "Observation")
    assert (will["status"], will["code"]["coding"][0]["code"]) == ("final", "75320-2")
    assert will["valueCodeableConcept"]["coding"][0]["code"] == "Y"


@pytest.mark.parametrize("sent", ["St Olav", "^^^^^^^^^77"])
def test_a_congregation_is_known_by_its_name_or_else_its_number(sent: str) -> None:
    patient = only(lawful(MADE, message(PID, at("PD1", _14=sent))), "Patient")
    assert extension(patient, SD + "patient-congregation")["valueString"] in ("St Olav", "77")


# --- NK1 ---------------------------------------------------------------------------------------------------

EMPLOYER = at(
    "NK1", _1="1", _2="Ray^Kim", _3="EMR", _6="555", _13="ACME^^^^^H^^^^77", _30="Low^Al", _31="556"
)


def test_an_employer_is_a_contact_with_an_organization_and_whom_to_turn_to_there() -> None:
    bundle = lawful(MADE, message(PID, EMPLOYER))
    (contact,) = only(bundle, "Patient")["contact"]
    assert contact["relationship"][0]["coding"][1] == {
        "system": TERM + "v2-0131", "code": "E", "display": "Employer"
    }  # fmt: skip
    acme = next(one for one in of_type(bundle, "Organization") if one.get("name") == "ACME")
    assert contact["organization"]["reference"] == f"Organization/{acme['id']}"
    assert acme["contact"][0]["name"] == {"family": "Low", "given": ["Al"]}
    assert not of_type(bundle, "RelatedPerson")


def test_contacts_and_relatives_stand_side_by_side() -> None:
    kin = at("NK1", _1="2", _2="Doe^Ann", _3="MTH", _30="Ray^Bo", _31="557", _32="Road 2^^Town")
    bundle = MADE.to_fhir(message(PID, EMPLOYER, kin)).bundle
    related = only(bundle, "RelatedPerson")
    assert [one["family"] for one in related["name"]] == ["Doe", "Ray"]
    assert len(only(bundle, "Patient")["contact"]) == 1
    assert MADE.to_v2(bundle, message(PID, EMPLOYER, kin)).message == message(PID, EMPLOYER, kin)


def test_an_edit_of_a_contact_touches_its_segment_only() -> None:
    text = message(PID, EMPLOYER, at("NK1", _1="2", _3="EMC", _2="Fox^Ed"))
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "Patient")["contact"][1]["name"]["family"] = "Wolf"
    assert MADE.to_v2(bundle, text).message == text.replace("Fox", "Wolf")


def test_a_contact_that_is_gone_takes_its_segment_along_and_a_new_one_brings_its_own() -> None:
    text = message(PID, EMPLOYER)
    role = [{"coding": [{"system": TERM + "v2-0131", "code": "C"}]}]
    assert "NK1" not in lines(edited(text, "Patient", contact=None))
    changed = edited(message(PID), "Patient", contact=[{"name": {"family": "Elk"}, "relationship": role}])
    assert lines(changed)["NK1"].startswith("NK1|1|Elk|C")


def test_a_contact_of_whom_nothing_is_known_is_none() -> None:
    made = MADE.to_fhir(message(PID, at("NK1", _1="1", _3="EMR")))
    assert "contact" not in only(made.bundle, "Patient")
    assert "NK1-3" in made.lost


@pytest.mark.parametrize(
    ("event", "segments"),
    [
        ("VXU^V04", ("ORC|RE|1", "RXA|0|1|20240101||20^DTaP^CVX|999")),
        ("SIU^S12", ("SCH|1^A|2^B",)),
        ("RDE^O11", ("ORC|NW|1", "RXE||1^A^L|500||mg")),
        ("OMP^O09", ("ORC|NW|1", "RXO|1^A^L|500||mg")),
    ],
)
def test_whom_to_call_is_a_contact_in_the_other_families_too(event: str, segments: tuple[str, ...]) -> None:
    called = at("NK1", _1="1", _2="Low^Al", _3="EMC", _5="555")
    bundle = lawful(MADE, message(PID, called, *segments, event=event))
    (contact,) = only(bundle, "Patient")["contact"]
    assert (contact["name"]["family"], contact["telecom"][0]["value"]) == ("Low", "555")
    assert not of_type(bundle, "RelatedPerson")
    assert lines(MADE.to_v2(bundle).message)["NK1"].startswith("NK1|1|Low^Al|EMC")


# --- PV1 and PV2 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A01", "in-progress"),
        ("A04", "arrived"),
        ("A05", "planned"),
        ("A08", "in-progress"),
        ("A11", "cancelled"),
        ("A21", "onleave"),
        ("A22", "in-progress"),
    ],
)
def test_the_status_of_a_visit_follows_from_the_event(event: str, status: str) -> None:
    visit = only(lawful(MADE, message(PID, at("PV1", _2="I", _19="V1"), event=f"ADT^{event}")), "Encounter")
    assert visit["status"] == status


@pytest.mark.parametrize(("patient_class", "status"), [("I", "active"), ("P", "planned")])
def test_the_place_of_a_preadmission_is_only_planned(patient_class: str, status: str) -> None:
    text = message(PID, at("PV1", _2=patient_class, _3="W^1^A", _6="E", _19="V1"))
    visit = only(lawful(MADE, text), "Encounter")
    assert [one["status"] for one in visit["location"]] == [status, "completed"]
    moved = [dict(one) for one in visit["location"]][:1]
    assert lines(edited(text, "Encounter", location=moved))["PV1"].split("|")[3:7] == ["W^1^A", "", "", '""']


def test_the_status_of_a_bed_stands_with_the_bed() -> None:
    text = message(PID, at("PV1", _2="I", _3="W^1^A", _40="K"))
    beds = [one for one in of_type(lawful(MADE, text), "Location") if "operationalStatus" in one]
    assert [one["identifier"][0]["value"] for one in beds] == ["A"]
    assert "PV1-40" in MADE.to_fhir(message(PID, at("PV1", _2="I", _3="W", _40="K"))).lost


def test_a_financial_class_is_a_coverage_of_which_nothing_else_is_known() -> None:
    text = message(PID, at("PV1", _2="I", _20="SELF^20260101"), at("IN1", _1="1", _36="P-9"))
    bundle = lawful(MADE, text)
    classed, insured = of_type(bundle, "Coverage")
    assert classed["type"]["coding"][0] == {"system": TERM + "v2-0064", "code": "SELF"}
    assert (classed["period"], insured["subscriberId"]) == ({"start": "2026-01-01"}, "P-9")


def test_an_episode_has_the_diagnoses_of_its_visit() -> None:
    text = message(
        PID, at("PV1", _2="I", _53="Hip", _54="E1^^^H"), at("DG1", _1="1", _3="M16^^I10", _6="A", _15="1")
    )
    bundle = lawful(MADE, text)
    episode, visit = only(bundle, "EpisodeOfCare"), only(bundle, "Encounter")
    assert visit["episodeOfCare"] == [{"reference": f"EpisodeOfCare/{episode['id']}"}]
    assert episode["diagnosis"][0]["condition"] == visit["diagnosis"][0]["condition"]
    assert (episode["diagnosis"][0]["rank"], "status" in episode) == (1, False)


def test_a_former_temporary_place_is_a_place_that_was() -> None:
    visit = only(lawful(MADE, message(PID, at("PV1", _2="I", _3="W", _6="X", _43="T"))), "Encounter")
    assert [one["status"] for one in visit["location"]] == ["active", "completed", "completed"]


def test_types_and_courtesies_of_their_own_tables_find_their_own_fields() -> None:
    text = message(PID, at("PV1", _2="I", _4="E", _16="V", _18="OB", _22="CC"))
    visit = only(lawful(MADE, text), "Encounter")
    assert [one["coding"][0]["code"] for one in visit["type"]] == ["E", "OB"]
    assert len(visit["hospitalization"]["specialCourtesy"]) == 2


def test_a_description_of_the_visit_is_a_narrative_and_no_other_narrative_is_one() -> None:
    text = message(PID, "PV1||I", at("PV2", _12="Fell \\T\\ broke a <bone>"))
    visit = only(lawful(MADE, text), "Encounter")
    assert visit["text"]["div"].endswith(">Fell &amp; broke a &lt;bone&gt;</div>")
    made = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">made</div>'}
    assert "made" not in edited(message(PID, "PV1||I"), "Encounter", text=made)


def test_who_serves_is_the_organization_of_the_visit() -> None:
    bundle = lawful(MADE, message(PID, "PV1||I", at("PV2", _22="Y", _23="Clinic^^^^^H^^^^8")))
    visit = only(bundle, "Encounter")
    assert visit["serviceProvider"]["reference"].startswith("Organization/")
    assert visit["meta"]["security"] == [{"system": TERM + "v2-0136", "code": "Y"}]


def test_where_one_went_is_a_sort_of_place() -> None:
    bundle = lawful(MADE, message(PID, at("PV1", _2="I", _37="NH")))
    (place,) = of_type(bundle, "Location")
    assert place["type"][0]["coding"][0] == {"system": TERM + "v2-0113", "code": "NH"}


# --- AL1 and IAM -------------------------------------------------------------------------------------------


def test_a_severity_between_low_and_high_stays_beside_the_criticality() -> None:
    allergy = only(lawful(MADE, message(PID, "AL1|1|MC|P^Nuts|MO")), "AllergyIntolerance")
    kept = allergy["_criticality"]["extension"][0]
    assert kept["url"] == SD + "alternate-codes"
    assert kept["valueCodeableConcept"]["coding"][0]["code"] == "MO"
    assert "criticality" not in allergy


def test_a_reported_allergy_goes_back_as_it_came() -> None:
    segment = at(
        "IAM",
        _1="1",
        _2="FA",
        _3="P^Nuts",
        _7="I1^H",
        _12="as a child",
        _13="20260102",
        _14="Doe^Ann",
        _15="MTH",
    )
    bundle = lawful(MADE, message(PID, segment, event="ADT^A60"))
    allergy = only(bundle, "AllergyIntolerance")
    mother = only(bundle, "RelatedPerson")
    assert allergy["recorder"] == {"reference": f"RelatedPerson/{mother['id']}"}
    assert (allergy["onsetString"], allergy["recordedDate"]) == ("as a child", "2026-01-02")
    assert allergy["clinicalStatus"]["coding"][0]["code"] == "active"


@pytest.mark.parametrize(
    ("relationship", "kind"), [("", "Practitioner"), ("SEL", "Patient"), ("MTH", "RelatedPerson")]
)
def test_who_reported_an_allergy_is_told_by_the_relationship(relationship: str, kind: str) -> None:
    text = message(PID, at("IAM", _1="1", _3="P^Nuts", _14="Doe^Ann", _15=relationship), event="ADT^A60")
    allergy = only(lawful(MADE, text), "AllergyIntolerance")
    assert allergy["recorder"]["reference"].startswith(kind + "/")


@pytest.mark.parametrize(
    ("action", "status", "clinical", "verification"),
    [
        ("D", "C", "", "entered-in-error"),
        ("", "E", "", "entered-in-error"),
        ("", "I", "inactive", "confirmed"),
        ("", "U", "active", "unconfirmed"),
        ("D", "", "", "entered-in-error"),
    ],
)
def test_how_an_allergy_stands(action: str, status: str, clinical: str, verification: str) -> None:
    text = message(PID, at("IAM", _1="1", _3="P^Nuts", _6=action, _17=status), event="ADT^A60")
    allergy = only(lawful(MADE, text), "AllergyIntolerance")
    assert allergy["verificationStatus"]["coding"][-1]["code"] == verification
    assert allergy.get("clinicalStatus", {"coding": [{"code": ""}]})["coding"][-1]["code"] == clinical


def test_an_allergy_that_is_taken_back_in_fhir_is_deleted_in_v2() -> None:
    text = message(PID, at("IAM", _1="1", _3="P^Nuts", _6="A"), event="ADT^A60")
    wrong = {"coding": [{"system": TERM + "allergyintolerance-verification", "code": "entered-in-error"}]}
    after = edited(text, "AllergyIntolerance", verificationStatus=wrong, clinicalStatus=None)
    assert lines(after)["IAM"] == "IAM|1||P^Nuts|||D"


def test_what_only_one_of_both_segments_can_say_goes_to_that_one() -> None:
    bundle = lawful(MADE, message(PID, "AL1|1||Q^Eggs", at("IAM", _1="1", _3="P^Nuts", _13="20260102")))
    back = MADE.to_v2(bundle).message
    assert [line[:3] for line in back.split("\r") if line[:3] in ("AL1", "IAM")] == ["AL1", "IAM"]
