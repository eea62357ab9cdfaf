"""OBX-2, OBX-5 and OBX-6 <-> ``value[x]`` (guide: OBX[Observation], OBX[Observation-Component]).

The value type decides the form; a value that does not have the form its type promises is kept as
text, and the type is named among what was lost. A value that repeats becomes components, except for
text, whose repetitions are lines, and numeric arrays, whose repetitions are rows. Attachments stand in the
extension that carries R5's ``valueAttachment``.
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
from .amounts import unit_of, unit_parts
from .attachments import is_pointer, said_data, said_pointer, written_data, written_pointer
from .coded import Concept
from .primitives import date_time, decimal, ends_before, number_text, time
from .sampled import said_samples, written_samples

_TEXT = ("ST", "TX", "FT", "VR")
_ARRAYS = ("NA", "MA")
_CODED = ("CE", "CWE", "CNE", "CF", "IS", "ID")
_COMPARATORS = ("<", "<=", ">", ">=")
_VALUE = "value"
_UNITS, _LONGEST = 4096, 100  # units remembered, and their characters
_DAY = len("20240818")
_INSTANTS = ("TS", "DTM")  # DTM since v2.6 (HL7 table 0125)
_FORMS = (
    "Quantity", "String", "CodeableConcept", "DateTime", "Time", "Period", "Range", "Ratio", "SampledData"
)  # fmt: skip
ATTACHED = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.valueAttachment"
ORIGINAL = "http://hl7.org/fhir/StructureDefinition/originalText"


def _is_old(version: str) -> bool:
    """Whether a version knows no DTM yet; one that is not named is none of these."""
    return version.startswith(("2.1", "2.2", "2.3", "2.4", "2.5"))


@dataclass(frozen=True, slots=True)
class ObservedValue:
    """The value of an OBX; declared once, for OBX-2, OBX-5 and OBX-6 together."""

    segment: str = "OBX"

    def compile(self, partner: Partner) -> _ObservedValue:
        return _ObservedValue(partner)


class _ObservedValue:
    __slots__ = ("coded", "elements", "instants", "number", "numbers", "partner", "segment", "times", "units")

    def __init__(self, partner: Partner) -> None:
        self.segment = "OBX"
        self.numbers = (2, 5, 6)
        self.elements = frozenset({"component", "extension", *(_VALUE + form for form in _FORMS)})
        self.partner = partner
        self.coded = Concept().compile(partner)
        self.instants: Codec = date_time(partner)
        self.times: Codec = time(partner)
        self.number: Codec = decimal(partner)
        self.units: dict[str, tuple[Json, list[str]]] = {}

    # --- to FHIR

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        kind, text, units = sent(segment, 2), sent(segment, 5), sent(segment, 6)
        if not text:
            return [str(n) for n, word in ((2, kind), (6, units)) if word] or None
        scope.beware()
        unsaid: list[str] = []
        if kind in _ARRAYS and self._samples(text, units, node, scope, unsaid):
            return unsaid
        if kind in _TEXT or scope.delimiters.repetition not in text:
            self._say(kind, text, units, node, scope, unsaid)
        else:
            self._say_each(kind, text, units, node, scope, unsaid)
        return list(dict.fromkeys(unsaid))

    def _say(self, kind: str, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]) -> None:
        used = self._typed(kind, text, units, node, scope, unsaid)
        if used is None:
            said = _spaced(text, units, scope) if kind == "SN" else _plain_text(text, scope)
            if kind == "VR":
                said = said.replace(scope.component, "-", 1)
            if said.strip():
                node["valueString"] = said
            else:
                unsaid.append("5")
            if kind and kind != "SN" and kind not in _TEXT:
                unsaid.append("2")
            used = kind == "SN"
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
        if kind in ("ED", "RP"):
            found = said_data(comps, scope) if kind == "ED" else said_pointer(comps, scope)
            if found is None:
                return None
            node.setdefault("extension", []).append({"url": ATTACHED, "valueAttachment": found[0]})
            unsaid += [f"5.{n}" for n in found[1]]
            return False
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
        if len(said) > 1 and (
            ends_before(said["start"], said["end"]) if name == "valuePeriod" else _upside_down(*said.values())
        ):
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
        compared = {"comparator": comparator} if comparator in _COMPARATORS else {}
        if comparator in ("", "=", *_COMPARATORS) and one and not separator and not second:
            value = one | compared
            return "valueQuantity", value, [value]
        if comparator in ("", "=") and one and two and separator == "-" and not _upside_down(one, two):
            return "valueRange", {"low": one, "high": two}, [one, two]
        if comparator in ("", "=", *_COMPARATORS) and one and two and separator in (":", "/"):
            ratio: Json = {"numerator": one | compared, "denominator": two}
            if separator == "/":
                words = " ".join(comp for comp in comps if comp)
                ratio["extension"] = [{"url": ORIGINAL, "valueString": words}]
            return "valueRatio", ratio, [ratio["numerator"], two]
        return None

    def _samples(self, text: str, units: str, node: Json, scope: Scope, unsaid: list[str]) -> bool:
        """A numeric array as SampledData, if it is one."""
        rows = [row.split(scope.component) for row in text.split(scope.delimiters.repetition)]
        unit, rest = self._unit(units, scope)
        samples = said_samples(rows, self.number, unit)
        if samples is not None:
            node["valueSampledData"] = samples
            unsaid += rest
        return samples is not None

    def _unit(self, text: str, scope: Scope) -> tuple[Json, list[str]]:
        """CWE[Quantity]: the code with its system, the words for people."""
        if not text:
            return {}, []
        known = self.units.get(text) if scope.standard else None
        if known is None:
            first, *others = text.split(scope.delimiters.repetition)
            comps = [scope.unescape(comp) for comp in first.split(scope.component)]
            unit, rest = unit_of(comps, self.partner)
            known = unit, [f"6.{n}" for n in rest] + [f"6({n})" for n, _ in enumerate(others, 2)]
            if scope.standard and len(self.units) < _UNITS and len(text) <= _LONGEST:
                self.units[text] = known
        return dict(known[0]), known[1]

    # --- to v2

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _values(target), _values(base)
        if same(new, old):
            return
        if new and "valueSampledData" in new[0]:
            self._write_samples(new[0]["valueSampledData"], segment, scope)
            return
        priors = sent(segment, 5).split(scope.delimiters.repetition)
        priors += [""] * len(new)
        written = [self._write(node, sent(segment, 2), prior, scope) for node, prior in zip(new, priors)]
        if len({kind for kind, _, _ in written}) > 1:  # a structured number can say a plain one too
            written = [self._write(node, "SN", "", scope) for node in new]
        kinds, texts, units = zip(*written) if written else (("",), ("",), ("",))
        if kinds[0] == "ST" and sent(segment, 5) and not sent(segment, 2):
            kinds = ("",)  # text goes on without a type
        if kinds[0] in _INSTANTS and sent(segment, 2) == "DT" and len(sent(segment, 5)) > _DAY:
            kinds = ("DT",)  # a day that was a time goes on being one
        write_field(segment, 2, kinds[:1], scope)
        write_field(segment, 5, texts, scope)
        if self._unit(units[0], scope)[0] != self._unit(sent(segment, 6), scope)[0]:
            write_field(segment, 6, units[:1], scope)

    def _write_samples(self, samples: Any, segment: Segment, scope: Scope) -> None:
        rows = [scope.component.join(map(scope.escape, row)) for row in written_samples(samples)]
        before = sent(segment, 2)
        write_field(segment, 2, [before if before in _ARRAYS else "NA"], scope)
        write_field(segment, 5, rows, scope)
        units = self._write_unit(samples.get("origin") or {}, scope)
        if self._unit(units, scope)[0] != self._unit(sent(segment, 6), scope)[0]:
            write_field(segment, 6, [units], scope)

    def _write(self, node: Json, before: str, prior: str, scope: Scope) -> tuple[str, str, str]:
        """Value type, value and units; the type sent before stays where it still fits."""
        pair: tuple[str, Any] = next(iter(node.items()), ("", None))
        name, value = pair
        join = scope.component.join
        if name == "valueQuantity":
            return self._write_quantity(value, before, scope)
        if name == "valueString" and isinstance(value, str):
            return (before if before in _TEXT else "ST"), scope.escape(value), ""
        if name == "valueAttachment" and isinstance(value, dict):
            said = prior.split(scope.component)
            if is_pointer(value):
                return "RP", join(written_pointer(value, said if before == "RP" else [], scope)), ""
            return "ED", join(written_data(value, said if before == "ED" else [], scope)), ""
        if name == "valueCodeableConcept":
            comps: list[str] = []
            self.coded.put(value, {}, comps, scope)
            return (before if before in _CODED else "CWE"), join(comps).rstrip(scope.component), ""
        if name in ("valueDateTime", "valueTime"):
            kinds, codec = (
                (("TM",), self.times) if name == "valueTime" else (("DT", *_INSTANTS), self.instants)
            )
            text = codec.to_v2(value) or ""
            fits = before in kinds and not (before == "DT" and len(text) > _DAY)
            usual = "TS" if name == "valueDateTime" and _is_old(scope.version) else kinds[-1]
            return (before if fits else usual), scope.escape(text), ""
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
        separator = "-" if name == "valueRange" else _separator(value)
        comparator = scope.escape(str((value.get("numerator") or {}).get("comparator", "")))
        return "SN", scope.component.join((comparator, numbers[0], separator, numbers[1])), units

    def _write_unit(self, quantity: Json, scope: Scope) -> str:
        parts = unit_parts(quantity, self.partner)
        return scope.component.join(map(scope.escape, parts)).rstrip(scope.component)


def _upside_down(low: Json, high: Json) -> bool:
    """Whether the low end of a range lies above the high one (FHIR R4 invariant rng-2)."""
    return bool(low["value"] > high["value"])


def _separator(ratio: Json) -> str:
    """The separator that the sender wrote between the numbers of a ratio."""
    words = [
        str(one.get("valueString")) for one in ratio.get("extension") or () if one.get("url") == ORIGINAL
    ]
    return "/" if any("/" in word.split(" ") for word in words) else ":"


def _spaced(text: str, units: str, scope: Scope) -> str:
    """A structured number that has no form in FHIR, in words (guide: OBX-5 of type SN)."""
    parts = [*text.split(scope.component), *units.split(scope.component)]
    return " ".join(scope.unescape(part) for part in parts if part)


def _plain_text(text: str, scope: Scope) -> str:
    return "\n".join(scope.unescape(line) for line in text.split(scope.delimiters.repetition))


def _values(node: Json) -> list[Json]:
    """The value itself, else those of the components, each alone under its name."""
    own = _own(node)
    if own:
        return own
    return [one for part in node.get("component") or () if isinstance(part, dict) for one in _own(part)]


def _own(node: Json) -> list[Json]:
    found = [{name: value} for name, value in node.items() if name.startswith(_VALUE) and name != "valueSet"]
    attached = (one for one in node.get("extension") or () if isinstance(one, dict))
    return found + [
        {"valueAttachment": one["valueAttachment"]}
        for one in attached
        if one.get("url") == ATTACHED and "valueAttachment" in one
    ]
