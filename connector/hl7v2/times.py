"""Times of HL7 v2 (DT, TM, DTM; v2.5.1 section 2A.21, 2A.22, 2A.75) and of FHIR R4, at the precision sent.

Every function gives ``None`` for what is no such time: a month 13, a 30 February, an offset of 25 hours.
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from typing import Final

_CLOCK: Final = r"([01]\d|2[0-3])"
_SECONDS: Final = r"([0-5]\d)(?:\.(\d{1,9}))?"
_OFFSET: Final = r"([+-])(0\d|1[0-3]|14(?=:?00))"
_DTM: Final = re.compile(
    rf"(\d{{4}})(?:(\d\d)(?:(\d\d)(?:{_CLOCK}(?:([0-5]\d)(?:{_SECONDS})?)?)?)?)?(?:{_OFFSET}([0-5]\d))?",
    re.ASCII,
)
_TM: Final = re.compile(rf"{_CLOCK}(?:([0-5]\d)(?:{_SECONDS})?)?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_TIME: Final = re.compile(rf"{_CLOCK}:([0-5]\d):{_SECONDS}", re.ASCII)
_DATE_TIME: Final = re.compile(
    rf"(\d{{4}})-(\d\d)-(\d\d)T{_CLOCK}:([0-5]\d):{_SECONDS}(?:Z|{_OFFSET}:([0-5]\d))", re.ASCII
)
_USUAL_TIME: Final = re.compile(  # but for the offset 0000, which has two signs
    rf"\d{{8}}{_CLOCK}[0-5]\d[0-5]\d[+-](?!0000)(?:0\d|1[0-3])[0-5]\d\Z", re.ASCII
).match
_DIGITS: Final = 4  # of a second: the most that DTM and TM hold; finer ones are cut off on both ways


def dtm_to_fhir(text: str, zone: tzinfo | None) -> str | None:
    """DTM (or DT, or the first component of TS) as a FHIR dateTime.

    A date keeps its precision (``202408`` is ``2024-08``; an offset behind a bare date says nothing there). A
    time gets its seconds and an offset: the one sent, else the zone's. ``None`` where there is neither.
    """
    if usual := _usual(text):
        return usual
    found = _DTM.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    if not _is_day(year, month, day):
        return None
    if not hour:
        return "-".join(filter(None, (year, month, day)))
    minute, second = minute or "00", second or "00"
    local = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
    offset = f"{sign}{hours}:{minutes}" if sign else _offset_at(zone, local)
    return None if offset is None else f"{local}{_fraction(fraction)}{offset}"


def date_to_fhir(text: str) -> str | None:
    """DT, or the day of a DTM, as a FHIR date of the same precision."""
    if len(text) == 8 and (usual := _usual(text)):
        return usual
    found = _DTM.fullmatch(text)
    if not found or not _is_day(*found.groups()[:3]):
        return None
    return "-".join(filter(None, found.groups()[:3]))


def tm_to_fhir(text: str) -> str | None:
    """TM as a FHIR time with seconds; ``None`` where an offset is sent, which FHIR's time cannot hold."""
    found = _TM.fullmatch(text)
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    return f"{hour}:{minute or '00'}:{second or '00'}{_fraction(fraction)}"


def dtm_to_v2(text: str) -> str | None:
    """A FHIR dateTime, instant or date as DTM, with the offset as given (``Z`` is ``+0000``)."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return date_to_v2(text)
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    if not _is_day(year, month, day):
        return None
    offset = f"{sign}{hours}{minutes}" if sign else "+0000"
    return f"{year}{month}{day}{hour}{minute}{second}{_fraction(fraction)}{offset}"


def date_to_v2(text: str) -> str | None:
    """A FHIR date as DT, at its precision."""
    found = _DATE.fullmatch(text)
    if not found or not _is_day(*found.groups()):
        return None
    return "".join(filter(None, found.groups()))


def tm_to_v2(text: str) -> str | None:
    """A FHIR time as TM."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    return f"{hour}{minute}{second}{_fraction(fraction)}"


def _usual(text: str) -> str:
    """The two forms that most times have, YYYYMMDD and YYYYMMDDHHMMSS+ZZZZ, without a pattern; else ""."""
    try:
        if len(text) == 8:
            return date.fromisoformat(text).isoformat() if text.isdigit() and text.isascii() else ""
        if _USUAL_TIME(text):
            return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").isoformat()
    except ValueError:
        return ""
    return ""


def _is_day(year: str, month: str | None, day: str | None) -> bool:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True


def _fraction(digits: str | None) -> str:
    return f".{digits[:_DIGITS]}" if digits else ""


def _offset_at(zone: tzinfo | None, local: str) -> str | None:
    """The zone's offset at a local time; of an hour that comes twice, the first."""
    passed = datetime.fromisoformat(local).replace(tzinfo=zone).utcoffset() if zone else None
    if passed is None:
        return None
    minutes = int(passed.total_seconds() / 60)
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    return f"{sign}{size // 60:02}:{size % 60:02}" if size <= 14 * 60 else None
