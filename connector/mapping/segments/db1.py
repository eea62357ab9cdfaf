"""DB1 <-> an Observation of the patient's disability (HL7 v2.5.1 ch. 3.4.12; the guide has no map)."""

from __future__ import annotations

from typing import Final

from ...hl7v2.tree import Segment
from ..datatypes.primitives import End, date, yes_no
from ..fields import One
from ..lens import Item
from ..places import Json
from ..units import Around
from .findings import SNOMED, coded, part, speaks
from .rows import value
from .rxa_report import Usual

DISABILITY: Final = {"status": "final", **coded(SNOMED, "21134002", "Disability")}

DB1_OBSERVATION = (
    Usual("DB1", 2, "PT"),
    value("DB1-4", "valueBoolean", yes_no),
    value("DB1-5", "effectivePeriod.start", date),
    One("DB1-6", "", (End("1", date, "effectivePeriod"),)),
    part("DB1-7", "Disability return to work", Item("1", "valueDateTime", date)),
    part("DB1-8", "Disability unable to work", Item("1", "valueDateTime", date)),
)

is_disability = speaks(DISABILITY, "valueBoolean", "effectivePeriod", "component")


def is_patients(segment: Segment) -> bool:
    """Whether the patient is who is disabled (table 0334), and not a guarantor, an insured or a relative."""
    return segment.value(2) in ("", "PT")


def identity(node: Json, around: Around) -> str:
    """Whose disability, and since when."""
    return f"disability|{around.parent('patient')}|{node.get('effectivePeriod', {}).get('start', '')}"
