"""A start and a number of minutes <-> a moment, or a period (guide: PR1-5 and PR1-7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...hl7v2.tree import Segment
from ..across import simple
from ..datatypes.primitives import date_time
from ..fields import write_field
from ..lens import Codec
from ..partner import Partner
from ..places import Json, same
from ..scope import Scope

_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True, slots=True)
class Lasting:
    """``<name>Period`` where the start has minutes and a length is sent, else ``<name>DateTime``."""

    segment: str
    start: int
    minutes: int
    name: str

    def compile(self, partner: Partner) -> _Lasting:
        return _Lasting(self, date_time(partner))


class _Lasting:
    __slots__ = ("codec", "declared", "elements", "moment", "numbers", "period", "segment")

    def __init__(self, declared: Lasting, codec: Codec) -> None:
        self.declared = declared
        self.codec = codec
        self.segment = declared.segment
        self.numbers = (declared.start, declared.minutes)
        self.moment, self.period = f"{declared.name}DateTime", f"{declared.name}Period"
        self.elements = frozenset({self.moment, self.period})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        text, unsaid = simple(segment, d.start, scope)
        minutes, rest = simple(segment, d.minutes, scope)
        unsaid += rest
        start = self.codec.to_fhir(text) if text else None
        if text and start is None:
            unsaid.append(str(d.start))
        if start is None:
            return unsaid + ([str(d.minutes)] if minutes else []) or None
        end = _after(start, minutes)
        if end is None:
            node[self.moment] = start
            if minutes:
                unsaid.append(str(d.minutes))
        else:
            node[self.period] = {"start": start, "end": end}
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = self._said(target), self._said(base)
        for number, said, old in zip(self.numbers, now, before):
            if not same(said, old):
                write_field(segment, number, [scope.escape(said)], scope)

    def _said(self, node: Json) -> tuple[str, str]:
        period = node.get(self.period)
        if not isinstance(period, dict):
            return self.codec.to_v2(node.get(self.moment)) or "", ""
        start = period.get("start")
        return self.codec.to_v2(start) or "", _minutes(start, period.get("end"))


def _after(start: str, minutes: str) -> str | None:
    """The end, written as the start is."""
    if (
        "T" not in start
        or not (minutes.isascii() and minutes.isdigit())
        or len(minutes) > 6
        or not int(minutes)
    ):
        return None
    fraction = _FRACTION.search(start)
    digits = fraction[0] if fraction else ""
    whole = datetime.fromisoformat(start.replace(digits, "", 1))
    try:
        end = (whole + timedelta(minutes=int(minutes))).isoformat(timespec="seconds")
    except OverflowError:
        return None
    return end[:19] + digits + end[19:]


def _minutes(start: object, end: object) -> str:
    """Whole minutes from one time to another; empty where they are none."""
    if not isinstance(start, str) or not isinstance(end, str) or "T" not in start or "T" not in end:
        return ""
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return str(int(seconds // 60)) if seconds > 0 and not seconds % 60 else ""
