"""GOL <-> Goal and PTH <-> CarePlan (HL7 v2.5.1 ch. 12.4.1, 12.4.4; the guide has no maps)."""

from __future__ import annotations

from typing import Final

from ..datatypes.bound_codes import among
from ..datatypes.coded import Concept, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date, date_time
from ..datatypes.references import identified
from ..fields import Field
from ..places import Json
from ..units import Around
from .rows import absent, concept, value

_LIFE = among(
    "proposed",
    "planned",
    "accepted",
    "active",
    "on-hold",
    "completed",
    "cancelled",
    "entered-in-error",
    "rejected",
)
_PLAN = among("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown")
_ERROR: Final = "entered-in-error"

GOL_GOAL = (
    concept("GOL-3", "description"),
    Field("GOL-4", "identifier", EI_IDENTIFIER, rest=True, most=1),
    value("GOL-7", "startDate", date),
    value("GOL-8", "target.0.dueDate", date),
    Field("GOL-9", "category", (Concept(),), most=1),
    concept("GOL-16", "achievementStatus"),
    value("GOL-18", "lifecycleStatus", _LIFE),
    value("GOL-19", "statusDate", date),
)

PTH_CAREPLAN = (
    Field("PTH-2", "category", (Concept(),), most=1),
    Field("PTH-3", "identifier", EI_IDENTIFIER, rest=True, most=1),
    value("PTH-4", "created", date_time),
    value("PTH-5", "status", _PLAN),
)


def complete_goal(node: Json, around: Around) -> None:
    """``lifecycleStatus`` is required: a goal that is deleted was an error, else nobody knows it."""
    if around.value("GOL-1") == "DE":
        node["lifecycleStatus"] = _ERROR
        around.note("GOL-1", said=True)
        around.note("GOL-18", said=False)
    absent(node, "lifecycleStatus")


def complete_plan(node: Json, around: Around) -> None:
    """A pathway that is deleted was an error."""
    if around.value("PTH-1") == "DE":
        node["status"] = _ERROR
        around.note("PTH-1", said=True)
        around.note("PTH-5", said=False)


def goal_identity(node: Json, around: Around) -> str:
    """The goal's instance identifier (GOL-4), else whose and which."""
    return identified(node) or f"{around.parent('patient')}|{meant(node.get('description'))}"


def plan_identity(node: Json, around: Around) -> str:
    """The pathway's instance identifier (PTH-3), else whose and which."""
    return identified(node) or f"{around.parent('patient')}|{meant((node.get('category') or [{}])[0])}"
