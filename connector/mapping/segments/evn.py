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
    """``recorded`` and ``agent`` are required; without an operator the agent is who sent the message."""
    absent(node, "recorded")
    coding = (around.resource("header") or {}).get("eventCoding", {})
    if named := coding.get("display"):
        node["activity"] = {"coding": [{"display": "event - " + "^".join(named.split("^")[:2])}]}
    if "agent" not in node:
        node["agent"] = [{"who": sender(around)}]


def is_event(node: Json) -> bool:
    """Whether a Provenance tells of an event, not of what has handled the message."""
    return "entity" not in node


def recorded(node: Json, around: Around) -> None:
    """What a message tells of is recorded when it is sent."""
    sent = (around.resource("header", 1) or {}).get("timestamp")
    if sent:
        node["recorded"] = sent
    absent(node, "recorded")


def sender(around: Around) -> Json:
    """Who is responsible for the message, or sent it, as far as the header says."""
    header = around.resource("header") or {}
    return dict(header.get("responsible") or header.get("sender") or UNKNOWN)
