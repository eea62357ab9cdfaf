"""MSH, SFT and EVN, and PID-33 and PID-34: who sent what to whom, by which software, and who has done it."""

from __future__ import annotations

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

EVN = "EVN||20261123101500+0100"
PID = "PID|1||M1^^^STV^MR"


def headed(**fields: str) -> str:
    """A message whose header has these fields (``n8="x"``); the version has all of them."""
    text = message(EVN, PID)
    header = text.split("\r")[0].replace("|2.5.1", "|2.8").split("|")
    for name, value in fields.items():
        number = int(name[1:])
        header += [""] * (number - len(header))
        header[number - 1] = value
    return "\r".join(("|".join(header), *text.split("\r")[1:]))


def header_of(text: str) -> Json:
    return only(lawful(MADE, text), "MessageHeader")


def organization(bundle: Json, reference: Json) -> Json:
    (one,) = (one for one in of_type(bundle, "Organization") if reference["reference"].endswith(one["id"]))
    return one


# --- MSH ---------------------------------------------------------------------


def test_processing_id_and_mode_are_tags() -> None:
    assert header_of(headed(n11="P^T"))["meta"]["tag"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0103", "code": "P"},
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0207", "code": "T"},
    ]


def test_security_is_a_label_in_the_senders_words_or_a_code() -> None:
    said = header_of(headed(n8="SEC", n26="R", n27="NODSCLCD^no disclosure^L~PRSNLY"))
    assert said["meta"]["security"] == [
        {"display": "SEC"},
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "code": "R",
            "display": "restricted",
        },
        {"system": "urn:id:L", "code": "NODSCLCD", "display": "no disclosure"},
        {"code": "PRSNLY"},
    ]


def test_the_country_is_that_of_the_sender() -> None:
    text = headed(n17="AUT")
    bundle = lawful(MADE, text)
    sender = organization(bundle, only(bundle, "MessageHeader")["sender"])
    assert sender["address"] == [{"country": "AUT"}]
    sender["address"][0]["country"] = "DEU"
    assert MADE.to_v2(bundle, text).message == text.replace("|AUT", "|DEU")


def test_a_country_without_a_sender_is_listed() -> None:
    assert MADE.to_fhir(headed(n4="", n17="AUT")).lost == ["MSH-17"]


@pytest.mark.parametrize(("number", "party", "there"), [("n24", "source", 3), ("n25", "destination", 5)])
def test_a_network_address_is_the_endpoint(number: str, party: str, there: int) -> None:
    text = headed(**{number: "^10.0.0.1:2575^DNS"})
    said = header_of(text)[party]
    one = said[0] if isinstance(said, list) else said
    assert one["endpoint"] == "urn:dns:10.0.0.1:2575"
    both = headed(**{number: "^10.0.0.1:2575^DNS", f"n{there}": "APP^1.2.3^ISO"})
    assert MADE.to_fhir(both).lost == [f"MSH-{there}.2", f"MSH-{there}.3"]
    assert MADE.to_v2(MADE.to_fhir(both).bundle, both).message == both
    one["endpoint"] = "urn:dns:ward:1"
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "MessageHeader")[party] = said
    assert "|^ward:1^DNS" in MADE.to_v2(bundle, text).message


def test_the_responsible_organization_is_an_organization() -> None:
    bundle = lawful(MADE, headed(n22="Holding^L^^^^STV^XX^^^77"))
    one = organization(bundle, only(bundle, "MessageHeader")["responsible"])
    assert (one["name"], one["identifier"][0]["value"]) == ("Holding", "77")


def test_the_receiving_organization_is_the_receiver_where_no_facility_is_named() -> None:
    text = headed(n6="", n23="Lab^L^^^^STV^XX^^^77")
    bundle = lawful(MADE, text)
    one = organization(bundle, only(bundle, "MessageHeader")["destination"][0]["receiver"])
    assert one["identifier"][0]["value"] == "77"
    assert "|Lab^^^^^STV^XX^^^77" in MADE.to_v2(bundle).message
    one["name"] = "Labor"
    assert MADE.to_v2(bundle, text).message == text.replace("|Lab^", "|Labor^")
    assert MADE.to_fhir(headed(n23="Lab")).lost == ["MSH-23"]


