"""ACC <-> an Observation of the accident, and where it was (HL7 v2.5.1 ch. 6.5.9).

The guide has no map. FHIR R4 tells of accidents in Claim alone, which these messages are not.
"""

from __future__ import annotations

from typing import Final

from ..datatypes.coded import Concept, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.primitives import date_time, decimal, yes_no
from ..datatypes.references import identified, practitioner
from ..fields import Field, One
from ..lens import At, Item
from ..places import Json
from ..units import Around
from .findings import SNOMED, coded, part, speaks
from .rows import SD, concept, value

ACCIDENT: Final = {"status": "final", **coded(SNOMED, "55566008", "Accident")}
EVENT_LOCATION: Final = SD + "event-location"
WHERE: Final = "extension.0.valueReference"

ACC_OBSERVATION = (
    value("ACC-1", "effectiveDateTime", date_time),
    concept("ACC-2", "valueCodeableConcept", "HL70050"),
    part("ACC-4", "Auto accident state", At("valueCodeableConcept", (Concept("HL70347"),))),
    part("ACC-5", "Accident job related", Item("1", "valueBoolean", yes_no)),
    part("ACC-6", "Accident death", Item("1", "valueBoolean", yes_no)),
    Field("ACC-7", "performer", practitioner(""), most=1),
    Field("ACC-8", "note", (Item("1", "text"),), most=1),
    part("ACC-9", "Brought in by", Item("1", "valueString")),
    part("ACC-10", "Police notified", Item("1", "valueBoolean", yes_no)),
    part("ACC-12", "Degree of patient liability", Item("1", "valueQuantity.value", decimal)),
    Field("ACC-13", "identifier", EI_IDENTIFIER),
)

ACC_LOCATION = (value("ACC-3", "name"), One("ACC-11", "address", XAD_ADDRESS))

is_accident = speaks(
    ACCIDENT,
    "effectiveDateTime",
    "valueCodeableConcept",
    "component",
    "note",
    "identifier",
    "performer",
    "extension",
)


def identity(node: Json, around: Around) -> str:
    """The accident's identifier, else whose, when, and which."""
    if known := identified(node):
        return f"accident|{known}"
    whose = around.parent("visit") or around.parent("patient")
    return f"accident|{whose}|{node.get('effectiveDateTime', '')}|{meant(node.get('valueCodeableConcept'))}"


def complete(node: Json, around: Around) -> None:
    """The place of the accident is an extension, which has a name."""
    for one in node.get("extension", ()):
        one["url"] = EVENT_LOCATION


def place_identity(node: Json, around: Around) -> str:
    """A place that is known by nothing but what happened there, in this message."""
    return f"accident|{around.parent('patient')}|{around.message_key}|{node.get('name', '')}"
