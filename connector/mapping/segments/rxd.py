"""RXD <-> MedicationDispense and its Medication (HL7 v2.5.1 ch. 4.14.5)."""

from __future__ import annotations

from ..datatypes.amounts import Measured
from ..datatypes.coded_organization import coded_organization
from ..datatypes.primitives import date_time
from ..datatypes.references import practitioner
from ..fields import Field, One
from ..places import Json
from ..units import Around
from . import medication
from .dispensing import notes, prescription_number
from .dosing import DOSAGE, Strength, daily_dose, dosed_concepts
from .orc_medication import acted_by, role
from .rows import concept, value
from .rxa_report import Usual

RXD_MEDICATIONDISPENSE = (
    Usual("RXD", 1, "1"),
    medication.coded("RXD-2"),
    value("RXD-3", "whenHandedOver", date_time),
    Measured("RXD", 4, 5, "quantity"),
    prescription_number("RXD-7"),
    notes("RXD-9"),
    Field(
        "RXD-10",
        "performer",
        practitioner("actor"),
        default=role("DP", "Dispensing Provider"),
        rest=True,
        only=acted_by("Practitioner"),
        shared=True,
    ),
    concept("RXD-11", "substitution.type", "HL70167"),
    daily_dose("RXD-12"),
    dosed_concepts("RXD-15", f"{DOSAGE}.additionalInstruction"),
    concept("RXD-33", "type", "HL70484"),
)

RXD_MEDICATION = medication.medication(
    "RXD-2",
    concept("RXD-6", "form"),
    Strength("RXD", 16, 17, 28, 29),
    value("RXD-18", "batch.lotNumber"),
    value("RXD-19", "batch.expirationDate", date_time),
    One("RXD-20", "", coded_organization("manufacturer"), shared=True),
)

_UNCHANGED = ("N", "0")


def complete(node: Json, around: Around) -> None:
    """``medication`` is required, and of a substitution whether there was one."""
    medication.complete(node)
    if "substitution" in node:
        codes = [one.get("code") for one in node["substitution"].get("type", {}).get("coding", ())]
        node["substitution"]["wasSubstituted"] = bool(codes) and codes[0] not in _UNCHANGED
