"""What is prescribed, dispensed or given: a code, or a Medication where more is said than its code.

Guide: RXO[MedicationRequest], whose medication is a Medication of its own.
"""

from __future__ import annotations

from ..assembly import canonical
from ..fields import Across, Field, One
from ..places import Json
from ..units import Around, ResourceMap, Segments
from .dosing import name_ingredient
from .rows import UNKNOWN, concept
from .rxc import COMPONENTS

_CODE, _REFERENCE = "medicationCodeableConcept", "medicationReference"


def coded(at: str) -> One:
    """The code of the medication, where that is all there is."""
    return concept(at, _CODE)


def complete(node: Json) -> None:
    """``medication`` is required: a Medication, else its code, else unknown."""
    if _REFERENCE in node:
        node.pop(_CODE, None)
    else:
        node.setdefault(_CODE, dict(UNKNOWN))


def medication(at: str, *rows: One | Field | Across, components: bool = True) -> ResourceMap:
    """The Medication itself: its code, and what else is said of it."""
    several: tuple[Segments, ...] = (COMPONENTS,) if components else ()
    return ResourceMap(
        "Medication",
        (concept(at, "code"), *rows, *several),
        _identity,
        complete=_whole,
        unless=lambda node: node.keys() <= {"resourceType", "code"},
        via=_REFERENCE,
    )


def _whole(node: Json, around: Around) -> None:
    name_ingredient(node)


def _identity(node: Json, around: Around) -> str:
    """What it is: two preparations are the same where all that is said of them is."""
    return canonical(node)
