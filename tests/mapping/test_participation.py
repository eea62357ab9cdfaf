"""PRT, ROL and IN3-21: who or what takes part, by what the segment stands behind; each with its way back."""

from __future__ import annotations

import pytest

from connector.fhir import validate
from tests.laws import oracles
from tests.laws.lost_leaves import unlisted
from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

SD = "http://hl7.org/fhir/StructureDefinition/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
PID = "PID|1||4711^^^H^MR||Larsen^Anna"
ORDER = ("ORC|RE", "OBR|1|P1|F1|GLU^^LN")
RESULT = (*ORDER, "OBX|1|NM|GLU^^LN||5|mmol/L|||||F")


def prt(fields: dict[int, str]) -> str:
    """A PRT with these fields."""
    return "PRT|" + "|".join(fields.get(n, "") for n in range(1, max(fields) + 1))


def rol(fields: dict[int, str]) -> str:
    """A ROL with these fields."""
    return "ROL|" + "|".join(fields.get(n, "") for n in range(1, max(fields) + 1))


def told(*segments: str, event: str = "ADT^A01") -> Json:
    """The bundle of a message for which the laws hold, all of which is said or listed."""
    text = message(*segments, event=event)
    bundle = lawful(MADE, text)
    assert unlisted(MADE, text) == []
    assert [str(error) for error in validate.fast(bundle)] == []
    return bundle


def resolved(bundle: Json, reference: Json) -> Json:
    """The resource a reference points to."""
    kind, _, name = reference["reference"].partition("/")
    (found,) = [one for one in of_type(bundle, kind) if one["id"] == name]
    return found


def codes(concept: Json) -> list[str]:
    return [coding["code"] for coding in concept["coding"]]


# --- behind PID ---------------------------------------------------------------------------------------------


def test_the_primary_care_provider_is_the_general_practitioner_with_all_that_is_said_of_them() -> None:
    bundle = told(
        PID,
        rol(
            {
                1: "R5^HIS",
                2: "AD",
                3: "PP^Primary^HL70443",
                4: "77^Okafor^Chidi",
                5: "20240101",
                6: "20251231",
                9: "GM^General medicine^L",
                10: "O^Office^HL70406",
                11: "Main St 5^^Oslo",
                12: "555^WPN^PH",
                13: "W1^2",
                14: "GP North",
            }
        ),
    )
    role = resolved(bundle, only(bundle, "Patient")["generalPractitioner"][0])
    assert role["identifier"] == [{"value": "R5", "system": "urn:id:HIS"}]
    assert role["active"] is True
    assert codes(role["code"][0]) == ["PP", "446050000"]
    assert role["period"] == {"start": "2024-01-01", "end": "2025-12-31"}
    assert codes(role["specialty"][0]) == ["GM"]
    assert role["telecom"] == [{"value": "555", "use": "work", "system": "phone"}]
    person, practice = resolved(bundle, role["practitioner"]), resolved(bundle, role["organization"])
    assert person["address"] == [{"line": ["Main St 5"], "city": "Oslo"}]
    assert practice["name"] == "GP North"
    assert codes(practice["type"][0]) == ["O"]
    assert resolved(bundle, role["location"][0])["identifier"][0]["value"] == "2"


@pytest.mark.parametrize(
    "segment",
    [
        prt({2: "AD", 4: "AT^Attending^HL70443", 5: "77^Okafor", 11: "20240101", 12: "2025"}),
        rol({2: "AD", 3: "AT^Attending^HL70443", 4: "77^Okafor", 5: "20240101", 6: "2025"}),
    ],
)
def test_others_who_take_part_in_the_care_are_members_of_the_one_care_team(segment: str) -> None:
    bundle = told(PID, segment, rol({2: "AD", 3: "CP", 4: "78^Núñez"}))
    team, patient = only(bundle, "CareTeam"), only(bundle, "Patient")
    assert team["subject"] == {"reference": f"Patient/{patient['id']}"}
    first, second = team["participant"]
    assert codes(first["role"][0]) == ["AT", "ATND"]
    assert first["period"] == {"start": "2024-01-01", "end": "2025"}
    assert resolved(bundle, first["member"])["active"] is True
    assert codes(second["role"][0]) == ["CP", "CON"]


