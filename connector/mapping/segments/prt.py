"""PRT <-> who or what takes part in what stands before it (HL7 v2.8.2 ch. 7.3.4; guide: maps PRT[...])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..assembly import canonical
from ..datatypes.coded import Concept
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS, XCN_IDENTIFIER, XCN_NAME, XTN_CONTACTPOINT
from ..datatypes.primitives import End, date, date_time
from ..datatypes.references import Place, identified, organization
from ..datatypes.roles import Part
from ..fields import Field, One
from ..lens import At, Bound, Codec, Item, Nested, Row, Spread, Unsaid
from ..partner import Partner
from ..places import Comps, Json
from ..scope import Scope
from ..units import Around
from .devices import EI_DEVICE, Udi
from .located import LocationAddress
from .numbered import Own, Secondary, is_licence, is_secondary
from .parties import Parties
from .preferred import Preferred
from .rows import SD, concept, concepts, value

_ENDS: Final = frozenset({"D", "DE", "UN"})
_GOES_ON: Final = frozenset({"A", "AD", "CO", "LI", "S", "U", "UC", "UP", "X"})


@dataclass(frozen=True, slots=True)
class Action:
    """An action code (tables 0206 and 0287) <-> whether the participation goes on or has ended."""

    goes_on: Any = True
    ended: Any = False

    def __call__(self, partner: Partner) -> Codec:
        def to_fhir(sent: str) -> Any:
            return self.ended if sent in _ENDS else self.goes_on if sent in _GOES_ON else None

        def to_v2(said: Any) -> str | None:
            return "DE" if said == self.ended else "AD" if said == self.goes_on else None

        return Codec(to_fhir, to_v2, strict=True)


@dataclass(frozen=True, slots=True)
class Implied:
    """A part of table 0912 that follows from where the element stands, and needs none of its own."""

    code: str

    def compile(self, partner: Partner) -> Bound:
        known = {1: (self.code,), 3: ("HL70912", "HL70443")}

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            found = [(n, text) for n, text in enumerate(comps, 1) if text and text != '""']
            return [str(n) for n, text in found if text not in known.get(n, ())] or None

        return Bound(lambda target, base, comps, scope: None, whole=get, reads=frozenset(range(22)))


PLN_IDENTIFIER: tuple[Row, ...] = (
    Item("1", "value"),
    At("type", (Nested("2", (Concept("HL70338"),)),)),
    At("period", (End("4", date),)),
)
"""PLN <-> Identifier (guide: PLN[Identifier])."""

_SUFFIX: Final = Spread(("5", "7", "21"), "suffix")

XCN_RELATEDPERSON: tuple[Row, ...] = (
    Own(At("identifier.0", XCN_IDENTIFIER)),
    At("name.0", tuple(_SUFFIX if getattr(row, "path", "") == "suffix" else row for row in XCN_NAME)),
)
"""XCN <-> RelatedPerson (guide: XCN[RelatedPerson]); a degree is a suffix of the name."""

PRT_PRACTITIONERROLE = (
    Field("PRT-1", "identifier", EI_IDENTIFIER, most=1),
    value("PRT-2", "active", Action()),
    Parties("PRT", person=5, organization=8, sort=7, address=14),
    concepts("PRT-6", "specialty"),
    One("PRT-9", "", (Place("location.0"),)),
    Field("PRT-15", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    Preferred("PRT", 23),
    Field("PRT-24", "identifier", PLN_IDENTIFIER, rest=True),
)
"""What every participation of a person or an organization says (guide: PRT[PractitionerRole])."""

PRT_CODE = (Field("PRT-4", "code", (Part("HL70912"),), most=1),)
PRT_PERIOD = (value("PRT-11", "period.start", date_time), One("PRT-12", "", (End("1", date_time, "period"),)))


def part(element: str) -> tuple[Field | One, ...]:
    """PRT-4 <-> the part somebody takes, where the element that refers to them says it."""
    return (One("PRT-4", element, (Part("HL70443"),)),)


def parts(element: str) -> tuple[Field | One, ...]:
    """The same for an element that says it in a list."""
    return (Field("PRT-4", element, (Part("HL70443"),), most=1),)


PRT_RELATEDPERSON = (
    value("PRT-2", "active", Action()),
    Field("PRT-4", "relationship", (Concept("HL70063"),), most=1),
    One("PRT-5", "", XCN_RELATEDPERSON),
    *PRT_PERIOD,
    Field("PRT-14", "address", XAD_ADDRESS, rest=True, key=("use", "type")),
    Field("PRT-15", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    Preferred("PRT", 23),
    Secondary("PRT", 1, EI_IDENTIFIER, lambda one: not is_licence(one)),
    Secondary("PRT", 24, PLN_IDENTIFIER, is_licence),
)
"""Guide: PRT[RelatedPerson]."""


def only_takes_part(relative: Json) -> bool:
    """Whether PRT or ROL says a relative: NK1 has no word for one who is none any more, nor such numbers."""
    return "active" in relative or any(map(is_secondary, relative.get("identifier", ())))


PRT_DEVICE = (
    One("PRT-4", "", (Implied("EQUIP"),)),
    value("PRT-2", "status", Action("active", "inactive")),
    One("PRT-8", "", organization("owner")),
    One("PRT-9", "", (Place("location"),)),
    One("PRT-10", "", (Udi("udiCarrier.0.carrierHRF"),)),
    Field("PRT-10", "identifier", EI_DEVICE),
    Field("PRT-15", "contact", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    value("PRT-16", "udiCarrier.0.deviceIdentifier"),
    value("PRT-17", "manufactureDate", date_time),
    value("PRT-18", "expirationDate", date_time),
    value("PRT-19", "lotNumber"),
    value("PRT-20", "serialNumber"),
    value("PRT-21", "distinctIdentifier"),
    concept("PRT-22", "type"),
)
"""Guide: PRT[Device]."""

PRT_PLACE = (
    One("PRT-4", "", (Implied("OS"),)),
    LocationAddress("PRT", place=9, address=14, path="valueReference"),
)
"""Guide: PRT[Observation-Location]; one Location holds both."""

EVENT_LOCATION: Final = SD + "event-location"


def device_identity(node: Json, around: Around) -> str:
    """Its identifier or serial number; else what is known of it, in this message."""
    if known := identified(node):
        return known
    carrier = (node.get("udiCarrier") or [{}])[0]
    words = (
        carrier.get("carrierHRF") or carrier.get("deviceIdentifier", ""),
        node.get("serialNumber", ""),
        node.get("distinctIdentifier", ""),
    )
    return "|".join(words) if any(words) else f"{around.message_key}|{canonical(node)}"


def nobody(role: Json) -> bool:
    """Whether a role is nobody's."""
    return not role.keys() & {"practitioner", "organization"}


