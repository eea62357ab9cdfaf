"""REF: referrals, who refers and who is to see the patient, and the way back."""

from __future__ import annotations

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR||Berg^Eva"
RF1 = (
    "RF1|A|R|MED^Medical^HL70281|WR^Send report^HL70282|O^Outpatient^HL70284|R77^GP|20260501|20260801"
    "|20260430|S^Second opinion^HL70336|X8^EHR"
)
RP = "PRD|RP^Referring^HL70286|Grey^Gina|Main St 1^^Oslo||^WPN^PH^^^22^123456||7001^NPI"
RT = "PRD|RT^Referred to^HL70286|Hall^Hans|||||7002^NPI|20260101"


def ref(*segments: str) -> str:
    return message(*segments, event="REF^I12")


def referral(text: str) -> Json:
    return of_type(lawful(MADE, text), "ServiceRequest")[0]


def test_a_referral_is_a_request_with_its_kind_its_reason_and_its_time() -> None:
    said = referral(ref(RF1, RP, RT, PID))
    assert (said["status"], said["priority"], said["intent"]) == ("active", "routine", "order")
    assert [one["coding"][0]["code"] for one in said["category"]] == ["MED", "O"]
    assert said["orderDetail"][0]["coding"][0]["code"] == "WR"
    assert said["reasonCode"][0]["coding"][0]["code"] == "S"
    assert said["occurrencePeriod"] == {"start": "2026-05-01", "end": "2026-08-01"}
    assert said["authoredOn"] == "2026-04-30"
    assert [one["value"] for one in said["identifier"]] == ["R77", "X8"]


def test_who_refers_requests_and_the_others_are_to_see_the_patient() -> None:
    made = lawful(MADE, ref(RF1, RP, RT, PID))
    said = of_type(made, "ServiceRequest")[0]
    roles = {one["code"][0]["coding"][0]["code"]: one for one in of_type(made, "PractitionerRole")}
    assert said["requester"] == {"reference": f"PractitionerRole/{roles['RP']['id']}"}
    assert said["performer"] == [{"reference": f"PractitionerRole/{roles['RT']['id']}"}]
    assert roles["RT"]["period"] == {"start": "2026-01-01"}


def test_whoever_refers_and_sees_the_patient_too_refers() -> None:
    """Whichever role is said first."""
    text = message(
        "RF1|A", "PRD|RT^^HL70286|Hall^Hans", "PRD|RT^^HL70286~RP^^HL70286|Grey^Gina", PID, event="REF^I12"
    )
    bundle = lawful(MADE, text)
    request = of_type(bundle, "ServiceRequest")[0]
    (gina,) = (one for one in of_type(bundle, "PractitionerRole") if len(one["code"]) == 2)
    assert request["requester"] == {"reference": f"PractitionerRole/{gina['id']}"}
    assert len(request["performer"]) == 1


def test_a_provider_is_a_person_with_an_address_and_a_number() -> None:
    made = lawful(MADE, ref(RF1, RP, PID))
    person = of_type(made, "Practitioner")[0]
    assert person["name"] == [{"family": "Grey", "given": ["Gina"]}]
    assert person["address"][0]["city"] == "Oslo"
    assert person["telecom"][0]["value"] == "22 123456"
    assert person["identifier"][0]["value"] == "7001"


@pytest.mark.parametrize(
    ("sent", "status"), [("A", "active"), ("P", "active"), ("R", "revoked"), ("E", "revoked")]
)
def test_the_status_of_a_referral(sent: str, status: str) -> None:
    assert referral(ref(RF1.replace("RF1|A", f"RF1|{sent}"), PID))["status"] == status


def test_a_changed_priority_touches_its_own_field_only() -> None:
    text = ref(RF1, RP, RT, PID)
    bundle = MADE.to_fhir(text).bundle
    of_type(bundle, "ServiceRequest")[0]["priority"] = "stat"
    assert MADE.to_v2(bundle, text).message == text.replace("RF1|A|R|", "RF1|A|S|")


def test_somebody_else_to_see_the_patient_gets_a_segment() -> None:
    text = ref(RF1, RP, PID)
    bundle = MADE.to_fhir(text).bundle
    person = {"resourceType": "Practitioner", "id": "p", "name": [{"family": "Neu"}]}
    role = {
        "resourceType": "PractitionerRole",
        "id": "r",
        "active": True,
        "practitioner": {"reference": "Practitioner/p"},
        "code": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0286", "code": "RT"}]}],
    }
    of_type(bundle, "ServiceRequest")[0]["performer"] = [{"reference": "PractitionerRole/r"}]
    bundle["entry"] += [{"resource": person}, {"resource": role}]
    assert "PRD|RT|Neu" in MADE.to_v2(bundle, text).message.split("\r")


