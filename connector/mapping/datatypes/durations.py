"""How long: a number and its units <-> minutes, or the end of a period that starts somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ...hl7v2.tree import Segment
from ..across import sent, simple
from ..fields import write_field
from ..lens import Codec
from ..partner import Partner
from ..places import Json, place, same
from ..scope import Scope
from .primitives import date_time

_SECONDS = {
    **dict.fromkeys(("min", "MIN", "m", "M", "minute", "minutes", "Minutes", "MINUTES"), 60),
    **dict.fromkeys(("s", "S", "sec", "SEC", "seconds"), 1),
    **dict.fromkeys(("h", "H", "hr", "HR", "hour", "hours", "HOURS"), 3600),
    **dict.fromkeys(("d", "D", "day", "days"), 86400),
}
"""The codes senders use for units of time, in seconds: UCUM's, ISO 2955's, and the words."""


def seconds(number: str, units: str) -> int | None:
    """A length of time; ``None`` where the units are not known."""
    if not (number.isascii() and number.isdigit() and len(number) < 7) or units not in _SECONDS:
        return None
    return int(number) * _SECONDS[units]


def later(moment: str, by: int) -> str | None:
    """A FHIR time so many seconds later, in its own offset; ``None`` where it is a day only."""
    if "T" not in moment:
        return None
    try:
        return _text(datetime.fromisoformat(moment) + timedelta(seconds=by), moment)
    except (ValueError, OverflowError):
        return None


def _text(moment: datetime, like: str) -> str:
    text = moment.isoformat(timespec="milliseconds" if "." in like else "seconds")
    return text.removesuffix("+00:00") + "Z" if like.endswith("Z") else text


def between(start: str, end: str) -> int | None:
    """The whole seconds between two FHIR times."""
    try:
        passed = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (TypeError, ValueError):
        return None
    return int(passed) if passed >= 0 and passed == int(passed) and "T" in start and "T" in end else None


def in_units(length: int, units: str) -> tuple[str, str]:
    """A length in the units sent before where it is whole there, else in minutes or seconds."""
    for each in (units, "min", "s"):
        if (size := _SECONDS.get(each)) and length % size == 0:
            return str(length // size), each
    return "", ""


@dataclass(frozen=True, slots=True)
class Minutes:
    """A number and its units <-> a positiveInt of minutes (guide: SCH-9, where SCH-10 says minutes)."""

    segment: str
    number: int
    units: int
    path: str

    def compile(self, partner: Partner) -> _Minutes:
        return _Minutes(self)


class _Minutes:
    __slots__ = ("declared", "elements", "numbers", "segment")

    def __init__(self, declared: Minutes) -> None:
        self.declared = declared
        self.segment = declared.segment
        self.numbers = (declared.number, declared.units)
        self.elements = frozenset({declared.path})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        number, rest = simple(segment, d.number, scope)
        units, more = simple(segment, d.units, scope)
        length = seconds(number, units)
        if length and length % 60 == 0:
            node[d.path] = length // 60
            return rest + more or None
        return [str(n) for n in self.numbers if sent(segment, n)] or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        minutes = target.get(d.path)
        if same(minutes, base.get(d.path)):
            return
        before, _ = simple(segment, d.units, scope)
        number, units = in_units(minutes * 60, before) if type(minutes) is int else ("", "")
        write_field(segment, d.number, [number], scope)
        if units != before:
            write_field(segment, d.units, [units], scope)


@dataclass(frozen=True, slots=True)
class Lasting:
    """A start, how long it lasts, and in which units <-> a Period (guide: AIS-4, AIS-7 and their like)."""

    segment: str
    start: int
    length: int
    units: int
    path: str = "period"

    def compile(self, partner: Partner) -> _Lasting:
        return _Lasting(self, date_time(partner))


class _Lasting:
    __slots__ = ("codec", "declared", "elements", "numbers", "reader", "segment", "writer")

    def __init__(self, declared: Lasting, codec: Codec) -> None:
        self.declared = declared
        self.codec = codec
        self.segment = declared.segment
        self.numbers = (declared.start, declared.length, declared.units)
        self.elements = frozenset({f"{declared.path}.start", f"{declared.path}.end"})
        self.reader, self.writer = place(declared.path)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        start, unsaid = simple(segment, d.start, scope)
        length, rest = simple(segment, d.length, scope)
        units, more = simple(segment, d.units, scope)
        first = self.codec.to_fhir(start) if start else None
        if first is None:
            return [str(n) for n in self.numbers if sent(segment, n)] or None
        lasts = seconds(length, units)
        end = later(first, lasts) if lasts is not None else None
        if end is None:
            unsaid += [str(n) for n in (d.length, d.units) if sent(segment, n)]
        else:
            unsaid += rest + more
        self.writer(node, {"start": first} | ({"end": end} if end else {}))
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        new, old = self.reader(target) or {}, self.reader(base) or {}
        if same(new, old):
            return
        start, end = new.get("start"), new.get("end")
        if not same(start, old.get("start")):
            text = self.codec.to_v2(start) if start else ""
            write_field(segment, d.start, [scope.escape(text or "")], scope)
        lasts = between(start, end) if start and end else None
        before = between(old["start"], old["end"]) if {"start", "end"} <= old.keys() else None
        if lasts == before:
            return
        known, _ = simple(segment, d.units, scope)
        number, units = in_units(lasts, known) if lasts is not None else ("", "")
        write_field(segment, d.length, [number], scope)
        if units != known:
            write_field(segment, d.units, [units], scope)
