"""OBX <-> Observation (guide: OBX[Observation], OBX[Observation-Component])."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import ALTERNATE, Concept, first_coding, meant
from ..datatypes.coded_organization import coded_organization
from ..datatypes.coded_roles import coded_role
from ..datatypes.entities import GROUP_NUMBERS, NamedThing
from ..datatypes.identifiers import EI_IDENTIFIER, Extension
from ..datatypes.observed import ObservedValue
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.primitives import date_time, decimal, raw_code
from ..datatypes.references import Refer, identified, organization, practitioner
from ..datatypes.roles import Guarded, is_director
from ..fields import BoundOne, Field, One
from ..lens import At, Item
from ..partner import Partner
from ..places import Json
from ..scope import Scope
from ..units import Around
from .devices import is_bare_device
from .further import Further
from .rows import (
    SD,
    UNKNOWN,
    V2,
    Constant,
    coded_in,
    concept,
    concepts,
    extension_value,
    refers_to,
    type_of,
    value,
)
from .statuses import status_code

_SUB_ID = SD + "observation-v2-subid"
_TYPE, _SUB_TYPE = V2 + "0936", V2 + "0937"


@dataclass(frozen=True, slots=True)
class AbsentReason:
    """OBX-32 <-> ``dataAbsentReason``, where OBX-5 has no value (FHIR R4 invariant obs-6)."""

    def compile(self, partner: Partner) -> _AbsentReason:
        return _AbsentReason(One("OBX-32", "dataAbsentReason", (Concept(),)).compile(partner))


class _AbsentReason:
    __slots__ = ("elements", "field", "numbers", "segment")

    def __init__(self, field: BoundOne) -> None:
        self.segment = "OBX"
        self.numbers = (32,)
        self.elements = frozenset({"dataAbsentReason"})
        self.field = field

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, 32)
        if not text:
            return None
        if sent(segment, 5):
            return ["32"]
        return [f"32{rest}" for rest in self.field.take(text, node, scope) or ()]

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if not sent(segment, 5) and not _follows(target):
            self.field.put(target, {} if _follows(base) else base, segment, scope)


_DIRECTOR = (Guarded(coded_role("", V2 + "0912", "MDIR")[0], "", is_director),)
_DEVICE = Refer("Device", (At("identifier.0", EI_IDENTIFIER),), "device")


OBX_OBSERVATION = (
    ObservedValue(),
    concept("OBX-3", "code"),
    Field(
        "OBX-4",
        "extension",
        (
            Extension("1", "original-sub-identifier"),
            Extension("2", "group", "valueDecimal", codec=decimal),
            Extension("3", "sequence", "valueDecimal", codec=decimal),
            Extension("4", "identifier"),
        ),
        tag={"url": _SUB_ID},
        most=1,
    ),
    Field("OBX-7", "referenceRange", (Item("1", "text"),)),
    concepts("OBX-8", "interpretation", "HL70078"),
    Field(
        "OBX-10",
        "extension",
        (At("valueCodeableConcept", (Concept("HL70080"),)),),
        tag={"url": SD + "observation-nature-of-abnormal-test"},
    ),
    One("OBX-11", "", (status_code("HL70085"),)),
    value("OBX-14", "effectiveDateTime", date_time),
    Field("OBX-16", "performer", practitioner(""), only=refers_to("Practitioner"), shared=True),
    Field("OBX-23", "performer", organization(""), only=refers_to("Organization"), most=1, shared=True),
    Field("OBX-15", "performer", coded_organization(""), only=refers_to("Organization"), most=1, shared=True),
    Further("OBX", 24, "performer", "address", XAD_ADDRESS, "Organization", "7"),
    Field("OBX-25", "performer", _DIRECTOR, only=refers_to("PractitionerRole"), most=1),
    concept("OBX-17", "method"),
    One("OBX-18", "", (Guarded(_DEVICE, "device", is_bare_device),)),
    extension_value("OBX-19", SD + "observation-analysis-date-time", "valueDateTime", date_time),
    concept("OBX-20", "bodySite"),
    Field("OBX-21", "identifier", EI_IDENTIFIER, default=type_of("FILL"), rest=True, most=1),
    Field(
        "OBX-29",
        "category",
        (At("coding.0", (Item("1", "code", raw_code), Constant({"system": _TYPE}))),),
        only=coded_in(_TYPE),
        most=1,
    ),
    Field(
        "OBX-30",
        "extension",
        (
            At(
                "valueCodeableConcept.coding.0",
                (Item("1", "code", raw_code), Constant({"system": _SUB_TYPE})),
            ),
        ),
        tag={"url": SD + "observation-structure-type"},
        most=1,
    ),
    AbsentReason(),
    One("OBX-33", "specimen", (NamedThing("Specimen", GROUP_NUMBERS),)),
)

_NOT_ASKED = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-asked"}]
}


def _status(node: Json) -> str:
    """The v2 status that stands beside FHIR's."""
    companion = node.get("_status")
    for one in companion.get("extension") or () if isinstance(companion, dict) else ():
        if one.get("url") == ALTERNATE:
            return str(first_coding(one.get("valueCodeableConcept")).get("code", ""))
    return ""


def _follows(node: Json) -> bool:
    """Whether a reason why there is no value follows from the status."""
    return bool(_status(node) == "N" and node.get("dataAbsentReason") == _NOT_ASKED)


def complete(node: Json, around: Around) -> None:
    """What was not asked has no value for that reason (guide: OBX-11 ``N``).

    A component has the code of its observation: the same question with several answers.
    """
    for part in node.get("component", ()):
        part["code"] = node.get("code") or dict(UNKNOWN)
    if _status(node) == "N" and not has_value(node):
        node.setdefault("dataAbsentReason", {"coding": [dict(_NOT_ASKED["coding"][0])]})


def has_value(node: Json) -> bool:
    """Whether an observation says a value."""
    return "component" in node or any(name.startswith("value") for name in node)


def identity(node: Json, around: Around) -> str:
    """The instance identifier (OBX-21), else report, code and sub-id; without a report, the time."""
    if known := identified(node):
        return known
    what = meant(node.get("code"))
    visit = around.parent("visit") or around.parent("patient")
    whose = around.parent("order") or f"{visit}|{node.get('effectiveDateTime') or around.message_key}"
    return f"{whose}|{what}|{_sub_id(node)}"


def _sub_id(node: Json) -> str:
    """The whole of OBX-4, part by part."""
    parts = next(
        (one.get("extension", ()) for one in node.get("extension", ()) if one.get("url") == _SUB_ID), ()
    )
    return "^".join(str(part.get("valueString", part.get("valueDecimal", ""))) for part in parts)
