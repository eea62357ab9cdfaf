"""How much, how often, how strong: amounts, rates, timings and strengths <-> Dosage and Medication.

Guide: RXO[MedicationRequest], TQ1[MedicationRequest], TQ[MedicationRequest]. All of them speak of the first
dosage instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..datatypes.amounts import number_of, put_number, put_units, said_units
from ..datatypes.coded import Concept
from ..datatypes.primitives import decimal
from ..datatypes.quantities import Amount
from ..fields import BoundAcross, Field, One
from ..lens import Bound, Codec, Unsaid
from ..partner import Partner
from ..places import Comps, Json, Reader, Writer, includes, place, same
from ..scope import Scope
from .rows import UNKNOWN

DOSAGE: Final = "dosageInstruction.0"
_DOSES: Final = f"{DOSAGE}.doseAndRate"
_ORDERED: Final = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/dose-rate-type",
            "code": "ordered",
            "display": "Ordered",
        }
    ]
}
_EACH: Final = {"text": "Quantity at each service interval"}
"""What TQ1-2 counts (HL7 v2.5.1 ch. 4.5.4.2): not the amount of an order, which stands beside it."""

_dose, _put_dose = place(_DOSES)


def _doses(node: Json) -> list[Json]:
    found = _dose(node)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _ordered(node: Json) -> Json:
    """The dose of the order: the one that says so, else the first that is not the quantity of an interval."""
    mine = [one for one in _doses(node) if not same(one.get("type"), _EACH)]
    return next((one for one in mine if includes(one.get("type"), _ORDERED)), (mine or [{}])[0])


@dataclass(frozen=True, slots=True)
class Ordered:
    """The least and the most to give and their units, and the rate <-> a dose and a rate (RXO-2 to RXO-4).

    Without a maximum the minimum is the exact amount (HL7 v2.5.1 ch. 4.14.1.2).
    """

    segment: str
    low: int
    high: int
    units: int
    rate: int
    rate_units: int

    def compile(self, partner: Partner) -> _Ordered:
        return _Ordered(self, partner)


class _Ordered:
    __slots__ = ("declared", "elements", "number", "numbers", "partner", "segment")

    def __init__(self, declared: Ordered, partner: Partner) -> None:
        d = self.declared = declared
        self.segment = d.segment
        self.numbers = (d.low, d.high, d.units, d.rate, d.rate_units)
        self.elements = frozenset({_DOSES})
        self.partner = partner
        self.number: Codec = decimal(partner)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        low, unsaid = number_of(segment, d.low, self.number, scope)
        high, more = number_of(segment, d.high, self.number, scope)
        unit, rest = said_units(segment, d.units, self.partner, scope)
        rate, less = number_of(segment, d.rate, self.number, scope)
        speed, last = said_units(segment, d.rate_units, self.partner, scope)
        if low is not None and high is not None and high < low:
            high = None
            more.append(str(d.high))
        said: Json = {}
        ends = {
            name: {"value": value} | unit
            for name, value in (("low", low), ("high", high))
            if value is not None
        }
        if high is not None:
            said["doseRange"] = ends
        elif low is not None or unit:
            said["doseQuantity"] = ends.get("low", unit)
        if rate is not None or speed:
            said["rateQuantity"] = ({} if rate is None else {"value": rate}) | speed
        if said:
            _put_dose(node, [{"type": _copy(_ORDERED), **said}, *_doses(node)])
        return unsaid + more + rest + less + last

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d, new, old = self.declared, _ordered(target), _ordered(base)
        now, before = _ends(new), _ends(old)
        for number, name in ((d.low, "low"), (d.high, "high")):
            put_number(now[name].get("value"), before[name].get("value"), segment, number, scope)
        units = [ends["low"] if _has_unit(ends["low"]) else ends["high"] for ends in (now, before)]
        put_units(units[0], units[1], segment, d.units, self.partner, scope)
        rate, was = new.get("rateQuantity") or {}, old.get("rateQuantity") or {}
        put_number(rate.get("value"), was.get("value"), segment, d.rate, scope)
        put_units(rate, was, segment, d.rate_units, self.partner, scope)


def _ends(dose: Json) -> dict[str, Json]:
    found = dose.get("doseRange") or {"low": dose.get("doseQuantity") or {}}
    return {name: found.get(name) or {} for name in ("low", "high")}


def _has_unit(quantity: Json) -> bool:
    return any(name in quantity for name in ("unit", "code"))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


# --- timings --------------------------------------------------------------------------------------------


def _interval(node: Json) -> Any:
    mine = (one for one in _doses(node) if same(one.get("type"), _EACH))
    return next((one.get("doseQuantity") for one in mine), None)


def _put_interval(node: Json, value: Any) -> None:
    _put_dose(node, [*_doses(node), {"type": dict(_EACH), "doseQuantity": value}])


Place = tuple[Reader, Writer]
_PLACES: Final[dict[str, Place]] = {
    "occurrenceTiming": place(f"{DOSAGE}.timing"),
    "quantityQuantity": (_interval, _put_interval),
    "priority": place("priority"),
}


@dataclass(frozen=True, slots=True)
class Dosed:
    """A row about the timing of a service, for a medication: its elements are those of the dosage."""

    row: Any

    def compile(self, partner: Partner) -> _Dosed:
        return _Dosed(self.row.compile(partner))


class _Dosed:
    __slots__ = ("elements", "inner", "numbers", "segment")

    def __init__(self, inner: BoundAcross) -> None:
        self.inner = inner
        self.segment, self.numbers = inner.segment, tuple(inner.numbers)
        self.elements = frozenset({f"{DOSAGE}.timing", _DOSES, "priority"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        before = _inside(node)
        said = dict(before)
        unsaid = self.inner.get(segment, said, scope)
        for name, value in said.items():
            if name not in before:
                _PLACES[name][1](node, value)
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        self.inner.put(_inside(target), _inside(base), segment, scope)


def _inside(node: Json) -> Json:
    found = {name: reader(node) for name, (reader, _) in _PLACES.items()}
    return {name: value for name, value in found.items() if value is not None}


def each_interval(at: str) -> Field:
    """A CQ <-> the quantity at each service interval."""
    return Field(at, _DOSES, (Amount("doseQuantity"),), tag={"type": _EACH})


# What stands within a list is not remembered (see ``known``): it joins what other fields say there.


def dosed_concept(at: str, path: str, table: str = "") -> One:
    """A coded field <-> a CodeableConcept of a dosage."""
    return One(at, path, (Concept(table),))


def dosed_concepts(at: str, path: str) -> Field:
    """A coded field that repeats <-> a list of CodeableConcepts of a dosage."""
    return Field(at, path, (Concept(),))


# --- the most in a day ----------------------------------------------------------------------------------

_DAY: Final = {"value": 1, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"}


@dataclass(frozen=True, slots=True)
class _Daily:
    """A CQ <-> a Ratio to one day."""

    def compile(self, partner: Partner) -> Bound:
        inner = Amount("numerator").compile(partner)
        look = inner.whole
        assert look is not None  # noqa: S101 - Amount looks at the whole

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid = look(comps, node, scope)
            if "numerator" in node:
                node["denominator"] = dict(_DAY)
            return unsaid

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            inner.put(_per_day(target), _per_day(base), comps, scope)

        elements = frozenset({"numerator", "denominator"})
        return Bound(put, whole=get, reads=inner.reads, elements=elements)


def _per_day(ratio: Json) -> Json:
    per = ratio.get("denominator") or {}
    daily = per.get("code", per.get("unit")) in ("d", "day") and per.get("value", 1) == 1
    return ratio if daily else {}


def daily_dose(at: str) -> One:
    """The total daily dose (guide: RXE-19)."""
    return One(at, f"{DOSAGE}.maxDosePerPeriod", (_Daily(),))


# --- strength -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Strength:
    """The strength of a dosage unit, or of a volume <-> the strength of the medication's own ingredient.

    ``strength`` and ``units``: how much there is; ``volume`` and ``volume_units``: in how much; without
    them, in one dosage unit (HL7 v2.5.1 ch. 4.14.1.18, 4.14.1.25).
    """

    segment: str
    strength: int
    units: int
    volume: int
    volume_units: int

    def compile(self, partner: Partner) -> _Strength:
        return _Strength(self, partner)


class _Strength:
    __slots__ = ("elements", "numbers", "parts", "segment")

    def __init__(self, d: Strength, partner: Partner) -> None:
        self.segment = d.segment
        self.numbers = (d.strength, d.units, d.volume, d.volume_units)
        self.elements = frozenset({"ingredient"})
        codec = decimal(partner)
        self.parts: dict[str, tuple[int, int, Partner, Codec]] = {
            "numerator": (d.strength, d.units, partner, codec),
            "denominator": (d.volume, d.volume_units, partner, codec),
        }

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        unsaid: list[str] = []
        ratio: Json = {}
        for name, (number, units, partner, codec) in self.parts.items():
            value, rest = number_of(segment, number, codec, scope)
            unit, more = said_units(segment, units, partner, scope)
            unsaid += rest + more
            if said := ({} if value is None else {"value": value}) | unit:
                ratio[name] = said
        if not ratio:
            return unsaid
        ratio = {"numerator": dict(UNKNOWN), "denominator": {"value": Decimal(1)}} | ratio
        node.setdefault("ingredient", []).insert(0, {"strength": ratio})
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _own_strength(target), _own_strength(base)
        for name, (number, units, partner, _) in self.parts.items():
            now, before = new.get(name) or {}, old.get(name) or {}
            put_number(now.get("value"), before.get("value"), segment, number, scope)
            put_units(now, before, segment, units, partner, scope)


def own_ingredient(one: Json) -> bool:
    """Whether an ingredient is the medication itself, not one of its components (RXC)."""
    return "isActive" not in one


def _own_strength(node: Json) -> Json:
    mine = (one for one in node.get("ingredient") or () if isinstance(one, dict) and own_ingredient(one))
    ratio = next((one.get("strength") for one in mine), None) or {}
    per = ratio.get("denominator") or {}
    known = ratio.get("numerator") or {}
    return {"numerator": known} if _is_one(per) and known.keys() & {"value", "unit"} else dict(ratio)


def _is_one(quantity: Json) -> bool:
    value = quantity.get("value")
    return set(quantity) <= {"value"} and isinstance(value, (int, Decimal)) and str(value) == "1"


def name_ingredient(node: Json) -> None:
    """What the ingredient is of which the strength is known v2 does not say: RXO-1 is the product."""
    for one in node.get("ingredient") or ():
        if "itemCodeableConcept" not in one:
            one["itemCodeableConcept"] = dict(UNKNOWN)
