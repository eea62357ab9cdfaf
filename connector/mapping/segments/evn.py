"""EVN <-> Provenance (guide: EVN[Provenance], MSH[Provenance-Operator])."""

from __future__ import annotations

from ..datatypes.primitives import date_time, instant
from ..datatypes.references import Refer, hd_location, practitioner
from ..fields import Field, One
from ..places import Json
from ..units import Around
from .rows import UNKNOWN, absent, concepts, value

ENTERER = {
    "type": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "enterer"}
        ]
    }
}

EVN_PROVENANCE = (
    value("EVN-2", "recorded", instant),
    concepts("EVN-4", "reason", "HL70062"),
    Field("EVN-5", "agent", practitioner("who"), tag=ENTERER, shared=True),
    value("EVN-6", "occurredDateTime", date_time),
    One("EVN-7", "", (Refer("Location", *hd_location("location")),)),
)


def complete(node: Json, around: Around) -> None:
    """``recorded`` and ``agent`` are required; without an operator the agent is unknown."""
    absent(node, "recorded")
    if "agent" not in node:
        node["agent"] = [{"who": dict(UNKNOWN)}]
