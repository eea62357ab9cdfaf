"""ORU and OUL: results (HL7 v2.5.1 ch. 7.3; guide: message map ORU_R01)."""

from __future__ import annotations

from .message_map import MessageMap
from .order_units import (
    ORDER,
    ORDER_BEFORE_CONTROL,
    ORDER_OF_SPECIMEN,
    OUTER_SPECIMEN,
    RESULT,
    RESULT_IN_ORDER,
    RESULT_OF_SPECIMEN,
    SPECIMEN,
)
from .units import UNITS

_SHARED = tuple(unit for unit in UNITS if unit.name not in ("order", "observation"))
_BEFORE = ("header", "patient", "kin", "contact", "visit", "observation")

MAPS = (
    MessageMap(
        "ORU", ("ORU_R01", "ORU_R30"), (*_SHARED, ORDER, SPECIMEN, RESULT), (*_BEFORE, "order", "specimen")
    ),
    MessageMap(
        "OUL_R22",
        ("OUL_R22", "OUL_R23"),
        (*_SHARED, OUTER_SPECIMEN, ORDER_OF_SPECIMEN, RESULT_OF_SPECIMEN),
        (*_BEFORE, "order", "specimen"),
    ),
    MessageMap(
        "OUL_R24",
        ("OUL_R24",),
        (*_SHARED, ORDER_BEFORE_CONTROL, SPECIMEN, RESULT_IN_ORDER),
        (*_BEFORE, "order", "specimen"),
    ),
)
