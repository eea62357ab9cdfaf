"""PID-33 and PID-34 <-> Provenance: when a patient was last updated, and by whom.

Guide: PID[Provenance-Patient].
"""

from __future__ import annotations

from typing import Any, Final

from ..datatypes.primitives import date_time
from ..datatypes.references import Refer, hd_organization
from ..fields import Field
from ..places import Json, includes
from ..units import Around
from .evn import recorded
from .rows import value

_PERFORMER: Final[dict[str, Any]] = {
    "type": {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                "code": "performer",
            }
        ]
    }
}
_UPDATE: Final[dict[str, Any]] = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE"}]
}

PID_PROVENANCE = (
    value("PID-33", "occurredDateTime", date_time),
    Field("PID-34", "agent", (Refer("Organization", *hd_organization("who")),), tag=_PERFORMER, most=1),
)


def complete(node: Json, around: Around) -> None:
    """The update is known here since the message told of it."""
    if "agent" in node:
        node["activity"] = {"coding": [dict(_UPDATE["coding"][0])]}
        recorded(node, around)


def identity(node: Json, around: Around) -> str:
    """The message and the patient."""
    return f"update|{around.message_key}|{node['target'][0]['reference']}"


def is_update(node: Json) -> bool:
    """Whether a Provenance speaks of the last update of something."""
    return includes(node.get("activity"), _UPDATE)
