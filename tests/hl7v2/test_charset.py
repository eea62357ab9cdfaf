from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import UndecodableText, UnreadableMessage
from connector.hl7v2 import charset
from connector.hl7v2.charset import decode, encode
from connector.hl7v2.tree import Message


def message(name: str, patient: str = "MÜLLER") -> str:
    return f"MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5.1||||||{name}\rPID|||1||{patient}\r"


@pytest.mark.parametrize(
    ("name", "codec", "patient", "canonical"),
    [
        ("UNICODE UTF-8", "utf-8", "MÜLLER 山田", "UNICODE UTF-8"),
        ("utf-8", "utf-8", "MÜLLER", "UNICODE UTF-8"),
        ("8859/1", "latin-1", "MÜLLER", "8859/1"),
        ("ISO-8859-1", "latin-1", "MÜLLER", "8859/1"),
        ("ISO 8859/15", "iso8859-15", "10 €", "8859/15"),
        ("8859/5", "iso8859-5", "Иван", "8859/5"),
        ("ASCII", "ascii", "MULLER", "ASCII"),
        ("", "ascii", "MULLER", "ASCII"),
        ("GB 18030-2000", "gb18030", "张伟", "GB 18030-2000"),
        ("KS X 1001", "euc_kr", "김민수", "KS X 1001"),
        ("BIG-5", "big5", "陳大文", "BIG-5"),
        ("ASCII~ISO IR87", "iso2022_jp", "YAMADA=山田", "ASCII~ISO IR87"),
        ("~ISO IR87", "iso2022_jp", "山田", "ISO IR87"),
        ("WINDOWS-1252", "cp1252", "“MÜLLER”", "WINDOWS-1252"),
    ],
)
def test_the_named_character_set_is_used(name: str, codec: str, patient: str, canonical: str) -> None:
    text = message(name, patient)
    found = decode(text.encode(codec), profile_charset="8859/7")
    assert found == (text, canonical, "MSH-18") if name else found.text == text
    assert encode(text, name or "ASCII") == text.encode(codec)
    assert encode(text, found.charset) == text.encode(codec)


def test_the_profile_speaks_where_the_message_is_silent() -> None:
    raw = message("").encode("latin-1")
    assert decode(raw, profile_charset="8859/1") == (message(""), "8859/1", "profile")


def test_without_a_name_utf_8_is_tried_and_flagged() -> None:
    assert decode(message("").encode("utf-8"), profile_charset=None) == (
        message(""),
        "UNICODE UTF-8",
        "fallback",
    )
    assert decode(message("", "A").encode("ascii"), profile_charset=None).charset == "ASCII"


def test_bytes_that_fit_no_fallback_are_refused_and_never_replaced() -> None:
    with pytest.raises(UndecodableText):
        decode(message("").encode("latin-1"), profile_charset=None)


@pytest.mark.parametrize("name", ["ASCII", "UNICODE UTF-8", "KS X 1001"])
def test_bytes_that_are_not_what_msh_18_says_are_refused(name: str) -> None:
    raw = message(name).encode("latin-1")
    with pytest.raises(UndecodableText) as caught:
        decode(raw, profile_charset="8859/1")
    assert caught.value.location == "MSH-18"
    assert caught.value.__context__ is None  # a UnicodeDecodeError would carry the bytes
    assert Message.parse(raw.decode("latin-1")).control_id == "1"


def test_an_unknown_name_is_no_obstacle_to_ascii_but_to_anything_else() -> None:
    assert decode(message("KLINGON", "A").encode("ascii"), profile_charset=None).source == "fallback"
    assert decode(message("KLINGON").encode("latin-1"), profile_charset="8859/1").source == "profile"
    with pytest.raises(UndecodableText):
        decode(message("KLINGON").encode("utf-8"), profile_charset=None)


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    raw = codecs.BOM_UTF8 + message("").encode("utf-8")
    assert decode(raw, profile_charset=None).text == message("")


def test_utf_16_with_its_mark_is_read() -> None:
    raw = message("UNICODE UTF-16").encode("utf-16")
    assert decode(raw, profile_charset=None).text == message("UNICODE UTF-16")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x0b",
        b"PID|1\r",
        b"MSH",
        b"MSH||\r",
        b"\xff\xfe\x00",
        b"\xff\xfeP\x00I\x00D\x00",
        b"\x00\xff" * 20,
    ],
)
def test_without_a_header_bytes_are_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        decode(raw, profile_charset="8859/1")


def test_other_delimiters_do_not_hide_msh_18() -> None:
    text = message("8859/1").replace("|", "*").replace("^~\\&", ":+?'")
    assert decode(text.encode("latin-1"), profile_charset=None).charset == "8859/1"


def test_the_header_may_stand_behind_other_lines() -> None:
    text = "\r\nsome junk\nFHS|^~\\&\r" + message("8859/1")
    assert decode(text.encode("latin-1"), profile_charset=None).text == text


def test_a_text_that_does_not_fit_is_refused_without_showing_it() -> None:
    with pytest.raises(UndecodableText) as caught:
        encode("Ünï", "ASCII")
    assert caught.value.__context__ is None
    with pytest.raises(UndecodableText):
        encode("a", "KLINGON")


@pytest.mark.parametrize("name", sorted(charset.CODECS))
def test_every_name_of_the_table_has_a_codec(name: str) -> None:
    assert encode("PID|1\r", name).decode(charset.CODECS[name]) == "PID|1\r"
    assert charset.known(name) == name


@given(st.binary(max_size=80), st.sampled_from(["8859/1", "UNICODE UTF-8", "", "KLINGON"]))
def test_any_bytes_are_refused_or_come_back_the_same(tail: bytes, name: str) -> None:
    raw = message(name, "A").encode("ascii") + tail
    try:
        found = decode(raw, profile_charset=None)
    except UndecodableText:
        assert Message.parse(raw.decode("latin-1")).control_id == "1"  # so that it can be answered
    else:
        assert encode(found.text, found.charset) == raw
        assert str(Message.parse(found.text)) == found.text


@given(st.binary(max_size=60))
def test_any_bytes_at_all_give_text_or_a_typed_error(raw: bytes) -> None:
    with contextlib.suppress(UndecodableText, UnreadableMessage):
        Message.parse(decode(raw, profile_charset="8859/1").text)
