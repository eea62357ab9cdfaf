"""The datatypes of numbers, codes, places and times, one thing at a time; and back without a prior."""

from __future__ import annotations

import pytest

from tests.mapping.fields import MADE, first, referred, said

# --- CX ----------------------------------------------------------------------------------------------------


def test_an_identifier_has_a_system_by_the_name_of_its_authority() -> None:
    identifier, lost, back = first("PID-3", "4711^^^HOSP^MR", "identifier")
    assert identifier["system"] == "urn:id:HOSP"
    assert identifier["type"]["coding"][0]["code"] == "MR"
    assert (lost, back) == ([], "4711^^^HOSP^MR")


def test_an_authority_by_oid_is_the_system_and_its_name_the_assigner() -> None:
    identifier, lost, back = first("PID-3", "4711^^^HOSP&1.2.3&ISO^MR", "identifier")
    assert (identifier["system"], identifier["assigner"]) == ("urn:oid:1.2.3", {"display": "HOSP"})
    assert (lost, back) == ([], "4711^^^HOSP&1.2.3&ISO^MR")


def test_a_check_digit_is_an_extension() -> None:
    identifier, lost, back = first("PID-3", "123^4^M11^HOSP^MR", "identifier")
    assert [one["valueString"] for one in identifier["extension"]] == ["4", "M11"]
    assert (lost, back) == ([], "123^4^M11^HOSP^MR")


def test_an_identifier_of_the_type_of_another_field_stays_where_it_can_be_said() -> None:
    text = "1^^^H^MR~D99^^^DMV&1.3.4&ISO^DL^^20180601^20280531"
    resource, lost, back = said("PID-3", text)
    assert resource["identifier"][1]["period"] == {"start": "2018-06-01", "end": "2028-05-31"}
    assert (lost, back) == ([], text)


# --- XCN, PL -----------------------------------------------------------------------------------------------


def test_a_doctor_is_a_practitioner_with_an_identifier_and_a_name() -> None:
    (doctor,) = referred("77^Roe^Jane^Q^^Dr^MD^^HOSP^L^^^NPI", "PV1-7", "Practitioner")
    assert doctor["identifier"][0]["value"] == "77"
    assert doctor["name"] == [{"family": "Roe", "given": ["Jane", "Q"], "prefix": ["Dr"], "use": "official"}]
    degree = {"system": "http://terminology.hl7.org/CodeSystem/v2-0360", "code": "MD"}
    assert doctor["qualification"] == [{"code": {"coding": [degree]}}]


def test_one_doctor_in_two_fields_is_one_practitioner() -> None:
    made = MADE.to_fhir(
        "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR\rPV1|||||||77^Roe^Jane|77^Roe^Jane\r"
    )
    assert [e["resource"]["resourceType"] for e in made.bundle["entry"]].count("Practitioner") == 1


