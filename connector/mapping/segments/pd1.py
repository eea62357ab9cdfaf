"""PD1 <-> Patient (guide: PD1[Patient])."""

from __future__ import annotations

from ..datatypes.coded import Concept
from ..datatypes.references import organization, practitioner
from ..fields import Field
from .rows import SD, extension, extension_value, refers_to

PD1_PATIENT = (
    Field("PD1-3", "generalPractitioner", organization(""), only=refers_to("Organization")),
    Field("PD1-4", "generalPractitioner", practitioner(""), only=refers_to("Practitioner")),
    extension("PD1-6", SD + "patient-disability", "valueCodeableConcept", Concept("HL70295")),
    extension_value("PD1-14", SD + "patient-congregation", "valueString"),
)
