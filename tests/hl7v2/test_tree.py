from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import DataTypeFault, UnreadableMessage
from connector.hl7v2.delimiters import Delimiters
from connector.hl7v2.location import Location
from connector.hl7v2.tree import Message, Segment
from tests.hl7v2.texts import corpus, corpus_texts, messages, needs_corpus

ADT = (
    "MSH|^~\\&|ADT1|GHH|LAB|GHH|20240818||ADT^A01^ADT_A01|MSG1|P|2.5.1||||||UNICODE UTF-8\r"
    "EVN|A01|20240818\r"
    'PID|1||A1^5^M11^ADT1&1.2.3&ISO^MR~B\\T\\2^^^USSSA^SS||EVERYMAN^ADAM||""||||^^\r'
    "OBX|1|NM|A\r"
    "OBX|2|ST|B||one\\.br\\two~three\r"
    "ZPI|x\r"
)


@given(messages())
def test_an_untouched_message_prints_as_it_was_sent(text: str) -> None:
    assert str(Message.parse(text)) == text


@given(st.text(alphabet="MSH|^~\\&#\r\n PIDé\x0b", max_size=60))
def test_any_text_is_either_unreadable_or_prints_as_it_was_sent(text: str) -> None:
    with contextlib.suppress(UnreadableMessage):
        assert str(Message.parse(text)) == text


@given(messages())
def test_a_copy_is_equal_and_apart(text: str) -> None:
    message = Message.parse(text)
    twin = message.copy()
    twin.msh.set(10, "other")
    twin.segments.pop(0)
    assert str(message) == text


@corpus
@needs_corpus
def test_every_sample_prints_as_it_was_sent() -> None:
    for name, text in corpus_texts():
        assert str(Message.parse(text)) == text, name


def test_segments_have_names_and_fields_counted_from_one() -> None:
    message = Message.parse(ADT)
    assert [segment.name for segment in message.segments] == ["MSH", "EVN", "PID", "OBX", "OBX", "ZPI"]
    pid = message.segments[2]
    assert pid.texts[0] == "PID"
    assert pid.field(1) == "1"
    assert pid.field(2) == pid.field(99) == ""
    assert pid.field(7) == '""'
    assert pid.end == "\r"


def test_msh_counts_its_separator_as_a_field() -> None:
    msh = Message.parse(ADT).msh
    assert (msh.field(1), msh.field(2), msh.field(3)) == ("|", "^~\\&", "ADT1")
    assert (msh.value(1), msh.value(2)) == ("|", "^~\\&")
    assert msh.repetitions(2) == ["^~\\&"]
    assert msh.value(2, 1, 2) == ""


def test_batch_headers_count_like_msh() -> None:
    text = "FHS|^~\\&|A\rBHS|^~\\&|B\rMSH|^~\\&|C\r"
    message = Message.parse(text)
    assert [segment.field(3) for segment in message.segments] == ["A", "B", "C"]
    assert str(message) == text


def test_a_second_msh_is_a_segment_of_its_own() -> None:
    text = "MSH|^~\\&|A\rMSH\rMSH|\rMSH|^~\\&|B\r"
    message = Message.parse(text)
    assert str(message) == text
    assert message.get("MSH[4]-3") == "B"


def test_values_are_unescaped_and_absent_ones_are_empty() -> None:
    message = Message.parse(ADT)
    pid = message.segments[2]
    assert pid.repetitions(3) == ["A1^5^M11^ADT1&1.2.3&ISO^MR", "B\\T\\2^^^USSSA^SS"]
    assert pid.repetitions(2) == []
    assert pid.value(3, 1, 4, 2) == "1.2.3"
    assert pid.value(3, 2) == "B&2"
    assert pid.value(3, 3) == pid.value(3, 1, 9) == pid.value(3, 1, 1, 2) == pid.value(40) == ""
    assert pid.value(3, 0) == ""


@pytest.mark.parametrize(
    ("location", "value"),
    [
        ("PID-3(2).4.1", "USSSA"),
        ("PID-3.4.3", "ISO"),
        ("PID-3", "A1"),
        ("PID-7", '""'),
        ("OBX[2]-5", "one\ntwo"),
        ("OBX[2]-5(2)", "three"),
        ("OBX[3]-5", ""),
        ("PV1-3", ""),
        ("PID", ""),
        ("MSH-9.2", "A01"),
    ],
)
def test_a_location_finds_its_value(location: str, value: str) -> None:
    message = Message.parse(ADT)
    assert message.get(location) == value
    assert message.get(Location.parse(location)) == value


