"""PPR and PGL: problems, goals and pathways (HL7 v2.5.1 ch. 12.3; the guide has no map)."""

from __future__ import annotations

from dataclasses import replace

from ..places import Json
from ..segments import gol, prb
from ..segments.nte import notes
from ..segments.rows import UNKNOWN
from ..units import Around, Collected, ResourceMap, Unit
from .message_map import MessageMap
from .order_units import ORDER, observation
from .units import HEADER, PATIENT, UNITS, VISIT

_SUBJECT = {"subject": ("patient", 0)}
_ENCOUNTER = {"encounter": ("visit", 0)}


PROBLEM = Unit(
    "problem",
    "PRB",
    (
        ResourceMap(
            "Condition",
            (*prb.PRB_CONDITION, notes()),
            prb.identity,
            links=_SUBJECT | _ENCOUNTER,
            complete=prb.complete,
            assumes=prb.assumes,
            needs=("subject",),
        ),
    ),
    many=("NTE",),
    structural=frozenset({"NTE-1"}),
    under=("header", "patient", "visit"),
)

PATHWAY = Unit(
    "pathway",
    "PTH",
    (
        ResourceMap(
            "CarePlan",
            gol.PTH_CAREPLAN,
            gol.plan_identity,
            links=_SUBJECT | _ENCOUNTER | {"addresses.0": ("problem", 0)},
            complete=gol.complete_plan,
            default={"status": "unknown", "intent": "plan"},
            needs=("subject",),
        ),
    ),
    under=("header", "patient", "visit", "problem"),
    inside=("problem",),
)

GOAL = Unit(
    "goal",
    "GOL",
    (
        ResourceMap(
            "Goal",
            (*gol.GOL_GOAL, notes()),
            gol.goal_identity,
            links=_SUBJECT | {"addresses.0": ("problem", 0)},
            complete=gol.complete_goal,
            default={"description": UNKNOWN},
            needs=("subject",),
        ),
    ),
    many=("NTE",),
    structural=frozenset({"NTE-1"}),
    under=("header", "patient", "visit", "problem"),
    inside=("problem",),
)


_REPORTED = ("order", 0, "result")
_REACHED = ("goal", 0, "outcomeReference")


def _belongs(node: Json, around: Around) -> Collected:
    """A result of a report, else a measure of how far a goal is reached."""
    if around.parent("order"):
        return (_REPORTED,)
    return (_REACHED,) if around.parent("goal") else ()


_WITHIN = ("order", "goal", "problem")
_MEASURED = observation(collected=(_REPORTED, _REACHED), collects=_belongs, inside=_WITHIN)
_ASKED = replace(ORDER, under=(*ORDER.under, "problem", "goal"))
_OWN = ("header", "patient", "visit", "diagnosis", "order", "observation")
_OTHERS = tuple(unit for unit in UNITS if unit.name not in _OWN)
_UNITS = (HEADER, PATIENT, VISIT, PROBLEM, PATHWAY, GOAL, _ASKED, *_OTHERS, _MEASURED)

# What belongs to a problem stands behind it; the others stand before the first, or they would seem to.
_ORDER = ("header", "patient", "visit", "observation", "pathway", "goal", "problem", "order")

MAPS = (MessageMap("PPR", ("PPR_PC1", "PGL_PC6", "PPP_PCB", "PPG_PCG"), _UNITS, _ORDER),)
