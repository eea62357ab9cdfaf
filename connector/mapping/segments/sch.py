"""SCH and TQ1 <-> Appointment (guide: SCH[Appointment], SCH[ServiceRequest], SCH[Provenance])."""

from __future__ import annotations

from typing import Final

from ..datatypes.coded import Concept
from ..datatypes.durations import Minutes, later
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code, End, ends_before, instant
from ..datatypes.references import identified, practitioner
from ..datatypes.worded import Worded
from ..fields import Field, One
from ..lens import Item
from ..places import Json
from ..units import Around
from .echo import Echo
from .evn import ENTERER
from .rows import UNKNOWN, absent, concept, type_of

_ENTERER_KIND = ENTERER["type"]
_PLACER, _FILLER = {"text": "placer contact"}, {"text": "filler contact"}
CONTACTS: Final = (_PLACER, _FILLER, _ENTERER_KIND)
"""The kinds of participants that SCH names itself; FHIR's code system of kinds has no code for contacts."""

_SUBJECT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.subject"
_ENDED: Final = ("cancelled", "noshow")


def _contact(at: str, kind: Json) -> Field:
    return Field(
        at, "participant", practitioner("actor"), tag={"type": [kind]}, default={"_status": dict(UNKNOWN)}
    )


SCH_APPOINTMENT = (
    Field("SCH-1", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), most=1, key=("system",)),
    Field("SCH-2", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), most=1, rest=True, key=("system",)),
    Field("SCH-4", "identifier", EI_IDENTIFIER, tag=type_of("PGN"), most=1, key=("system",)),
    concept("SCH-6", "cancelationReason"),
    Field("SCH-7", "reasonCode", (Concept("HL70276"),), most=1, rest=True),
    concept("SCH-8", "appointmentType", "HL70277"),
    Minutes("SCH", 9, 10, "minutesDuration"),
    One("SCH-11", "", (Item("4", "start", instant), End("5", instant))),
    One("TQ1-7", "", (Item("1", "start", instant, agrees=True),)),
    One("TQ1-8", "", (Item("1", "end", instant, agrees=True),)),
    _contact("SCH-12", _PLACER),
    _contact("SCH-16", _FILLER),
    _contact("SCH-20", _ENTERER_KIND),
    One("SCH-25", "", (Worded(Kept(Item("1", "status", Code("HL70278")), "HL70278", under="_status")),)),
)

SCH_SERVICEREQUEST = (
    Field("SCH-26", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), most=1, key=("system",)),
    Field("SCH-27", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), most=1, key=("system",)),
)

SCH_PROVENANCE = (
    Echo(Field("SCH-20", "agent", practitioner("who"), tag=ENTERER)),
    Field("SCH-6", "reason", (Concept(),), most=1),
)

_BY_EVENT: Final = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
_WITHOUT_TIME: Final = ("proposed", "cancelled", "waitlist")
_ORDER_STATUS: Final = {
    "cancelled": "revoked",
    "fulfilled": "completed",
    "entered-in-error": "entered-in-error",
}


def complete(node: Json, around: Around) -> None:
    """``status`` by the event where SCH-25 says none; the end by the duration; who is concerned."""
    if "status" not in node:
        node["status"] = _BY_EVENT.get(around.value("MSH-9.2"), "booked")
    if node["status"] not in _ENDED:
        node.pop("cancelationReason", None)  # R4 invariant app-4
    for one in node.get("participant", ()):
        absent(one, "status")
    if patient := around.parent("patient"):
        subject = {"url": _SUBJECT, "valueReference": {"reference": patient}}
        node["extension"] = [subject, *node.get("extension", ())]
    elif "participant" not in node:
        node["participant"] = [{"type": [dict(UNKNOWN)], **_absent_status()}]
    if node.keys() >= {"start", "end"} and ends_before(node["start"], node["end"]):
        del node["end"]
        around.note("TQ1-8", said=False)
    settle(node)


def _absent_status() -> Json:
    node: Json = {}
    absent(node, "status")
    return node


def settle(node: Json) -> None:
    """Both ends or none (R4 invariants app-2 and app-3): the end follows from start and duration."""
    start, minutes = node.get("start"), node.get("minutesDuration")
    if start and "end" not in node and isinstance(minutes, int) and (end := later(start, 60 * minutes)):
        node["end"] = end
    if start or "end" in node or node.get("status") not in _WITHOUT_TIME:
        for name in ("start", "end"):
            absent(node, name)


def assumes(node: Json, around: Around) -> tuple[str, ...]:
    """Without SCH-25, an event that only changes an appointment just assumes that it stands."""
    decided = around.value("SCH-25") or around.value("MSH-9.2") in ("S12", *_BY_EVENT)
    return () if decided else ("status",)


def identity(node: Json, around: Around) -> str:
    """The filler's number of the appointment, else the placer's, else the message."""
    for kind in ("FILL", "PLAC"):
        for one in node.get("identifier", ()):
            code = one.get("type", {}).get("coding", [{}])[0].get("code")
            if code == kind and one.get("value"):
                return f"{one.get('system', '')}|{one['value']}"
    return identified(node) or f"{around.parent('patient')}|{around.message_key}"


def complete_order(node: Json, around: Around) -> None:
    """What is scheduled is ordered, unless the appointment ended (guide: SCH[ServiceRequest])."""
    ended = {"Cancelled": "cancelled", "Complete": "fulfilled", "Deleted": "entered-in-error"}
    said = ended.get(around.value("SCH-25").capitalize(), _BY_EVENT.get(around.value("MSH-9.2"), ""))
    node["status"] = _ORDER_STATUS.get(said, "active")


def complete_provenance(node: Json, around: Around) -> None:
    """When it was entered is not said; who did it may not be."""
    absent(node, "recorded")
    if "reason" in node:
        node.setdefault("agent", [{"who": dict(UNKNOWN)}])
