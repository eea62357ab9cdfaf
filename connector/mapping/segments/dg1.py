"""DG1 <-> Condition, and the diagnoses of a visit and an episode (guide: DG1[Condition] and others)."""

from __future__ import annotations

from ..datatypes.coded import meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date_time, positive
from ..datatypes.references import identified, practitioner
from ..fields import Field, One
from ..lens import At, Codec, Item
from ..partner import Partner
from ..places import Json, copies, same
from ..units import Around
from .rows import SD, Constant, concept, extension, extension_value, narrower, value

_WITHDRAWN = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}
    ]
}


def withdrawn(_: Partner) -> Codec:
    """ID of table 0206 <-> ``verificationStatus``: ``D`` takes the diagnosis back."""
    make = copies(_WITHDRAWN)
    return Codec(
        lambda sent: make() if sent == "D" else None, lambda value: "D" if same(value, _WITHDRAWN) else None
    )


DG1_CONDITION = (
    concept("DG1-3", "code"),
    narrower("DG1-17", "category", "HL70228"),
    One("DG1-4", "", (Item("1", "code.text", agrees=True),)),
    value("DG1-5", "onsetDateTime", date_time),
    One("DG1-16", "", practitioner("asserter")),
    value("DG1-19", "recordedDate", date_time),
    extension_value("DG1-19", SD + "condition-assertedDate", "valueDateTime", date_time),
    extension(
        "DG1-22",
        SD + "condition-dueTo",
        "valueReference",
        At("identifier", EI_IDENTIFIER),
        Constant({"type": "Condition"}),
    ),
    Field("DG1-20", "identifier", EI_IDENTIFIER),
    value("DG1-21", "verificationStatus", withdrawn),
)

DG1_DIAGNOSIS = (
    concept("DG1-6", "use", "HL70052"),
    value("DG1-15", "rank", positive),
)

_RANK = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Encounter.diagnosis.rank"

DG1_REASON = (
    *DG1_CONDITION,
    narrower("DG1-6", "category", "HL70052"),
    extension_value("DG1-15", _RANK, "valuePositiveInt", positive),
)
"""Why something is asked for: no visit is there to say how certain a diagnosis is and how it ranks.

Guide: DG1[Condition] rows DG1-6 and DG1-15, a category or an extension.
"""

DG1_EPISODE_DIAGNOSIS = (
    concept("DG1-6", "role", "HL70052"),
    value("DG1-15", "rank", positive),
)


def identity(node: Json, around: Around) -> str:
    """The diagnosis identifier (DG1-20), else whose visit and which code."""
    if known := identified(node):
        return known
    what = meant(node.get("code"))
    return f"{around.parent('visit') or around.parent('patient')}|{what}"
