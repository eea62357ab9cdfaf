"""The primitive types, by the examples of the specification and around their edges."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.fhir.primitives import CHECKS, SURE

GOOD: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -(2**31), 2**31 - 1],
    "unsignedInt": [0],
    "positiveInt": [1],
    "decimal": [0, Decimal("0.40"), 1.5],
    "string": ["a", " a\r\n\tb ", "ä"],
    "uri": ["urn:x", "http://a.b/c?d#e"],
    "oid": ["urn:oid:2.16.840.1.113883"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "id": ["a", "A-1.b", "x" * 64],
    "code": ["a", "a b", "text/plain"],
    "base64Binary": ["AAAA", "AA==", "AAA=", "AA AA\nAAAA"],
    "date": ["2024", "2024-02", "2024-02-29", "1900-01-01"],
    "dateTime": [
        "2024",
        "2024-02",
        "2024-02-29",
        "2024-02-29T23:59:60Z",
        "2024-02-29T00:00:00.123456789-05:00",
    ],
    "instant": ["2015-02-07T13:28:17.239+02:00", "2017-01-01T00:00:00Z"],
    "time": ["00:00:00", "23:59:59.9"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">x</div>'],
}
BAD: dict[str, list[Any]] = {
    "boolean": ["true", 1, 0, None],
    "integer": [True, 2**31, "1", Decimal("1"), 1.0],
    "unsignedInt": [-1],
    "positiveInt": [0],
    "decimal": [True, "1", Decimal("NaN"), float("inf"), None],
    "string": ["", " ", "\x00", 1],
    "uri": ["", "a b", "\n"],
    "oid": ["2.16", "urn:oid:3.1", "urn:oid:1.02"],
    "uuid": ["urn:uuid:C757873D-ec9a-4326-a141-556f43239520", "c757873d-ec9a-4326-a141-556f43239520"],
    "id": ["", "a_b", "x" * 65, "a\n", "ä"],
    "code": ["", " a", "a ", "a  b"],
    "base64Binary": ["", "A", "A===", "=AAA", "AA=A", "AAA-"],
    "date": ["", "24", "0000", "2024-2", "2024-13", "2024-00", "2023-02-29", "2024-04-31", "2024-01-01\n"],
    "dateTime": ["2024-01-01T10", "2024-01-01T10:00:00", "2024-01-01 10:00:00Z", "2024-01-01T24:00:00Z"],
    "instant": ["2024", "2024-01-01", "2024-02-30T10:00:00Z", "2024-01-01T10:00:00+14:01"],
    "time": ["24:00:00", "10:00", "10:00:00Z"],
    "xhtml": ["text", ""],
}


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in GOOD.items() for value in values]
)
def test_a_value_of_the_type_passes(kind: str, value: Any) -> None:
    assert CHECKS[kind](value)


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in BAD.items() for value in values]
)
def test_a_value_that_is_none_of_the_type_does_not_pass(kind: str, value: Any) -> None:
    assert not CHECKS[kind](value)


@settings(deadline=None)  # the machine may be busy
@given(st.datetimes(timezones=st.timezones()))
def test_every_moment_python_can_say_is_an_instant(moment: Any) -> None:
    text = moment.isoformat(timespec="microseconds")
    in_whole_minutes = len(text) == len("2024-01-01T00:00:00.000000+00:00")
    sayable = in_whole_minutes and abs(moment.utcoffset()) <= timedelta(hours=14)
    assert CHECKS["instant"](text) == sayable


@settings(deadline=None)  # the machine may be busy
@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    st.sampled_from(sorted(CHECKS)),
)
def test_no_value_makes_a_check_fail(value: Any, kind: str) -> None:
    assert CHECKS[kind](value) in (True, False)


@given(st.dates(), st.integers(-1, 1), st.sampled_from(["date", "dateTime", "instant"]))
def test_what_is_surely_a_time_is_one(day: date, off: int, kind: str) -> None:
    text = f"{day.year:04}-{day.month:02}-{day.day + off:02}" + ("T10:00:00Z" if kind == "instant" else "")
    assert bool(SURE[kind](text)) == CHECKS[kind](text)


@pytest.mark.parametrize(
    "text", ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0000-02-29", "2024-04-31"]
)
def test_what_is_surely_a_day_is_on_the_calendar(text: str) -> None:
    assert bool(SURE["date"](text)) == CHECKS["date"](text)
