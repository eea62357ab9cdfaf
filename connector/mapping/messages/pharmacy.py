"""OMP, RDE, RDS, RGV, RAS: medication ordered, encoded, dispensed, to give, given (HL7 v2.5.1 ch. 4.13)."""

from __future__ import annotations

from .adt_units import CONTACT
from .message_map import MessageMap
from .participation import OBSERVATION_PARTICIPATION, PATIENT_ROLES, requester
from .pharmacy_units import (
    ADMINISTERED,
    DISPENSED,
    ENCODED,
    ENCODED_BESIDE,
    GIVEN,
    ORIGINAL,
    PRESCRIPTION,
    findings,
)
from .units import ALLERGY, DIAGNOSIS, EVENT, HEADER, INSURANCE, KIN, PATIENT, VISIT

_BEFORE = (HEADER, PATIENT, VISIT, EVENT, KIN, CONTACT, ALLERGY, DIAGNOSIS, INSURANCE)
_BEHIND = (
    *PATIENT_ROLES,
    requester("MedicationRequest", "prescription"),
    requester("MedicationRequest", "encoded"),
    *OBSERVATION_PARTICIPATION,
)
_ORDER = ("header", "patient", "visit", "insurance", "allergy")

MAPS = (
    MessageMap(
        "OMP",
        ("OMP_O09",),
        (*_BEFORE, PRESCRIPTION, findings("prescription"), *_BEHIND),
        (*_ORDER, "prescription", "observation"),
    ),
    MessageMap(
        "RDE",
        ("RDE_O11", "RDE_O01", "RDE_O25"),
        (*_BEFORE, ORIGINAL, ENCODED, findings("encoded", "prescription"), *_BEHIND),
        (*_ORDER, "prescription", "encoded", "observation"),
    ),
    MessageMap(
        "RDS",
        ("RDS_O13",),
        (*_BEFORE, ORIGINAL, ENCODED, DISPENSED, findings("dispensed", "encoded", "prescription")),
        (*_ORDER, "prescription", "encoded", "dispensed", "observation"),
    ),
    MessageMap(
        "RGV",
        ("RGV_O15",),
        (*_BEFORE, ORIGINAL, ENCODED_BESIDE, GIVEN, findings("given", "encoded", "prescription")),
        (*_ORDER, "prescription", "encoded", "given", "observation"),
    ),
    MessageMap(
        "RAS",
        ("RAS_O17",),
        (*_BEFORE, ORIGINAL, ENCODED, ADMINISTERED, findings("administered", "encoded", "prescription")),
        (*_ORDER, "prescription", "encoded", "administered", "observation"),
    ),
)
