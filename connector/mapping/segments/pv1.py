"""PV1 <-> Encounter (guide: PV1[Encounter])."""

from __future__ import annotations

from ..datatypes.coded import OneCoding
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.primitives import End, date_time
from ..datatypes.references import Place, Refer, dld_location, practitioner
from ..fields import Field, One
from ..places import Json
from ..units import Around
from .rows import PARTICIPATION, SD, concept, concepts, type_of, value

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


def participant(at: str, code: str, display: str) -> Field:
    """XCN <-> a participant of one kind."""
    kind = {"coding": [{"system": PARTICIPATION, "code": code, "display": display}]}
    return Field(at, "participant", practitioner("individual"), tag={"type": [kind]}, shared=True)


PV1_ENCOUNTER = (
    One("PV1-2", "class", (OneCoding("HL70004"),), shared=True),
    Field("PV1-11", "location", (Place("location"),), tag=_TEMPORARY, most=1, shared=True),
    Field("PV1-3", "location", (Place("location"),), tag={"status": "active"}, most=1, shared=True),
    Field("PV1-6", "location", (Place("location"),), tag={"status": "completed"}, most=1, shared=True),
    Field("PV1-42", "location", (Place("location"),), tag={"status": "reserved"}, most=1, shared=True),
    concepts("PV1-4", "type", "HL70007"),
    One("PV1-5", "hospitalization.preAdmissionIdentifier", CX_IDENTIFIER),
    participant("PV1-7", "ATND", "attender"),
    participant("PV1-8", "REF", "referrer"),
    participant("PV1-9", "CON", "consultant"),
    concept("PV1-10", "serviceType", "HL70069"),
    concept("PV1-13", "hospitalization.reAdmission", "HL70092"),
    concept("PV1-14", "hospitalization.admitSource", "HL70023"),
    concepts("PV1-15", "hospitalization.specialArrangement", "HL70009"),
    concepts("PV1-16", "hospitalization.specialCourtesy", "HL70099"),
    participant("PV1-17", "ADM", "admitter"),
    Field("PV1-19", "identifier", CX_IDENTIFIER, default=type_of("VN"), most=1, rest=True, key=("system",)),
    concept("PV1-36", "hospitalization.dischargeDisposition", "HL70112"),
    One("PV1-37", "", (Refer("Location", *dld_location("hospitalization.destination")),)),
    concepts("PV1-38", "hospitalization.dietPreference", "HL70114"),
    value("PV1-44", "period.start", date_time),
    One("PV1-45", "", (End("1", date_time, "period"),)),
    Field("PV1-50", "identifier", CX_IDENTIFIER, default={"use": "secondary"}, key=("system", "type")),
    participant("PV1-52", "PART", "Participation"),
)

_BY_CLASS = {"PRENC": "planned"}
_BY_EVENT = {
    "A03": "finished",
    "A05": "planned",
    "A11": "cancelled",
    "A14": "planned",
    "A27": "cancelled",
    "A38": "cancelled",
}


def complete(node: Json, around: Around) -> None:
    """``status`` follows from the end, the event and the class (guide: PatientClass[EncounterStatus])."""
    if "class" not in node:
        node["class"] = {"extension": [{"url": SD + "data-absent-reason", "valueCode": "unknown"}]}
    event = around.value("MSH-9.2")
    if "end" in node.get("period", {}):
        node["status"] = "finished"
    else:
        node["status"] = _BY_EVENT.get(event) or _BY_CLASS.get(node["class"].get("code"), "in-progress")


_DECIDES = {"A01", "A04", "A13", *_BY_EVENT}


def assumes(node: Json, around: Around) -> tuple[str, ...]:
    """An event that is not about the course of the visit (an update, a result) only assumes its status."""
    decided = "end" in node.get("period", {}) or around.value("MSH-9.2") in _DECIDES
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
