"""The datatypes, one thing at a time, through the fields that hold them; and back without a prior."""

from __future__ import annotations

from typing import Any

import pytest

from connector.hl7v2.tree import Message
from connector.mapping import Translator

MADE = Translator.default()
SD = "http://hl7.org/fhir/StructureDefinition/"
Json = dict[str, Any]


def said(field: str, text: str) -> tuple[Json, list[str], str]:
    """The resource that a field speaks of, what is lost of the field, and the field as it goes back."""
    name, _, number = field.partition("-")
    kinds = {"PID": "Patient", "PV1": "Encounter", "AL1": "AllergyIntolerance", "OBX": "Observation"}
    lines = ["MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1"]
    texts = {int(number): text}
    if name == "PID":
        texts.setdefault(3, "1^^^H^MR")
    else:
        lines.append("PID|||1^^^H^MR")
    lines.append("|".join([name, *(texts.get(n, "") for n in range(1, max(texts) + 1))]))
    made = MADE.to_fhir("\r".join(lines) + "\r")
    resource = next(
        e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == kinds[name]
    )
    lost = [at.removeprefix(field) for at in made.lost if at.startswith(field)]
    segment = Message.parse(MADE.to_v2(made.bundle).message).first(name)
    return resource, lost, segment.field(int(number)) if segment else ""


def first(field: str, text: str, element: str) -> tuple[Any, list[str], str]:
    resource, lost, back = said(field, text)
    found = resource.get(element)
    return (found[0] if isinstance(found, list) else found), lost, back


def kept(table: str, code: str) -> Json:
    """A sender's code beside an element."""
    coding = {"system": f"http://terminology.hl7.org/CodeSystem/v2-{table}", "code": code}
    return {"extension": [{"url": SD + "alternate-codes", "valueCodeableConcept": {"coding": [coding]}}]}


# --- XPN ---------------------------------------------------------------------------------------------------


def test_a_name_has_its_parts() -> None:
    name, lost, back = first("PID-5", "Larsen^Anna^Marie^Jr^Dr^MD^L", "name")
    assert name == {
        "family": "Larsen",
        "given": ["Anna", "Marie"],
        "suffix": ["Jr", "MD"],
        "prefix": ["Dr"],
        "use": "official",
    }
    assert (lost, back) == ([], "Larsen^Anna^Marie^Jr^Dr^MD^L")


def test_the_parts_of_a_family_name_are_extensions_of_it() -> None:
    name, lost, back = first("PID-5", "van den Berg&van den&Berg", "name")
    assert name["_family"]["extension"] == [
        {"url": SD + "humanname-own-prefix", "valueString": "van den"},
        {"url": SD + "humanname-own-name", "valueString": "Berg"},
    ]
    assert (lost, back) == ([], "van den Berg&van den&Berg")


def test_a_second_given_name_of_two_words_stays_one_text() -> None:
    name, _, back = first("PID-5", "Moe^Ola^Per Olav", "name")
    assert name["given"] == ["Ola", "Per Olav"]
    assert back == "Moe^Ola^Per Olav"


@pytest.mark.parametrize(
    ("code", "use"),
    [("R", "official"), ("NAV", "temp"), ("S", "anonymous"), ("NOUSE", "old"), ("U", None), ("?", None)],
)
def test_a_name_type_that_fhir_does_not_tell_apart_stays_beside_it(code: str, use: str | None) -> None:
    name, lost, back = first("PID-5", f"Moe^Ola^^^^^{code}", "name")
    assert (name.get("use"), name["_use"]) == (use, kept("0200", code))
    assert (lost, back) == ([], f"Moe^Ola^^^^^{code}")


@pytest.mark.parametrize(("code", "use"), [("L", "official"), ("D", "usual"), ("M", "maiden")])
def test_a_name_type_that_comes_back_by_the_table_is_not_repeated(code: str, use: str) -> None:
    name, lost, back = first("PID-5", f"Moe^Ola^^^^^{code}", "name")
    assert name == {"family": "Moe", "given": ["Ola"], "use": use}
    assert (lost, back) == ([], f"Moe^Ola^^^^^{code}")


