"""OBR <-> DiagnosticReport and ServiceRequest (guide: OBR[DiagnosticReport], OBR[ServiceRequest])."""

from __future__ import annotations

from typing import Final

from ..across import Moment
from ..datatypes.coded import Concept, meant
from ..datatypes.entities import NamedThing, names_by_number
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XTN_CONTACTPOINT
from ..datatypes.primitives import date_time, instant
from ..datatypes.references import practitioner
from ..datatypes.roles import ndl_practitioner_role
from ..fields import Field, One
from ..lens import At
from ..places import Json
from ..units import Around
from .clinical_time import ClinicalTime
from .orc import ALTERNATE_NUMBER, CALL_BACK, SECONDARY
from .ordering import Ordered, RequesterPerson
from .rows import PARTICIPATION, SD, UNKNOWN, V2, Constant, concept, concepts, refers_to, type_of, value
from .statuses import INTENT, status_code
from .tq1 import PRIORITY, OldTiming, RequestedTime

SUPPORTING_INFO = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ServiceRequest.supportingInfo"

OBR_NUMBERS = (
    Field("OBR-2", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), key=("system",), most=1),
    Field("OBR-3", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), key=("system",), most=1),
)


_WHO = ndl_practitioner_role("")


def _performer(at: str, code: str) -> Field:
    """NDL <-> a performer in one function."""
    function = {"coding": [{"system": PARTICIPATION, "code": code}]}
    tag = {"extension": [{"url": SD + "event-performerFunction", "valueCodeableConcept": function}]}
    return Field(at, "performer", _WHO, tag=tag, shared=True)


OBR_DIAGNOSTICREPORT = (
    *OBR_NUMBERS,
    concept("OBR-4", "code"),
    Moment("OBR", 7, 8, "effective", date_time),
    value("OBR-22", "issued", instant),
    concepts("OBR-24", "category", "HL70074"),
    One("OBR-25", "", (status_code("HL70123"),)),
    Field("OBR-32", "resultsInterpreter", _WHO, only=refers_to("PractitionerRole"), most=1),
    _performer("OBR-34", "SPRF"),
    _performer("OBR-35", "TRANS"),
)

_COMMON = (
    *OBR_NUMBERS,
    concept("OBR-4", "code"),
    One("OBR-5", "", (PRIORITY,), secondary=True),
    One("OBR-6", "", (RequestedTime(),)),
    One("OBR-11", "", (INTENT,)),
    Field(
        "OBR-13",
        "extension",
        (At("extension.0", (At("valueCodeableConcept", (Concept(),)), Constant({"url": "concept"}))),),
        tag={"url": SUPPORTING_INFO},
    ),
    One("OBR-16", "", (RequesterPerson(),), secondary=True),
    Field("OBR-17", "extension", (At("valueContactPoint", XTN_CONTACTPOINT),), tag={"url": CALL_BACK}),
    OldTiming("OBR", 27),
    Field(
        "OBR-29",
        "basedOn",
        (NamedThing("ServiceRequest", points=True),),
        only=names_by_number("ServiceRequest"),
        most=1,
    ),
    concepts("OBR-31", "reasonCode"),
    concepts("OBR-46", "orderDetail"),
    concepts("OBR-47", "orderDetail"),
    Field("OBR-53", "identifier", ALTERNATE_NUMBER, tag=SECONDARY, key=("system",)),
)

OBR_SERVICEREQUEST = _COMMON
"""What a report answers."""

OBR_ORDER = (*_COMMON, concepts("OBR-24", "category", "HL70074"), ClinicalTime())
"""An order: the section that is to do it is the order's category, for there is no report yet."""

OBR_REQUESTER = (One("OBR-16", "", (Ordered(),), secondary=True),)


OF_COPIES: Final = [{"coding": [{"system": V2 + "0912", "code": "RCT"}]}]
COPIES = Field("OBR-28", "recipient", practitioner(""), only=refers_to("Practitioner"), shared=True)
"""Who is to have a copy of the results, of whom PRT may say more (HL7 v2.5.1 ch. 4.5.3.28)."""


def asks_for_copies(request: Json) -> bool:
    """Whether a CommunicationRequest is for copies of results."""
    return request.get("category") == OF_COPIES


def complete_order(node: Json, around: Around) -> None:
    """The details of a service have a code to stand beside (FHIR R4 invariant prr-1).

    The numbers that an order is known by come first, the placer's before the filler's; alternate numbers and
    that of its group stand behind them, wherever ORC and OBR had them.
    """
    in_order(node, around)
    if "orderDetail" in node and "code" not in node:
        node["code"] = dict(UNKNOWN)


def in_order(node: Json, around: Around) -> None:
    """The numbers of a report stand as those of its order do."""
    if len(node.get("identifier", ())) > 1:
        node["identifier"].sort(key=_rank)


_RANKS: Final = {"PLAC": 0, "FILL": 1}


def _rank(identifier: Json) -> int:
    return 2 if identifier.get("use") == SECONDARY["use"] else _RANKS.get(_type(identifier), 3)


def previous(node: Json, around: Around) -> None:
    """Previous results (ORC-1 ``PR``) do not belong to the visit of this message (HL7 v2.5.1 ch. 4.4.6)."""
    in_order(node, around)
    if around.value("ORC-1") == "PR":
        node.pop("encounter", None)


def complete_request(node: Json, around: Around) -> None:
    """What follows for an order from what it says."""
    complete_order(node, around)
    previous(node, around)


def no_report(node: Json) -> bool:
    """An order has a report where its status or its time is said, or who made it (OBR-22, 25, 32, 34, 35)."""
    return not node.keys() & {"status", "issued", "resultsInterpreter", "performer"}


def _numbers(node: Json) -> str:
    found: dict[str, str] = {}
    for one in node.get("identifier", ()):
        found.setdefault(_type(one), f"{one.get('system', '')}|{one.get('value', '')}")
    return found.get("FILL") or found.get("PLAC", "")


def _type(identifier: Json) -> str:
    return str((identifier.get("type", {}).get("coding") or [{}])[0].get("code", ""))


def identity(node: Json, around: Around) -> str:
    """The filler's number, else the placer's, with the service (there may be several); else the message."""
    what = meant(node.get("code"))
    number = _numbers(node)
    whose = number or f"{around.parent('patient')}|{around.message_key}"
    return f"{whose}|{what}"
