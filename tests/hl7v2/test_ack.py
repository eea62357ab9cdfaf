from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    InvalidResource,
    RequiredFieldMissing,
    SegmentSequence,
    TableValueNotFound,
)
from connector.hl7v2 import ack
from connector.hl7v2.ack import Ack, Fault, read_ack
from connector.hl7v2.tree import Message
from connector.mllp import frame
from tests.hl7v2.texts import corpus, corpus_texts, messages, needs_corpus

ERRORS: list[ConnectorError] = [
    RequiredFieldMissing("the patient has no identifier", location="PID-3(2).4.1", fix="send PID-3 | PID-4"),
    SegmentSequence("a required segment is missing", location="PV1"),
    TableValueNotFound("the code is not in its table", location="OBX[3]-8(2)"),
    InvalidResource("not a place in v2", location="Bundle.entry[1]"),
]


def received(version: str = "2.5.1", kind: str = "ADT^A01^ADT_A01") -> Message:
    return Message.parse(f"MSH|^~\\&|A^1.2^ISO|B|C|D|2024||{kind}|MSG1|P^T|{version}||||||8859/1\rPID|1\r")


def answer(message: Message, code: str = "AA", errors: list[ConnectorError] | None = None) -> str:
    return ack.ack(message, code, control_id="X1", at="20240818112600+0000", errors=errors or [])


def test_the_parties_change_places_and_the_rest_is_echoed() -> None:
    assert answer(received()) == (
        "MSH|^~\\&|C|D|A^1.2^ISO|B|20240818112600+0000||ACK^A01^ACK|X1|P^T|2.5.1||||||8859/1\rMSA|AA|MSG1\r"
    )


@pytest.mark.parametrize(
    ("version", "kind"),
    [("2.1", "ACK"), ("2.2", "ACK"), ("2.3", "ACK^A01"), ("2.3.1", "ACK^A01^ACK"), ("2.8.2", "ACK^A01^ACK")],
)
def test_msh_9_has_the_form_of_the_version(version: str, kind: str) -> None:
    assert Message.parse(answer(received(version))).msh.field(9) == kind


def test_what_the_sender_left_out_gets_a_usable_value() -> None:
    text = answer(Message.parse("MSH|^~\\&"))
    assert text == "MSH|^~\\&|||||20240818112600+0000||ACK|X1|P|2.5.1\rMSA|AA\r"


def test_the_senders_delimiters_and_escapes_are_used() -> None:
    message = Message.parse("MSH*:+?'#*A*B*C*D***ADT:A01:ADT_A01*M?F?1*P*2.5.1\r")
    text = ack.ack(message, "AE", control_id="X1", at="2024", errors=ERRORS[:1], expected="7")
    assert text.split("\r")[:3] == [
        "MSH*:+?'#*C*D*A*B*2024**ACK:A01:ACK*X1*P*2.5.1",
        "MSA*AE*M?F?1**7",
        "ERR**PID:1:3:2:4:1*101:Required field missing:HL70357*E*RequiredFieldMissing::99CONNECTOR**"
        "the patient has no identifier*send PID-3 | PID-4",
    ]


def test_every_error_becomes_an_err_segment_with_its_place() -> None:
    message = Message.parse(answer(received(), "AE", ERRORS))
    assert [segment.field(2) for segment in message.all("ERR")] == ["PID^1^3^2^4^1", "PV1^1", "OBX^3^8^2", ""]
    assert [segment.value(3) for segment in message.all("ERR")] == ["101", "100", "103", "102"]
    assert {segment.field(4) for segment in message.all("ERR")} == {"E"}
    assert message.get("ERR-8") == "send PID-3 | PID-4"


def test_before_v2_5_one_err_repeats_its_first_field() -> None:
    message = Message.parse(answer(received("2.3.1"), "AE", ERRORS))
    (error,) = message.all("ERR")
    assert error.repetitions(1)[0] == "PID^1^3^101&Required field missing&HL70357"
    assert error.repetitions(1)[1].startswith("PV1^1^^100&")
    assert error.repetitions(1)[3].startswith("^^^102&")


def test_every_condition_of_our_errors_has_its_text() -> None:
    message = Message.parse(answer(received(), "AE", ERRORS))
    assert all(segment.value(3, 1, 2) for segment in message.all("ERR"))


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4"])
def test_partners_of_old_versions_read_the_first_error_in_msa_3(version: str) -> None:
    message = Message.parse(answer(received(version), "AE", ERRORS))
    assert message.get("MSA-3") == "the patient has no identifier"
    assert Message.parse(answer(received(version))).get("MSA-3") == ""


@pytest.mark.parametrize("version", ["2.5", "2.5.1", "2.6", "2.7", "2.8.2"])
def test_from_v2_5_on_the_words_stand_in_err_with_our_own_code(version: str) -> None:
    message = Message.parse(answer(received(version), "AE", ERRORS))
    assert message.get("MSA-3") == ""
    ours = [(one.value(5), one.value(5, 1, 3)) for one in message.all("ERR")]
    assert ours[1] == ("SegmentSequence", "99CONNECTOR")
    assert message.get("ERR-7") == "the patient has no identifier"


