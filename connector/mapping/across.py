"""Rows that span several fields of a segment and obey the same laws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..hl7v2.tree import Segment
from .datatypes.primitives import ends_before
from .fields import DELETE, write_field
from .lens import Binder, Codec
from .partner import Partner
from .places import Json, Reader, Writer, place, same
from .scope import Scope


def sent(segment: Segment, number: int) -> str:
    """The raw text of a field, empty where it is absent or deleted."""
    text = segment.field(number)
    return "" if text == DELETE else text


def simple(segment: Segment, number: int, scope: Scope) -> tuple[str, list[str]]:
    """The first leaf of a field unescaped, and what else the field holds."""
    text = sent(segment, number)
    if not text:
        return "", []
    first, *others = text.split(scope.delimiters.repetition)
    rest = [f"{number}({n})" for n, other in enumerate(others, 2) if other]
    comps = first.split(scope.component)
    rest += [f"{number}.{n}" for n, comp in enumerate(comps[1:], 2) if comp]
    subs = comps[0].split(scope.subcomponent)
    rest += [f"{number}.1.{n}" for n, sub in enumerate(subs[1:], 2) if sub]
    return scope.unescape(subs[0]), rest


@dataclass(frozen=True, slots=True)
class Indicator:
    """A yes/no field and the field that says more: ``x[x]`` is a boolean, or the other's value.

    With the other valued, a ``Y`` is implied by it (guide: PID-24/25, PID-29/30).
    """

    segment: str
    flag: int
    value: int
    boolean: str
    other: str
    codec: Binder

    def compile(self, partner: Partner) -> _Indicator:
        return _Indicator(self, self.codec(partner))


class _Indicator:
    __slots__ = ("codec", "declared", "elements", "numbers", "segment")

    def __init__(self, declared: Indicator, codec: Codec) -> None:
        self.declared = declared
        self.codec = codec
        self.segment = declared.segment
        self.numbers = (declared.flag, declared.value)
        self.elements = frozenset({declared.boolean, declared.other})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        flag, unsaid = simple(segment, d.flag, scope)
        more, rest = simple(segment, d.value, scope)
        if not flag and not more:
            return None
        unsaid += rest
        said = self.codec.to_fhir(more) if more else None
        if said is not None:
            node[d.other] = said
        elif more:
            unsaid.append(str(d.value))
        if flag in ("Y", "N") and said is None:
            node[d.boolean] = flag == "Y"
        elif flag and flag != "Y":
            unsaid.append(str(d.flag))
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        if same(target.get(d.other), base.get(d.other)) and same(target.get(d.boolean), base.get(d.boolean)):
            return
        more = self.codec.to_v2(target[d.other]) if d.other in target else None
        flag = "Y" if more is not None or target.get(d.boolean) is True else ""
        if not flag and target.get(d.boolean) is False:
            flag = "N"
        write_field(segment, d.flag, [flag], scope)
        write_field(segment, d.value, [scope.escape(more or "")], scope)


@dataclass(frozen=True, slots=True)
class Moment:
    """A start and an end: ``<name>DateTime`` where only the start is valued, else ``<name>Period``."""

    segment: str
    start: int
    end: int
    path: str
    codec: Binder

    def compile(self, partner: Partner) -> _Moment:
        return _Moment(self, self.codec(partner))


class _Moment:
    __slots__ = ("codec", "declared", "elements", "moment", "numbers", "period", "segment")

    def __init__(self, declared: Moment, codec: Codec) -> None:
        self.declared = declared
        self.codec = codec
        self.segment = declared.segment
        self.numbers = (declared.start, declared.end)
        self.elements = frozenset({declared.path + "DateTime", declared.path + "Period"})
        self.moment: tuple[Reader, Writer] = place(declared.path + "DateTime")
        self.period: tuple[Reader, Writer] = place(declared.path + "Period")

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        start, unsaid = simple(segment, d.start, scope)
        end, rest = simple(segment, d.end, scope)
        if not start and not end:
            return None
        unsaid += rest
        first, last = (self.codec.to_fhir(text) if text else None for text in (start, end))
        if first and last and ends_before(first, last):
            last = None
        unsaid += [
            str(n) for n, text, value in ((d.start, start, first), (d.end, end, last)) if text and not value
        ]
        if last:
            self.period[1](node, ({"start": first} if first else {}) | {"end": last})
        elif first:
            self.moment[1](node, first)
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        pairs = (self.moment[0], self.period[0])
        if all(same(reader(target), reader(base)) for reader in pairs):
            return
        numbers = (self.declared.start, self.declared.end)
        for number, now, before in zip(numbers, self._ends(target), self._ends(base)):
            if not same(now, before) or (now is None and segment.field(number)):
                text = self.codec.to_v2(now) if now is not None else ""
                write_field(segment, number, [scope.escape(text or "")], scope)

    def _ends(self, node: Json) -> tuple[Any, Any]:
        period = self.period[0](node)
        if isinstance(period, dict):
            return period.get("start"), period.get("end")
        return self.moment[0](node), None
