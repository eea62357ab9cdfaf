from __future__ import annotations

import codecs

from hypothesis import given
from hypothesis import strategies as st

from connector.hl7v2 import batch
from connector.hl7v2.tree import Message
from tests.hl7v2.texts import messages

A = "MSH|^~\\&|A\rPID|1\r"
B = "MSH|^~\\&|B\r\nPID|2\r\n"


def test_one_message_is_itself() -> None:
    assert batch.split(A) == [A]
    assert batch.split(A.encode()) == [A.encode()]
    assert batch.split(A.rstrip()) == [A.rstrip()]


def test_messages_one_behind_the_other_are_taken_apart() -> None:
    assert batch.split(A + B + A) == [A, B, A]
    assert batch.split(A.replace("\r", "\n") * 2) == [A.replace("\r", "\n")] * 2


def test_blank_lines_stay_with_the_message_before_them() -> None:
    assert batch.split(f"\n{A}\r\n{B}\n") == [f"\n{A}\r\n", f"{B}\n"]


def test_frames_are_opened() -> None:
    framed = f"\x0b{A}\x1c\r\x0b{B}\x1c\r\n\x0b{A}\x1c"
    assert batch.split(framed) == [A, B, A]


def test_a_frame_may_hold_a_batch() -> None:
    assert batch.split(f"\x0bBHS|^~\\&\r{A}{B}BTS|2\r\x1c\r") == [A, B]


def test_the_envelope_of_a_batch_belongs_to_no_message() -> None:
    text = f"FHS|^~\\&|F\rBHS|^~\\&|G\r{A}{B}BTS|2\rBHS|^~\\&\r{A}BTS\rFTS|1\r"
    assert batch.split(text) == [A, B, A]


def test_text_without_a_header_does_not_vanish() -> None:
    assert batch.split("PID|1\rPV1|1\r") == ["PID|1\rPV1|1\r"]
    assert batch.split(f"{A}BTS|1\rlost line\r") == [A, "lost line\r"]


def test_lines_before_a_header_come_with_it() -> None:
    assert batch.split(f"junk\r{A}") == [f"junk\r{A}"]


def test_nothing_is_no_message() -> None:
    assert batch.split("") == batch.split("\r\n \x0b\x1c\r") == []
    assert batch.split(b"") == []


def test_any_byte_survives() -> None:
    raw = b"MSH|^~\\&|A\rPID|\xff\x00\xe9\x85\r"
    assert batch.split(raw + raw) == [raw, raw]


def test_byte_order_marks_are_taken_off_or_left_to_the_decoder() -> None:
    assert batch.split(codecs.BOM_UTF8 + A.encode()) == [A.encode()]
    assert batch.split("\ufeff" + A) == [A]
    assert batch.split(A.encode("utf-16")) == [A.encode("utf-16")]


@given(st.lists(messages(), max_size=4))
def test_no_character_is_lost_without_frames_or_envelopes(texts: list[str]) -> None:
    content = "".join(text if text.endswith(("\r", "\n")) else text + "\r" for text in texts)
    if not any(mark in content for mark in ("\x0b", "\x1c", "BTS", "FTS", "\ufeff")):
        parts = batch.split(content)
        assert "".join(parts) == content or not content.strip()


@given(st.lists(st.sampled_from([A, B, "MSH|^~\\&|C\nZZZ|1"]), max_size=6))
def test_framed_messages_come_out_as_they_went_in(texts: list[str]) -> None:
    framed = "".join(f"\x0b{text}\x1c\r" for text in texts)
    assert batch.split(framed) == texts
    assert [str(Message.parse(text)) for text in batch.split(framed)] == texts
