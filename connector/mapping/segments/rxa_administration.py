"""RXA <-> MedicationAdministration and its Medication (HL7 v2.5.1 ch. 4.14.7)."""

from __future__ import annotations

from ..across import Moment
from ..datatypes.amounts import Measured
from ..datatypes.coded_organization import coded_organization
from ..datatypes.primitives import date_time
from ..fields import One
from ..places import Json
from ..units import Around
from . import medication
from .dispensing import notes
from .dosing import Strength
from .orc_medication import ADMINISTERED_BY
from .rows import UNKNOWN, concept, concepts, value
from .rxa_report import Administered, Usual

RXA_MEDICATIONADMINISTRATION = (
    Usual("RXA", 1, "0"),
    Usual("RXA", 2, "1"),
    Moment("RXA", 3, 4, "effective", date_time),
    medication.coded("RXA-5"),
    Measured("RXA", 6, 7, "dosage.dose"),
    notes("RXA-9"),
    ADMINISTERED_BY,
    concepts("RXA-18", "statusReason"),
    concepts("RXA-19", "reasonCode"),
    Administered(),
)

RXA_MEDICATION = medication.medication(
    "RXA-5",
    concept("RXA-8", "form"),
    Strength("RXA", 13, 14, 23, 24),
    value("RXA-15", "batch.lotNumber"),
    value("RXA-16", "batch.expirationDate", date_time),
    One("RXA-17", "", coded_organization("manufacturer"), shared=True),
    components=False,
)


def complete(node: Json, around: Around) -> None:
    """``medication``, ``status`` and ``effective`` are required, and a dose where a dosage is (mad-1)."""
    medication.complete(node)
    node.setdefault("status", "completed")
    if "dosage" in node:
        node["dosage"].setdefault("dose", dict(UNKNOWN))
    if "effectiveDateTime" not in node:
        node.setdefault("effectivePeriod", dict(UNKNOWN))
