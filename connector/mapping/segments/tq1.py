"""TQ1, and ORC-7 and OBR-27 of old, <-> ServiceRequest (guide: TQ1[ServiceRequest], TQ[ServiceRequest])."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import sent, simple
from ..datatypes.amounts import unit_parts
from ..datatypes.primitives import Code, date_time, decimal, ends_before, number_text, positive
from ..datatypes.quantities import Amount
from ..datatypes.timings import UCUM, UNITS, Patterns, old_duration, old_duration_text
from ..emit import Leaf
from ..fields import DELETE, Field, One, joined, write_field
from ..lens import Bound, Codec, Item, Row
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope

PATH = "occurrenceTiming"
_MOMENT = "occurrenceDateTime"


@dataclass(frozen=True, slots=True)
class Timing:
    """TQ1-3 to TQ1-8, TQ1-13 and TQ1-14 <-> ``occurrenceTiming``."""

    segment: str = "TQ1"

    def compile(self, partner: Partner) -> _Timing:
        return _Timing(partner, self.segment)


class _Timing:
    __slots__ = ("count", "elements", "moments", "number", "numbers", "partner", "patterns", "segment")

    def __init__(self, partner: Partner, segment: str) -> None:
        self.segment = segment
        self.numbers: tuple[int, ...] = (3, 4, 5, 6, 7, 8, 13, 14)
        self.elements = frozenset({PATH})
        self.patterns = Patterns(partner)
        self.moments: Codec = date_time(partner)
        self.number: Codec = decimal(partner)
        self.count: Codec = positive(partner)
        self.partner = partner

    # --- to FHIR

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if not any(sent(segment, number) for number in self.numbers):
            return None
        scope.beware()
        timing, unsaid = self._view(segment, scope)
        if not timing:
            return unsaid
        if PATH not in node and _MOMENT not in node:
            node[PATH] = timing
        elif not same(node.get(PATH), timing):
            return [str(number) for number in self.numbers if sent(segment, number)]
        return unsaid

    def _view(self, segment: Segment, scope: Scope) -> tuple[Json, list[str]]:
        """The Timing that the segment says by itself, and what it cannot say."""
        timing: Json = {}
        unsaid: list[str] = []
        first, *others = sent(segment, 3).split(scope.repetition)
        unsaid += [f"3({n})" for n, text in enumerate(others, 2) if text and text != DELETE]
        if first and first != DELETE:
            unsaid += [f"3.{n}" for n in self.patterns.say(first.split(scope.component), timing, scope)]
        repeat: Json = timing.pop("repeat", {})
        for say in (self._times, self._offset, self._bounds, self._duration, self._count):
            unsaid += say(segment, repeat, scope)
        if repeat:
            timing["repeat"] = repeat
        return timing, unsaid

    def _times(self, segment: Segment, repeat: Json, scope: Scope) -> list[str]:
        text = sent(segment, 4)
        if not text:
            return []
        times = self.patterns.times(text.split(scope.repetition))
        if times is None or "when" in repeat:
            return ["4"]
        repeat["timeOfDay"] = times
        return []

    def _offset(self, segment: Segment, repeat: Json, scope: Scope) -> list[str]:
        text = sent(segment, 5)
        if not text:
            return []
        first, *others = text.split(scope.repetition)
        value, unit = (*first.split(scope.component), "")[:2]
        minutes = self.patterns.minutes(value, scope.unescape(unit.split(scope.subcomponent)[0]))
        if minutes is None or others or "when" not in repeat or "offset" in repeat:
            return ["5"]
        repeat["offset"] = minutes
        return []

    def _bounds(self, segment: Segment, repeat: Json, scope: Scope) -> list[str]:
        """A start and an end, or how long: an end that only follows is not sent as if it had been."""
        unsaid: list[str] = []
        period: Json = {}
        for number, name in ((7, "start"), (8, "end")):
            text, rest = simple(segment, number, scope)
            value = self.moments.to_fhir(text) if text else None
            if name == "end" and value and "start" in period and ends_before(period["start"], value):
                value = None
            if value:
                period[name] = value
            unsaid += rest + ([str(number)] if text and not value else [])
        if period:
            repeat["boundsPeriod"] = period
        if text := sent(segment, 6):
            quantity = None if period else self._quantity(text, scope)
            if quantity is None:
                return [*unsaid, "6"]
            repeat["boundsDuration"] = quantity
        return unsaid

    def _quantity(self, text: str, scope: Scope) -> Json | None:
        value, (code, words, system, *rest) = self._amount(text, scope)
        code = UNITS.get(code, "")
        if value is None or not code or any(rest) or self.partner.system_uri(system or "UCUM") != UCUM:
            return None
        return {"value": value, "unit": words or code, "system": UCUM, "code": code}

    def _amount(self, text: str, scope: Scope) -> tuple[object, Comps]:
        comps = text.split(scope.component)
        if scope.repetition in text or any(comps[2:]):
            return None, ["", "", ""]
        parts = [scope.unescape(part) for part in comp(comps, 1).split(scope.subcomponent)]
        return self.number.to_fhir(scope.unescape(comp(comps, 0))), [*parts, "", ""]

    def _duration(self, segment: Segment, repeat: Json, scope: Scope) -> list[str]:
        text = sent(segment, 13)
        if not text:
            return []
        value, unit = self._amount(text, scope)
        code = UNITS.get(unit[0]) if not any(unit[1:]) else None
        if value is None or code is None or str(value).startswith("-"):
            return ["13"]
        repeat |= {"duration": value, "durationUnit": code}
        return []

    def _count(self, segment: Segment, repeat: Json, scope: Scope) -> list[str]:
        text, unsaid = simple(segment, 14, scope)
        count = self.count.to_fhir(text) if text else None
        if count is not None:
            repeat["count"] = count
        elif text:
            unsaid.append("14")
        return unsaid

    # --- to v2

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _timing(target), _timing(base)
        if same(new, old):
            return
        scope.beware()
        own = self._view(segment, scope)[0]
        if old and not same(own, old):
            return  # another field says it
        first, *others = segment.field(3).split(scope.repetition)
        comps = first.split(scope.component) if first not in ("", DELETE) else []
        kept = list(comps)
        now, before = new.get("repeat") or {}, old.get("repeat") or {}
        self.patterns.write(new, old, comps, scope)
        if comps != kept:
            write_field(segment, 3, [joined(comps, scope), *others], scope)
            if "offset" in now and sent(segment, 5):
                write_field(segment, 5, [""], scope)
        for number, names, texts in self._texts(now, scope):
            if any(not same(now.get(name), before.get(name)) for name in names):
                write_field(segment, number, texts, scope)
        self._write_period(now.get("boundsPeriod") or {}, before.get("boundsPeriod") or {}, segment, scope)

    def _texts(self, repeat: Json, scope: Scope) -> list[tuple[int, tuple[str, ...], list[str]]]:
        """The fields but for the pattern and the period: number, elements and texts."""
        times = [self.patterns.time.to_v2(one) or "" for one in repeat.get("timeOfDay") or ()]
        length = repeat.get("duration"), repeat.get("durationUnit", "")
        spent = (
            scope.component.join((number_text(length[0]) or "", length[1])) if length[0] is not None else ""
        )
        bounds = repeat.get("boundsDuration") or {}
        lasting = (
            scope.subcomponent.join(map(scope.escape, unit_parts(bounds, self.partner))) if bounds else ""
        )
        whole = scope.component.join((number_text(bounds.get("value")) or "", lasting)) if bounds else ""
        return [
            (4, ("timeOfDay",), times or [""]),
            (6, ("boundsDuration",), [whole.rstrip(scope.subcomponent).rstrip(scope.component)]),
            (13, ("duration", "durationUnit"), [spent]),
            (14, ("count",), [self.count.to_v2(repeat.get("count")) or ""]),
        ]

    def _write_period(self, new: Json, old: Json, segment: Segment, scope: Scope) -> None:
        for number, name in ((7, "start"), (8, "end")):
            if not same(new.get(name), old.get(name)):
                text = self.moments.to_v2(new[name]) or "" if name in new else ""
                write_field(segment, number, [scope.escape(text)], scope)


def _timing(node: Json) -> Json:
    found = node.get(PATH)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class RequestedTime:
    """OBR-6 <-> ``occurrenceDateTime``, where nothing else says when (FHIR has room for one of the two)."""

    def compile(self, partner: Partner) -> Bound:
        item = Item("1", _MOMENT, date_time).compile(partner)
        taken = item.leaves[0].take
        return item._replace(leaves={0: Leaf(lambda text, node: PATH not in node and taken(text, node))})


@dataclass(frozen=True, slots=True)
class OldTiming:
    """A TQ (ORC-7, OBR-27) <-> quantity, timing and priority; written only where it was sent.

    HL7 v2.5 has TQ1 in its place, which new messages are written with.
    """

    segment: str
    number: int

    def compile(self, partner: Partner) -> _OldTiming:
        return _OldTiming(partner, self)


class _OldTiming(_Timing):
    __slots__ = ("amount", "at", "priority")

    def __init__(self, partner: Partner, declared: OldTiming) -> None:
        super().__init__(partner, declared.segment)
        self.at = declared.number
        self.numbers = (declared.number,)
        self.elements = frozenset({PATH, "quantityQuantity", "priority"})
        self.amount: Bound = Amount("quantityQuantity").compile(partner)
        self.priority: Codec = Code("HL70485")(partner)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, self.at)
        if not text:
            return None
        scope.beware()
        first, *others = text.split(scope.repetition)
        unsaid = [f"{self.at}({n})" for n, one in enumerate(others, 2) if one]
        comps = first.split(scope.component)
        said, lost = self._parts(comps, scope)
        for name, value in said.items():
            taken = _MOMENT in node if name == PATH and name not in node else False
            if taken or not same(node.get(name, value), value):
                lost += _COMPONENTS[name]
            else:
                node[name] = value
        left = [n for n in dict.fromkeys(lost) if comp(comps, n - 1)]
        return unsaid + [f"{self.at}.{n}" for n in left]

    def _parts(self, comps: Comps, scope: Scope) -> tuple[Json, list[int]]:
        said: Json = {}
        lost = [n for n in (7, 8, 9, 10, 11) if comp(comps, n - 1)]
        assert self.amount.whole is not None  # noqa: S101 - Amount looks at the whole
        if comp(comps, 0) and self.amount.whole(comp(comps, 0).split(scope.subcomponent), said, scope):
            lost.append(1)
        timing, rest = self._old(comps, scope)
        if timing:
            said[PATH] = timing
        if text := comp(comps, 5):
            code = self.priority.to_fhir(scope.unescape(text))
            said |= {"priority": code} if code else {}
            lost += [] if code else [6]
        lost += [n for n in range(13, len(comps) + 1) if comp(comps, n - 1)]
        return said, lost + rest

    def _old(self, comps: Comps, scope: Scope) -> tuple[Json, list[int]]:
        """The Timing of a TQ, and the components that it does not say."""
        timing: Json = {}
        lost: list[int] = []
        pattern, times, *more = (*comp(comps, 1).split(scope.subcomponent), "", "")
        if pattern and pattern != DELETE and self.patterns.say([pattern], timing, scope):
            lost.append(2)
        repeat: Json = {}
        if times and times != DELETE:
            found = self.patterns.times(times.split(","))
            repeat |= {"timeOfDay": found} if found else {}
            lost += [] if found else [2]
        lost += [2] if any(more) else []
        ends = [(n, name, comp(comps, n - 1)) for n, name in ((4, "start"), (5, "end"))]
        period = {name: value for _, name, text in ends if text and (value := self.moments.to_fhir(text))}
        if len(period) > 1 and ends_before(period["start"], period["end"]):
            del period["end"]
        lost += [n for n, name, text in ends if text and name not in period]
        lasting = old_duration(comp(comps, 2)) if not period else None
        lost += [3] if comp(comps, 2) and lasting is None else []
        count = self.count.to_fhir(comp(comps, 11)) if comp(comps, 11) else None
        lost += [12] if comp(comps, 11) and count is None else []
        repeat |= {"boundsPeriod": period} if period else {"boundsDuration": lasting} if lasting else {}
        repeat |= {"count": count} if count else {}
        if repeat:
            timing["repeat"] = repeat
        return timing, lost

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        text = sent(segment, self.at)
        changed = [name for name in self.elements if not same(target.get(name), base.get(name))]
        if not text or not changed:
            return
        scope.beware()
        first, *others = text.split(scope.repetition)
        comps = first.split(scope.component)
        own = self._parts(comps, scope)[0]
        for name in changed:
            if name in own and same(own[name], base.get(name)):
                self._write(name, target, base, comps, scope)
        write_field(segment, self.at, [joined(comps, scope), *others], scope)

    def _write(self, name: str, target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        if name == "priority":
            write_comp(comps, 5, self.priority.to_v2(target.get(name)) or "")
        elif name == PATH:
            self._write_old(_timing(target), _timing(base), comps, scope)
        else:
            subs = comp(comps, 0).split(scope.subcomponent)
            self.amount.put(target, base, subs, scope)
            write_comp(comps, 0, scope.subcomponent.join(subs).rstrip(scope.subcomponent))

    def _write_old(self, new: Json, old: Json, comps: Comps, scope: Scope) -> None:
        now, before = new.get("repeat") or {}, old.get("repeat") or {}
        subs = comp(comps, 1).split(scope.subcomponent)
        self.patterns.write(
            {"code": new["code"]} if "code" in new else {},
            {"code": old["code"]} if "code" in old else {},
            subs,
            scope,
        )
        if not same(now.get("timeOfDay"), before.get("timeOfDay")):
            times = [self.patterns.time.to_v2(one) or "" for one in now.get("timeOfDay") or ()]
            write_comp(subs, 1, ",".join(times))
        write_comp(comps, 1, scope.subcomponent.join(subs).rstrip(scope.subcomponent))
        if not same(now.get("boundsDuration"), before.get("boundsDuration")):
            write_comp(comps, 2, old_duration_text(now.get("boundsDuration")))
        period, was = now.get("boundsPeriod") or {}, before.get("boundsPeriod") or {}
        for at, name in ((3, "start"), (4, "end")):
            hidden = name not in period and not same(period.get("start"), was.get("start"))
            if hidden or not same(period.get(name), was.get(name)):
                write_comp(
                    comps, at, scope.escape(self.moments.to_v2(period[name]) or "" if name in period else "")
                )
        if not same(now.get("count"), before.get("count")):
            write_comp(comps, 11, self.count.to_v2(now.get("count")) or "")


_COMPONENTS = {"quantityQuantity": [1], PATH: [2, 3, 4, 5, 12], "priority": [6]}


@dataclass(frozen=True, slots=True)
class Unless:
    """A row that does not write what another field said before (ORC-7, OBR-27)."""

    row: Row
    path: str

    def compile(self, partner: Partner) -> Bound:
        inner, path = self.row.compile(partner), self.path

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if any(comps) or path not in base:
                inner.put(target, base, comps, scope)

        return inner._replace(put=put)


PRIORITY: Row = Unless(Item("1", "priority", Code("HL70485")), "priority")

TQ1_SERVICEREQUEST = (
    One("TQ1-2", "", (Unless(Amount("quantityQuantity"), "quantityQuantity"),), secondary=True),
    Timing(),
    One("TQ1-9", "", (PRIORITY,), secondary=True),
    Field("TQ1-11", "note", (Item("1", "text"),), only=lambda note: False),  # new ones are written as NTE
)
