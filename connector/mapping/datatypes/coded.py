"""CE, CWE, CNE, IS, ID <-> CodeableConcept and Coding (guide: CWE[CodeableConcept], CWE[Coding]).

What the sender wrote stays: its code, text and coding system are a ``coding`` of their own, and where
a table maps the code, the mapped ``coding`` stands beside it. Back, a mapped coding that stands beside
its original says nothing new; one that stands alone goes through the table's arrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..codes import CodeTable
from ..lens import Bound, Unsaid
from ..partner import V2, Partner, is_oid
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .primitives import code_text

ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_ROOM = 20  # CWE.15, CWE.16 and the value sets of the alternates have no place in a coding


class _At(NamedTuple):
    """The components of one of the three codings of a CWE, counted from 0."""

    code: int
    text: int
    system: int
    version: int
    oid: int


_TRIPLES = (_At(0, 1, 2, 6, 13), _At(3, 4, 5, 7, 16), _At(9, 10, 11, 12, 19))
_TEXT = 8
_BEYOND_ONE = (*_TRIPLES[1], *_TRIPLES[2], _TEXT)
_MOST_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Concept:
    """The whole of a CWE (or a lesser coded type) <-> a CodeableConcept.

    ``table``: the code table of the field, if it has one, such as ``"HL70002"``. Where the sender names
    no coding system, a code of that table belongs to the table's own system.
    """

    table: str = ""

    def compile(self, partner: Partner) -> Bound:
        words = _Words(partner, self.table)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            return words.get(comps, node, scope)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target, base):
                words.put(target, comps, scope)

        return Bound(put, whole=get, reads=frozenset(range(_ROOM)), elements=frozenset({"coding", "text"}))


@dataclass(frozen=True, slots=True)
class OneCoding:
    """The first triple of a CWE <-> a Coding (guide: CWE[Coding]); mapped by the table where it has one."""

    table: str = ""

    def compile(self, partner: Partner) -> Bound:
        words = _Words(partner, self.table)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            concept: Json = {}
            unsaid = words.get(comps, concept, scope) or []
            if codings := concept.get("coding"):
                node.update(words.mapped(codings))
                original = words.replaced(codings[0])
                if original:
                    node["_code"] = {"extension": [alternate(**original)]}
            elif "text" in concept:
                node["display"] = concept["text"]
            kept = {"display": "2", "version": "7"}
            told = [node, original] if codings else []
            beyond = [
                at
                for name, at in kept.items()
                if codings and codings[0].get(name, "") not in [one.get(name, "") for one in told]
            ]
            beyond = [at for at in beyond if comp(comps, int(at) - 1)]
            beyond += [str(at + 1) for at in _BEYOND_ONE if comp(comps, at)]
            return unsaid + [at for at in beyond if at not in unsaid]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target, base):
                words.put({"coding": [words.original(target)]} if target else {}, comps, scope, by_table=True)

        elements = frozenset({"system", "code", "display", "version"})
        marks = (("_code.extension", {"url": ALTERNATE}),)
        return Bound(put, whole=get, reads=frozenset(range(_ROOM)), elements=elements, marks=marks)


class _Words:
    """A coded value's two directions for one partner and table."""

    __slots__ = ("partner", "table", "uris", "v2_system")

    def __init__(self, partner: Partner, table: str) -> None:
        self.partner = partner
        self.table: CodeTable | None = partner.table(table) if table else None
        self.v2_system = V2 + table[3:7] if table else ""
        self.uris: dict[str, str] = {}

    def get(self, comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        unsaid: Unsaid | None = None
        if not scope.plain:
            comps, unsaid = _cared_for(comps, scope)
        said: list[int] = []
        codings: list[Json] = []
        count = len(comps)
        for at in _TRIPLES if count > 3 else _TRIPLES[:1]:
            if coding := self._coding(comps, count, at, said):
                codings.append(coding)
                if self.table is not None and "code" in coding:
                    self._beside(coding, codings)
        if count > _TEXT and comps[_TEXT] and not comps[_TEXT].isspace():
            node["text"] = comps[_TEXT]
            said.append(_TEXT)
        if codings and (len(said) > 1 or "code" in codings[0] or node):
            node["coding"] = codings
        elif codings:  # words alone are the text
            node["text"] = codings[0]["display"]
        rest = [str(n + 1) for n, sent in enumerate(comps[:_ROOM]) if sent and n not in said]
        return (unsaid or []) + rest if rest else unsaid

    def _coding(self, comps: Comps, count: int, at: _At, said: list[int]) -> Json | None:
        """One of the codings; ``said`` gets the components it says."""
        if count <= at.code:
            return None
        code = comps[at.code]
        display = comps[at.text] if count > at.text else ""
        coding: Json = {}
        if code:
            if not (code.isascii() and code.isalnum()) and code_text(code) is None:
                code = code.strip() if code_text(code.strip()) else ""
            if code:
                coding["code"] = code
                said.append(at.code)
        if display and not display.isspace():
            coding["display"] = display
            said.append(at.text)
        if not coding:
            return None
        if uri := self._uri(comps, count, at, said):
            coding["system"] = uri
        if count > at.version and comps[at.version] and not comps[at.version].isspace():
            coding["version"] = comps[at.version]
            said.append(at.version)
        return coding

    def _uri(self, comps: Comps, count: int, at: _At, said: list[int]) -> str:
        """The system by its name, else by its OID (CWE.14)."""
        name = comps[at.system] if count > at.system else ""
        if name and not name.isspace():
            said.append(at.system)
        elif count > at.oid and is_oid(comps[at.oid]):
            name = comps[at.oid]
            said.append(at.oid)
        else:
            return ""
        uri = self.uris.get(name)
        if uri is None:
            if len(self.uris) >= _MOST_NAMES:
                self.uris.clear()
            uri = self.uris[name] = self.partner.system_uri(name)
        return uri

    def _beside(self, coding: Json, codings: list[Json]) -> None:
        """The mapped coding beside the sender's own."""
        if "system" not in coding:
            coding["system"] = self.v2_system
        elif coding["system"] != self.v2_system:
            return
        image = self.image(coding["code"])
        if image is None:
            return
        if image["system"] != self.v2_system:
            codings.append(image)

    def image(self, code: str) -> Json | None:
        """The coding a v2 code of the table maps to."""
        coded = self.table.to_fhir.get(code) if self.table else None
        if coded is None:
            return None
        said = {"system": coded.system, "code": coded.code}
        return said | {"display": coded.display} if coded.display else said

    def mapped(self, codings: list[Json]) -> Json:
        """Of codings, the one that FHIR's binding asks for: the mapped one, else the first."""
        first = codings[0]
        image = (
            self.image(first["code"]) if first.get("system") == self.v2_system and "code" in first else None
        )
        return image or first

    def replaced(self, coding: Json) -> dict[str, str]:
        """The sender's coding, where another code of its table would come back for it, or other words."""
        code, display = coding.get("code", ""), coding.get("display", "")
        image = self.image(code) if coding.get("system") == self.v2_system else None
        if self.table is None or image is None:
            return {}
        words = {"display": display} if display not in ("", image.get("display", "")) else {}
        if not words and self.table.v2_code(image["system"], image["code"]) == code:
            return {}
        return {"system": self.v2_system, "code": code, **words}

    def original(self, coding: Json) -> Json:
        """The sender's own coding, where it is kept beside the mapped one and still means that."""
        kept = _alternate_coding(coding.get("_code"), self.v2_system)
        image = self.image(kept["code"]) if kept else None
        return kept if image and _says(coding, image) else coding

    def put(self, target: Json, comps: Comps, scope: Scope, by_table: bool = False) -> None:
        """Write codings; what one of them says already stays in the sender's words.

        ``by_table``: a mapped one goes back through the table even where v2 has a name for its system.
        """
        said = [coding for coding in target.get("coding") or () if isinstance(coding, dict)]
        own = [str(coding.get("code")) for coding in said if coding.get("system") == self.v2_system]
        images = [image for code in own if (image := self.image(code)) and image["system"] != self.v2_system]
        originals = [coding for coding in said if not any(_says(coding, image) for image in images)]
        before = _cared_for(comps, scope)[0]
        for coding, at in zip([*originals, {}, {}, {}], _TRIPLES):
            self._write(coding, before, at, comps, scope, by_table)
        text = target.get("text") or ""
        write_comp(comps, _TEXT, scope.escape(text) if originals else "")
        if text and not originals:
            write_comp(comps, _TRIPLES[0].text, scope.escape(text))

    def _write(
        self, coding: Json, before: Comps, at: _At, comps: Comps, scope: Scope, by_table: bool
    ) -> None:
        now = self._coding(before, len(before), at, []) or {}
        if self.table is not None and "code" in now:
            self._beside(now, [])
        if coding and same(coding, now):
            return
        parts = self._parts(coding, by_table) if coding else ("", "", "", "")
        for component, text in zip(at, (*parts, "")):
            write_comp(comps, component, scope.escape(text))

    def _parts(self, coding: Json, by_table: bool) -> tuple[str, str, str, str]:
        system, code, display = coding.get("system", ""), coding.get("code", ""), coding.get("display", "")
        mapped = system not in ("", self.v2_system) and (by_table or not self.partner.has_name(system))
        if self.table and mapped:
            known = self.table.v2_code(system, code)
            if known is not None:
                return known, "", "", ""
        name = self.partner.system_name(system) if system and (display or system != self.v2_system) else ""
        return code, display, name, coding.get("version", "")


def _says(coding: Json, image: Json) -> bool:
    return (coding.get("system"), coding.get("code")) == (image["system"], image["code"])


def _cared_for(comps: Comps, scope: Scope) -> tuple[Comps, Unsaid | None]:
    """Components unescaped; ``""`` says nothing; sub-components after the first stay unsaid."""
    found: Comps = []
    unsaid: Unsaid = []
    for at, sent in enumerate(comps, 1):
        if sent == '""':
            found.append("")
            continue
        first, *others = sent.split(scope.subcomponent)
        unsaid += [f"{at}.{n}" for n, sub in enumerate(others, 2) if sub]
        found.append(scope.unescape(first))
    return found, unsaid or None


def first_coding(value: Any) -> Json:
    """The first coding of a CodeableConcept, or an empty one."""
    codings = value.get("coding") if isinstance(value, dict) else None
    return codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], dict) else {}


def alternate(system: str, code: str, **words: str) -> Json:
    """The extension that keeps a sender's code beside what a table makes of it (guide: alternate-codes)."""
    coding = {"system": system, "code": code, **words}
    return {"url": ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}


def alternate_code(companion: Any, system: str) -> str:
    """The code of a system that is kept beside a primitive element; empty where there is none."""
    return str(_alternate_coding(companion, system).get("code", ""))


def _alternate_coding(companion: Any, system: str) -> Json:
    extensions = companion.get("extension") if isinstance(companion, dict) else None
    for one in extensions or ():
        coding = first_coding(one.get("valueCodeableConcept")) if one.get("url") == ALTERNATE else {}
        if coding.get("system") == system and coding.get("code"):
            return coding
    return {}


def meant(concept: Any) -> str:
    """What a CodeableConcept stands for, as part of an identity: its system, and its code, else its words."""
    coding = first_coding(concept)
    words = concept.get("text", "") if isinstance(concept, dict) else ""
    return f"{coding.get('system', '')}|{coding.get('code') or coding.get('display') or words}"
