"""CE, CWE, CNE, IS, ID <-> CodeableConcept and Coding (guide: CWE[CodeableConcept], CWE[Coding]).

What the sender wrote stays: its code, text and coding system are a ``coding`` of their own, and where
a table maps the code, the mapped ``coding`` stands beside it. Back, a mapped coding that stands beside
its original says nothing new; one that stands alone goes through the table's arrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..codes import CodeTable
from ..lens import Bound, Unsaid
from ..partner import V2, Partner
from ..places import Comps, Json, same
from ..scope import Scope
from .primitives import code_text

# code, text, coding system, version: CWE.1-3+7, 4-6+8, 10-13
_TRIPLES = ((0, 1, 2, 6), (3, 4, 5, 7), (9, 10, 11, 12))
_ROOM = 13


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
            codings = concept.get("coding", ())
            if codings:
                node.update(words.mapped(codings))
            elif "text" in concept:
                node["display"] = concept["text"]
            others = [str(at + 1) for at in range(3, min(len(comps), _ROOM)) if at not in (6,) and comps[at]]
            return unsaid + [at for at in others if at not in unsaid]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target, base):
                words.put({"coding": [target]} if target else {}, comps, scope, by_table=True)

        elements = frozenset({"system", "code", "display", "version"})
        return Bound(put, whole=get, reads=frozenset(range(_ROOM)), elements=elements)


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
        count = len(comps)
        codings: list[Json] = []
        self._triple(comps, count, _TRIPLES[0], codings, node)
        if count > 3:
            for triple in _TRIPLES[1:]:
                if count > triple[0]:
                    self._triple(comps, count, triple, codings, node)
            if count > 8 and comps[8] and not comps[8].isspace():
                node["text"] = comps[8]
        if codings:
            node["coding"] = codings
            return unsaid
        return self._nothing(comps, node, unsaid)

    def _nothing(self, comps: Comps, node: Json, unsaid: Unsaid | None) -> Unsaid | None:
        spoken = {1} if node.get("text") else set()
        rest = [str(at + 1) for at, sent in enumerate(comps[:_ROOM]) if sent and at not in spoken and at != 8]
        return (unsaid or []) + rest or None

    def _triple(
        self, comps: Comps, count: int, at: tuple[int, int, int, int], codings: list[Json], node: Json
    ) -> None:
        code_at, text_at, system_at, version_at = at
        code = comps[code_at]
        display = comps[text_at] if count > text_at else ""
        if not code:
            if display and not display.isspace():
                self._text_only(display, comps, count, at, codings, node)
            return
        name = comps[system_at] if count > system_at else ""
        coding: Json = {}
        if name:
            uri = self.uris.get(name)
            if uri is None:
                uri = self.uris[name] = self.partner.system_uri(name)
            coding["system"] = uri
        if not (code.isascii() and code.isalnum()):
            code = code_text(code) or "-".join(code.split())
        coding["code"] = code
        if display:
            coding["display"] = display
        if count > version_at and comps[version_at]:
            coding["version"] = comps[version_at]
        codings.append(coding)
        if self.table is not None:
            self._beside(coding, codings)

    def _text_only(
        self,
        display: str,
        comps: Comps,
        count: int,
        at: tuple[int, int, int, int],
        codings: list[Json],
        node: Json,
    ) -> None:
        if at[0] or (count > 8 and comps[8]) or any(comps[3:]) or (count > 2 and comps[2]):
            coding: Json = {"display": display}
            if count > at[2] and comps[at[2]]:
                coding["system"] = self.partner.system_uri(comps[at[2]])
            codings.append(coding)
        else:
            node["text"] = display

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

    def put(self, target: Json, comps: Comps, scope: Scope, by_table: bool = False) -> None:
        """Write codings; ``by_table``: a mapped one goes back through the table even where v2 has a name for its system."""
        said = [coding for coding in target.get("coding") or () if isinstance(coding, dict)]
        own = [str(coding.get("code")) for coding in said if coding.get("system") == self.v2_system]
        images = [image for code in own if (image := self.image(code)) and image["system"] != self.v2_system]
        originals = [coding for coding in said if not any(_says(coding, image) for image in images)]
        texts = [""] * _ROOM
        for coding, triple in zip(originals, _TRIPLES):
            for at, text in zip(triple, self._parts(coding, by_table)):
                texts[at] = text
        if text := target.get("text"):
            texts[8 if originals else 1] = text
        tail = comps[_ROOM:]
        while texts and not texts[-1] and not tail:
            texts.pop()
        comps[:] = [scope.escape(text) for text in texts] + tail

    def _parts(self, coding: Json, by_table: bool) -> tuple[str, str, str, str]:
        system, code, display = coding.get("system", ""), coding.get("code", ""), coding.get("display", "")
        mapped = system not in ("", self.v2_system) and (by_table or not self.partner.has_name(system))
        if self.table and mapped:
            v2 = self.table.v2_code(system, code)
            if v2 is not None:
                return v2, "", "", ""
        name = self.partner.system_name(system) if system and (display or system != self.v2_system) else ""
        return code, display, name, coding.get("version", "")


def _says(coding: Json, image: Json) -> bool:
    return coding.get("system") == image["system"] and coding.get("code") == image["code"]


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
