"""PD1 <-> Patient, and an Observation of the living will (guide: PD1[Patient] and others)."""

from __future__ import annotations

from ..datatypes.coded import Concept, first_coding
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import Either
from ..datatypes.references import organization, practitioner
from ..fields import Field
from ..lens import At
from ..places import Json
from ..units import Around
from .rows import SD, Constant, concept, extension, refers_to


def _by_number(link: Json) -> bool:
    """Whether a link names another record by its identifier; merges link the resources."""
    return "identifier" in (link.get("other") or {})


PD1_PATIENT = (
    Field("PD1-3", "generalPractitioner", organization(""), only=refers_to("Organization")),
    Field("PD1-4", "generalPractitioner", practitioner(""), only=refers_to("Practitioner")),
    extension("PD1-6", SD + "patient-disability", "valueCodeableConcept", Concept("HL70295")),
    Field(
        "PD1-10",
        "link",
        (At("other", (At("identifier", CX_IDENTIFIER), Constant({"type": "Patient"}))),),
        tag={"type": "seealso"},
        only=_by_number,
    ),
    extension("PD1-14", SD + "patient-congregation", "", Either("1", "10", "valueString"), Constant({})),
)

PD1_LIVING_WILL = (concept("PD1-7", "valueCodeableConcept", "HL70315"),)
LIVING_WILL = {"status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "75320-2"}]}}


def is_living_will(node: Json) -> bool:
    """Whether an Observation says what is known of a living will (LOINC 75320-2), and nothing else."""
    others = node.keys() - {"resourceType", "id", "meta", "status", "code", "subject", "valueCodeableConcept"}
    return not others and first_coding(node.get("code")).get("code") == "75320-2"


def living_will_identity(node: Json, around: Around) -> str:
    """Whose living will."""
    return f"living will|{node['subject']['reference']}" if "subject" in node else "living will"
