"""ORU: unsolicited results (HL7 v2.5.1 ch. 7.3; guide: message map ORU_R01)."""

from __future__ import annotations

from .message_map import MessageMap
from .units import UNITS

MAPS = (
    MessageMap(
        "ORU",
        ("ORU_R01",),
        UNITS,
        ("header", "patient", "kin", "visit", "observation", "order"),
    ),
)
