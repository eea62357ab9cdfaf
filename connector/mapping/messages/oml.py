"""OML, OMG and ORM: orders (HL7 v2.5.1 ch. 4.4; guide: message maps OML_O21 and ORM_O01)."""

from __future__ import annotations

from dataclasses import replace

from ..segments import dg1
from ..units import ResourceMap
from .message_map import MessageMap
from .order_units import (
    ALONG,
    ALONG_SPECIMEN,
    OUTER_SPECIMEN,
    REQUEST,
    REQUEST_OF_SPECIMEN,
    SPECIMEN,
    along_any,
)
from .pharmacy_units import PRESCRIPTION
from .units import DIAGNOSIS, UNITS

_OWN = ("order", "observation", "diagnosis", "procedure", "event")
_SINGLE = ("patient", "visit")  # what PRIOR_RESULT says of both is how they were known before
_SHARED = tuple(replace(unit, single=unit.name in _SINGLE) for unit in UNITS if unit.name not in _OWN)
_CONDITION: ResourceMap = replace(
    next(each for each in DIAGNOSIS.maps if isinstance(each, ResourceMap)), rows=dg1.DG1_REASON
)
_REASON = replace(
    DIAGNOSIS,
    maps=(replace(_CONDITION, collected=(("order", 0, "reasonReference"),)),),
    under=(*DIAGNOSIS.under, "order"),
    inside=("order",),
)
"""A diagnosis behind an order is why it is asked for (guide: OML_O21.ORDER.OBSERVATION_REQUEST.DG1)."""

_REASON_OF_ANY = replace(
    _REASON,
    maps=(
        replace(
            _CONDITION,
            collected=(("order", 0, "reasonReference"), (PRESCRIPTION.name, 0, "reasonReference")),
        ),
    ),
    under=(*_REASON.under, PRESCRIPTION.name),
    inside=("order", PRESCRIPTION.name),
)
"""As ``_REASON``; what is ordered may be medication (guide: ORM_O01.ORDER_DETAIL.CHOICE.RXO)."""

_BEFORE = ("header", "patient", "kin", "contact", "visit", "insurance", "guarantor", "allergy")
_NAMES = {unit.name for unit in _SHARED}


def _written(*names: str) -> tuple[str, ...]:
    return (*(name for name in _BEFORE if name in _NAMES), *names)


MAPS = (
    MessageMap(
        "OML",
        ("OML_O21", "OMG_O19"),
        (*_SHARED, REQUEST, _REASON, SPECIMEN, ALONG),
        _written("diagnosis", "observation", "order", "specimen"),
    ),
    MessageMap(
        "ORM",
        ("ORM_O01",),
        (*_SHARED, REQUEST, PRESCRIPTION, _REASON_OF_ANY, SPECIMEN, along_any(PRESCRIPTION.name)),
        _written("diagnosis", "observation", "order", "prescription", "specimen"),
    ),
    MessageMap(
        "OML_O33",
        ("OML_O33", "OML_O35"),
        (*_SHARED, OUTER_SPECIMEN, REQUEST_OF_SPECIMEN, _REASON, ALONG_SPECIMEN),
        _written("diagnosis", "observation", "order", "specimen"),
    ),
)