@pytest.mark.parametrize(
    "segment",
    [
        prt({2: "AD", 4: "FTH^Father^HL70063", 5: "9^Larsen^Ole^^^^^^H^L", 11: "2001", 15: "555^PRN^PH"}),
        rol({2: "AD", 3: "FTH^Father^HL70063", 4: "9^Larsen^Ole^^^^^^H^L", 5: "2001", 12: "555^PRN^PH"}),
    ],
)
def test_who_is_related_to_the_patient_is_a_related_person(segment: str) -> None:
    relative = only(told(PID, segment), "RelatedPerson")
    assert codes(relative["relationship"][0]) == ["FTH", "FTH"]
    assert relative["identifier"] == [{"value": "9", "system": "urn:id:H"}]
    assert relative["name"][0]["given"] == ["Ole"]
    assert relative["period"] == {"start": "2001"}
    assert relative["active"] is True


def test_numbers_beside_those_of_a_relative_are_secondary() -> None:
    bundle = told(
        PID,
        rol({1: "R1^HIS", 3: "FTH^^HL70063", 4: "9^Larsen^Ole"}),
        prt({2: "AD", 4: "MTH^^HL70063", 5: "8^Larsen^Eva^^^^MD", 24: "L7^DEA^^2030"}),
    )
    father, mother = of_type(bundle, "RelatedPerson")
    own, role = father["identifier"]
    assert own == {"value": "9"}
    assert role == {"value": "R1", "system": "urn:id:HIS", "use": "secondary"}
    assert mother["identifier"][1]["period"] == {"end": "2030"}
    assert mother["name"][0]["suffix"] == ["MD"]


def test_a_segment_that_names_nobody_is_lost_and_leaves_nothing_behind() -> None:
    made = MADE.to_fhir(message(PID, "PV1|1|I", prt({2: "AD", 4: "AT", 5: "^ ", 9: "W1", 14: "Main St 5"})))
    assert made.lost == ["PRT-2", "PRT-4", "PRT-5", "PRT-9", "PRT-14"]
    assert of_type(made.bundle, "PractitionerRole") + of_type(made.bundle, "Location") == []


def test_an_organization_alone_has_the_address_and_the_telecom_of_the_segment() -> None:
    bundle = told(PID, prt({2: "AD", 4: "PO^^HL70912", 8: "Lab One", 14: "Park 1^^Oslo", 15: "555^WPN^PH"}))
    role = resolved(bundle, only(bundle, "CareTeam")["participant"][0]["member"])
    assert "practitioner" not in role
    assert resolved(bundle, role["organization"])["address"] == [{"line": ["Park 1"], "city": "Oslo"}]
    assert role["telecom"][0]["value"] == "555"


def test_a_participation_that_ended_is_not_active() -> None:
    bundle = told(PID, rol({2: "DE", 3: "PP", 4: "77^Okafor"}))
    assert only(bundle, "PractitionerRole")["active"] is False


def test_the_case_manager_of_an_insurance_is_in_the_care_team() -> None:
    bundle = told(PID, "IN1|1|P|C1|Comp", "IN3|1" + "|" * 20 + "Manny Okafor")
    member = only(bundle, "CareTeam")["participant"][0]
    assert codes(member["role"][0]) == ["768832004"]
    assert resolved(bundle, member["member"])["name"] == [{"text": "Manny Okafor"}]


