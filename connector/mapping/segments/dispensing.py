"""What a pharmacy is asked for: instructions, who dispenses <-> MedicationRequest.dispenseRequest."""

from __future__ import annotations

from dataclasses import dataclass

from ..datatypes.coded_organization import coded_organization
from ..datatypes.people import XAD_ADDRESS, XTN_CONTACTPOINT
from ..datatypes.primitives import raw_code
from ..fields import Across, Field, One
from ..lens import At, Bound, Item, Unsaid
from ..partner import V2, Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .further import Further
from .rows import Constant, coded_in, type_of

_INSTRUCTION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MedicationRequest.dispenseRequest.dispenserInstruction"
_TEXT, _ORIGINAL, _CODE = 1, 8, 0


@dataclass(frozen=True, slots=True)
class Words:
    """A CWE <-> one text: the original one, else the text, else the code (guide: CWE[Annotation])."""

    path: str

    def compile(self, partner: Partner) -> Bound:
        path = self.path

        def said_at(comps: Comps, scope: Scope) -> int:
            there = (at for at in (_ORIGINAL, _TEXT, _CODE) if _first(comp(comps, at), scope).strip())
            return next(there, -1)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            where = said_at(comps, scope)
            if where >= 0:
                node[path] = _first(comp(comps, where), scope)
            unsaid = []
            for n, text in enumerate(comps):
                subs = text.split(scope.subcomponent)
                if n != where and text and text != '""':
                    unsaid.append(str(n + 1))
                elif n == where:
                    unsaid += [f"{n + 1}.{sub}" for sub, more in enumerate(subs[1:], 2) if more]
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target.get(path), base.get(path)):
                where = said_at(comps, scope)
                write_comp(comps, where if where >= 0 else _TEXT, scope.escape(str(target.get(path) or "")))

        return Bound(put, whole=get, reads=frozenset(range(22)), elements=frozenset({path}))


def _first(text: str, scope: Scope) -> str:
    first = text.split(scope.subcomponent)[0]
    return "" if first == '""' else scope.unescape(first)


def instructions(at_field: str) -> Field:
    """What the pharmacy is told; R4 has no element for it, R5 has."""
    rows = (At("valueAnnotation", (Words("text"),)),)
    return Field(at_field, "dispenseRequest.extension", rows, tag={"url": _INSTRUCTION})


def notes(at_field: str) -> Field:
    """Words as notes; a new note is written as NTE."""
    return Field(at_field, "note", (Words("text"),), only=lambda note: False)


def pharmacy(segment: str, who: int, address: int, phone: int) -> tuple[One | Across, ...]:
    """The pharmacy that is to dispense, with its address and numbers."""
    whose = "dispenseRequest.performer"
    return (
        One(f"{segment}-{who}", "", coded_organization(whose), shared=True),
        Further(segment, address, whose, "address", XAD_ADDRESS, use="7"),
        Further(segment, phone, whose, "telecom", XTN_CONTACTPOINT, use="2"),
    )


_ORDER_TYPE = V2 + "0480"


def order_type(at_field: str) -> Field:
    """The pharmacy order type (table 0480) as a category."""
    rows = (At("coding.0", (Item("1", "code", raw_code), Constant({"system": _ORDER_TYPE}))),)
    return Field(at_field, "category", rows, only=coded_in(_ORDER_TYPE), most=1)


def prescription_number(at_field: str) -> Field:
    """The number of a prescription: as good as the filler's order number (HL7 v2.5.1 ch. 4.14.4.15)."""
    kind = {**type_of("FILL"), "use": "secondary"}
    return Field(at_field, "identifier", (Item("1", "value"),), tag=kind, most=1)
