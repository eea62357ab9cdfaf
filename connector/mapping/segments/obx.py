"""OBX <-> Observation (guide: OBX[Observation], OBX[Observation-Component])."""

from __future__ import annotations

from ..datatypes.coded import Concept, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.observed import ObservedValue
from ..datatypes.primitives import Code, date_time
from ..datatypes.references import identified, organization, practitioner
from ..fields import Field
from ..lens import At, Item
from ..places import Json
from ..units import Around
from .rows import SD, UNKNOWN, concept, concepts, extension_value, refers_to, value

_SUB_ID = SD + "observation-v2-subid"

OBX_OBSERVATION = (
    ObservedValue(),
    concept("OBX-3", "code"),
    extension_value("OBX-4", _SUB_ID, "valueString"),
    Field("OBX-7", "referenceRange", (Item("1", "text"),)),
    concepts("OBX-8", "interpretation", "HL70078"),
    Field(
        "OBX-10",
        "extension",
        (At("valueCodeableConcept", (Concept("HL70080"),)),),
        tag={"url": SD + "observation-nature-of-abnormal-test"},
    ),
    value("OBX-11", "status", Code("HL70085")),
    value("OBX-14", "effectiveDateTime", date_time),
    Field("OBX-16", "performer", practitioner(""), only=refers_to("Practitioner"), shared=True),
    Field("OBX-23", "performer", organization(""), only=refers_to("Organization"), most=1, shared=True),
    concept("OBX-17", "method"),
    extension_value("OBX-19", SD + "observation-analysis-date-time", "valueDateTime", date_time),
    concept("OBX-20", "bodySite"),
    Field("OBX-21", "identifier", EI_IDENTIFIER),
)


def complete(node: Json, around: Around) -> None:
    """A component has the code of its observation: the same question with several answers."""
    for part in node.get("component", ()):
        part["code"] = node.get("code") or dict(UNKNOWN)


def identity(node: Json, around: Around) -> str:
    """The instance identifier (OBX-21), else report, code and sub-id; without a report, the time."""
    if known := identified(node):
        return known
    what = meant(node.get("code"))
    sub = next(
        (one.get("valueString", "") for one in node.get("extension", ()) if one.get("url") == _SUB_ID), ""
    )
    visit = around.parent("visit") or around.parent("patient")
    whose = around.parent("order") or f"{visit}|{node.get('effectiveDateTime') or around.message_key}"
    return f"{whose}|{what}|{sub}"
