"""The status of a bed (ADT^A20): about no patient, with its way back."""

from __future__ import annotations

from tests.mapping.profiles import lawful, lines, message, of_type, only
from tests.mapping.test_adt_segments import edited
from tests.shipped import TRANSLATOR as MADE

EVN = "EVN|A20|20261123101500"


def test_a_bed_is_what_the_message_is_about() -> None:
    bundle = lawful(MADE, message(EVN, "NPU|W^101^1^STV|C", event="ADT^A20"))
    bed = of_type(bundle, "Location")[-1]
    assert bed["operationalStatus"]["code"] == "C"
    assert bed["identifier"] == [{"value": "1"}]
    assert only(bundle, "MessageHeader")["focus"] == [{"reference": f"Location/{bed['id']}"}]
    assert not of_type(bundle, "Patient")


def test_the_bed_is_the_one_that_a_visit_is_in() -> None:
    visit = MADE.to_fhir(message("PID|||1", "PV1|1|I|W^101^1^STV")).bundle
    alone = MADE.to_fhir(message(EVN, "NPU|W^101^1^STV|C", event="ADT^A20")).bundle
    assert of_type(visit, "Location")[-1]["id"] == of_type(alone, "Location")[-1]["id"]


def test_a_bed_that_is_free_again_is_said_in_its_field() -> None:
    text = message(EVN, "NPU|W^101^1|C", event="ADT^A20")
    bundle = MADE.to_fhir(text).bundle
    bed = of_type(bundle, "Location")[-1]
    bed["operationalStatus"]["code"] = "U"
    assert MADE.to_v2(bundle, text).message == text.replace("|C\r", "|U\r")
    assert edited(text, "MessageHeader") == text


def test_the_bed_stands_behind_its_event() -> None:
    bundle = MADE.to_fhir(message(EVN, "NPU|W^101^1|C", event="ADT^A20")).bundle
    said = MADE.to_v2(bundle).message
    assert [line[:3] for line in said.split("\r") if line] == ["MSH", "EVN", "NPU"]
    assert lines(said)["NPU"] == "NPU|W^101^1|C"


def test_a_status_that_nobody_knows_and_a_bed_without_a_name_are_lost() -> None:
    assert MADE.to_fhir(message(EVN, "NPU|W^101^1|X", event="ADT^A20")).lost == ["NPU-2"]
    assert MADE.to_fhir(message(EVN, "NPU||C", event="ADT^A20")).lost == ["NPU-2"]
