from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import UnreadableMessage
from connector.hl7v2.delimiters import STANDARD, Delimiters

FHIR_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"], include_characters="\t\r\n"))
_CODES = [*"FSTREPHN", "X0D", "X41", "XC3A9", "XE9", "X07", ".br", ".in+4", "Zab", "C2842", "M286B"]
SEQUENCES = st.lists(st.sampled_from(["\\", *_CODES, *"|^~&#é \n\r", "text"]), max_size=12).map("".join)
DELIMITERS = st.sampled_from(
    [STANDARD, Delimiters.of("MSH|^~\\&#|"), Delimiters.of("MSH*:+?'*"), Delimiters.of("MSH^|~\\]^")]
)


def test_the_usual_delimiters_are_read_from_msh() -> None:
    assert Delimiters.of("MSH|^~\\&|A|B") == STANDARD
    assert Delimiters.of("MSH|^~\\&") == STANDARD
    assert Delimiters.of("MSH|^~\\&\rPID|1") == STANDARD


def test_a_fifth_character_is_the_truncation_character_at_any_version() -> None:
    assert Delimiters.of("MSH|^~\\&#|A").truncation == "#"
    assert STANDARD.truncation == ""


def test_file_and_batch_headers_declare_delimiters_too() -> None:
    assert Delimiters.of("FHS*:+?'*A") == Delimiters("*", ":", "+", "?", "'")
    assert Delimiters.of("BHS|^~\\&|") == STANDARD


@pytest.mark.parametrize("encoding", ["^", "^~", "^~\\"])
def test_a_short_msh_2_leaves_the_rest_conventional(encoding: str) -> None:
    assert Delimiters.of(f"MSH|{encoding}|A") == STANDARD


def test_what_is_left_out_never_clashes_with_what_is_declared() -> None:
    found = Delimiters.of("MSH&^&A")
    five = {found.field, found.component, found.repetition, found.escape, found.subcomponent}
    assert len(five) == 5
    assert found.field == "&"


def test_an_escape_character_that_was_escaped_itself_counts_once() -> None:
    assert Delimiters.of("MSH|^~\\\\&|A") == STANDARD


def test_what_follows_the_fifth_character_says_nothing() -> None:
    assert Delimiters.of("MSH|^~\\&amp;|A") == STANDARD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MSH",
        "MSH|",
        "MSH||A",
        "PID|^~\\&|",
        "MSHA^~\\&A",
        "MSH|ABC|D",
        "MSH|^^\\&|",
        "MSH|^~\\^|",
        "MSH |  |",
        "MSH\t^~\\&\t",
        "MSH|\r^~\\&",
        "\x0bMSH|^~\\&|",
        "MSH|^~\x07&|",
    ],
)
def test_absent_or_ambiguous_delimiters_make_a_message_unreadable(text: str) -> None:
    with pytest.raises(UnreadableMessage):
        Delimiters.of(text)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("A\\F\\B", "A|B"),
        ("\\S\\\\T\\\\R\\\\E\\", "^&~\\"),
        ("one\\.br\\two", "one\ntwo"),
        ("\\X41\\\\X0D\\\\X0a\\", "A\r\n"),
        ("Z\\XC3BC\\rich", "Zürich"),
        ("\\XFF\\", "\\XFF\\"),  # no UTF-8: nobody can say what it means
        ("\\X1C\\", "\\X1C\\"),  # FHIR forbids it in a string
        ("\\X4\\", "\\X4\\"),
        ("\\H\\bold\\N\\", "\\H\\bold\\N\\"),
        ("\\H\\F\\N\\", "\\H\\F\\N\\"),  # highlighted F, not a bar
        ("\\Zlocal\\\\.sp\\\\.in+4\\", "\\Zlocal\\\\.sp\\\\.in+4\\"),
        ("C:\\temp\\new", "C:\\temp\\new"),
        ("trailing \\", "trailing \\"),
        ("\\P\\", "\\P\\"),  # no truncation character declared
        ("", ""),
    ],
)
def test_escape_sequences_mean_what_the_standard_says(sent: str, meant: str) -> None:
    assert STANDARD.unescape(sent) == meant
    assert STANDARD.unescape(STANDARD.escape_text(meant)) == meant


def test_the_truncation_character_has_its_own_sequence() -> None:
    five = Delimiters.of("MSH|^~\\&#|")
    assert five.unescape("Apt \\P\\4") == "Apt #4"
    assert five.escape_text("Apt #4") == "Apt \\P\\4"
    assert STANDARD.escape_text("Apt #4") == "Apt #4"


def test_delimiters_line_ends_and_what_could_end_a_frame_are_escaped() -> None:
    assert STANDARD.escape_text("a|b^c~d\\e&f") == "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f"
    assert STANDARD.escape_text("one\ntwo\rthree") == "one\\.br\\two\\X0D\\three"
    assert STANDARD.escape_text("\x0b\x1c") == "\\X0B\\\\X1C\\"


def test_kept_sequences_go_out_as_they_came() -> None:
    assert STANDARD.escape_text("\\H\\bold\\N\\ \\XFF\\") == "\\H\\bold\\N\\ \\XFF\\"
    assert STANDARD.escape_text("\\F\\") == "\\E\\F\\E\\"
    assert STANDARD.escape_text("C:\\temp\\") == "C:\\E\\temp\\E\\"


@given(DELIMITERS, st.one_of(FHIR_TEXT, SEQUENCES))
def test_what_is_escaped_reads_back_the_same(delimiters: Delimiters, text: str) -> None:
    sent = delimiters.escape_text(text)
    assert delimiters.unescape(sent) == text
    assert not any(char in sent for char in delimiters.field + delimiters.component + "\r\n\x0b\x1c")


@given(DELIMITERS, SEQUENCES)
def test_reading_is_stable_once_written_by_us(delimiters: Delimiters, sent: str) -> None:
    meant = delimiters.unescape(sent)
    again = delimiters.unescape(delimiters.escape_text(meant))
    assert again == meant


def test_equal_declarations_are_one_object_and_hash_alike() -> None:
    assert Delimiters.of("MSH|^~\\&|A") is Delimiters.of("MSH|^~\\&|B")
    assert hash(Delimiters()) == hash(STANDARD)
