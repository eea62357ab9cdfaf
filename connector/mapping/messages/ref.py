"""REF: referrals (HL7 v2.5.1 ch. 11.5; the guide has no map)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..places import Json
from ..segments import ctd, rf1
from ..units import ResourceMap, Unit
from .message_map import MessageMap
from .units import HEADER, ORDER, PATIENT, UNITS

_PERSON = ResourceMap("Practitioner", rf1.PRD_PRACTITIONER, rf1.person_identity, via="practitioner")


def _others(node: Json) -> bool:
    return rf1.is_named(node) and not rf1.refers(node)


REFERRING = Unit(
    "referring",
    "PRD",
    (
        ResourceMap(
            "PractitionerRole",
            (*rf1.PRD_PRACTITIONERROLE, ctd.CONTACTS),
            rf1.role_identity,
            links={"practitioner": ("", 1)},
            default={"active": True},
            says=rf1.refers,
        ),
        _PERSON,
    ),
    many=("CTD",),
    under=("header",),
    when=rf1.is_referring,
    once=True,
)

REFERRAL = Unit(
    "referral",
    "RF1",
    (
        ResourceMap(
            "ServiceRequest",
            rf1.RF1_SERVICEREQUEST,
            rf1.identity,
            links={"subject": ("patient", 0), "requester": ("referring", 0)},
            default={"status": "unknown", "intent": "order"},
            complete=rf1.complete,
            needs=("subject",),
        ),
    ),
    under=("header", "patient", "referring"),
    once=True,
)

PROVIDER = Unit(
    "provider",
    "PRD",
    (
        ResourceMap(
            "PractitionerRole",
            (*rf1.PRD_PRACTITIONERROLE, ctd.CONTACTS),
            rf1.role_identity,
            links={"practitioner": ("", 1)},
            default={"active": True},
            collected=(("referral", 0, "performer"),),
            says=_others,
        ),
        _PERSON,
    ),
    many=("CTD",),
    under=("header", "referral"),
)


def _aside(unit: Unit) -> Unit:
    """An order's requester is not who refers."""
    maps: list[Any] = []
    for one in unit.maps:
        if isinstance(one, ResourceMap) and one.kind == "PractitionerRole":
            one = replace(one, says=_unnamed)
        maps.append(one)
    return replace(unit, maps=tuple(maps)) if unit is ORDER else unit


def _unnamed(node: Json) -> bool:
    return not rf1.is_named(node)


_OTHERS = tuple(_aside(unit) for unit in UNITS if unit not in (HEADER, PATIENT))
_ORDER = (
    "header",
    "referral",
    "referring",
    "provider",
    "patient",
    "kin",
    "contact",
    "guarantor",
    "guarantor organization",
    "insurance",
    "accident",
    "observation",
    "allergy",
    "diagnosis",
    "procedure",
    "order",
    "visit",
)

MAPS = (MessageMap("REF", ("REF_I12",), (HEADER, PATIENT, REFERRING, REFERRAL, PROVIDER, *_OTHERS), _ORDER),)
