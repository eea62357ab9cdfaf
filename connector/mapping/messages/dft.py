"""DFT and BAR: charges and billing accounts (HL7 v2.5.1 ch. 6.4; the guide has no maps)."""

from __future__ import annotations

from dataclasses import replace

from ..segments import ft1
from ..segments.nte import notes
from ..segments.rows import UNKNOWN
from ..units import ResourceMap, Unit
from .message_map import MessageMap
from .units import PROCEDURE, UNITS

CHARGE = Unit(
    "charge",
    "FT1",
    (
        ResourceMap(
            "ChargeItem",
            (*ft1.FT1_CHARGEITEM, notes()),
            ft1.identity,
            links={"subject": ("patient", 0), "context": ("visit", 0), "account.0": ("patient", 1)},
            default={"status": "unknown", "code": UNKNOWN},
            needs=("subject",),
        ),
    ),
    many=("NTE",),
    structural=frozenset({"FT1-1", "NTE-1"}),
    under=("header", "patient", "visit"),
)


def _charged(unit: Unit) -> Unit:
    """A procedure behind a charge is what is charged."""
    done = next(one for one in unit.maps if isinstance(one, ResourceMap) and one.kind == "Procedure")
    charged = replace(done, collected=(("charge", 0, "service"),))
    maps = tuple(charged if one is done else one for one in unit.maps)
    return replace(unit, maps=maps, under=(*unit.under, "charge"), inside=("charge",))


_OTHERS = tuple(unit for unit in UNITS if unit is not PROCEDURE)
_ABOUT = ("header", "event", "patient", "kin", "contact", "visit", "disability", "observation", "order")
# What stands behind a charge belongs to it; the others stand before the first, or they would seem to.
_CHARGES = (
    *_ABOUT,
    "procedure",
    "charge",
    "diagnosis",
    "guarantor",
    "guarantor organization",
    "insurance",
    "accident",
)
_ACCOUNTS = (
    *_ABOUT[:-1],
    "allergy",
    "diagnosis",
    "procedure",
    "guarantor",
    "guarantor organization",
    "insurance",
    "accident",
)


_OF_VISIT = ("disability", "observation", "diagnosis", "procedure", "accident")


def _within(unit: Unit) -> Unit:
    """An account has several visits: what was found and done stands with its visit."""
    return replace(unit, inside=(*unit.inside, "visit")) if unit.name in _OF_VISIT else unit


_BILLED = tuple(_within(unit) for unit in UNITS)


def _named(*names: str) -> tuple[str, ...]:
    known = {unit.name for unit in (*UNITS, CHARGE)}
    return tuple(name for name in names if name in known)


MAPS = (
    MessageMap("DFT", ("DFT_P03", "DFT_P11"), (*_OTHERS, CHARGE, _charged(PROCEDURE)), _named(*_CHARGES)),
    MessageMap(
        "BAR", ("BAR_P01", "BAR_P02", "BAR_P05", "BAR_P06", "BAR_P10", "BAR_P12"), _BILLED, _named(*_ACCOUNTS)
    ),
)
