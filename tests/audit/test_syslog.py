from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import syslog
from audit.syslog import Element, Frames, Message, SyslogRefused

ASCII = st.characters(min_codepoint=33, max_codepoint=126)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


def name(most: int) -> st.SearchStrategy[str]:
    return st.text(ASCII, min_size=1, max_size=most)


SD_NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='="]'), min_size=1)
ELEMENT = st.builds(
    Element,
    SD_NAME.filter(lambda one: len(one) <= 32),
    st.lists(st.tuples(SD_NAME.filter(lambda one: len(one) <= 32), TEXT), max_size=3).map(tuple),
)
TIME = st.datetimes().map(lambda at: at.isoformat() + "Z")
MESSAGE = st.builds(
    Message,
    priority=st.integers(0, 191),
    content=TEXT.map(str.encode),
    time=st.one_of(st.just("-"), TIME),
    host=name(255),
    app=name(48),
    process=name(128),
    kind=name(32),
    structured=st.lists(ELEMENT, max_size=3, unique_by=lambda one: one.name).map(tuple),
    marked=st.just(True),
) | st.builds(
    Message,
    priority=st.integers(0, 191),
    content=st.binary(max_size=60).filter(lambda one: not one.startswith(b"\xef\xbb\xbf")),
    marked=st.just(False),
)


@given(MESSAGE)
def test_what_is_written_is_read(message: Message) -> None:
    assert syslog.read(syslog.write(message)) == message


@given(st.lists(MESSAGE, max_size=5), st.data())
def test_messages_come_out_of_a_stream_however_it_is_cut(messages: list[Message], data: Any) -> None:
    stream = b"".join(syslog.frame(syslog.write(one)) for one in messages)
    frames, found = Frames(), list[Message]()
    while stream:
        piece = data.draw(st.integers(1, len(stream)))
        frames.receive(stream[:piece])
        stream = stream[piece:]
        found += [syslog.read(one) for one in frames.messages()]
    assert found == messages
    assert frames.empty


@given(st.binary(max_size=80))
def test_whatever_is_read_is_read_or_refused(raw: bytes) -> None:
    try:
        found = syslog.read(raw)
    except SyslogRefused:
        return
    assert syslog.read(syslog.write(found)) == found


def test_an_audit_message_looks_as_iti_20_has_it() -> None:
    message = Message(
        syslog.priority("success"),
        "<AuditMessage>ä</AuditMessage>".encode(),
        "2026-11-23T10:15:00.123Z",
        "connector.stv.example",
        "connector",
        "4711",
        syslog.IHE,
    )
    assert syslog.write(message) == (
        b"<85>1 2026-11-23T10:15:00.123Z connector.stv.example connector 4711 IHE+RFC-3881 - "
        b"\xef\xbb\xbf<AuditMessage>\xc3\xa4</AuditMessage>"
    )
    assert (message.facility, message.severity) == (10, 5)


def test_what_was_refused_or_failed_is_a_warning() -> None:
    assert [syslog.priority(one) for one in ("success", "refused", "failure")] == [85, 84, 84]
    assert syslog.priority("failure", 13) == 108


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2026-11-23T10:15:00Z", "2026-11-23T10:15:00Z"),
        ("2026-11-23T10:15:00.123456789Z", "2026-11-23T10:15:00.123456Z"),
        ("2026-11-23T10:15:00.5+01:00", "2026-11-23T10:15:00.5+01:00"),
    ],
)
def test_a_time_has_no_more_than_six_digits_of_a_fraction(time: str, said: str) -> None:
    assert syslog.moment(time) == said


def test_a_host_that_is_no_word_is_made_one() -> None:
    assert syslog.printable("spital süd", 255) == "spital_s_d"
    assert syslog.printable("x" * 300, 48) == "x" * 48
    assert syslog.printable("", 48) == "-"


@pytest.mark.parametrize(
    "changed",
    [
        {"priority": 192},
        {"priority": -1},
        {"time": "2026-11-23 10:15:00Z"},
        {"time": "2026-11-23T10:15:00.1234567Z"},
        {"time": "2026-11-23T10:15:60Z"},
        {"host": ""},
        {"host": "a b"},
        {"app": "x" * 49},
        {"process": "é"},
        {"kind": "\n"},
        {"content": b"\xff"},
        {"content": b"\xef\xbb\xbfx", "marked": False},
        {"structured": (Element("a b"),)},
        {"structured": (Element(""),)},
        {"structured": (Element("a"), Element("a"))},
        {"structured": (Element("a", (("=", "x"),)),)},
        {"structured": (Element("a", (("b", "\ud800"),)),)},
    ],
)
def test_what_cannot_be_said_is_not_written(changed: dict[str, Any]) -> None:
    with pytest.raises(SyslogRefused):
        syslog.write(Message(**{"priority": 85, "content": b"x", **changed}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<85>2 - - - - - - x",
        b"<085>1 - - - - - - x",
        b"<192>1 - - - - - - x",
        b"<85>1 - - - - -",
        b"<85>1 - h\xc3\xa4 - - - - x",
        b"<85>1 yesterday - - - - - x",
        b"<85>1 - - - - - x",
        b"<85>1 - - - - - -x",
        b"<85>1 - - - - - [a]x",
        b"<85>1 - - - - - [a x",
        b'<85>1 - - - - - [a b="c] x',
        b'<85>1 - - - - - [a b="c"d="e"] x',
        b'<85>1 - - - - - [a b="\xff"] x',
        b"<85>1 - - - - - [a ] x",
        b"<85>1 - - - - - [a][a] x",
        b"<85>1 - - - - - - \xef\xbb\xbf\xff",
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(SyslogRefused):
        syslog.read(raw)


def test_structured_data_may_say_anything() -> None:
    elements = (Element("a@1", (("b", 'c"d]e\\f'), ("g", "ä\n"))), Element("empty"))
    raw = syslog.write(Message(85, b"", structured=elements))
    assert b'[a@1 b="c\\"d\\]e\\\\f" g="\xc3\xa4\n"][empty]' in raw
    assert syslog.read(raw).structured == elements


def test_a_message_may_say_nothing() -> None:
    assert syslog.read(b"<85>1 - - - - - -") == Message(85, b"", marked=False)


@pytest.mark.parametrize(
    "stream", [b"0 ", b" x", b"05 hello", b"x", b"-1 x", b"9999999 ", b"12345678", b"+5 hello"]
)
def test_a_stream_of_something_else_is_refused(stream: bytes) -> None:
    frames = Frames(limit=1000)
    frames.receive(stream)
    with pytest.raises(SyslogRefused):
        list(frames.messages())


def test_a_begun_message_waits_for_its_end() -> None:
    frames = Frames(5)
    frames.receive(b"5 hell")
    assert list(frames.messages()) == []
    assert not frames.empty
    frames.receive(b"o5 ")
    assert list(frames.messages()) == [b"hello"]
    frames.receive(b"again")
    assert list(frames.messages()) == [b"again"]
    assert frames.empty
