"""IN3-21 <-> the case manager in the patient's care team (guide: IN3[CareTeam])."""

from __future__ import annotations

from ...hl7v2.tree import Segment
from ..across import sent
from ..places import Json
from ..units import Around
from .rows import value

IN3_CASE_MANAGER = (value("IN3-21", "name.0.text"),)
CASE_MANAGER = {
    "role": [
        {
            "coding": [{"system": "http://snomed.info/sct", "code": "768832004"}],
            "text": "case manager",
        }
    ]
}


def is_managed(segment: Segment) -> bool:
    """Whether a case manager is named."""
    return bool(sent(segment, 21).strip())


def identity(node: Json, around: Around) -> str:
    """Whose case manager, by name: v2 says no more."""
    return f"case manager|{around.parent('patient')}|{node['name'][0]['text']}"
