"""What says who and where, by datatype, through the fields that hold it; and back without a prior."""

from __future__ import annotations

import pytest

from tests.mapping.fields import MADE, SD, Json, first, kept, referred, said

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
    (doctor,) = referred("123^Moe^Ola^^^^^^^NOUSE", "PV1-7", "Practitioner")
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