def test_two_doctors_of_one_name_without_numbers_are_not_taken_for_one_of_another_patient() -> None:
    one, other = (
        MADE.to_fhir(
            f"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||{n}^^^H^MR\rPV1|||||||^Roe^Jane\r"
        ).bundle
        for n in (1, 2)
    )
    ids = [
        {e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Practitioner"}
        for bundle in (one, other)
    ]
    assert ids[0].isdisjoint(ids[1])


def test_two_doctors_of_one_name_without_numbers_stay_two_beside_two_patients() -> None:
    made = MADE.to_fhir(
        "MSH|^~\\&|A|B|||20240101||ADT^A17^ADT_A17|1|P|2.5.1\rEVN||20240101\r"
        "PID|||1^^^H^MR\rPV1||I|||||^Roe^Jane\rPID|||2^^^H^MR\rPV1||I|||||^Roe^Jane\r"
    )
    doctors = [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "Practitioner"]
    assert [one["name"] for one in doctors] == [[{"family": "Roe", "given": ["Jane"]}]] * 2
    assert doctors[0]["id"] != doctors[1]["id"]


def test_a_place_is_a_chain_from_the_bed_to_the_site() -> None:
    levels = referred("W1^12^2^NORTH^^N^B1^3", "PV1-3", "Location")
    assert [one["physicalType"]["coding"][0]["code"] for one in levels] == [
        "si",
        "bu",
        "lvl",
        "wa",
        "ro",
        "bd",
    ]
    assert [("partOf" in one) for one in levels] == [False, True, True, True, True, True]


def test_a_place_goes_back_as_it_came() -> None:
    assert said("PV1-3", "W1^12^2^NORTH&1.2.3&ISO^^^B1^3^by the window")[2] == (
        "W1^12^2^NORTH&1.2.3&ISO^^^B1^3^by the window"
    )


# --- CWE ---------------------------------------------------------------------------------------------------


def test_a_code_has_its_system_its_words_and_its_version() -> None:
    code, lost, back = first("AL1-3", "227^Nuts^SCT^^^^2024", "code")
    assert code == {
        "coding": [{"system": "http://snomed.info/sct", "code": "227", "display": "Nuts", "version": "2024"}]
    }
    assert (lost, back) == ([], "227^Nuts^SCT^^^^2024")


def test_an_alternate_is_a_coding_and_what_was_typed_the_text() -> None:
    code, lost, back = first("AL1-3", "N^Nuts^L^227^Nut^SCT^^^nuts!", "code")
    assert [coding["code"] for coding in code["coding"]] == ["N", "227"]
    assert code["text"] == "nuts!"
    assert (lost, back) == ([], "N^Nuts^L^227^Nut^SCT^^^nuts!")


def test_words_alone_are_the_text() -> None:
    code, lost, back = first("AL1-3", "^Peanuts", "code")
    assert (code, lost, back) == ({"text": "Peanuts"}, [], "^Peanuts")


def test_a_system_that_is_only_an_oid_is_a_system() -> None:
    code, lost, back = first("AL1-3", "77^Nuts^^^^^^^^^^^^1.2.3.4", "code")
    assert code["coding"][0]["system"] == "urn:oid:1.2.3.4"
    assert (lost, back) == ([], "77^Nuts^1.2.3.4")


def test_a_version_without_a_code_is_lost_and_named() -> None:
    code, lost, _ = first("AL1-3", "^^^227^Nuts^SCT^2024", "code")
    assert [coding["code"] for coding in code["coding"]] == ["227"]
    assert lost == [".7"]


def test_a_code_that_is_none_in_fhir_is_lost_and_named() -> None:
    code, lost, _ = first("AL1-3", "a  b^Nuts", "code")
    assert code == {"coding": [{"display": "Nuts"}]} or code == {"text": "Nuts"}
    assert lost == [".1"]


def test_a_mapped_code_stands_beside_the_senders_own() -> None:
    resource, _, back = said("PID-16", "M^Married^HL70002")
    codings = resource["maritalStatus"]["coding"]
    assert [coding["system"].rpartition("/")[2] for coding in codings] == ["v2-0002", "v3-MaritalStatus"]
    assert back == "M^Married^HL70002"


# --- times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "start"),
    [
        ("2024", "2024"),
        ("202408", "2024-08"),
        ("20240818", "2024-08-18"),
        ("2024081809", "2024-08-18T09:00:00+00:00"),
        ("20240818093000+0200", "2024-08-18T09:30:00+02:00"),
        ("20240818093000.25-0730", "2024-08-18T09:30:00.25-07:30"),
        ("20240818093000.1234", "2024-08-18T09:30:00.1234+00:00"),
    ],
)
def test_a_time_keeps_its_precision_and_its_offset(sent: str, start: str) -> None:
    visit, lost, _ = said("PV1-44", sent)
    assert (visit["period"], lost) == ({"start": start}, [])


@pytest.mark.parametrize("sent", ["20241301", "20240230", "soon", "00000000", "2024-08-18"])
def test_what_is_no_time_is_lost_and_named(sent: str) -> None:
    made = MADE.to_fhir(f"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR||||{sent}\r")
    assert made.lost[-1] == "PID-7"


def test_a_time_of_birth_is_an_extension_of_the_day() -> None:
    patient, lost, back = said("PID-7", "197001020304+0100")
    assert patient["birthDate"] == "1970-01-02"
    assert patient["_birthDate"]["extension"][0]["valueDateTime"] == "1970-01-02T03:04:00+01:00"
    assert (lost, back) == ([], "19700102030400+0100")


@pytest.mark.parametrize("code", ["A", "N", "X"])
def test_a_sex_that_fhir_does_not_tell_apart_comes_back_without_the_prior(code: str) -> None:
    made = MADE.to_fhir(f"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR|||||{code}\r")
    assert f"|{code}\r" in MADE.to_v2(made.bundle).message
    assert "PID-8" not in made.lost
