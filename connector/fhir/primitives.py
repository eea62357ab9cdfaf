"""The primitive types of FHIR R4 (https://hl7.org/fhir/R4/datatypes.html#primitive): is this value one?"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

_YEAR = r"(?!0000)\d{4}"
_DAY = rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_OFFSET = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"

_LEAP = r"(?!0000)(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_CALENDAR = (  # the days that there are
    rf"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    rf"|(?:0[13578]|1[02])-31)|{_LEAP}-02-29)"
)
_MONTH = rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BASE64: Final = re.compile(r"[0-9a-zA-Z+/]+={0,2}\Z")


def _date_like(pattern: str) -> Callable[[Any], bool]:
    matches = re.compile(pattern + r"\Z", re.ASCII).match

    def check(value: Any) -> bool:
        return isinstance(value, str) and matches(value) is not None and _on_the_calendar(value[:10])

    return check


def _on_the_calendar(text: str) -> bool:
    if len(text) < 10:
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _like(pattern: str) -> Callable[[Any], bool]:
    matches = re.compile(pattern + r"\Z", re.ASCII).match
    return lambda value: isinstance(value, str) and matches(value) is not None


def _whole(lowest: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and lowest <= value <= 2**31 - 1


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and _CONTROL.search(value) is None


def _binary(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    bare = "".join(value.split())
    return bool(bare) and len(bare) % 4 == 0 and _BASE64.match(bare) is not None


def _decimal(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return type(value) is int or (type(value) is float and value - value == 0)


PLAIN: Final = re.compile(r"[!-~][ -\uffff]*\Z").match
"""Matches texts of one line that surely are a ``string``."""
NO_SPACES: Final = re.compile(r"[!-~]+\Z").match
"""Matches texts that surely are a ``uri`` and a ``code``."""
PLAIN_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z", re.ASCII).match
"""Matches an ``id``."""

SURE: Final = {
    "date": re.compile(rf"(?:{_CALENDAR}|{_MONTH})\Z", re.ASCII).match,
    "dateTime": re.compile(rf"(?:{_CALENDAR}(?:T{_TIME}{_OFFSET})?|{_MONTH})\Z", re.ASCII).match,
    "instant": re.compile(rf"{_CALENDAR}T{_TIME}{_OFFSET}\Z", re.ASCII).match,
    "id": PLAIN_ID,
}
"""Type name -> what matches texts that surely are of that type."""

_URI = _like(r"[^\s\x00-\x1f]+")

CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "boolean": lambda value: type(value) is bool,
    "integer": _whole(-(2**31)),
    "unsignedInt": _whole(0),
    "positiveInt": _whole(1),
    "decimal": _decimal,
    "string": _text,
    "markdown": _text,
    "xhtml": lambda value: _text(value) and value.lstrip().startswith("<div"),
    "uri": _URI,
    "url": _URI,
    "canonical": _URI,
    "oid": _like(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+"),
    "uuid": _like(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "id": _like(r"[A-Za-z0-9\-.]{1,64}"),
    "code": _like(r"\S+(?:\s\S+)*"),
    "base64Binary": _binary,
    "date": _date_like(rf"(?:{_MONTH}|{_DAY})"),
    "dateTime": _date_like(rf"(?:{_MONTH}|{_DAY}(?:T{_TIME}{_OFFSET})?)"),
    "instant": _date_like(rf"{_DAY}T{_TIME}{_OFFSET}"),
    "time": _like(_TIME),
}
"""Type name -> whether a JSON value is one of that type. Never raises."""
