"""ROL <-> who has which role in what stands before it (HL7 v2.5.1 ch. 15.4.7; guide: the maps ROL[...])."""

from __future__ import annotations

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import Concept
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XTN_CONTACTPOINT
from ..datatypes.primitives import End, date_time
from ..datatypes.references import Place
from ..datatypes.roles import Part
from ..fields import Field, One
from ..places import Json
from . import prt
from .numbered import Secondary, is_licence, is_secondary
from .parties import Parties
from .rows import concepts, value

ROL_PRACTITIONERROLE = (
    Field("ROL-1", "identifier", EI_IDENTIFIER, most=1),
    value("ROL-2", "active", prt.Action()),
    Parties("ROL", person=4, organization=14, sort=10, address=11),
    concepts("ROL-9", "specialty"),
    Field("ROL-12", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    One("ROL-13", "", (Place("location.0"),)),
)
"""What every role of a person or an organization says (guide: ROL[Patient-GeneralPractitioner])."""

ROL_CODE = (Field("ROL-3", "code", (Part("HL70443"),), most=1),)
ROL_PERIOD = (value("ROL-5", "period.start", date_time), One("ROL-6", "", (End("1", date_time, "period"),)))

ROL_RELATEDPERSON = (
    Secondary("ROL", 1, EI_IDENTIFIER),
    value("ROL-2", "active", prt.Action()),
    Field("ROL-3", "relationship", (Concept("HL70063"),), most=1),
    One("ROL-4", "", prt.XCN_RELATEDPERSON),
    *ROL_PERIOD,
    Field("ROL-11", "address", XAD_ADDRESS, rest=True, key=("use", "type")),
    Field("ROL-12", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
)
"""Guide: ROL[RelatedPerson]; ROL-1 numbers the role, not the person."""


def part(element: str) -> tuple[Field | One, ...]:
    """ROL-3 <-> the part somebody takes, where the element that refers to them says it."""
    return (One("ROL-3", element, (Part("HL70443"),)),)


def parts(element: str) -> tuple[Field | One, ...]:
    """The same for an element that says it in a list."""
    return (Field("ROL-3", element, (Part("HL70443"),), most=1),)


def can_say(role: Json) -> bool:
    """Whether ROL can say a PractitionerRole as PRT does: one identifier, and nothing is preferred."""
    first = (role.get("identifier") or [{}])[0]
    plain = len(role.get("identifier", ())) < 2 and first.keys() <= {"value", "system", "assigner"}
    return plain and not _prefers(role)


def _prefers(node: Json) -> bool:
    """Whether one of the telecoms is preferred."""
    return any(
        one.get("url", "").endswith("/iso21090-preferred")
        for telecom in node.get("telecom", ())
        for one in telecom.get("extension", ())
    )


def can_say_relative(relative: Json) -> bool:
    """Whether ROL can say a relative as PRT does."""
    numbers = [one for one in relative.get("identifier", ()) if is_secondary(one)]
    plain = len(numbers) < 2 and not any(map(is_licence, numbers))
    return prt.only_takes_part(relative) and plain and not _prefers(relative)


def is_party(segment: Segment) -> bool:
    """Whether a person or an organization has a role."""
    return bool(sent(segment, 4) or sent(segment, 14))


def is_practitioner(segment: Segment) -> bool:
    """Whether it is the primary care provider (guide: message map ADT_A01, ROL-3.1 is PP)."""
    return is_party(segment) and prt.role(segment, 3)[0] == "PP"


def is_care_team(segment: Segment) -> bool:
    """Whether it is another member of the care team."""
    return is_party(segment) and prt.role(segment, 3)[0] != "PP" and not prt.is_related(segment, 3)


def is_relative(segment: Segment) -> bool:
    """Whether it is a relative."""
    return bool(sent(segment, 4)) and prt.is_related(segment, 3)
