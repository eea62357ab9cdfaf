"""ADT: admission, discharge, transfer (HL7 v2.5.1 ch. 3; guide: message maps ADT_A01 to ADT_A17)."""

from __future__ import annotations

from .message_map import MessageMap
from .units import UNITS

# HL7 v2.5.1 ch. 3.3.1. An observation that belongs to an order stands with it; the others stand before the
# first, or they would seem to belong to it.
_ORDER = (
    "header",
    "event",
    "patient",
    "kin",
    "contact",
    "visit",
    "disability",
    "observation",
    "allergy",
    "adverse reaction",
    "diagnosis",
    "procedure",
    "guarantor",
    "guarantor organization",
    "insurance",
    "accident",
    "death",
)

MAPS = (
    MessageMap(
        "ADT",
        (
            "ADT_A01",
            "ADT_A02",
            "ADT_A03",
            "ADT_A05",
            "ADT_A09",
            "ADT_A12",
            "ADT_A21",
            "ADT_A38",
            "ADT_A52",
            "ADT_A54",
            "ADT_A60",
            "ADT_A61",
        ),
        UNITS,
        _ORDER,
    ),
)