@pytest.mark.parametrize(
    ("code", "telecom"),
    [
        ("B", "555^WPN^BP"),
        ("C", "555^PRS^CP"),
        ("E", "^NET^Internet^a@b.example"),
        ("F", "555^WPN^FX"),
        ("H", "555^PRN^PH"),
        ("O", "555^WPN^PH"),
    ],
)
def test_the_preferred_way_to_reach_somebody_is_marked_on_that_telecom(code: str, telecom: str) -> None:
    bundle = told(PID, prt({2: "AD", 4: "PP", 5: "77^Okafor", 15: "111^WPN^MD~" + telecom, 23: code}))
    other, mine = only(bundle, "PractitionerRole")["telecom"]
    preferred = {"url": SD + "iso21090-preferred", "valueBoolean": True}
    assert preferred in mine["extension"]
    assert "extension" not in other


def test_a_preferred_way_that_is_not_there_is_listed() -> None:
    text = message(PID, prt({2: "AD", 4: "PP", 5: "77^Okafor", 15: "555^WPN^PH", 23: "E"}))
    assert MADE.to_fhir(text).lost == ["PRT-23"]


def test_numbers_to_reach_a_contact_by_are_identifiers_of_the_role() -> None:
    bundle = told(PID, prt({1: "1^R", 2: "AD", 4: "PP", 5: "77^Okafor", 24: "L7^SL^^20300101"}))
    instance, licence = only(bundle, "PractitionerRole")["identifier"]
    assert instance == {"value": "1", "system": "urn:id:R"}
    assert codes(licence["type"]) == ["SL"]
    assert licence["period"] == {"end": "2030-01-01"}


# --- behind PV1, PR1, ORC, OBR, RXA -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "segment",
    [prt({2: "AD", 4: "AT", 5: "77^Okafor", 11: "2024"}), rol({2: "AD", 3: "AT", 4: "77^Okafor", 5: "2024"})],
)
def test_behind_a_visit_it_is_a_participant_beside_those_of_pv1(segment: str) -> None:
    bundle = told(PID, "PV1|1|I|||||80^Larsen", segment)
    own, other = only(bundle, "Encounter")["participant"]
    assert own["individual"]["reference"].startswith("Practitioner/")
    assert codes(other["type"][0]) == ["AT", "ATND"]
    assert other["period"] == {"start": "2024"}
    assert other["individual"]["reference"].startswith("PractitionerRole/")


def test_behind_a_procedure_it_performs_or_is_used() -> None:
    bundle = told(
        PID,
        "PR1|1||P1^^I10",
        rol({2: "AD", 3: "AP^^HL70443", 4: "77^Okafor"}),
        prt({4: "EQUIP", 10: "X1^LAB", 19: "L7"}),
    )
    procedure = only(bundle, "Procedure")
    assert codes(procedure["performer"][0]["function"]) == ["AP"]
    assert resolved(bundle, procedure["usedReference"][0])["lotNumber"] == "L7"


def test_behind_an_order_its_code_says_who_asks_interprets_or_performs() -> None:
    bundle = told(
        PID,
        "ORC|RE",
        prt({2: "AD", 4: "OP^^HL70443", 5: "1^Asks", 8: "Clinic"}),
        "OBR|1|P1|F1|GLU^^LN",
        prt({4: "PRI^^HL70912", 5: "2^Reads"}),
        prt({4: "TN^^HL70912", 5: "3^Does"}),
        event="ORU^R01",
    )
    asks = resolved(bundle, only(bundle, "ServiceRequest")["requester"])
    report = only(bundle, "DiagnosticReport")
    reads, does = (resolved(bundle, report[name][0]) for name in ("resultsInterpreter", "performer"))
    names = [resolved(bundle, role["practitioner"])["name"][0]["family"] for role in (asks, reads, does)]
    assert names == ["Asks", "Reads", "Does"]
    assert resolved(bundle, asks["organization"])["name"] == "Clinic"


