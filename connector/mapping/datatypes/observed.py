"""OBX-2, OBX-5 and OBX-6 <-> ``value[x]`` (guide: OBX[Observation], OBX[Observation-Component]).

The value type decides the form; a value that does not have the form its type promises is kept as
text, and the type is named among what was lost. A value that repeats becomes components, except for
text, whose repetitions are lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import write_field
from ..lens import Codec
from ..partner import Partner
from ..places import Json, same
from ..scope import Scope
from .coded import Concept
from .primitives import date_time, decimal, ends_before, number_text, time

_TEXT = ("ST", "TX", "FT", "VR")
_CODED = ("CE", "CWE", "CNE", "CF", "IS", "ID")
_COMPARATORS = ("<", "<=", ">", ">=")
_VALUE = "value"
_DAY = len("20240818")
_FORMS = ("Quantity", "String", "CodeableConcept", "DateTime", "Time", "Period", "Range", "Ratio")


@dataclass(frozen=True, slots=True)
class ObservedValue:
    """The value of an OBX; declared once, for OBX-2, OBX-5 and OBX-6 together."""

    segment: str = "OBX"

    def compile(self, partner: Partner) -> _ObservedValue:
        return _ObservedValue(partner)


class _ObservedValue:
    __slots__ = ("coded", "elements", "instants", "number", "numbers", "partner", "segment", "times")

    def __init__(self, partner: Partner) -> None:
        self.segment = "OBX"
        self.numbers = (2, 5, 6)
        self.elements = frozenset({"component", *(_VALUE + form for form in _FORMS)})
        self.partner = partner
        self.coded = Concept().compile(partner)
        self.instants: Codec = date_time(partner)
        self.times: Codec = time(partner)
        self.number: Codec = decimal(partner)

    # --- to FHIR

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        kind, text, units = sent(segment, 2), sent(segment, 5), sent(segment, 6)
        if not text:
            return [str(n) for n, word in ((2, kind), (6, units)) if word] or None
        scope.beware()
        unsaid: list[str] = []
        if kind in _TEXT or scope.delimiters.repetition not in text:
            self._say(kind, text, units, node, scope, unsaid)
        else:
            self._say_each(kind, text, units, node, scope, unsaid)
        return list(dict.fromkeys(unsaid))

    def _say(self, kind: str, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]) -> None:
        used = self._typed(kind, text, units, node, scope, unsaid)
        if used is None:
            said = _plain_text(text, scope)
            if said.strip():
                node["valueString"] = said
            else:
                unsaid.append("5")
            if kind and kind not in _TEXT:
                unsaid.append("2")
            used = False
        if units and not used:
            unsaid.append("6")

    def _say_each(
        self, kind: str, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]
    ) -> None:
        """Several values as components; as text, if not all of them have the form of their type."""
        parts: list[Json] = []
        rest: list[str] = []
        for n, repetition in enumerate(text.split(scope.delimiters.repetition), 1):
            part: Json = {}
            missing: list[str] = []
            used = bool(repetition) and self._typed(kind, repetition, units, part, scope, missing)
            if used is None:
                self._say("", text, units, node, scope, unsaid)
                unsaid += ["2"] if kind else []
                return
            missing += ["6"] if units and part and not used else []
            parts += [part] if part else []
            rest += [f"5({n}){at[1:]}" if n > 1 and at.startswith("5") else at for at in missing]
        if len(parts) > 1:
            node["component"] = parts
        else:
            node.update(*parts)
        unsaid += rest if parts else [at for at, word in (("2", kind), ("6", units)) if word]

    def _typed(
        self, kind: str, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]
    ) -> bool | None:
        """Say the value in the form of its type; whether that said the units, ``None``: not that form."""
        if kind in ("NM", "SN"):
            return self._number(kind, text, units, node, scope, unsaid)
        comps = text.split(scope.component)
        if kind in _CODED:
            concept: Json = {}
            look = self.coded.whole
            rest = look(comps, concept, scope) if look else None
            if concept:
                node["valueCodeableConcept"] = concept
                unsaid += [f"5.{at}" for at in rest or ()]
                return False
        elif kind in ("DT", "TS", "DTM", "TM"):
            codec, name = (self.times, "valueTime") if kind == "TM" else (self.instants, "valueDateTime")
            value = codec.to_fhir(comps[0])
            if value is not None:
                node[name] = value
                unsaid += [f"5.{n}" for n, comp in enumerate(comps[1:], 2) if comp]
                return False
        elif kind == "DR":
            return self._span(comps, "valuePeriod", ("start", "end"), self.instants.to_fhir, node)
        elif kind == "NR":
            return self._span(comps, "valueRange", ("low", "high"), self._quantity, node)
        return None

    def _quantity(self, text: str) -> Json | None:
        value = self.number.to_fhir(text)
        return None if value is None else {"value": value}

    def _span(
        self, comps: list[str], name: str, ends: tuple[str, str], codec: Callable[[str], Any], node: Json
    ) -> bool | None:
        said = {end: codec(text) for end, text in zip(ends, comps) if text}
        if not said or len(comps) > 2 or any(value is None for value in said.values()):
            return None
        if name == "valuePeriod" and len(said) > 1 and ends_before(said["start"], said["end"]):
            return None
        node[name] = said
        return False

    def _number(
        self, kind: str, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]
    ) -> bool | None:
        said = self._numeric(kind, text.split(scope.component))
        if said is None:
            return None
        name, value, quantities = said
        unit, rest = self._unit(units, scope)
        for quantity in quantities:
            quantity.update(unit)
        node[name] = value
        unsaid += rest
        return True

    def _numeric(self, kind: str, comps: list[str]) -> tuple[str, Json, list[Json]] | None:
        if kind == "NM":
            quantity = self._quantity(comps[0]) if len(comps) == 1 else None
            return ("valueQuantity", quantity, [quantity]) if quantity else None
        comparator, first, separator, second = (
            [*comps, "", "", ""][:4] if len(comps) < 5 else ("?", "", "", "")
        )
        one, two = self._quantity(first), self._quantity(second)
        if comparator in ("", "=", *_COMPARATORS) and one and not separator and not second:
            value = one | ({"comparator": comparator} if comparator in _COMPARATORS else {})
            return "valueQuantity", value, [value]
        if not comparator and one and two and separator == "-":
            return "valueRange", {"low": one, "high": two}, [one, two]
        if not comparator and one and two and separator in (":", "/"):
            return "valueRatio", {"numerator": one, "denominator": two}, [one, two]
        return None

    def _unit(self, text: str, scope: Scope) -> tuple[Json, list[str]]:
        """CWE[Quantity]: the code with its system, the words for people."""
        if not text:
            return {}, []
        first, *others = text.split(scope.delimiters.repetition)
        comps = [scope.unescape(comp) for comp in first.split(scope.component)]
        code, words, system = (*comps, "", "")[:3] if len(comps) < 3 else comps[:3]
        rest = [f"6.{n}" for n, comp in enumerate(comps[3:], 4) if comp] + [
            f"6({n})" for n, _ in enumerate(others, 2)
        ]
        code, words = code.strip() and code, words.strip() and words
        if code and system:
            return {"unit": words or code, "system": self.partner.system_uri(system), "code": code}, rest
        if code and words:
            rest.append("6.2")
        if system:
            rest.append("6.3")
        unit = code or words
        return ({"unit": unit} if unit else {}), rest

    # --- to v2

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _values(target), _values(base)
        if same(new, old):
            return
        written = [self._write(node, sent(segment, 2), scope) for node in new]
        if len({kind for kind, _, _ in written}) > 1:  # a structured number can say a plain one too
            written = [self._write(node, "SN", scope) for node in new]
        kinds, texts, units = zip(*written) if written else (("",), ("",), ("",))
        if kinds[0] == "ST" and sent(segment, 5) and not sent(segment, 2):
            kinds = ("",)  # text goes on without a type
        if kinds[0] == "DTM" and sent(segment, 2) == "DT" and len(sent(segment, 5)) > _DAY:
            kinds = ("DT",)  # a day that was a time goes on being one
        write_field(segment, 2, kinds[:1], scope)
        write_field(segment, 5, texts, scope)
        if self._unit(units[0], scope)[0] != self._unit(sent(segment, 6), scope)[0]:
            write_field(segment, 6, units[:1], scope)

    def _write(self, node: Json, before: str, scope: Scope) -> tuple[str, str, str]:
        """Value type, value and units; the type sent before stays where it still fits."""
        pair: tuple[str, Any] = next(iter(node.items()), ("", None))
        name, value = pair
        join = scope.component.join
        if name == "valueQuantity":
            return self._write_quantity(value, before, scope)
        if name == "valueString" and isinstance(value, str):
            return (before if before in _TEXT else "ST"), scope.escape(value), ""
        if name == "valueCodeableConcept":
            comps: list[str] = []
            self.coded.put(value, {}, comps, scope)
            return (before if before in _CODED else "CWE"), join(comps).rstrip(scope.component), ""
        if name in ("valueDateTime", "valueTime"):
            kinds, codec = (
                (("TM",), self.times) if name == "valueTime" else (("DT", "TS", "DTM"), self.instants)
            )
            text = codec.to_v2(value) or ""
            fits = before in kinds and not (before == "DT" and len(text) > _DAY)
            return (before if fits else kinds[-1]), scope.escape(text), ""
        if name == "valuePeriod":
            ends = [
                self.instants.to_v2(value.get(end)) or "" if value.get(end) else ""
                for end in ("start", "end")
            ]
            return "DR", join(ends).rstrip(scope.component), ""
        return self._write_pair(name, value, before, scope)

    def _write_quantity(self, value: Any, before: str, scope: Scope) -> tuple[str, str, str]:
        number = number_text(value.get("value")) or ""
        comparator = value.get("comparator", "")
        units = self._write_unit(value, scope)
        if comparator or before == "SN":
            return "SN", scope.component.join((scope.escape(comparator), number)), units
        return "NM", number, units

    def _write_pair(self, name: str, value: Any, before: str, scope: Scope) -> tuple[str, str, str]:
        ends = {"valueRange": ("low", "high"), "valueRatio": ("numerator", "denominator")}.get(name)
        if ends is None or not isinstance(value, dict):
            return "", "", ""
        numbers = [number_text((value.get(end) or {}).get("value")) or "" for end in ends]
        units = self._write_unit(value.get(ends[0]) or value.get(ends[1]) or {}, scope)
        if name == "valueRange" and (before == "NR" or not all(numbers)):
            return "NR", scope.component.join(numbers), units
        separator = "-" if name == "valueRange" else ":"
        return "SN", scope.component.join(("", numbers[0], separator, numbers[1])), units

    def _write_unit(self, quantity: Json, scope: Scope) -> str:
        unit, code, system = (quantity.get(name, "") for name in ("unit", "code", "system"))
        if code and system:
            parts = [code, unit if unit != code else "", self.partner.system_name(system)]
        else:
            parts = [unit or code]
        return scope.component.join(map(scope.escape, parts))


def _plain_text(text: str, scope: Scope) -> str:
    return "\n".join(scope.unescape(line) for line in text.split(scope.delimiters.repetition))


def _values(node: Json) -> list[Json]:
    """The value itself, else those of the components, each alone under its name."""
    own = [{name: value} for name, value in node.items() if name.startswith(_VALUE) and name != "valueSet"]
    if own:
        return own
    parts = (part for part in node.get("component") or () if isinstance(part, dict))
    return [{name: value} for part in parts for name, value in part.items() if name.startswith(_VALUE)]
