"""Results: what OBX says beside its value, attachments, arrays and who made the report (guide: ORU_R01)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, lines, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|||1^^^H^MR||Roe^Ann"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
SD = "http://hl7.org/fhir/StructureDefinition/"
ORU = "ORU^R01^ORU_R01"


def seg(name: str, **fields: str) -> str:
    """A segment of numbered fields: ``seg("OBX", f2="NM")``."""
    texts = {int(at[1:]): text for at, text in fields.items()}
    return "|".join((name, *(texts.get(n, "") for n in range(1, max(texts, default=0) + 1))))


def result(*segments: str) -> Json:
    return lawful(MADE, message(PID, *segments, event=ORU))


def obx(**fields: str) -> Json:
    """The only observation of a result."""
    return only(result("OBR|1||F|P^^LN", seg("OBX", **({"f3": "C^^LN"} | fields))), "Observation")


def lost(**fields: str) -> list[str]:
    text = message(PID, "OBR|1||F|P^^LN", seg("OBX", **({"f3": "C^^LN"} | fields)), event=ORU)
    return MADE.to_fhir(text).lost


def attached(node: Json) -> Any:
    """The attachments of an observation or component."""
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.valueAttachment"
    return [one["valueAttachment"] for one in node["extension"] if one["url"] == url]


# --- values -----------------------------------------------------------------------------------------------


def test_encapsulated_data_is_an_attachment() -> None:
    found = obx(f2="ED", f5="^application^pdf^Base64^JVBERi0=")
    assert attached(found) == [{"contentType": "application/pdf", "data": "JVBERi0="}]


@pytest.mark.parametrize(("sent", "data"), [("^TEXT^plain^A^hi", "aGk="), ("^text^plain^Hex^6869", "aGk=")])
def test_text_and_digits_become_base64(sent: str, data: str) -> None:
    assert attached(obx(f2="ED", f5=sent)) == [{"contentType": "text/plain", "data": data}]


def test_a_type_of_data_without_a_subtype_is_kept_as_it_is() -> None:
    (found,) = attached(obx(f2="ED", f5="^IM^^Base64^aGk="))
    assert "contentType" not in found
    assert found["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "IM"


def test_data_that_is_none_is_text_and_named() -> None:
    text = "^application^pdf^Base64^???"
    assert obx(f2="ED", f5=text)["valueString"] == text
    assert lost(f2="ED", f5=text) == ["OBX-2"]


def test_a_pointer_is_an_attachment_with_an_address() -> None:
    found = obx(f2="RP", f5="https://pacs.example/1^^image^jpeg")
    assert attached(found) == [{"contentType": "image/jpeg", "url": "https://pacs.example/1"}]


def test_several_documents_are_components() -> None:
    found = obx(f2="ED", f5="^text^plain^A^a~^text^plain^A^b")
    assert [attached(part)[0]["data"] for part in found["component"]] == ["YQ==", "Yg=="]


def test_other_data_replaces_what_was_sent() -> None:
    text = message(PID, "OBR|1||F|P^^LN", "OBX|1|ED|C^^LN||^text^plain^A^hi||||||F", event=ORU)
    bundle = MADE.to_fhir(text).bundle
    attached(only(bundle, "Observation"))[0]["data"] = "eW8="
    back = MADE.to_v2(bundle, text)
    assert lines(back.message)["OBX"] == "OBX|1|ED|C^^LN||^text^plain^Base64^eW8=||||||F"
    assert back.lost == []


def test_an_array_of_numbers_is_sampled_data() -> None:
    found = obx(f2="NA", f5="1^2.50^-3", f6="mV^^UCUM")["valueSampledData"]
    assert (found["data"], found["dimensions"]) == ("1 2.50 -3", 1)
    assert found["origin"]["code"] == "mV"
    assert "extension" in found["_period"]


def test_rows_of_an_array_are_points_of_several_dimensions() -> None:
    found = obx(f2="NA", f5="1^2~3^4~5^6")["valueSampledData"]
    assert (found["data"], found["dimensions"]) == ("1 2 3 4 5 6", 2)


@pytest.mark.parametrize(
    ("sent", "said"), [("<>^5", "<> 5 mg/L"), ("^2^+", "2 + mg/L"), ("^9^-^1", "9 - 1 mg/L")]
)
def test_a_structured_number_that_fhir_has_no_form_for_is_said_in_words(sent: str, said: str) -> None:
    assert obx(f2="SN", f5=sent, f6="mg/L")["valueString"] == said
    assert lost(f2="SN", f5=sent, f6="mg/L") == []


def test_a_ratio_keeps_its_comparator_and_its_separator() -> None:
    found = obx(f2="SN", f5="<^1^/^128")["valueRatio"]
    assert found["numerator"] == {"value": Decimal(1), "comparator": "<"}
    assert found["extension"][0]["valueString"] == "< 1 / 128"
    text = message(PID, "OBR|1||F|P^^LN", "OBX|1|SN|C^^LN||^1^/^128||||||F", event=ORU)
    bundle = MADE.to_fhir(text).bundle
    assert lines(MADE.to_v2(bundle).message)["OBX"].split("|")[5] == "^1^/^128"


def test_a_range_of_values_as_text_has_a_dash() -> None:
    assert obx(f2="VR", f5="low^high")["valueString"] == "low-high"


def test_a_range_upside_down_is_text() -> None:
    assert "valueString" in obx(f2="NR", f5="9^1")


# --- status -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "kept"),
    [
        ("F", "final", ""),
        ("V", "final", "V"),
        ("X", "cancelled", ""),
        ("N", "cancelled", "N"),
        ("Q", "unknown", "Q"),
    ],
)
def test_a_status_keeps_the_senders_code_where_another_would_come_back(
    sent: str, status: str, kept: str
) -> None:
    found = obx(f11=sent)
    codes = [
        one["valueCodeableConcept"]["coding"][0]["code"]
        for one in found.get("_status", {}).get("extension", ())
    ]
    assert (found["status"], codes) == (status, [kept] if kept else [])


def test_what_was_not_asked_has_no_value_for_that_reason() -> None:
    assert obx(f11="N")["dataAbsentReason"]["coding"][0]["code"] == "not-asked"
    assert "dataAbsentReason" not in obx(f2="ST", f5="x", f11="N")


def test_a_reason_for_no_value_is_said_where_there_is_none() -> None:
    assert obx(f32="ASKU^^HL70001")["dataAbsentReason"]["coding"][0]["code"] == "ASKU"
    assert lost(f2="ST", f5="x", f32="ASKU") == ["OBX-32"]


def test_the_status_of_a_report_keeps_its_code_too() -> None:
    report = only(result(seg("OBR", f4="P^^LN", f25="M")), "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert report["_status"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "M"


# --- what else OBX says -----------------------------------------------------------------------------------


def test_a_sub_identifier_has_four_parts() -> None:
    (found,) = obx(f4="a^1^2^b")["extension"]
    assert found["url"] == SD + "observation-v2-subid"
    assert [part.get("valueString", part.get("valueDecimal")) for part in found["extension"]] == [
        "a",
        1,
        2,
        "b",
    ]


def test_a_kind_of_observation_is_its_category_and_a_sub_type_an_extension() -> None:
    found = obx(f29="RSLT", f30="AOE")
    assert found["category"] == [{"coding": [{"code": "RSLT", "system": V2 + "0936"}]}]
    assert found["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "AOE"


def test_an_answer_to_a_question_of_the_order_is_no_result() -> None:
    bundle = result("OBR|1||F|P^^LN", seg("OBX", f3="C^^LN", f29="QST"), seg("OBX", f3="D^^LN"))
    asked, answered = of_type(bundle, "Observation")
    assert only(bundle, "DiagnosticReport")["result"] == [{"reference": "Observation/" + answered["id"]}]
    assert only(bundle, "ServiceRequest")["supportingInfo"] == [{"reference": "Observation/" + asked["id"]}]


def test_the_laboratory_has_its_address_and_its_director() -> None:
    bundle = result(
        "OBR|1||F|P^^LN", seg("OBX", f3="C^^LN", f23="Lab^^^^^H^XX^^^L1", f24="1 Road^^Town", f25="7^Doe^Jo")
    )
    (lab,) = (one for one in of_type(bundle, "Organization") if one["name"] == "Lab")
    assert lab["address"][0]["city"] == "Town"
    role = only(bundle, "PractitionerRole")
    assert role["code"] == [{"coding": [{"system": V2 + "0912", "code": "MDIR"}]}]
    assert only(bundle, "Observation")["performer"] == [
        {"reference": "Organization/" + lab["id"]},
        {"reference": "PractitionerRole/" + role["id"]},
    ]


def test_an_edited_address_of_the_laboratory_goes_back_to_its_field() -> None:
    fields = {"f3": "C^^LN", "f23": "Lab^^^^^H^XX^^^L1", "f24": "1 Road^^Town", "f25": "7^Doe^Jo"}
    text = message(PID, "OBR|1||F|P^^LN", seg("OBX", **fields), event=ORU)
    bundle = MADE.to_fhir(text).bundle
    (lab,) = (one for one in of_type(bundle, "Organization") if one["name"] == "Lab")
    lab["address"][0]["city"] = "City"
    assert MADE.to_v2(bundle, text).message == text.replace("Town", "City")


def test_a_producer_known_by_a_code_is_an_organization() -> None:
    bundle = result("OBR|1||F|P^^LN", seg("OBX", f3="C^^LN", f15="L9^Other lab^99X"))
    assert [one["name"] for one in of_type(bundle, "Organization")][-1] == "Other lab"


def test_a_device_is_known_by_its_identifier() -> None:
    bundle = result("OBR|1||F|P^^LN", seg("OBX", f3="C^^LN", f18="D1^VENDOR"))
    device = only(bundle, "Device")
    assert device["identifier"] == [{"value": "D1", "system": "urn:id:VENDOR"}]
    assert only(bundle, "Observation")["device"] == {"reference": "Device/" + device["id"]}


def test_an_instance_identifier_is_the_fillers() -> None:
    assert obx(f21="I1^LAB")["identifier"][0]["type"]["coding"][0]["code"] == "FILL"


# --- who made the report ----------------------------------------------------------------------------------


def test_who_interprets_and_who_performs_are_roles_with_time_and_place() -> None:
    bundle = result(
        seg("OBR", f4="P^^LN", f32="7&Doe&Jo^20240101^20240102^W1^2", f34="8&Tech&T", f35="9&Type&T")
    )
    report = only(bundle, "DiagnosticReport")
    roles = {one["id"]: one for one in of_type(bundle, "PractitionerRole")}
    first = roles[report["resultsInterpreter"][0]["reference"].partition("/")[2]]
    assert first["period"] == {"start": "2024-01-01", "end": "2024-01-02"}
    assert first["location"][0]["reference"].startswith("Location/")
    codes = [one["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for one in report["performer"]]
    assert codes == ["SPRF", "TRANS"]


def test_in_a_result_of_specimens_the_control_stands_behind_the_order() -> None:
    text = message(
        PID, "SPM|1|S1&HIS", "OBR|1||F1|A^^L", "ORC|RE|P1", "OBR|2||F2|B^^L", "ORC|RE|P2",
        event="OUL^R22^OUL_R22",
    )  # fmt: skip
    found = of_type(lawful(MADE, text), "ServiceRequest")
    numbers = [sorted(number["value"] for number in one["identifier"]) for one in found]
    assert numbers == [["F1", "P1"], ["F2", "P2"]]


def test_a_control_that_leads_its_order_keeps_it_in_a_result_of_specimens() -> None:
    text = message(
        PID, "SPM|1|S1&HIS", "ORC|RE|P1", "OBR|1||F1|A^^L", "ORC|RE|P2", "OBR|2||F2|B^^L",
        event="OUL^R22^OUL_R22",
    )  # fmt: skip
    found = of_type(MADE.to_fhir(text).bundle, "ServiceRequest")
    numbers = [sorted(number["value"] for number in one["identifier"]) for one in found]
    assert numbers == [["F1", "P1"], ["F2", "P2"]]
