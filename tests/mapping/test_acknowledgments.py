"""ACK: the answer to a message, its text for people and its errors."""

from __future__ import annotations

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

ACK = "ACK^A01^ACK"


def response(*segments: str) -> Json:
    """What the header says of the message that was answered."""
    header = only(lawful(MADE, message(*segments, event=ACK)), "MessageHeader")
    return dict(header["response"])


@pytest.mark.parametrize(("sent", "code"), [("AA", "ok"), ("AE", "fatal-error"), ("AR", "transient-error")])
def test_the_code_of_an_answer_says_whether_to_send_again(sent: str, code: str) -> None:
    text = message(f"MSA|{sent}|M-1", event=ACK)
    bundle = lawful(MADE, text)
    assert only(bundle, "MessageHeader")["response"] == {"code": code, "identifier": "M-1"}
    assert f"MSA|{sent}|M-1" in MADE.to_v2(bundle).message
    assert not of_type(bundle, "OperationOutcome")


@pytest.mark.parametrize(("sent", "code"), [("CA", "ok"), ("CE", "transient-error"), ("CR", "fatal-error")])
def test_the_code_of_an_enhanced_answer_stays_beside_it(sent: str, code: str) -> None:
    text = message(f"MSA|{sent}|M-1", event=ACK)
    bundle = lawful(MADE, text)
    said = only(bundle, "MessageHeader")["response"]
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0008", "code": sent}
    assert (said["code"], said["_code"]["extension"][0]["valueCodeableConcept"]) == (
        code,
        {"coding": [coding]},
    )
    assert f"MSA|{sent}|M-1" in MADE.to_v2(bundle).message
    assert not of_type(bundle, "OperationOutcome")


def test_a_control_id_that_is_no_fhir_id_stands_beside_it() -> None:
    said = response("MSA|AA|MSG_1")
    assert "identifier" not in said
    assert said["_identifier"]["extension"][1]["valueString"] == "MSG_1"


def test_an_answer_without_a_code_or_an_id_says_that_they_are_not_known() -> None:
    assert response("MSA|AA|")["_identifier"]["extension"][0]["valueCode"] == "unknown"
    assert response("MSA||M-1")["_code"]["extension"][0]["valueCode"] == "unknown"


def test_the_text_and_the_errors_of_an_answer_are_issues() -> None:
    text = message(
        "MSA|AE|M-1|Unknown patient",
        "ERR||PID^1^3~PV1^1^19|204^Unknown key^HL70357|E|||trace|Ask the ward",
        "ERR||MSH^1^9|200|W",
        event=ACK,
    )
    bundle = lawful(MADE, text)
    outcome = only(bundle, "OperationOutcome")
    details = only(bundle, "MessageHeader")["response"]["details"]
    assert details == {"reference": f"OperationOutcome/{outcome['id']}"}
    spoken, first, second = outcome["issue"]
    assert spoken == {"severity": "error", "code": "informational", "details": {"text": "Unknown patient"}}
    assert first == {
        "severity": "error",
        "code": "not-found",
        "details": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0357",
                    "code": "204",
                    "display": "Unknown key",
                }
            ],
            "text": "Ask the ward",
        },
        "diagnostics": "trace",
        "location": ["PID^1^3", "PV1^1^19"],
    }
    assert (second["severity"], second["code"]) == ("warning", "not-supported")
    back = MADE.to_v2(bundle).message
    assert back.endswith("\r".join(text.split("\r")[1:]))


def test_an_edit_of_one_error_touches_that_one_alone() -> None:
    text = message("MSA|AE|M-1|No", "ERR||PID^1^3|204|E", "ERR||MSH^1^9|200|W", event=ACK)
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "OperationOutcome")["issue"][2]["severity"] = "information"
    assert MADE.to_v2(bundle, text).message == text.replace("|W", "|I")


def test_an_edit_of_the_text_touches_msa_alone() -> None:
    text = message("MSA|AE|M-1|No", "ERR||PID^1^3|204|E", event=ACK)
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "OperationOutcome")["issue"][0]["details"]["text"] = "Never"
    assert MADE.to_v2(bundle, text).message == text.replace("|No", "|Never")


def test_the_errors_of_old_versions_are_understood() -> None:
    text = message("MSA|AR|M-1", "ERR|PID^1^5^101&Required field missing&HL70357", event=ACK)
    bundle = lawful(MADE, text)
    (issue,) = only(bundle, "OperationOutcome")["issue"]
    assert (issue["code"], issue["location"]) == ("required", ["PID^1^5"])
    assert "ERR||PID^1^5|101^Required field missing^HL70357|E" in MADE.to_v2(bundle).message


def test_what_no_issue_says_is_listed() -> None:
    text = message("MSA|AE|M-1||7", "ERR|PID^1^5^101~PV1^1^2^102", "ERR||PID^1^3|204|E|X1", event=ACK)
    assert MADE.to_fhir(text).lost == ["MSA-4", "ERR-1(2)", "ERR[2]-5"]


def test_an_outcome_that_fhir_began_is_an_answer() -> None:
    outcome: Json = {"resourceType": "OperationOutcome", "id": "o"}
    outcome["issue"] = [{"severity": "fatal", "code": "too-long", "diagnostics": "PID-5"}]
    header: Json = {
        "resourceType": "MessageHeader",
        "id": "h",
        "source": {"name": "FHIR", "endpoint": "urn:x"},
        "eventUri": "urn:hl7-org:v2:message:ACK",
        "response": {
            "code": "fatal-error",
            "identifier": "M-1",
            "details": {"reference": "OperationOutcome/o"},
        },
    }
    entry = [{"resource": header}, {"resource": outcome}]
    made = MADE.to_v2({"resourceType": "Bundle", "type": "message", "entry": entry})
    assert made.message.split("\r")[1:3] == ["MSA|AE|M-1", "ERR|||104^^HL70357|F|||PID-5"]
    assert made.lost == []
