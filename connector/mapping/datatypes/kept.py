"""The sender's own code beside what a table makes of it (guide: alternate-codes).

A code that comes back by the table needs none; it stands there where the table has no image of it, or
where another code would come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..emit import Leaf
from ..lens import Bound, Row
from ..partner import V2, Partner
from ..places import Comps, Json, place, same, write_sub
from ..scope import Scope
from .coded import first_coding
from .primitives import code_text

ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A row about one code, and the sender's code in an extension where the row alone would lose it.

    ``table``: of the field (its first seven letters name the v2 table); ``under``: the element that is
    extended (empty: the node itself); ``own``: codes that have an extension of their own, by its url.
    ``unknown``: whether a code that the table does not know is kept too, or said nowhere.
    """

    row: Row
    table: str
    under: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = True

    def compile(self, partner: Partner) -> Bound:
        inner = self.row.compile(partner)
        ((component, taken),) = inner.leaves.items()
        path = f"{self.under}.extension" if self.under else "extension"
        reader, writer = place(path)
        system, own = V2 + self.table[3:7], {url: code for code, url in self.own.items()}
        urls, unknown = self.own, self.unknown
        lost: dict[str, bool] = {}
        looks = [place(name)[0] for name in inner.elements]

        def image(sent: str) -> Json:
            said: Json = {}
            taken.take(sent, said)
            return said

        def unkept(sent: str) -> bool:
            comps = [""] * (component + 1)
            inner.put(image(sent), {}, comps, _PLAIN)
            return comps[component] != sent

        def get(sent: str, node: Json) -> bool:
            said = taken.take(sent, node)
            if sent not in lost:
                if len(lost) >= _MOST:
                    lost.clear()
                lost[sent] = unkept(sent)
            if not lost[sent] or not (said or unknown):
                return said
            code = code_text(sent)
            if code is None:
                return said
            element = (
                {"url": urls[code], "valueCode": code}
                if code in urls
                else {
                    "url": ALTERNATE,
                    "valueCodeableConcept": {"coding": [{"system": system, "code": code}]},
                }
            )
            found = reader(node)
            writer(node, [element]) if found is None else found.append(element)
            return True

        def kept(node: Json) -> str:
            for one in reader(node) or ():
                if own.get(str(one.get("url"))) == one.get("valueCode", ""):
                    return str(one["valueCode"])
                coding = first_coding(one.get("valueCodeableConcept"))
                if one.get("url") == ALTERNATE and coding.get("system") == system:
                    return str(coding.get("code", ""))
            return ""

        def agrees(code: str, node: Json, base: Json) -> bool:
            """Whether an element still says what the code does, or without an image, what it did."""
            said = image(code) or base or node
            return all(same(look(node), look(said)) for look in looks)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            code = kept(target)
            if not code or not agrees(code, target, base):
                inner.put(target, base, comps, scope)
            elif code != kept(base) or not agrees(code, base, base):
                write_sub(comps, component, 0, scope.escape(code), scope.subcomponent)

        marks = tuple((path, {"url": url}) for url in (*self.own.values(), ALTERNATE))
        return Bound(put, leaves={component: Leaf(get)}, elements=inner.elements, marks=marks)


class _Plain:
    """Where a code is only tried out: nothing is escaped."""

    subcomponent = "&"

    @staticmethod
    def escape(text: str) -> str:
        return text


_PLAIN: Scope = _Plain()  # type: ignore[assignment]