# --- EVN ---------------------------------------------------------------------


def test_the_event_names_itself_and_who_sent_it() -> None:
    bundle = lawful(MADE, message(EVN, PID))
    header, event = only(bundle, "MessageHeader"), only(bundle, "Provenance")
    assert event["activity"] == {"coding": [{"display": "event - ADT^A01"}]}
    assert event["agent"] == [{"who": header["sender"]}]


def test_who_is_responsible_goes_before_who_sent_and_the_operator_before_both() -> None:
    bundle = lawful(MADE, headed(n22="Holding"))
    assert only(bundle, "Provenance")["agent"][0]["who"] == only(bundle, "MessageHeader")["responsible"]
    named = lawful(MADE, message("EVN||20261123101500+0100|||77^Roe", PID))
    assert only(named, "Provenance")["agent"][0]["who"]["reference"].startswith("Practitioner/")


# --- SFT ---------------------------------------------------------------------


def test_software_is_a_device_and_the_source_of_the_message() -> None:
    text = message("SFT|Acme|1.2|Sender|bin7|more|20250101", "SFT|Beta|9|Router|x", EVN, PID)
    bundle = lawful(MADE, text)
    sender, router = of_type(bundle, "Device")
    assert {name: sender[name] for name in ("manufacturer", "deviceName", "modelNumber", "note")} == {
        "manufacturer": "Acme",
        "deviceName": [{"name": "Sender", "type": "manufacturer-name"}],
        "modelNumber": "bin7",
        "note": [{"text": "more"}],
    }
    assert sender["version"][0]["value"] == "1.2"
    assert sender["version"][0]["extension"][0]["valueDateTime"] == "2025-01-01"
    header = only(bundle, "MessageHeader")
    assert (header["source"]["software"], header["source"]["version"]) == ("Sender", "1.2")
    made = [one for one in of_type(bundle, "Provenance") if "entity" in one]
    assert [one["entity"] for one in made] == [
        [{"what": {"reference": f"Device/{sender['id']}"}, "role": "source"}],
        [{"what": {"reference": f"Device/{router['id']}"}, "role": "derivation"}],
    ]
    assert made[0]["recorded"] == "2026-11-23T10:15:00+01:00"
    assert made[0]["activity"] == {"coding": [{"display": "message - ADT^A01"}]}
    assert made[0]["agent"][0]["who"] == header["sender"]
    assert [line[:3] for line in MADE.to_v2(bundle).message.split("\r")[:4]] == ["MSH", "SFT", "SFT", "EVN"]


def test_an_edit_of_the_second_software_touches_that_one_alone() -> None:
    text = message("SFT|Acme|1.2|Sender|bin7", "SFT|Beta|9|Router|x", EVN, PID)
    bundle = MADE.to_fhir(text).bundle
    of_type(bundle, "Device")[1]["version"][0]["value"] = "10"
    assert MADE.to_v2(bundle, text).message == text.replace("|9|", "|10|")


def test_a_result_may_be_signed_by_software_too() -> None:
    bundle = lawful(MADE, message("SFT|Acme|1.2|Sender|bin7", PID, "OBR|1||F1|P", event="ORU^R01"))
    assert only(bundle, "Provenance")["entity"][0]["role"] == "source"


# --- PID-33, PID-34 ---------------------------------------------------------------------


def test_who_updated_a_patient_is_a_provenance_of_the_patient() -> None:
    text = message(EVN, PID + "|" * 30 + "20250303|WARD")
    bundle = lawful(MADE, text)
    patient = only(bundle, "Patient")
    (update,) = (one for one in of_type(bundle, "Provenance") if "occurredDateTime" in one)
    assert update["target"] == [{"reference": f"Patient/{patient['id']}"}]
    assert update["occurredDateTime"] == "2025-03-03"
    assert update["activity"]["coding"][0]["code"] == "UPDATE"
    assert organization(bundle, update["agent"][0]["who"])["name"] == "WARD"
    update["occurredDateTime"] = "2025-03-04"
    assert MADE.to_v2(bundle, text).message == text.replace("20250303", "20250304")


def test_an_update_by_nobody_is_listed() -> None:
    assert MADE.to_fhir(message(EVN, PID + "|" * 30 + "20250303")).lost == ["PID-33"]
