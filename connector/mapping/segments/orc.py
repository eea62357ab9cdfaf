"""ORC <-> ServiceRequest and DiagnosticReport (guide: ORC[ServiceRequest], ORC[DiagnosticReport])."""

from __future__ import annotations

from collections.abc import Callable

from ..datatypes.coded import Concept, OneCoding
from ..datatypes.entities import NamedThing, names_by_number
from ..datatypes.identifiers import CX_IDENTIFIER, EI_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XTN_CONTACTPOINT
from ..datatypes.references import organization
from ..fields import Field, One
from ..lens import At
from ..places import Json
from ..scope import Resources
from .further import Further
from .ordering import GroupNumber, Ordered, OrderState, RequesterPerson
from .rows import SD, concepts, extension, type_of
from .tq1 import OldTiming

CALL_BACK = SD + "servicerequest-order-callback-phone-number"
SECONDARY = {**type_of("PLAC"), "use": "secondary"}
ALTERNATE_NUMBER = tuple(row for row in CX_IDENTIFIER if getattr(row, "path", "") != "type")
"""A CX whose kind is known by its place: what CX.5 says of it stays unsaid."""


def _at_an_address(path: str) -> Callable[[Json, Resources], bool]:
    """Whether the person has an address: ORC-24 is that of ORC-12."""
    return lambda node, resources: "address" in (resources.resolve(node.get(path)) or {})


ORC_NUMBERS = (
    Field("ORC-2", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), key=("system",), most=1),
    Field("ORC-3", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), key=("system",), most=1),
)

ORC_SECURITY = Field("ORC-28", "meta.security", (OneCoding("HL70177"),), most=1)

ORC_ORDER = (
    One("ORC-4", "", (GroupNumber(),)),
    OrderState(),
    OldTiming("ORC", 7),
    Field(
        "ORC-8",
        "basedOn",
        (NamedThing("ServiceRequest", points=True),),
        only=names_by_number("ServiceRequest"),
    ),
    One("ORC-12", "", (RequesterPerson(),), secondary=True, first=_at_an_address("requester")),
    Field("ORC-14", "extension", (At("valueContactPoint", XTN_CONTACTPOINT),), tag={"url": CALL_BACK}),
    extension("ORC-16", SD + "request-statusReason", "valueCodeableConcept", Concept()),
    Further("ORC", 24, "requester", "address", XAD_ADDRESS),
    ORC_SECURITY,
    concepts("ORC-29", "locationCode", "HL70482"),
    Field("ORC-33", "identifier", ALTERNATE_NUMBER, tag=SECONDARY, key=("system",)),
    Field("ORC-38", "identifier", EI_IDENTIFIER, tag=type_of("FGN"), most=1),
)

ORC_SERVICEREQUEST = (*ORC_NUMBERS, *ORC_ORDER)

ORC_REQUESTER = (
    One("ORC-12", "", (Ordered(),), secondary=True, first=_at_an_address("practitioner")),
    One("ORC-21", "", organization("organization")),
    Further("ORC", 24, "practitioner", "address", XAD_ADDRESS),
    Further("ORC", 22, "organization", "address", XAD_ADDRESS, use="7"),
    Further("ORC", 23, "organization", "telecom", XTN_CONTACTPOINT, use="2"),
)
"""Who orders, where a facility is named too: ``requester`` is a PractitionerRole then."""
