"""PV2 <-> Encounter (guide: PV2[Encounter])."""

from __future__ import annotations

import re
from html import escape, unescape

from ..datatypes.primitives import date_time, integer, raw_code
from ..datatypes.references import Place, Refer, coded_organization, organization
from ..emit import Leaf
from ..fields import Field, One
from ..lens import Bound, Item
from ..partner import Partner
from ..places import Comps, Json, same, write_comp
from ..scope import Scope
from .pv1 import participant
from .rows import SD, V2, coding_extension, concept, concepts, extension_value

_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter."


class Days:
    """NM <-> a Duration in days (guide: NM[Quantity-LengthOfStay])."""

    def compile(self, partner: Partner) -> Bound:
        inner = Item("1", "value", integer).compile(partner)
        take = inner.leaves[0].take

        def get(sent: str, node: Json) -> bool:
            if not take(sent, node):
                return False
            node.update(unit="day", system="http://unitsofmeasure.org", code="d")
            return True

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if target and target.get("code") != "d":
                if not same(target, base):
                    write_comp(comps, 0, "")
                return
            inner.put(target, base, comps, scope)

        return Bound(put, leaves={0: Leaf(get)}, elements=frozenset({"value", "unit", "system", "code"}))


class Narrative:
    """ST <-> a narrative that says nothing else, and is marked as said beside the elements."""

    def compile(self, partner: Partner) -> Bound:
        def get(sent: str, node: Json) -> bool:
            if sent.isspace() or not sent.isprintable():
                return False
            node["status"] = "additional"
            node["div"] = f"{_DIV}{escape(sent, quote=False)}</div>"
            return True

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            now, before = _words(target), _words(base)
            if now != before:
                write_comp(comps, 0, scope.escape(now))

        return Bound(put, leaves={0: Leaf(get)}, elements=frozenset({"status", "div"}))


_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def _words(text: Json) -> str:
    """The words of a narrative without markup that adds to the elements; empty for any other."""
    div = text.get("div")
    if text.get("status") != "additional" or not isinstance(div, str):
        return ""
    found = re.fullmatch(r"<div[^<>]*>([^<]*)</div>", div.strip())
    return unescape(found[1]) if found else ""


PV2_ENCOUNTER = (
    Field("PV2-1", "location", (Place("location"),), tag={"status": "planned"}, most=1, shared=True),
    concepts("PV2-3", "reasonCode"),
    extension_value("PV2-8", _R5 + "plannedStartDate", "valueDateTime", date_time),
    extension_value("PV2-9", _R5 + "plannedEndDate", "valueDateTime", date_time),
    One("PV2-11", "length", (Days(),)),
    participant("PV2-13", "REFB", "Referred By"),
    Field("PV2-22", "meta.security", (Item("1", "code", raw_code),), tag={"system": V2 + "0136"}, most=1),
    One("PV2-12", "text", (Narrative(),)),
    concept("PV2-25", "priority", "HL70217"),
    coding_extension("PV2-38", SD + "encounter-modeOfArrival", "HL70430"),
    One("PV2-23", "", organization("serviceProvider"), secondary=True),
    One("PV1-39", "", (Refer("Organization", *coded_organization("serviceProvider")),), secondary=True),
)
