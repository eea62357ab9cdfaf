"""IN1 <-> Coverage, its payor and its subscriber (guide: IN1[Coverage])."""

from __future__ import annotations

from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..datatypes.primitives import Code, End, date, date_time
from ..datatypes.references import identified
from ..fields import Field, One
from ..lens import Item
from ..places import Json
from ..units import Around
from .rows import UNKNOWN, concept, extension, value

_SUBSCRIBER_ID = "http://hl7.org/fhir/5.0/StructureDefinition/extension-subscriberId"

IN1_COVERAGE = (
    One("IN1-2", "", (Item("1", "identifier.0.value"),)),
    value("IN1-8", "class.0.value"),
    value("IN1-12", "period.start", date_time),
    One("IN1-13", "", (End("1", date_time, "period"),)),
    concept("IN1-15", "type", "HL70086"),
    concept("IN1-17", "relationship", "HL70063-subscriber"),
    value("IN1-36", "subscriberId"),
    extension("IN1-49", _SUBSCRIBER_ID, "valueIdentifier", *CX_IDENTIFIER),
)

IN1_PAYOR = (
    Field("IN1-3", "identifier", CX_IDENTIFIER, key=("system",)),
    value("IN1-4", "name"),
    Field("IN1-5", "address", XAD_ADDRESS, key=("use",)),
    Field("IN1-7", "telecom", XTN_CONTACTPOINT, default={"use": "work"}, rest=True, key=("system",)),
)

IN1_SUBSCRIBER = (
    Field("IN1-16", "name", XPN_HUMANNAME, key=("use",)),
    value("IN1-18", "birthDate", date),
    Field("IN1-19", "address", XAD_ADDRESS, key=("use",)),
    value("IN1-43", "gender", Code("HL70001")),
)

_GROUP = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}


def complete(node: Json, around: Around) -> None:
    """``class.type`` and ``payor`` are required."""
    for one in node.get("class", ()):
        one["type"] = dict(_GROUP)
    if "payor" not in node:
        node["payor"] = [dict(UNKNOWN)]


def identity(node: Json, around: Around) -> str:
    """Whose coverage, by which plan, under which policy."""
    plan = (node.get("identifier") or [{}])[0].get("value", "")
    payor = (node.get("payor") or [{}])[0].get("reference", "")
    return f"{around.parent('patient')}|{plan}|{payor}|{node.get('subscriberId', '')}"


def payor_identity(node: Json, around: Around) -> str:
    """The company's identifier, else its name."""
    if known := identified(node):
        return known
    return f"name|{node['name']}" if "name" in node else f"payor|{around.parent('patient')}"


def subscriber_identity(node: Json, around: Around) -> str:
    """Whose insured, by name and birth date."""
    name = (node.get("name") or [{}])[0]
    words = (name.get("family", ""), " ".join(name.get("given", ())), node.get("birthDate", ""))
    return "|".join((around.parent("patient"), "subscriber", *words))
