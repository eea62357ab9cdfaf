"""PID-10 and PID-22 <-> the race and ethnicity of US Core.

The guide leaves both to the country. The codes of tables 0005 and 0189 (and of CDC's code set, which they
are taken from) are those of the United States, so they are said in the extensions of US Core; whatever else
a sender writes there stays unsaid until its profile gives it a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import write_field
from ..known import Known
from ..partner import Partner
from ..places import Json, comp, same
from ..scope import Scope

CDC: Final = "urn:oid:2.16.840.1.113883.6.238"
_US = "http://hl7.org/fhir/us/core/StructureDefinition/"
_CODE = re.compile(r"[1-2]\d{3}-\d\Z", re.ASCII)
_BROAD: Final[Mapping[str, str]] = {
    "1002-5": "American Indian or Alaska Native",
    "2028-9": "Asian",
    "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or Other Pacific Islander",
    "2106-3": "White",
}
_ETHNIC: Final[Mapping[str, str]] = {
    "2135-2": "Hispanic or Latino",
    "2186-5": "Not Hispanic or Latino",
}
_LETTERS: Final[Mapping[str, str]] = {"H": "2135-2", "N": "2186-5"}
_SYSTEMS: Final = frozenset({"", "HL70005", "HL70189", "CDCREC", "2.16.840.1.113883.6.238", "0005", "0189"})


@dataclass(frozen=True, slots=True)
class Heritage:
    """A coded field that repeats <-> an extension of OMB categories, details and a text."""

    number: int
    url: str
    broad: Mapping[str, str]
    letters: Mapping[str, str]

    def compile(self, partner: Partner) -> _Heritage:
        return _Heritage(self)


RACE: Final = Heritage(10, _US + "us-core-race", _BROAD, {})
ETHNICITY: Final = Heritage(22, _US + "us-core-ethnicity", _ETHNIC, _LETTERS)


class _Heritage:
    __slots__ = ("_look", "declared", "elements", "marks", "numbers", "segment")

    def __init__(self, declared: Heritage) -> None:
        self.declared = declared
        self.segment = "PID"
        self.numbers = (declared.number,)
        self.elements = frozenset({"extension"})
        self.marks = (("extension", {"url": declared.url}),)
        self._look = Known(self._said).again

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, self.declared.number)
        if not text:
            return None
        return self._look(text, node, scope)

    def _said(self, text: str, node: Json, scope: Scope) -> list[str] | None:
        number = self.declared.number
        found: list[Json] = []
        unsaid: list[str] = []
        for at, repetition in enumerate(text.split(scope.repetition), 1):
            comps = repetition.split(scope.component)
            coding, rest = self._coding(comps, scope)
            here = f"{number}({at})" if at > 1 else str(number)
            if coding is None:
                unsaid += [here] if any(comps) else []
                continue
            unsaid += [f"{here}.{n}" for n in rest]
            if coding not in found:
                found.append(coding)
        if found:
            node.setdefault("extension", []).append(self._extension(found))
        return unsaid or None

    def _coding(self, comps: list[str], scope: Scope) -> tuple[Json | None, list[int]]:
        """The coding that a repetition names, and the components it leaves unsaid."""
        code, words, system = (scope.unescape(comp(comps, at)) for at in range(3))
        code = self.declared.letters.get(code, code)
        known = _CODE.match(code) and system in _SYSTEMS
        display = words or self.declared.broad.get(code, "")
        if not known or not display or display.isspace():
            return None, []
        return {"system": CDC, "code": code, "display": display}, [
            n for n, text in enumerate(comps[3:], 4) if text
        ]

    def _extension(self, codings: list[Json]) -> Json:
        parts = [
            {"url": "ombCategory" if one["code"] in self.declared.broad else "detailed", "valueCoding": one}
            for one in codings
        ]
        parts.append({"url": "text", "valueString": ", ".join(one["display"] for one in codings)})
        return {"url": self.declared.url, "extension": parts}

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = list(self._codings(target)), list(self._codings(base))
        if same(now, before):
            return
        text = sent(segment, self.declared.number)
        kept: dict[str, tuple[Json, str]] = {}
        for repetition in text.split(scope.repetition) if text else ():
            coding, _ = self._coding(repetition.split(scope.component), scope)
            if coding is not None:
                kept.setdefault(str(coding["code"]), (coding, repetition))
        said = []
        for one in now:
            before_it, words = kept.get(str(one.get("code")), ({}, ""))
            said.append(words if words and same(before_it, one) else self._written(one, scope))
        write_field(segment, self.declared.number, said, scope)

    def _codings(self, node: Json) -> Iterator[Json]:
        for one in node.get("extension") or ():
            if not isinstance(one, dict) or one.get("url") != self.declared.url:
                continue
            for part in one.get("extension") or ():
                coding = part.get("valueCoding") if isinstance(part, dict) else None
                if isinstance(coding, dict) and coding.get("system") == CDC and coding.get("code"):
                    yield coding

    def _written(self, coding: Json, scope: Scope) -> str:
        code = str(coding["code"])
        display = str(coding.get("display") or self.declared.broad.get(code, ""))
        table = "HL70005" if self.declared.number == 10 else "HL70189"
        system = table if code in self.declared.broad else "CDCREC"
        return scope.component.join((scope.escape(code), scope.escape(display), system))
