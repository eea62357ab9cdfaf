"""Files and batches with their envelope: who belongs to what, and what is told of a broken one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.hl7v2 import batch
from connector.hl7v2.envelope import answer, holds_many, read
from tests.hl7v2.texts import messages

A = "MSH|^~\\&|A\rPID|1\r"
B = "MSH|^~\\&|B\r\nPID|2\r\n"
FHS, BHS = "FHS|^~\\&|F||||2024||||F1\r", "BHS|^~\\&|G||||2024||||B1\r"


def faults(text: str) -> list[tuple[str, str]]:
    return [(one.location, one.what) for one in read(text.encode()).faults]


def test_a_file_of_two_batches_is_read_as_such() -> None:
    found = read(f"{FHS}{BHS}{A}{B}BTS|2\r{BHS.replace('B1', 'B2')}{A}BTS|1\rFTS|2\r".encode())
    assert found.header is not None
    assert found.header.value(11) == "F1"
    assert [one.header and one.header.value(11) for one in found.batches] == ["B1", "B2"]
    assert [one.messages for one in found.batches] == [(A.encode(), B.encode()), (A.encode(),)]
    assert found.faults == ()
    assert found.enveloped


def test_messages_without_an_envelope_are_one_batch_without_a_header() -> None:
    found = read((A + B).encode())
    assert [(one.header, one.messages) for one in found.batches] == [(None, (A.encode(), B.encode()))]
    assert not found.enveloped
    assert found.faults == ()


def test_an_empty_batch_is_a_batch() -> None:
    found = read(f"{BHS}BTS|0\r".encode())
    assert [one.messages for one in found.batches] == [()]
    assert found.faults == ()


def test_a_file_may_hold_messages_without_a_batch() -> None:
    assert faults(f"{FHS}{A}{B}FTS|1\r") == faults(f"{FHS}{A}{B}FTS\r") == faults(f"{FHS}{A}{B}FTS|2\r") == []


def test_counts_may_be_left_out() -> None:
    assert faults(f"{FHS}{BHS}{A}BTS\rFTS\r") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{BHS}{A}BTS|2\r", "BTS-1"),
        (f"{BHS}{A}BTS|x\r", "BTS-1"),
        (f"{BHS}{A}BTS|1\r{BHS}{A}{B}BTS|1\r", "BTS[2]-1"),
        (f"{FHS}{BHS}{A}BTS|1\rFTS|2\r", "FTS-1"),
        (f"{FHS}{A}{B}FTS|3\r", "FTS-1"),
        (f"{BHS}{A}", "BHS"),
        (f"{FHS}{BHS}{A}BTS|1\r", "FHS"),
        (f"{A}BTS|1\r", "BTS"),
        (f"{A}FTS|1\r", "FTS"),
        (f"{BHS}{A}{BHS}{A}BTS|1\r", "BHS[2]"),
        (f"{FHS}{BHS}{A}FTS|1\r", "FTS"),
        (f"{A}{FHS}FTS\r", "FHS"),
        (f"{FHS}{FHS}FTS|0\r", "FHS"),
        (f"BHS\x00|^~\\&|G\r{A}BTS|1\r", "BHS-2"),
        ("FHS\rFTS|0\r", "FHS-2"),
    ],
)
def test_a_broken_envelope_is_told_with_its_place(text: str, place: str) -> None:
    assert [where for where, _ in faults(text)] == [place]


def test_a_trailer_has_the_delimiters_of_its_header() -> None:
    assert faults(f"BHS#^~\\&#G\r{A}BTS#1\r") == []
    assert faults(f"BHS#^~\\&#G\r{A}BTS#2\r") != []


def test_lines_without_a_header_are_kept_as_parts_and_not_counted_as_messages() -> None:
    found = read(f"{BHS}stray\r{A}BTS|1\r".encode())
    assert found.batches[0].messages == (b"stray\r" + A.encode(),)
    found = read(f"{BHS}{A}BTS|1\rlost line\r".encode())
    assert found.batches[1].messages == (b"lost line\r",)
    assert found.faults == ()


def test_frames_part_messages() -> None:
    found = read(f"\x0b{BHS}{A}\x1c\r\x0b{B}BTS|2\r\x1c\r".encode())
    assert [one.messages for one in found.batches] == [(A.encode(), B.encode())]


def test_a_wide_batch_is_parted_into_wide_messages() -> None:
    found = read((BHS + A + B + "BTS|2\r").encode("utf-16"))
    assert [one.decode("utf-16") for one in found.batches[0].messages] == [A, B]
    assert found.wide
    assert found.faults == ()


@pytest.mark.parametrize(
    ("text", "many"),
    [
        (A, False),
        (f"\r\n{A}", False),
        (f"{A}NTE|1||MSH|not the start of a line\r", False),
        ("PID|1\r", False),
        ("", False),
        (A + B, True),
        (f"{BHS}BTS|0\r", True),
        (f"{A}BTS|1\r", True),
        (A.replace("\r", "\n") * 2, True),
        ("FHSX|1\r", False),
    ],
)
def test_one_message_is_told_from_many(text: str, many: bool) -> None:
    assert holds_many(text.encode()) is many
    assert holds_many(text.encode("utf-16")) is many


@given(st.lists(messages(), max_size=5))
def test_both_readings_find_the_same_messages(texts: list[str]) -> None:
    content = "".join(text if text.endswith(("\r", "\n")) else text + "\r" for text in texts).encode()
    assert [one for part in read(content).batches for one in part.messages] == batch.split(content)


@given(st.binary(max_size=200))
def test_nothing_that_is_not_blank_vanishes(raw: bytes) -> None:
    content = b"BHS|^~\\&\r" + raw.replace(b"\xff\xfe", b"")
    kept = b"".join(one for part in read(content).batches for one in part.messages)
    assert set(kept) <= set(raw)


def test_a_file_is_answered_with_a_file_of_batches_of_acknowledgments() -> None:
    two = "BHS|^~\\&|G|H|I|J|2024||||B2\r"
    content = read(f"{FHS}{BHS}{A}{B}BTS|2\r{two}BTS|0\rFTS|2\r".encode())
    said = [[b"MSH|^~\\&|1\rMSA|AA|1\r", b"MSH|^~\\&|2\rMSA|AE|2\r"], []]
    assert answer(content, said, control_id="X", at="2026").decode() == (
        "FHS|^~\\&|||F||2026||||X|F1\r"
        "BHS|^~\\&|||G||2026||||X|B1\rMSH|^~\\&|1\rMSA|AA|1\rMSH|^~\\&|2\rMSA|AE|2\rBTS|2\r"
        "BHS|^~\\&|I|J|G|H|2026||||X-2|B2\rBTS|0\r"
        "FTS|2\r"
    )


def test_what_came_without_an_envelope_is_answered_without_one() -> None:
    assert answer(read((A + B).encode()), [[b"a", b"b"]], control_id="X", at="2026") == b"ab"


def test_the_answer_to_a_batch_is_a_batch_whose_counts_are_right() -> None:
    content = read(f"{FHS}{BHS}{A}{B}BTS|2\rFTS|1\r".encode())
    again = read(answer(content, [[A.encode()]], control_id="X", at="2026"))
    assert again.faults == ()
    assert again.batches[0].messages == (A.encode(),)


def test_a_wide_batch_is_answered_in_utf_16() -> None:
    content = read((BHS + A + "BTS|1\r").encode("utf-16"))
    again = answer(content, [[A.encode("utf-16")]], control_id="X", at="2026").decode("utf-16")
    assert again == f"BHS|^~\\&|||G||2026||||X|B1\r{A}BTS|1\r"