def test_the_header_is_at_hand() -> None:
    message = Message.parse(ADT)
    assert (message.sending_application, message.sending_facility) == ("ADT1", "GHH")
    assert (message.receiving_application, message.receiving_facility) == ("LAB", "GHH")
    assert (message.message_code, message.trigger_event, message.structure) == ("ADT", "A01", "ADT_A01")
    assert (message.control_id, message.processing_id, message.version) == ("MSG1", "P", "2.5.1")
    assert message.character_set == "UNICODE UTF-8"


def test_a_bare_header_has_empty_values() -> None:
    message = Message.parse("MSH|^~\\&")
    assert message.control_id == message.version == message.message_code == message.structure == ""


def test_first_and_all_find_segments_by_name() -> None:
    message = Message.parse(ADT)
    assert message.first("OBX") is message.segments[3]
    assert len(message.all("OBX")) == 2
    assert message.first("PV1") is None
    assert message.all("PV1") == []


def test_line_ends_may_be_mixed_and_the_last_one_absent() -> None:
    message = Message.parse("MSH|^~\\&|A\nEVN|1\r\nPID|1\rZZZ|x")
    assert [segment.end for segment in message.segments] == ["\n", "\r\n", "\r", ""]


def test_stray_and_blank_lines_stay_without_a_name() -> None:
    text = "\r\nHeader of some file\rMSH|^~\\&|A\r\rDoe, John | was here\rpid|1\rPID|1\r\r"
    message = Message.parse(text)
    assert [segment.name for segment in message.segments] == ["", "", "MSH", "", "", "", "PID", ""]
    assert message.segments[4].texts[0] == "Doe, John "
    assert str(message) == text


def test_other_delimiters_are_honoured() -> None:
    message = Message.parse("MSH*:+?'*A\rPID*1**X:Y'Z+W?S?V\r")
    assert message.delimiters == Delimiters("*", ":", "+", "?", "'")
    assert message.get("PID-3.2.2") == "Z"
    assert message.get("PID-3(2)") == "W:V"


@pytest.mark.parametrize("text", ["", "\r\n", "PID|1\r", "MSH", "MSH|\r", "MSH||A\r", " MSH|^~\\&|\r"])
def test_without_a_header_a_text_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableMessage):
        Message.parse(text)


def test_a_message_whose_header_was_taken_out_says_so() -> None:
    message = Message.parse(ADT)
    message.segments.pop(0)
    with pytest.raises(UnreadableMessage):
        _ = message.msh


def test_setting_a_field_changes_only_that_field() -> None:
    message = Message.parse(ADT)
    message.segments[2].set(5, "NEW^NAME")
    assert str(message) == ADT.replace("EVERYMAN^ADAM", "NEW^NAME")


def test_setting_a_far_field_grows_the_segment_and_an_empty_one_does_not() -> None:
    segment = Segment("EVN|A01")
    segment.set(9, "")
    assert str(segment) == "EVN|A01"
    segment.set(4, "x")
    assert str(segment) == "EVN|A01|||x"
    segment.set(4, "")
    assert str(segment) == "EVN|A01|||"


@pytest.mark.parametrize("text", ["a|b", "a\rb", "a\nPID|1"])
def test_a_field_cannot_begin_another_field_or_segment(text: str) -> None:
    with pytest.raises(DataTypeFault) as caught:
        Segment("PID|1").set(1, text)
    assert text not in str(caught.value)


@pytest.mark.parametrize("number", [0, -1])
def test_fields_are_counted_from_one(number: int) -> None:
    with pytest.raises(DataTypeFault):
        Segment("PID|1").set(number, "x")


def test_a_new_segment_is_made_from_its_text() -> None:
    segment = Segment("PV2")
    segment.set(3, "x")
    assert (segment.name, str(segment), segment.end) == ("PV2", "PV2|||x", "\r")


def test_nothing_of_the_content_shows_when_printed_for_debugging() -> None:
    message = Message.parse(ADT + "John Doe\r")
    assert "EVERYMAN" not in repr(message) + repr(message.segments)
    assert "John" not in repr(message.segments)
