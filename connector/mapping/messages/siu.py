"""SIU and SRR: appointments, and what became of a request for one (HL7 v2.5.1 ch. 10; guide: SIU_S12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..places import Json
from ..segments import ais, obr, sch
from ..segments.comment import NTE_COMMENT, complete, is_comment
from ..segments.rows import UNKNOWN
from ..units import PartOf, ResourceMap, Unit
from .message_map import MessageMap
from .units import HEADER, PATIENT, UNITS

APPOINTMENT = Unit(
    "appointment",
    "SCH",
    (
        ResourceMap(
            "Appointment",
            sch.SCH_APPOINTMENT,
            sch.identity,
            links={"participant.Patient.actor": ("patient", 0), "basedOn.0": ("", 1)},
            complete=sch.complete,
            assumes=sch.assumes,
        ),
        ResourceMap(
            "ServiceRequest",
            sch.SCH_SERVICEREQUEST,
            obr.identity,
            links={"subject": ("patient", 0)},
            default={"intent": "order", "subject": UNKNOWN},
            complete=sch.complete_order,
            needs=("identifier",),
            via="basedOn.0",
        ),
        ResourceMap(
            "Provenance",
            sch.SCH_PROVENANCE,
            sch.identity,
            links={"target.0": ("", 0)},
            complete=sch.complete_provenance,
            needs=("agent",),
            via="<target",
        ),
    ),
    many=("TQ1",),
    structural=frozenset({"TQ1-1"}),
    under=("header", "patient"),
    free=True,
    once=True,
)

COMMENT = Unit(
    "comment",
    "NTE",
    (
        PartOf(
            "appointment",
            "extension",
            NTE_COMMENT,
            only=is_comment,
            complete=complete,
            needs=("valueAnnotation",),
        ),
    ),
    structural=frozenset({"NTE-1"}),
    under=("header", "appointment"),
    free=True,
)


def _resource(name: str, opener: str, part: PartOf) -> Unit:
    """What takes part, behind the segment that says where a group of resources begins."""
    return Unit(
        name,
        opener,
        (part,),
        leads=("RGS",),
        structural=frozenset({f"{opener}-1", "RGS-1"}),
        under=("header", "appointment"),
        free=True,
    )


SERVICE = _resource(
    "service",
    "AIS",
    PartOf(
        "appointment", "serviceType", ais.AIS_SERVICETYPE, complete=ais.demand, affects=ais.serve, led="RGS"
    ),
)


def _taking_part(
    opener: str, rows: tuple[Any, ...], only: Callable[[Json], bool], key: str, start: int
) -> PartOf:
    """A participant of the appointment; ``start``: the field that says when it is wanted."""
    return PartOf(
        "appointment",
        "participant",
        rows,
        only,
        (key,),
        complete=ais.complete,
        affects=ais.starts(opener, start),
        needs=("actor",),
        led="RGS",
    )


THING = _resource(
    "thing", "AIG", _taking_part("AIG", ais.AIG_PARTICIPANT, ais.is_thing, "actor.identifier", 8)
)
ROOM = _resource("room", "AIL", _taking_part("AIL", ais.AIL_PARTICIPANT, ais.is_place, "actor.reference", 6))
PERSON = _resource(
    "person", "AIP", _taking_part("AIP", ais.AIP_PARTICIPANT, ais.is_person, "actor.reference", 6)
)

_OTHERS = tuple(unit for unit in UNITS if unit not in (HEADER, PATIENT))

MAPS = (
    MessageMap(
        "SIU",
        ("SIU_S12", "SRR_S01"),
        (HEADER, PATIENT, APPOINTMENT, *_OTHERS, COMMENT, SERVICE, THING, ROOM, PERSON),
        (
            "header",
            "appointment",
            "comment",
            "patient",
            "kin",
            "contact",
            "visit",
            "observation",
            "diagnosis",
            "service",
            "thing",
            "room",
            "person",
        ),
    ),
)
