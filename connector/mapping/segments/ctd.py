"""CTD <-> how to reach somebody on behalf of a provider (HL7 v2.5.1 ch. 11.6.4; the guide has no map).

FHIR R4 has one set of numbers for a PractitionerRole; R5 has contacts, each with purpose, name and address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..datatypes.coded import Concept
from ..datatypes.people import XAD_ADDRESS, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..fields import DELETE, joined, shorten
from ..lens import Bound, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from ..units import Segments

_CONTACT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-PractitionerRole.contact"


@dataclass(frozen=True, slots=True)
class Part:
    """A field of CTD <-> the extensions of one url inside the contact, each with a ``value``.

    ``most``: how many there may be (0: any).
    """

    at: int
    url: str
    value: str
    rows: tuple[Row, ...]
    most: int = 0

    def compile(self, partner: Partner) -> Bound:
        lens, at = compile_rows(self.rows, partner), self.at - 1

        def views(text: str, scope: Scope) -> Iterator[tuple[str, Json, Unsaid]]:
            for n, rep in enumerate(text.split(scope.repetition) if text not in ("", DELETE) else ()):
                element: Json = {}
                if self.most and n >= self.most:
                    yield rep, {}, [""]
                    continue
                comps = rep.split(scope.component)
                rest = lens.get(comps, element, scope)
                yield rep, element, shorten(rest, comps, "", bool(element)) if rest else []

        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            unsaid: Unsaid = []
            for n, (rep, element, rest) in enumerate(views(sent, scope), 1):
                if element:
                    node["url"] = _CONTACT
                    node.setdefault("extension", []).append({"url": self.url, self.value: element})
                name = f"({n})" if n > 1 else ""
                unsaid += [name + one for one in rest if rep]
            return [one.removeprefix(".") for one in unsaid] or None

        def said(node: Json) -> list[Json]:
            mine = (one for one in node.get("extension") or () if one.get("url") == self.url)
            return [one[self.value] for one in mine if isinstance(one.get(self.value), dict)]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            now, before = said(target), said(base)
            if same(now, before):
                return
            waiting = list(views(comp(comps, at), scope))
            texts = []
            for element in now[: self.most or None]:
                prior = next((one for one in waiting if same(one[1], element)), None)
                prior = prior or next(iter(waiting), ("", {}, []))
                waiting = [one for one in waiting if one is not prior]
                parts = prior[0].split(scope.component) if prior[0] else []
                lens.put(element, prior[1], parts, scope)
                texts.append(joined(parts, scope))
            write_comp(comps, at, scope.repetition.join(texts))

        return Bound(put, inner={at: inner}, elements=frozenset({"url", "extension"}))


def is_contact(extension: Json) -> bool:
    """Whether an extension is a contact, of which its parts say something."""
    return extension.get("url") == _CONTACT


CONTACTS = Segments(
    "CTD",
    "extension",
    (
        Part(1, "purpose", "valueCodeableConcept", (Concept("HL70131"),), most=1),
        Part(2, "name", "valueHumanName", XPN_HUMANNAME),
        Part(3, "address", "valueAddress", XAD_ADDRESS, most=1),
        Part(5, "telecom", "valueContactPoint", XTN_CONTACTPOINT),
    ),
    needs=("extension",),
    only=is_contact,
)
