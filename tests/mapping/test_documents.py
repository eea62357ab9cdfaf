"""MDM: documents, what they contain, and the way back."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0125"
PID = "PID|1||1^^^H^MR||Berg^Eva"
PV1 = "PV1|1|O"
TXA = (
    "TXA|1|PN^Procedure note|TX|20260501070000+0200||20260501073000+0200||20260501074000+0200|7002^Auth^Ben"
    "|7003^Sign^Cora||D1^TRANS|D0^TRANS|O7^EHR|F7^LAB|note.rtf|AU|R|AV||typo||7005^Copy^Cid||A note"
)
TEXT = "OBX|1|TX|85^Note^L||First line~second line"


def mdm(*segments: str, event: str = "MDM^T02") -> str:
    return message("EVN||20260501080000+0200", PID, PV1, *segments, event=event)


def document(text: str) -> Json:
    return of_type(lawful(MADE, text), "DocumentReference")[0]


def contents(*segments: str) -> list[Json]:
    return list(document(mdm(TXA, *segments))["content"])


def plain(content: Json) -> str:
    return b64decode(content["attachment"]["data"]).decode()


def test_a_document_has_its_kind_its_people_and_its_numbers() -> None:
    said = document(mdm(TXA, TEXT))
    assert said["type"]["coding"][0]["code"] == "PN"
    assert said["masterIdentifier"] == {"value": "D1", "system": "urn:id:TRANS"}
    assert said["identifier"] == [{"value": "note.rtf"}]
    assert (said["status"], said["docStatus"], said["description"]) == ("current", "final", "A note")
    assert said["date"] == "2026-05-01T07:30:00+02:00"
    assert said["context"]["period"] == {"start": "2026-05-01T07:00:00+02:00"}
    assert said["securityLabel"][0]["coding"][0]["code"] == "R"
    assert len(said["author"]) == 1
    assert said["authenticator"]["reference"].startswith("Practitioner/")
    assert said["context"]["encounter"][0]["reference"].startswith("Encounter/")


def test_the_orders_of_a_document_are_known_by_their_numbers() -> None:
    related = document(mdm(TXA, TEXT))["context"]["related"]
    assert [(one["identifier"]["value"], one["identifier"]["system"]) for one in related] == [
        ("O7", "urn:id:EHR"),
        ("F7", "urn:id:LAB"),
    ]


def test_an_order_before_a_document_is_what_it_is_related_to() -> None:
    bare = "TXA|1|PN||||||||||D1^TRANS"
    made = lawful(MADE, mdm("ORC|RE|O1^EHR", "OBR|1|O1^EHR||11502-2^Report^LN", bare, TEXT))
    order = of_type(made, "ServiceRequest")[0]
    found = of_type(made, "DocumentReference")[0]
    assert found["context"]["related"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    assert not of_type(made, "DiagnosticReport")


@pytest.mark.parametrize(
    ("event", "code"), [("T06", "appends"), ("T05", "appends"), ("T10", "replaces"), ("T09", "replaces")]
)
def test_what_a_document_is_to_its_parent_follows_from_the_event(event: str, code: str) -> None:
    said = document(mdm(TXA, TEXT, event=f"MDM^{event}"))
    assert said["relatesTo"] == [
        {"target": {"identifier": {"value": "D0", "system": "urn:id:TRANS"}}, "code": code}
    ]


def test_a_parent_of_no_known_kind_is_not_made_one() -> None:
    assert document(mdm(TXA, TEXT))["relatesTo"][0]["_code"] == {
        "extension": [{"url": ABSENT, "valueCode": "unknown"}]
    }


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("T02", "", "current"),
        ("T11", "", "entered-in-error"),
        ("T02", "AV", "current"),
        ("T02", "OB", "superseded"),
        ("T02", "CA", "entered-in-error"),
        ("T02", "UN", "current"),
    ],
)
def test_whether_it_holds_is_its_availability_else_the_events(event: str, sent: str, status: str) -> None:
    text = mdm(f"TXA|1|PN||||||||||D1^T|||||||{sent}", TEXT, event=f"MDM^{event}")
    assert document(text)["status"] == status


def test_the_senders_own_status_is_kept_where_it_says_more() -> None:
    said = document(mdm(TXA.replace("|AU|", "|LA|"), TEXT))
    kept = said["_docStatus"]["extension"][0]["valueCodeableConcept"]["coding"][0]
    assert (said["docStatus"], kept["code"]) == ("final", "LA")


def test_a_day_without_a_time_is_no_instant() -> None:
    said = document(mdm("TXA|1|PN||||20260501||||||D1^T", TEXT))
    assert "date" not in said
    assert said["extension"] == [
        {"valueDate": "2026-05-01", "url": "http://hl7.org/fhir/6.0/StructureDefinition/extension-date"}
    ]


def test_each_observation_is_a_content_and_its_repetitions_are_lines() -> None:
    first, second = contents(TEXT, "OBX|2|FT|86^Formatted^L||Some\\.br\\text")
    assert (plain(first), first["attachment"]["contentType"]) == ("First line\nsecond line", "text/plain")
    assert (plain(second), second["attachment"]["contentType"]) == ("Some\ntext", "text/hl7v2")
    assert first["attachment"]["title"] == "Note"
    assert [one["format"]["code"] for one in (first, second)] == ["TX", "FT"]


def test_data_and_pointers_are_attachments() -> None:
    data, pointer = contents(
        "OBX|1|ED|87^PDF^L||^application^pdf^Base64^aGVsbG8=",
        "OBX|2|RP|88^Link^L||https://example.org/x.pdf^^application^pdf",
    )
    assert data["attachment"] == {"title": "PDF", "data": "aGVsbG8=", "contentType": "application/pdf"}
    assert pointer["attachment"] == {
        "title": "Link",
        "url": "https://example.org/x.pdf",
        "contentType": "application/pdf",
    }


def test_data_of_an_unknown_type_has_one_all_the_same() -> None:
    (found,) = contents("OBX|1|ED|87^Odd^L||^TX^^Base64^aGVsbG8=")
    assert found["attachment"]["contentType"] == "application/octet-stream"


def test_data_that_is_none_is_listed() -> None:
    text = mdm(TXA, "OBX|1|ED|87^PDF^L||^application^pdf^Base64^<here>")
    assert {"OBX-2", "OBX-5"} <= {*MADE.to_fhir(text).lost}
    assert document(text)["content"] == [
        {"attachment": {"title": "PDF"}, "extension": [coded({"code": "87", "display": "PDF"}, "urn:id:L")]}
    ]


def coded(coding: Json, system: str) -> Json:
    url = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Observation.code"
    return {"url": url, "valueCodeableConcept": {"coding": [coding | {"system": system}]}}


def back(text: str) -> list[str]:
    """The OBX of a document that goes back without a prior message."""
    written = MADE.to_v2(MADE.to_fhir(text).bundle).message
    return [line for line in written.split("\r") if line.startswith("OBX")]


def test_a_part_of_a_document_has_its_code_its_status_and_its_time() -> None:
    text = mdm(TXA, "OBX|1|FT|86^Values^L^44249-1^Panel^LN||Some text||||||F|||20260501021111+0200")
    (content,) = document(text)["content"]
    codes = [
        {"code": "86", "display": "Values", "system": "urn:id:L"},
        {"code": "44249-1", "display": "Panel", "system": "http://loinc.org"},
    ]
    assert content["extension"] == [
        {
            "url": "http://hl7.org/fhir/4.0/StructureDefinition/extension-Observation.code",
            "valueCodeableConcept": {"coding": codes},
        },
        {
            "url": "http://hl7.org/fhir/4.0/StructureDefinition/extension-Observation.status",
            "valueCode": "final",
        },
    ]
    assert content["attachment"]["title"] == "Values"
    assert content["attachment"]["creation"] == "2026-05-01T02:11:11+02:00"
    assert not [at for at in MADE.to_fhir(text).lost if at.startswith("OBX")]
    assert back(text) == ["OBX|1|FT|86^Values^L^44249-1^Panel^LN||Some text||||||F|||20260501021111+0200"]


def test_a_part_that_is_only_called_something_has_no_code() -> None:
    text = mdm(TXA, "OBX|1|TX|^Critical values||Some text")
    (content,) = document(text)["content"]
    assert "extension" not in content
    assert back(text) == ["OBX|1|TX|^Critical values||Some text"]


def test_a_new_title_touches_no_other_part_of_the_code() -> None:
    text = mdm(TXA, "OBX|1|TX|86^Values^L||Some text")
    made = MADE.to_fhir(text)
    of_type(made.bundle, "DocumentReference")[0]["content"][0]["attachment"]["title"] = "Results"
    assert "OBX|1|TX|86^Results^L||Some text" in MADE.to_v2(made.bundle, text).message.split("\r")


def test_an_order_that_says_how_far_it_is_has_a_report_beside_the_document() -> None:
    order = "OBR|1|O1^EHR||11502-2^Report^LN|||20260501070000+0200|20260501073000+0200" + "|" * 17 + "F"
    made = lawful(MADE, mdm("ORC|RE|O1^EHR", order, TXA, TEXT))
    request, report = of_type(made, "ServiceRequest")[0], of_type(made, "DiagnosticReport")[0]
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert report["status"] == "final"
    assert report["effectivePeriod"] == {
        "start": "2026-05-01T07:00:00+02:00",
        "end": "2026-05-01T07:30:00+02:00",
    }
    assert order.replace("|O1^EHR|", "||") in MADE.to_v2(made).message.split("\r")


def test_a_remark_is_a_content_without_a_value_type() -> None:
    *_, remark = contents(TEXT, "NTE|1||a remark")
    assert (plain(remark), remark["attachment"]["contentType"]) == ("a remark", "text/hl7v2")
    assert "format" not in remark


def test_a_document_without_content_says_so() -> None:
    assert document(mdm(TXA))["content"] == [
        {"attachment": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}}
    ]


def test_a_notification_says_of_what_kind_the_content_is() -> None:
    said = document(mdm(TXA, event="MDM^T01"))
    assert said["content"] == [{"attachment": {"contentType": "text/plain"}}]


def test_an_edit_and_who_was_told_are_a_provenance() -> None:
    made = lawful(MADE, mdm(TXA, TEXT))
    found = next(one for one in of_type(made, "Provenance") if "DocumentReference/" in str(one["target"]))
    assert found["recorded"] == "2026-05-01T07:40:00+02:00"
    assert found["reason"] == [{"text": "typo"}]
    assert {one["role"][0]["coding"][0]["code"] for one in found["agent"]} == {"AUT", "IRCP"}


def test_who_wrote_alone_is_no_provenance() -> None:
    made = lawful(MADE, mdm("TXA|1|PN|||||||7002^Auth^Ben|||D1^T", TEXT))
    assert not [one for one in of_type(made, "Provenance") if "DocumentReference/" in str(one["target"])]


def changed(text: str, edit: Any) -> list[str]:
    bundle = MADE.to_fhir(text).bundle
    edit(of_type(bundle, "DocumentReference")[0])
    return MADE.to_v2(bundle, text).message.split("\r")


def test_a_changed_text_touches_its_own_segment_only() -> None:
    text = mdm(TXA, TEXT, "OBX|2|FT|86^Formatted^L||Some text")

    def edit(one: Json) -> None:
        one["content"][1]["attachment"]["data"] = "QW5vdGhlciB0ZXh0"

    before = text.split("\r")
    after = changed(text, edit)
    assert [new for old, new in zip(before, after) if old != new] == ["OBX|2|FT|86^Formatted^L||Another text"]


def test_a_content_that_goes_takes_its_segment_along() -> None:
    text = mdm(TXA, TEXT, "OBX|2|FT|86^Formatted^L||Some text")
    after = changed(text, lambda one: one["content"].pop(0))
    assert after == [line for line in text.split("\r") if not line.startswith("OBX|1")]


@pytest.mark.parametrize(
    ("attachment", "segment"),
    [
        ({"contentType": "text/plain", "data": "SGVsbG8="}, "OBX|1|TX|||Hello"),
        (
            {"contentType": "application/pdf", "data": "SGVsbG8="},
            "OBX|1|ED|||^application^pdf^Base64^SGVsbG8=",
        ),
        ({"url": "https://example.org/d"}, "OBX|1|RP|||https://example.org/d"),
    ],
)
def test_a_content_of_fhir_has_the_value_type_that_fits(attachment: Json, segment: str) -> None:
    bundle = MADE.to_fhir(mdm(TXA)).bundle
    of_type(bundle, "DocumentReference")[0]["content"] = [{"attachment": attachment}]
    assert MADE.to_v2(bundle).message.split("\r")[-2] == segment


def test_a_part_of_which_only_the_time_is_known_comes_back() -> None:
    part = "OBX|1|TX|C1^^L||||||||S|||20260301"
    text = message(PID, "TXA|1|CD|TX", part, event="MDM^T02")
    bundle = lawful(MADE, text)
    assert only(bundle, "DocumentReference")["content"][0]["attachment"] == {"creation": "2026-03-01"}
    assert "OBX|1||C1^^L||||||||S|||20260301" in MADE.to_v2(bundle).message


def test_a_part_is_called_by_the_first_code_there_is() -> None:
    text = message(PID, "TXA|1|CD|TX", "OBX|1|TX|^^^C1^Report^L||x||||||F", event="MDM^T02")
    (content,) = only(lawful(MADE, text), "DocumentReference")["content"]
    assert content["attachment"]["title"] == "Report"