def test_an_old_answer_keeps_its_words_within_the_field() -> None:
    long = RequiredFieldMissing("x" * 200, location="PID-3")
    assert len(Message.parse(answer(received("2.3"), "AE", [long])).get("MSA-3")) == 80


def test_the_expected_sequence_number_stands_in_msa_4() -> None:
    text = ack.ack(received(), "AA", control_id="X1", at="2024", expected="-1")
    assert text.split("\r")[1] == "MSA|AA|MSG1||-1"


def test_an_application_acknowledgment_says_which_answer_it_asks_for_itself() -> None:
    msh = Message.parse(ack.ack(received(), "AA", control_id="X1", at="2024", accept="AL")).msh
    assert [msh.field(number) for number in (15, 16, 17, 18)] == ["AL", "NE", "", "8859/1"]


@pytest.mark.parametrize("identity", [" M 1 ", "M\\F\\1", "a~b^c&d", "0\t1"])
def test_msa_2_is_msh_10_character_by_character(identity: str) -> None:
    message = Message.parse(f"MSH|^~\\&|A|B|C|D|2024||ADT^A01|{identity}|P|2.3\rPID|1\r")
    assert answer(message).split("\r")[1] == f"MSA|AA|{identity}"


@pytest.mark.parametrize("identity", ["M\x1c", "\x0bMSH", "a\x1cb"])
def test_what_would_end_a_block_is_echoed_as_hexadecimal(identity: str) -> None:
    message = Message.parse(f"MSH|^~\\&|A|B|C|D|2024||ADT^A01|{identity}|P|2.5\rPID|1\r")
    text = answer(message)
    assert frame(text.encode()).count(b"\x1c\r") == 1
    assert "\x0b" not in text


def test_an_answer_reads_back() -> None:
    faults = (
        Fault("101", "PID-3(2).4.1", "E"),
        Fault("100", "PV1", "E"),
        Fault("103", "OBX[3]-8(2)", "E"),
        Fault("102", "", "E"),
    )
    assert read_ack(answer(received(), "AE", ERRORS)) == Ack("AE", "MSG1", faults)
    assert read_ack(answer(received())) == Ack("AA", "MSG1", ())


def test_an_old_answer_reads_back() -> None:
    found = read_ack(answer(received("2.3"), "AR", ERRORS))
    assert [(fault.condition, fault.location) for fault in found.errors] == [
        ("101", "PID-3"),
        ("100", "PV1"),
        ("103", "OBX[3]-8"),
        ("102", ""),
    ]


def test_a_partners_words_are_not_kept() -> None:
    text = "MSH|^~\\&\rMSA|AE|1|Doe, John\rERR||PID^1^x^Doe|999^Doe^HL70357|Doe||Doe|Doe\r"
    assert read_ack(text) == Ack("AE", "1", (Fault("", "PID", ""),))
    assert "Doe" not in repr(read_ack(text))


def test_one_err_with_many_places_is_many_faults() -> None:
    found = read_ack("MSH|^~\\&\rMSA|CE|1\rERR||PID^1^3~PID^1^5|101|W\r")
    assert found.errors == (Fault("101", "PID-3", "W"), Fault("101", "PID-5", "W"))


def test_a_control_id_with_delimiters_in_it_is_still_one_id() -> None:
    message = Message.parse("MSH|^~\\&|||||||ADT|A^B&C|P|2.5.1\r")
    assert read_ack(answer(message)).control_id == message.control_id == "A^B&C"


@pytest.mark.parametrize("text", ["", "PID|1", "MSH|^~\\&\r", "MSH|^~\\&\rMSA||1\r", "MSH|^~\\&\rMSA|OK|1\r"])
def test_what_is_no_acknowledgment_is_not_understood(text: str) -> None:
    with pytest.raises(AnswerNotUnderstood):
        read_ack(text)


@given(messages(), st.sampled_from(sorted(ack.CODES)))
def test_every_readable_message_gets_an_answer_that_reads_back(text: str, code: str) -> None:
    message = Message.parse(text)
    sent = answer(message, code, ERRORS)
    assert not any(char in sent for char in "\n\x0b\x1c")
    found = read_ack(sent)
    assert (found.code, found.control_id) == (code, message.control_id)
    assert [fault.condition for fault in found.errors] == ["101", "100", "103", "102"]


@corpus
@needs_corpus
def test_every_sample_gets_an_answer_that_reads_back() -> None:
    for name, text in corpus_texts():
        message = Message.parse(text)
        found = read_ack(answer(message, "AE", ERRORS))
        assert found.control_id == message.control_id, name
        assert found.errors[0].location == (
            "PID-3(2).4.1" if message.version >= "2.5" else found.errors[0].location
        )
