"""RXE <-> MedicationRequest, the order as the pharmacy encoded it (HL7 v2.5.1 ch. 4.14.4)."""

from __future__ import annotations

from ..datatypes.amounts import Measured
from ..datatypes.primitives import decimal, integer
from ..datatypes.references import practitioner
from ..fields import One
from . import medication
from .dispensing import instructions, order_type, pharmacy, prescription_number
from .dosing import DOSAGE, Dosed, Ordered, Strength, daily_dose, dosed_concepts
from .rows import concept, concepts, value
from .tq1 import OldTiming

RXE_MEDICATIONREQUEST = (
    Dosed(OldTiming("RXE", 1)),
    medication.coded("RXE-2"),
    Ordered("RXE", 3, 4, 5, 23, 24),
    dosed_concepts("RXE-7", f"{DOSAGE}.additionalInstruction"),
    concept("RXE-9", "substitution.allowedCodeableConcept", "HL70167"),
    Measured("RXE", 10, 11, "dispenseRequest.quantity"),
    value("RXE-12", "dispenseRequest.numberOfRepeatsAllowed", integer),
    One("RXE-13", "", practitioner("requester"), secondary=True),
    prescription_number("RXE-15"),
    daily_dose("RXE-19"),
    instructions("RXE-21"),
    concepts("RXE-27", "reasonCode"),
    value("RXE-39", "dispenseRequest.initialFill.quantity.value", decimal),
    *pharmacy("RXE", 40, 41, 45),
    order_type("RXE-44"),
)

RXE_MEDICATION = medication.medication("RXE-2", concept("RXE-6", "form"), Strength("RXE", 25, 26, 33, 34))