def test_a_name_type_of_blanks_inside_is_lost_and_named() -> None:
    assert first("PID-5", "Moe^Ola^^^^^a  b", "name")[:2] == ({"family": "Moe", "given": ["Ola"]}, [".7"])


def test_a_doctors_name_keeps_its_type_too() -> None:
    (doctor,) = _referred("123^Moe^Ola^^^^^^^NOUSE", "PV1-7", "Practitioner")
    assert (doctor["name"][0]["use"], doctor["name"][0]["_use"]) == ("old", kept("0200", "NOUSE"))
    assert said("PV1-7", "123^Moe^Ola^^^^^^^NOUSE")[2] == "123^Moe^Ola^^^^^^^NOUSE"


def test_a_name_type_that_fhir_changed_is_written_by_the_table() -> None:
    text = "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR||Moe^Ola^^^^^NAV\r"
    bundle = MADE.to_fhir(text).bundle
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["name"][0]["use"] = "nickname"
    assert MADE.to_v2(bundle, text).message == text.replace("NAV", "N")


def test_a_name_that_ends_before_it_begins_has_no_end() -> None:
    name, lost, _ = first("PID-5", "Moe^^^^^^^^^^^20240201^20240101", "name")
    assert name["period"] == {"start": "2024-02-01"}
    assert lost == [".13"]


def test_a_range_of_validity_is_a_period_unless_dates_of_their_own_are_sent() -> None:
    assert first("PID-5", "Moe^^^^^^^^^2020&2021", "name")[0]["period"] == {"start": "2020", "end": "2021"}
    name, lost, _ = first("PID-5", "Moe^^^^^^^^^2020&2021^^2019", "name")
    assert name["period"] == {"start": "2019"}
    assert lost == [".10"]


@pytest.mark.parametrize("text", ["Berg\\T\\Sons", "a\\S\\b", "a\\E\\b", "x\\F\\y", "p\\R\\q"])
def test_an_escaped_delimiter_is_a_character_of_the_name(text: str) -> None:
    plain = text.translate({}).replace("\\T\\", "&").replace("\\S\\", "^").replace("\\F\\", "|")
    name, _, back = first("PID-5", text, "name")
    assert name["family"] == plain.replace("\\R\\", "~").replace("\\E\\", "\\")
    assert back == text


# --- XAD ---------------------------------------------------------------------------------------------------


def test_an_address_has_its_parts() -> None:
    address, lost, back = first("PID-11", "Gate 1^2nd floor^Oslo^OS^0150^NOR^H^^Sagene", "address")
    assert address == {
        "line": ["Gate 1", "2nd floor"],
        "city": "Oslo",
        "state": "OS",
        "postalCode": "0150",
        "country": "NOR",
        "use": "home",
        "district": "Sagene",
    }
    assert (lost, back) == ([], "Gate 1^2nd floor^Oslo^OS^0150^NOR^H^^Sagene")


@pytest.mark.parametrize(
    ("code", "says"),
    [("H", {"use": "home"}), ("O", {"use": "work"}), ("M", {"type": "postal"}), ("C", {"use": "temp"})],
)
def test_an_address_type_says_use_or_type(code: str, says: Json) -> None:
    address, _, back = first("PID-11", f"^^Oslo^^^^{code}", "address")
    assert {name: value for name, value in address.items() if name != "city"} == says
    assert back == f"^^Oslo^^^^{code}"


def test_the_parts_of_a_street_are_said_beside_its_line() -> None:
    address, lost, back = first("PID-11", "Gate 1&Gate&1", "address")
    assert address["line"] == ["Gate 1"]
    assert [one["valueString"] for one in address["_line"][0]["extension"]] == ["Gate", "1"]
    assert (lost, back) == ([], "Gate 1&Gate&1")


@pytest.mark.parametrize("code", ["HV", "B", "BR", "RH"])
def test_an_address_type_that_fhir_has_no_word_for_stays_beside_it(code: str) -> None:
    address, lost, back = first("PID-11", f"^^Oslo^^^^{code}", "address")
    assert len(address["extension"]) == 1
    assert (lost, back) == ([], f"^^Oslo^^^^{code}")


# --- XTN ---------------------------------------------------------------------------------------------------


