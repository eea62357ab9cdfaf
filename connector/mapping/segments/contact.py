"""NK1 <-> a contact of the Patient: an employer, an agency, who to call (guide: NK1[Patient])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import sent as said
from ..datatypes.coded import Concept
from ..datatypes.people import XAD_ADDRESS, XON_ORGANIZATION, XPN_HUMANNAME, XTN_CONTACTPOINT
from ..datatypes.primitives import End, date_time
from ..datatypes.references import named
from ..fields import BoundOne, Field, One
from ..partner import Partner
from ..places import Json, same
from ..scope import Scope
from ..units import Around
from .rows import gender, value

CONTACTS: Final = frozenset({"EMR", "E", "F", "I", "S", "EMC", "C"})
"""The relationships (NK1-3) of who is no relative: employer, agencies, insurer; and the emergency contact."""

_ROLES: Final = "HL70131"  # the contact roles, which Patient.contact is bound to


def is_contact(segment: Segment) -> bool:
    """Whether an associated party is one that Patient.contact stands for."""
    comps = segment.field(3).split(segment.delimiters.component, 3)
    system = comps[2] if len(comps) > 2 else ""
    return system == _ROLES or (comps[0] in CONTACTS and system in ("", "HL70063"))


@dataclass(frozen=True, slots=True)
class Employer:
    """NK1-13 and NK1-30 to NK1-32 <-> ``organization``, and whom to turn to there."""

    def compile(self, partner: Partner) -> _Employer:
        rows = (
            One("NK1-13", "", XON_ORGANIZATION),
            One("NK1-30", "contact.0.name", XPN_HUMANNAME),
            One("NK1-31", "contact.0.telecom.0", XTN_CONTACTPOINT),
            One("NK1-32", "contact.0.address", XAD_ADDRESS),
        )
        return _Employer([row.compile(partner) for row in rows])


class _Employer:
    segment = "NK1"
    numbers = (13, 30, 31, 32)
    elements = frozenset({"organization"})

    def __init__(self, rows: list[BoundOne]) -> None:
        self._rows = rows

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        texts = [said(segment, number) for number in self.numbers]
        if not any(texts):
            return None
        unsaid: list[str] = []
        resource: Json = {"resourceType": "Organization"}
        for row, text in zip(self._rows, texts):
            if text and len(resource) == 1 and row.number != 13:
                unsaid.append(str(row.number))  # nobody to be the contact of
            elif text:
                unsaid += [f"{row.number}{rest}" for rest in row.take(text, resource, scope) or ()]
        if len(resource) > 1:
            reference = scope.refer("Organization", named(resource), resource, scope.owner)
            node["organization"] = {"reference": reference}
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now = scope.target.resolve(target.get("organization")) or {}
        before = scope.base.resolve(base.get("organization")) or {}
        if same(now, before):
            return
        for row in self._rows:
            row.put(now, before, segment, scope)


NK1_CONTACT = (
    One("NK1-2", "name", XPN_HUMANNAME),
    Field("NK1-3", "relationship", (Concept("HL70063"),), most=1),
    One("NK1-4", "address", XAD_ADDRESS),
    Field("NK1-5", "telecom", XTN_CONTACTPOINT, rest=True, key=("system", "use")),
    Field("NK1-6", "telecom", XTN_CONTACTPOINT, default={"use": "work"}, key=("system", "use")),
    Field("NK1-40", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("NK1-41", "telecom", XTN_CONTACTPOINT, key=("system", "use")),
    Field("NK1-7", "relationship", (Concept("HL70131"),), most=1),
    value("NK1-8", "period.start", date_time),
    One("NK1-9", "", (End("1", date_time, "period"),)),
    gender("NK1-15"),
    Employer(),
)


def complete(node: Json, around: Around) -> None:
    """A contact has details or an organization (FHIR R4 invariant pat-1); of any other nothing is said."""
    if not node.keys() & {"name", "telecom", "address", "organization"}:
        node.clear()
