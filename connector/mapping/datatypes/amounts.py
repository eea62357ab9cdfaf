"""A number in one field and its units in another <-> Quantity (guide: CWE[Quantity])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent, simple
from ..fields import DELETE, write_field
from ..lens import Codec
from ..partner import Partner
from ..places import Comps, Json, Reader, Writer, comp, place, same, write_comp
from ..scope import Scope
from .primitives import code_text, decimal, number_text

_UNIT = ("unit", "code", "system")


def unit_of(comps: Comps, partner: Partner) -> tuple[Json, list[int]]:
    """The unescaped components of a CWE as the unit of a Quantity; which of them stay unsaid (from 1)."""
    code, words, system = (comp(comps, at) for at in range(3))
    rest = [at for at, text in enumerate(comps, 1) if at > 3 and text]
    if code_text(code) and system.strip():
        said = {"unit": words if words.strip() else code, "system": partner.system_uri(system), "code": code}
        return said, rest
    unit = code if code_text(code) else words if words.strip() else ""
    rest += [at for at, text in enumerate((code, words, system), 1) if text and (text != unit or at == 3)]
    return ({"unit": unit} if unit else {}), sorted(rest)


def unit_parts(quantity: Json, partner: Partner) -> tuple[str, str, str]:
    """The unit of a Quantity as CWE.1 to CWE.3."""
    unit, code, system = (str(quantity.get(name, "")) for name in _UNIT)
    if code and system:
        return code, unit if unit != code else "", partner.system_name(system)
    said = unit or code
    return (said, "", "") if code_text(said) else ("", said, "")


def said_units(segment: Segment, number: int, partner: Partner, scope: Scope) -> tuple[Json, list[str]]:
    """A field of units as the unit of a Quantity; what stays unsaid as ``"7.2"``."""
    text = sent(segment, number)
    if not text:
        return {}, []
    first, *others = text.split(scope.repetition)
    rest = [f"{number}({n})" for n, other in enumerate(others, 2) if other]
    comps = [each.split(scope.subcomponent) for each in first.split(scope.component)]
    rest += [
        f"{number}.{at}.{n}" for at, subs in enumerate(comps, 1) for n, sub in enumerate(subs[1:], 2) if sub
    ]
    heads = [scope.unescape(subs[0]) if subs[0] != DELETE else "" for subs in comps]
    unit, unsaid = unit_of(heads, partner)
    if len(comps) == 1 and len(comps[0]) == 1:
        return unit, [str(number) for _ in unsaid] + rest
    return unit, [f"{number}.{at}" for at in unsaid] + rest


def put_units(new: Json, old: Json, segment: Segment, number: int, partner: Partner, scope: Scope) -> None:
    """Write the unit of a quantity into a field of its own, unless it is what it was."""
    if all(same(new.get(name), old.get(name)) for name in _UNIT):
        return
    comps: Comps = []
    for at, text in enumerate(unit_parts(new, partner)):
        write_comp(comps, at, scope.escape(text))
    write_field(segment, number, [scope.component.join(comps)], scope)


def number_of(
    segment: Segment, number: int, codec: Codec, scope: Scope, unknown: str = ""
) -> tuple[Any, list[str]]:
    """The number in a field, and what stays unsaid."""
    text, unsaid = simple(segment, number, scope)
    value = codec.to_fhir(text) if text and text != unknown else None
    if text and value is None and text != unknown:
        unsaid.insert(0, str(number))
    return value, unsaid


def put_number(new: Any, old: Any, segment: Segment, number: int, scope: Scope, unknown: str = "") -> None:
    """Write a number, unless it is what it was; a known one that goes leaves the text for an unknown one."""
    if not same(new, old):
        write_field(segment, number, [number_text(new) or unknown], scope)


@dataclass(frozen=True, slots=True)
class Measured:
    """A field with a number and a field with its units <-> the Quantity at ``path``.

    ``unknown``: the number that stands for one nobody knows (999 in RXA-6, HL7 v2.5.1 ch. 4.14.7.6).
    """

    segment: str
    value: int
    units: int
    path: str
    unknown: str = ""

    def compile(self, partner: Partner) -> _Measured:
        return _Measured(self, partner)


class _Measured:
    __slots__ = ("declared", "elements", "number", "numbers", "partner", "reader", "segment", "writer")

    def __init__(self, declared: Measured, partner: Partner) -> None:
        self.declared = declared
        self.segment = declared.segment
        self.numbers = (declared.value, declared.units)
        self.elements = frozenset({declared.path})
        self.partner = partner
        self.number: Codec = decimal(partner)
        self.reader: Reader
        self.writer: Writer
        self.reader, self.writer = place(declared.path)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        value, unsaid = number_of(segment, d.value, self.number, scope, d.unknown)
        unit, rest = said_units(segment, d.units, self.partner, scope)
        said = ({} if value is None else {"value": value}) | unit
        if said:
            self.writer(node, said)
        return unsaid + rest

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d, new, old = self.declared, _object(self.reader(target)), _object(self.reader(base))
        if target and not base and "value" not in new and d.unknown:
            write_field(segment, d.value, [d.unknown], scope)
        put_number(new.get("value"), old.get("value"), segment, d.value, scope, d.unknown)
        put_units(new, old, segment, d.units, self.partner, scope)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