def unnamed(relative: Json) -> bool:
    """Whether nothing tells who a relative is."""
    numbers = (one for one in relative.get("identifier", ()) if not is_secondary(one))
    return "name" not in relative and not any(one.get("value") for one in numbers)


def unknown_device(device: Json) -> bool:
    """Whether nothing tells a device from others."""
    known = {"udiCarrier", "lotNumber", "serialNumber", "distinctIdentifier", "type"}
    return not device.keys() & known and not identified(device)


# --- which of them a segment is

REQUESTER: Final = ("OP",)
"""The parts of a request and of a report (guide: message map ORU_R01, COMMON_ORDER and ORDER_OBSERVATION)."""
INTERPRETERS: Final = ("PRI", "PI")
PERFORMERS: Final = ("RO", "ARI", "AI", "TN", "TR", "PO", "POMD", "OS", "AP", "VP")
COPIES: Final = ("RCT",)
_RELATIONSHIPS: Final = frozenset({"HL70063", "HL70131"})
_PARTS: Final = ("", "HL70443", "HL70912")
Says = Callable[[Segment], bool]


def is_device(segment: Segment) -> bool:
    """Whether a device takes part."""
    return any(sent(segment, number) for number in (10, 16, *range(19, 23)))


def is_party(segment: Segment) -> bool:
    """Whether a person or an organization takes part."""
    return not is_device(segment) and bool(sent(segment, 5) or sent(segment, 8))


def is_place(segment: Segment) -> bool:
    """Whether it says no more than where (guide: message map ORU_R01, PRT-9 or PRT-14 valued)."""
    return not is_device(segment) and not is_party(segment) and bool(sent(segment, 9) or sent(segment, 14))


def role(segment: Segment, number: int = 4) -> tuple[str, str]:
    """The code of the part somebody takes, and its coding system."""
    comps = sent(segment, number).split(segment.delimiters.component)
    return comps[0], comps[2] if len(comps) > 2 else ""


def is_related(segment: Segment, number: int = 4) -> bool:
    """Whether the part is a relationship to the patient."""
    return role(segment, number)[1] in _RELATIONSHIPS


def is_one_of(*codes: str) -> Says:
    """Whether a person or an organization takes a part with one of these codes."""
    wanted = {(code, table) for code in codes for table in _PARTS}
    return lambda segment: is_party(segment) and role(segment) in wanted


def is_practitioner(segment: Segment) -> bool:
    """Whether the primary care provider takes part."""
    return is_party(segment) and role(segment)[0] == "PP"


def is_care_team(segment: Segment) -> bool:
    """Whether another member of the care team takes part."""
    return is_party(segment) and role(segment)[0] != "PP" and not is_related(segment)


def is_relative(segment: Segment) -> bool:
    """Whether a relative takes part."""
    return is_party(segment) and bool(sent(segment, 5)) and is_related(segment)