# --- CTD ---------------------------------------------------------------------------------------------------

_CONTACT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-PractitionerRole.contact"
_REFERRED = ("RF1|A", "PRD|RP|Doc^Ann", "CTD|BP^Billing|Sec^Ula~Sec^Uwe|Road 1^^Town||555^WPN~556^PRN")


def test_contacts_of_a_provider_are_said_as_r5_says_them() -> None:
    text = message(*_REFERRED, "PRD|RT|Who^Ben", "CTD|NS|Sec^Zoe", PID, event="REF^I12")
    first, second = of_type(lawful(MADE, text), "PractitionerRole")
    (contact,) = first["extension"]
    assert contact["url"] == _CONTACT
    assert [one["url"] for one in contact["extension"]] == [
        "purpose", "name", "name", "address", "telecom", "telecom"
    ]  # fmt: skip
    assert contact["extension"][1]["valueHumanName"] == {"family": "Sec", "given": ["Ula"]}
    assert contact["extension"][3]["valueAddress"] == {"line": ["Road 1"], "city": "Town"}
    assert second["extension"][0]["extension"][1]["valueHumanName"]["given"] == ["Zoe"]


def test_an_edit_of_a_contact_touches_its_repetition() -> None:
    text = message(*_REFERRED, PID, event="REF^I12")
    bundle = MADE.to_fhir(text).bundle
    parts = only(bundle, "PractitionerRole")["extension"][0]["extension"]
    parts[2]["valueHumanName"]["given"] = ["Udo"]
    assert MADE.to_v2(bundle, text).message == text.replace("Uwe", "Udo")


def test_a_contact_that_is_gone_or_new_is_a_segment() -> None:
    text = message(*_REFERRED, PID, event="REF^I12")
    bundle = MADE.to_fhir(text).bundle
    role = only(bundle, "PractitionerRole")
    name = {"url": "name", "valueHumanName": {"family": "New"}}
    role["extension"].append({"url": _CONTACT, "extension": [name]})
    assert MADE.to_v2(bundle, text).message == text.replace("PID|", "CTD||New\rPID|", 1)
    del role["extension"]
    assert "CTD" not in MADE.to_v2(bundle, text).message


def test_what_r5_has_no_place_for_in_a_contact_is_lost() -> None:
    text = message("RF1|A", "PRD|RP|Doc^Ann", "CTD|BP~C|||W^1|555^WPN|E|9^X", PID, event="REF^I12")
    assert MADE.to_fhir(text).lost == ["CTD-1(2)", "CTD-4", "CTD-6", "CTD-7"]


def test_contacts_of_an_authorization_are_nobodys_here() -> None:
    text = message("RF1|A", "AUT|P1", "CTD|BP|Sec^Ula", "PRD|RP|Doc^Ann", PID, event="REF^I12")
    made = MADE.to_fhir(text)
    assert "extension" not in only(made.bundle, "PractitionerRole")
    assert {"CTD-1", "CTD-2"} <= {*made.lost}


def test_a_referral_of_fhir_that_names_nobody_has_a_provider_who_is_nobody() -> None:
    """The structure demands a PRD, and nothing is made up to fill it."""
    system = "http://terminology.hl7.org/CodeSystem/v2-0003"
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": system, "code": "I12"},
        "source": {"name": "A", "endpoint": "urn:x"},
    }
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "Roe"}]}
    patient["identifier"] = [{"system": "urn:id:H", "value": "1"}]
    request = {"resourceType": "ServiceRequest", "id": "s", "status": "active", "intent": "order"}
    request |= {"subject": {"reference": "Patient/p"}, "identifier": [{"value": "R1"}]}
    entries = [{"resource": one} for one in (header, patient, request)]
    written = MADE.to_v2({"resourceType": "Bundle", "type": "message", "entry": entries}).message
    assert [line for line in written.split("\r") if line.startswith(("PRD", "RF1"))][1:] == ['PRD|""']
    again = MADE.to_fhir(written)
    assert not of_type(again.bundle, "PractitionerRole")
    assert not of_type(again.bundle, "Practitioner")
    assert "requester" not in of_type(again.bundle, "ServiceRequest")[0]
