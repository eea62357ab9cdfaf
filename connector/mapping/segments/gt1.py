"""GT1 <-> RelatedPerson or Organization, the guarantor of an Account (HL7 v2.5.1 ch. 6.5.5; no guide map)."""

from __future__ import annotations

from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import Concept
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import (
    ORGANIZATION_ADDRESS,
    ORGANIZATION_CONTACTPOINT,
    XAD_ADDRESS,
    XON_IDENTIFIER,
    XPN_HUMANNAME,
    XTN_CONTACTPOINT,
)
from ..datatypes.primitives import End, date, date_time, yes_no
from ..datatypes.references import identified, named
from ..fields import Field, One
from ..lens import At, Item
from ..places import Json, copies
from ..units import Around
from .pid import SSN
from .rows import gender, type_of, value

_GUARANTOR = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass",
            "code": "GUAR",
            "display": "guarantor",
        }
    ]
}
_made = copies(_GUARANTOR)

GT1_RELATEDPERSON = (
    Field("GT1-2", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type")),
    Field("GT1-3", "name", XPN_HUMANNAME, key=("use",)),
    Field("GT1-5", "address", XAD_ADDRESS, key=("use", "type")),
    Field("GT1-6", "telecom", XTN_CONTACTPOINT, default={"use": "home"}, rest=True, key=("system", "use")),
    Field("GT1-7", "telecom", XTN_CONTACTPOINT, default={"use": "work"}, key=("system", "use")),
    value("GT1-8", "birthDate", date),
    gender("GT1-9"),
    Field("GT1-11", "relationship", (Concept("HL70063"),), most=1),
    Field("GT1-19", "identifier", CX_IDENTIFIER, default=type_of("EI"), most=1),
    Field("GT1-12", "identifier", (Item("1", "value"),), tag=SSN, most=1),
    Field("GT1-36", "communication", (At("language", (Concept("HL70296"),)),), most=1),
)

GT1_GUARANTOR = (
    value("GT1-13", "period.start", date_time),
    One("GT1-14", "", (End("1", date_time, "period"),)),
    value("GT1-22", "onHold", yes_no),
)

GT1_ORGANIZATION = (
    Field("GT1-2", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type")),
    Field("GT1-5", "address", ORGANIZATION_ADDRESS, key=("use",)),
    Field("GT1-7", "telecom", ORGANIZATION_CONTACTPOINT, default={"use": "work"}, rest=True, key=("system",)),
    value("GT1-21", "name"),
    Field("GT1-21", "identifier", XON_IDENTIFIER, key=("system",), most=1),
)
"""Who answers for the account may be an organization: one that is named, where no person is."""


def is_guarantor(node: Json) -> bool:
    """Whether a RelatedPerson is related as a guarantor."""
    related: Any = node.get("relationship")
    return isinstance(related, list) and _GUARANTOR in related


def is_organization(segment: Segment) -> bool:
    """Whether GT1 names an organization, and no person."""
    return bool(sent(segment, 21)) and not sent(segment, 3)


def is_guarantor_organization(node: Json) -> bool:
    """Whether an Organization is one of those that answer for an account, and GT1-21 can name it."""
    kinds: Any = node.get("type")
    return isinstance(kinds, list) and _GUARANTOR in kinds and "name" in node


def complete_organization(node: Json, around: Around) -> None:
    """What makes it a guarantor is said as its type."""
    if "name" in node:
        node["type"] = [_made()]


def organization_identity(node: Json, around: Around) -> str:
    """Whose guarantor, then its number, else its name."""
    return "|".join((around.parent("patient"), "guarantor", named(node)))


def complete(node: Json, around: Around) -> None:
    """What makes him a guarantor is said beside how else he is related."""
    if node.keys() - {"resourceType", "patient"}:
        node.setdefault("relationship", []).append(_made())


def undone(node: Json) -> Json:
    """The relationships but for that of a guarantor."""
    if not is_guarantor(node):
        return node
    rest = [one for one in node["relationship"] if one != _GUARANTOR]
    kept = {name: said for name, said in node.items() if name != "relationship"}
    return {**kept, "relationship": rest} if rest else kept


def identity(node: Json, around: Around) -> str:
    """Whose guarantor, then his number, else his name and birth date."""
    name = (node.get("name") or [{}])[0]
    words = (name.get("family", ""), " ".join(name.get("given", ())), node.get("birthDate", ""))
    return "|".join((around.parent("patient"), "guarantor", identified(node) or "|".join(words)))