def test_a_number_in_one_piece_is_a_value() -> None:
    telecom, lost, back = first("PID-13", "22334455^PRN^PH", "telecom")
    assert telecom == {"value": "22334455", "use": "home", "system": "phone"}
    assert (lost, back) == ([], "22334455^PRN^PH")


def test_a_number_in_parts_finds_its_parts_again() -> None:
    telecom, lost, back = first("PID-13", "^PRN^PH^^47^22^334455^12", "telecom")
    assert telecom["value"] == "47 22 334455 x12"
    assert (lost, back) == ([], "^PRN^PH^^47^22^334455^12")


def test_an_address_of_mail_is_email() -> None:
    telecom, lost, back = first("PID-13", "^NET^Internet^a@b.no", "telecom")
    assert telecom == {"value": "a@b.no", "system": "email", "use": "home"}
    assert (lost, back) == ([], "^PRN^Internet^a@b.no")


@pytest.mark.parametrize(
    ("sent", "system"),
    [("CP", "phone"), ("SAT", "other"), ("TDD", "other"), ("TTY", "other"), ("FAX", "phone")],
)
def test_equipment_that_fhir_does_not_tell_apart_stays_beside_it(sent: str, system: str) -> None:
    telecom, lost, back = first("PID-13", f"22334455^PRN^{sent}", "telecom")
    assert telecom == {
        "value": "22334455", "use": "home", "system": system, "_system": kept("0202", sent),
    }  # fmt: skip
    assert (lost, back) == ([], f"22334455^PRN^{sent}")


@pytest.mark.parametrize("sent", ["^PRN^X.400^c=no;s=moe", "^PRN^FX^a@b.no"])
def test_what_xtn_3_calls_an_address_of_mail_stays_beside_it(sent: str) -> None:
    telecom, lost, back = first("PID-13", sent, "telecom")
    assert (telecom["system"], telecom["_system"]) == ("email", kept("0202", sent.split("^")[2]))
    assert (lost, back) == ([], sent)


@pytest.mark.parametrize("sent", ["VHN", "EMR", "BPN"])
def test_a_use_of_a_number_that_fhir_does_not_have_stays_beside_it(sent: str) -> None:
    telecom, lost, back = first("PID-13", f"22334455^{sent}^PH", "telecom")
    assert (telecom["use"], telecom["_use"]) == ("home", kept("0201", sent))
    assert (lost, back) == ([], f"22334455^{sent}^PH")


@pytest.mark.parametrize("sent", ["^NET^Internet^a@b.no", "^^Internet^a@b.no", "a@b.no^NET^Internet"])
def test_an_address_of_mail_without_a_use_is_one_of_the_net(sent: str) -> None:
    header = "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\r"
    made = MADE.to_fhir(f"{header}PID|||1^^^H^MR\rNK1|1|Moe|SPO||{sent}\r")
    (kin,) = (e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "RelatedPerson")
    assert kin["telecom"] == [{"value": "a@b.no", "system": "email"}]
    assert "||^NET^Internet^a@b.no\r" in MADE.to_v2(made.bundle).message


def test_home_is_what_pid_13_means_and_work_what_pid_14_means() -> None:
    assert first("PID-13", "1", "telecom")[0]["use"] == "home"
    assert first("PID-14", "1", "telecom")[0]["use"] == "work"


def test_a_country_code_alone_is_no_number() -> None:
    telecom, lost, _ = first("PID-13", "^^^^47", "telecom")
    assert telecom is None
    assert lost == [""]


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


def _referred(text: str, field: str, kind: str) -> list[Json]:
    number = int(field.partition("-")[2])
    pv1 = "|".join(["PV1", *("" for _ in range(number - 1)), text])
    made = MADE.to_fhir(f"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR\r{pv1}\r")
    return [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == kind]


def test_a_doctor_is_a_practitioner_with_an_identifier_and_a_name() -> None:
    (doctor,) = _referred("77^Roe^Jane^Q^^Dr^MD^^HOSP^L^^^NPI", "PV1-7", "Practitioner")
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
    levels = _referred("W1^12^2^NORTH^^N^B1^3", "PV1-3", "Location")
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
