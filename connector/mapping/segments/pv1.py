"""PV1 <-> Encounter, EpisodeOfCare and Coverage (guide: PV1[Encounter], PV1[Coverage])."""

from __future__ import annotations

from ..assembly import canonical
from ..codes import CodeTable
from ..datatypes.coded import Concept, OneCoding, meant
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.primitives import End, date_time
from ..datatypes.references import Place, Refer, dld_location, identified, practitioner
from ..fields import Field, One
from ..lens import At, Item, Nested
from ..places import Json
from ..units import Around
from .beds import BedStatus
from .choosing import Where
from .rows import (
    PARTICIPATION,
    SD,
    UNKNOWN,
    V2,
    coded_by,
    coded_in,
    concept,
    concepts,
    extension_value,
    narrower,
    refers_by,
    type_of,
    value,
)

_TEMPORARY = {
    "status": "active",
    "extension": [
        {
            "url": SD + "subject-locationClassification",
            "valueCodeableConcept": {
                "coding": [{"system": "http://hl7.org/fhir/subject-location", "code": "temporary"}]
            },
        }
    ],
}
_ONCE_TEMPORARY = {**_TEMPORARY, "status": "completed"}


def participant(at: str, code: str, display: str) -> Field:
    """XCN <-> a participant of one kind."""
    kind = {"coding": [{"system": PARTICIPATION, "code": code, "display": display}]}
    person = refers_by("individual", "Practitioner")
    return Field(
        at, "participant", practitioner("individual"), tag={"type": [kind]}, only=person, shared=True
    )


PV1_ENCOUNTER = (
    One("PV1-2", "class", (OneCoding("HL70004"),), shared=True),
    Field("PV1-11", "location", (Place("location"),), tag=_TEMPORARY, most=1, shared=True),
    Field("PV1-43", "location", (Place("location"),), tag=_ONCE_TEMPORARY, most=1, shared=True),
    Field("PV1-3", "location", (Place("location"),), tag={"status": "active"}, most=1, shared=True),
    Field("PV1-6", "location", (Place("location"),), tag={"status": "completed"}, most=1, shared=True),
    Field("PV1-42", "location", (Place("location"),), tag={"status": "reserved"}, most=1, shared=True),
    concepts("PV1-4", "type", "HL70007"),
    narrower("PV1-18", "type", "HL70018", shared=True),
    One("PV1-5", "hospitalization.preAdmissionIdentifier", CX_IDENTIFIER),
    participant("PV1-7", "ATND", "attender"),
    participant("PV1-8", "REF", "referrer"),
    participant("PV1-9", "CON", "consultant"),
    concept("PV1-10", "serviceType", "HL70069"),
    concept("PV1-13", "hospitalization.reAdmission", "HL70092"),
    concept("PV1-14", "hospitalization.admitSource", "HL70023"),
    concepts("PV1-15", "hospitalization.specialArrangement", "HL70009"),
    concepts("PV1-16", "hospitalization.specialCourtesy", "HL70099"),
    narrower("PV1-22", "hospitalization.specialCourtesy", "HL70045"),
    participant("PV1-17", "ADM", "admitter"),
    Field("PV1-19", "identifier", CX_IDENTIFIER, default=type_of("VN"), most=1, rest=True, key=("system",)),
    concept("PV1-36", "hospitalization.dischargeDisposition", "HL70112"),
    One("PV1-37", "", (Refer("Location", *dld_location("hospitalization.destination")),)),
    concepts("PV1-38", "hospitalization.dietPreference", "HL70114"),
    value("PV1-44", "period.start", date_time),
    One("PV1-45", "", (End("1", date_time, "period"),)),
    Field("PV1-50", "identifier", CX_IDENTIFIER, default={"use": "secondary"}, key=("system", "type")),
    participant("PV1-52", "PART", "Participation"),
    BedStatus(),
)

PV1_EPISODEOFCARE = (
    extension_value("PV1-53", SD + "resource-instance-description", "valueString"),
    Field("PV1-54", "identifier", CX_IDENTIFIER, most=1),
)
EPISODE = {"_status": UNKNOWN}

PV1_COVERAGE = (
    One(
        "PV1-20",
        "",
        (
            Nested("1", (At("type", (Where(coded_by("HL70064"), (Concept("HL70064"),)),)),)),
            At("period", (Item("2", "start", date_time),)),
        ),
    ),
)
FINANCIAL_CLASS = {"status": "active", "payor": [UNKNOWN]}

_BY_CLASS = {"PRENC": "planned"}
_UPDATE = "unknown"  # an event that says nothing about the course of the visit
_BY_EVENT = {
    event: coded.code
    for event, coded in CodeTable.load("HL70003-status").to_fhir.items()
    if coded.code != _UPDATE
}


def complete(node: Json, around: Around) -> None:
    """``status`` follows from the end, the event and the class (guide: PatientClass[EncounterStatus])."""
    if "class" not in node:
        node["class"] = {"extension": [{"url": SD + "data-absent-reason", "valueCode": "unknown"}]}
    event = around.value("MSH-9.2")
    if _preadmit(node):
        for location in node.get("location", ()):
            if _assigned(location):
                location["status"] = "planned"
    if "end" in node.get("period", {}):
        node["status"] = "finished"
    else:
        node["status"] = _BY_EVENT.get(event) or _BY_CLASS.get(node["class"].get("code"), "in-progress")


def undone(node: Json) -> Json:
    """What the rows said of a visit before ``complete``: its place was active, though it is only planned."""
    locations: list[Json] = node.get("location") or [{}]
    if not _preadmit(node) or locations[0].get("status") != "planned" or any(map(_assigned, locations)):
        return node
    return {**node, "location": [{**locations[0], "status": "active"}, *locations[1:]]}


def _preadmit(node: Json) -> bool:
    return bool(node.get("class", {}).get("code") == "PRENC")


def _assigned(location: Json) -> bool:
    return location.get("status") == "active" and "extension" not in location


def assumes(node: Json, around: Around) -> tuple[str, ...]:
    """An event that is not about the course of the visit (an update, a result) only assumes its status."""
    decided = "end" in node.get("period", {}) or around.value("MSH-9.2") in _BY_EVENT
    return () if decided else ("status",)


def unless(node: Json) -> bool:
    """Patient class N says that there is no visit: events about a person alone (HL7 v2.5.1 ch. 3.4.3.2)."""
    said = node.keys() - {"resourceType", "status", "subject"}
    return said == {"class"} and node["class"].get("code") == "N"


def identity(node: Json, around: Around) -> str:
    """The visit number, else the patient and the time of admission, else the message."""
    for one in node.get("identifier", ()):
        if value := one.get("value"):
            return f"{one.get('system', '') or around.parent('patient')}|{value}"
    start = node.get("period", {}).get("start", "")
    return f"{around.parent('patient')}|{start or around.message_key}"


def episode_identity(node: Json, around: Around) -> str:
    """The episode's identifier, else whose episode, and its description."""
    return identified(node) or f"{around.parent('patient')}|{canonical(node)}"


def financial_class_identity(node: Json, around: Around) -> str:
    """Whose financial class, and which."""
    return f"{around.parent('patient')}|financial class|{meant(node['type']) if 'type' in node else ''}"


def is_financial_class(node: Json) -> bool:
    """A Coverage of which nothing is known but its financial class: no plan, no policy, no payor."""
    known = {"resourceType", "id", "meta", "status", "payor", "beneficiary", "type", "period"}
    others = node.keys() - known or any("reference" in one for one in node.get("payor", ()))
    return not others and _CLASSED(node.get("type", {}))


_CLASSED = coded_in(V2 + "0064")
