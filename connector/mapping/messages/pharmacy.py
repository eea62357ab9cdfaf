"""OMP and RDE: orders of medication, and as the pharmacy encoded them (HL7 v2.5.1 ch. 4.13)."""

from __future__ import annotations

from .message_map import MessageMap
from .pharmacy_units import ENCODED, ORIGINAL, PRESCRIPTION, findings
from .units import ALLERGY, DIAGNOSIS, EVENT, HEADER, INSURANCE, KIN, PATIENT, VISIT

_BEFORE = (HEADER, PATIENT, VISIT, EVENT, KIN, ALLERGY, DIAGNOSIS, INSURANCE)
_ORDER = ("header", "patient", "visit", "insurance", "allergy")

MAPS = (
    MessageMap(
        "OMP",
        ("OMP_O09",),
        (*_BEFORE, PRESCRIPTION, findings("prescription")),
        (*_ORDER, "prescription", "observation"),
    ),
    MessageMap(
        "RDE",
        ("RDE_O11", "RDE_O01", "RDE_O25"),
        (*_BEFORE, ORIGINAL, ENCODED, findings("encoded", "prescription")),
        (*_ORDER, "prescription", "encoded", "observation"),
    ),
)