def test_a_part_for_which_fhir_has_no_element_is_listed() -> None:
    text = message(PID, *ORDER, prt({2: "AD", 4: "WAY^^HL70912", 5: "1^Told"}), event="ORU^R01")
    assert MADE.to_fhir(text).lost == ["PRT-2", "PRT-4", "PRT-5"]


def test_who_asks_is_said_once() -> None:
    text = message(
        PID, "ORC|RE|||||||||||80^First", "OBR|1|P1|F1|GLU^^LN", prt({4: "OP", 5: "1^Asks"}), event="ORU^R01"
    )
    made = MADE.to_fhir(text)
    assert only(made.bundle, "ServiceRequest")["requester"]["reference"].startswith("Practitioner/")
    assert made.lost == ["PRT-4", "PRT-5"]
    assert len(of_type(made.bundle, "Practitioner")) == 1


def test_behind_a_vaccination_it_is_a_performer_and_stands_behind_orc() -> None:
    segments = (
        PID,
        "ORC|RE||V1^L",
        prt({2: "AD", 4: "AP^^HL70443", 5: "77^Okafor"}),
        "RXA|0|1|20240101||03^^CVX|1",
    )
    bundle = told(*segments, event="VXU^V04")
    performer = only(bundle, "Immunization")["performer"][0]
    assert performer["function"]["coding"] == [{"code": "AP", "system": V2 + "0443"}]
    written = MADE.to_v2(bundle).message.split("\r")
    assert [line[:3] for line in written if line][-3:] == ["ORC", "PRT", "RXA"]


# --- behind OBX ---------------------------------------------------------------------------------------------


def test_behind_an_observation_it_is_a_device_a_performer_or_a_place() -> None:
    bundle = told(
        PID,
        *RESULT,
        prt(
            {
                2: "AD",
                4: "EQUIP",
                10: "AN1^LAB",
                16: "00643169007222",
                17: "2020",
                18: "2030",
                20: "S1",
                22: "A^Analyzer^L",
            }
        ),
        prt({4: "RO^^HL70912", 5: "84^Okafor", 8: "Lab One"}),
        prt({4: "OS", 9: "R1^^^LAB", 14: "Park 1^^Oslo"}),
        "NTE|1||a remark on the result",
        event="ORU^R01",
    )
    observation = only(bundle, "Observation")
    assert observation["note"] == [{"text": "a remark on the result"}]
    device = resolved(bundle, observation["device"])
    assert device["identifier"] == [{"value": "AN1", "system": "urn:id:LAB"}]
    assert device["udiCarrier"] == [{"deviceIdentifier": "00643169007222"}]
    assert (device["status"], device["serialNumber"]) == ("active", "S1")
    assert (device["manufactureDate"], device["expirationDate"]) == ("2020", "2030")
    role = resolved(bundle, observation["performer"][0])
    assert codes(role["code"][0]) == ["RO"]
    (place,) = [one for one in observation["extension"] if one["url"] == SD + "event-location"]
    assert resolved(bundle, place["valueReference"])["address"] == {"line": ["Park 1"], "city": "Oslo"}


def test_a_whole_udi_is_the_carrier_of_the_device() -> None:
    udi = "(01)00643169001763(17)160712(21)21A11F4855"
    bundle = told(PID, *RESULT, prt({4: "EQUIP", 10: udi, 16: "00643169001763"}), event="ORU^R01")
    carrier = only(bundle, "Device")["udiCarrier"]
    assert carrier == [{"carrierHRF": udi, "deviceIdentifier": "00643169001763"}]


def test_a_device_that_only_has_a_number_goes_back_to_obx() -> None:
    bundle = MADE.to_fhir(message(PID, *RESULT, prt({4: "EQUIP", 10: "AN1^LAB"}), event="ORU^R01")).bundle
    back = MADE.to_v2(bundle).message
    assert "PRT" not in back
    assert oracles.resources(MADE.to_fhir(back).bundle) == oracles.resources(bundle)
