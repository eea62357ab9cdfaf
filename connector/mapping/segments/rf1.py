"""RF1 <-> ServiceRequest, PRD <-> PractitionerRole (HL7 v2.5.1 ch. 11.6; the guide has no maps)."""

from __future__ import annotations

from typing import Final

from ...hl7v2.tree import Segment
from ..across import Moment
from ..datatypes.coded import Concept
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.kept import Kept
from ..datatypes.people import XAD_ADDRESS, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..datatypes.primitives import Code, IdentifierType, date, date_time
from ..datatypes.references import Place, identified
from ..fields import Field, One
from ..lens import At, Item
from ..places import Json
from ..units import Around
from .rows import UNKNOWN, V2, coded_in, concepts, type_of, value

RF1_SERVICEREQUEST = (
    One("RF1-1", "", (Kept(Item("1", "status", Code("HL70283")), "HL70283", under="_status"),)),
    value("RF1-2", "priority", Code("HL70280")),
    Field("RF1-3", "category", (Concept("HL70281"),), most=1, prefers=coded_in(V2 + "0281")),
    concepts("RF1-4", "orderDetail"),
    Field("RF1-5", "category", (Concept("HL70284"),), most=1, prefers=coded_in(V2 + "0284")),
    Field("RF1-6", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), most=1),
    Moment("RF1", 7, 8, "occurrence", date_time),
    value("RF1-9", "authoredOn", date_time),
    concepts("RF1-10", "reasonCode"),
    Field("RF1-11", "identifier", EI_IDENTIFIER, tag=type_of("FILL")),
)

PRD_PRACTITIONERROLE = (
    concepts("PRD-1", "code", "HL70286"),
    One("PRD-4", "", (Place("location.0"),)),
    value("PRD-8", "period.start", date_time),
    value("PRD-9", "period.end", date_time),
)

# PLN is an identifier, its type, its state and its end (guide: PLN[Identifier]).
_PLN: Final = (
    Item("1", "value"),
    Item("2", "type", IdentifierType()),
    At("period", (Item("4", "end", date),)),
)

PRD_PRACTITIONER = (
    Field("PRD-2", "name", XPN_HUMANNAME, key=("use",)),
    Field("PRD-3", "address", XAD_ADDRESS, key=("use",)),
    Field("PRD-5", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("PRD-7", "identifier", _PLN),
)


def complete(node: Json, around: Around) -> None:
    """The details of a service have a code to stand beside (FHIR R4 invariant prr-1)."""
    if "orderDetail" in node:
        node["code"] = dict(UNKNOWN)


def identity(node: Json, around: Around) -> str:
    """The referral's number, else whose, in this message."""
    return identified(node) or f"{around.parent('patient')}|{around.message_key}"


def is_referring(segment: Segment) -> bool:
    """Whether PRD speaks of who refers, and not of who is to see the patient alone."""
    of = segment.delimiters
    return any(each.split(of.component)[0] == "RP" for each in segment.field(1).split(of.repetition))


def refers(node: Json) -> bool:
    """Whether a role is that of who refers."""
    found = (one for code in node.get("code", ()) for one in code.get("coding", ())[:1])
    return is_named(node) and any(one.get("code") == "RP" for one in found)


def is_named(node: Json) -> bool:
    """Whether a role is one that a referral names."""
    return node.get("active") is True


def role_identity(node: Json, around: Around) -> str:
    """Who, in which message: a role is what a referral says of somebody."""
    who = node.get("practitioner", {}).get("reference", "")
    return f"{who}|{around.message_key}|{node.get('code', '')}"


def person_identity(node: Json, around: Around) -> str:
    """The provider's identifier, else the message and all the names."""
    return identified(node) or f"{around.message_key}|{node.get('name', '')}"
