"""ORC <-> what is dispensed and administered (guide: ORC[Immunization], ORC[MedicationAdministration])."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..datatypes.coded import OneCoding
from ..datatypes.coded_organization import coded_organization
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date_time, raw_code
from ..datatypes.references import organization, practitioner
from ..fields import Field
from ..lens import At, Item
from ..places import Json
from .orc import ALTERNATE_NUMBER, ORC_NUMBERS, SECONDARY
from .rows import SD, V2, Constant, refers_to, type_of

BUSINESS_EVENT = SD + "businessEvent"
PROVIDER_ROLE = V2 + "0443"


def role(code: str, display: str) -> Mapping[str, Any]:
    """The ``function`` of a performer, of table 0443."""
    return {"function": {"coding": [{"system": PROVIDER_ROLE, "code": code, "display": display}]}}


def acted_by(kind: str) -> Callable[[Json], bool]:
    """Whether a performer is a resource of this kind."""
    refers = refers_to(kind)
    return lambda node: refers(node.get("actor") or {})


ADMINISTERED_BY = Field(
    "RXA-10",
    "performer",
    practitioner("actor"),
    default=role("AP", "Administering Provider"),
    rest=True,
    only=acted_by("Practitioner"),
    shared=True,
)


def _told(part: str) -> Callable[[Json], bool]:
    """Whether a business event says what happened (``value``) or when (``date``)."""
    return lambda node: any(one.get("url") == part for one in node.get("extension") or ())


def event_time(node: Json) -> str:
    """When what ORC-1 says happened; empty where that is not said."""
    parts = (part for one in node.get("extension") or () for part in one.get("extension") or ())
    return next((str(part["valueDateTime"]) for part in parts if "valueDateTime" in part), "")


_CONTROL = (Item("1", "code", raw_code), Constant({"system": V2 + "0119"}))

ORC_EVENT = (
    Field(
        "ORC-1",
        "extension",
        (At("extension.0", (At("valueCodeableConcept.coding.0", _CONTROL), Constant({"url": "value"}))),),
        tag={"url": BUSINESS_EVENT},
        only=_told("value"),
        most=1,
    ),
    Field(
        "ORC-9",
        "extension",
        (At("extension.0", (Item("1", "valueDateTime", date_time), Constant({"url": "date"}))),),
        tag={"url": BUSINESS_EVENT},
        only=_told("date"),
        most=1,
    ),
)

ORC_IDENTIFIERS = (
    *ORC_NUMBERS,
    Field("ORC-4", "identifier", EI_IDENTIFIER, tag=type_of("PGN"), most=1),
    Field("ORC-38", "identifier", EI_IDENTIFIER, tag=type_of("FGN"), most=1),
    Field("ORC-33", "identifier", ALTERNATE_NUMBER, tag=SECONDARY, key=("system",)),
)

_ENTERED, _VERIFIED, _ORDERED = (
    role("EP", "Entering Provider (probably not the same as transcriptionist?)"),
    role("VP", "Verifying Provider"),
    role("OP", "Ordering Provider"),
)
_PERSON, _COMPANY = acted_by("Practitioner"), acted_by("Organization")

ORC_PERFORMERS = (
    Field("ORC-12", "performer", practitioner("actor"), tag=_ORDERED, only=_PERSON, shared=True),
    Field("ORC-10", "performer", practitioner("actor"), tag=_ENTERED, only=_PERSON, shared=True),
    Field("ORC-11", "performer", practitioner("actor"), tag=_VERIFIED, only=_PERSON, shared=True),
    Field("ORC-17", "performer", coded_organization("actor"), tag=_ENTERED, only=_COMPANY, most=1),
    Field("ORC-21", "performer", organization("actor"), tag=_ORDERED, only=_COMPANY),
)

ORC_SECURITY = Field("ORC-28", "meta.security", (OneCoding("HL70177"),), most=1)

ORC_IMMUNIZATION = (*ORC_EVENT, *ORC_IDENTIFIERS, *ORC_PERFORMERS, ORC_SECURITY)

ORC_GIVEN = (
    *ORC_EVENT,
    *ORC_IDENTIFIERS,
    Field("ORC-12", "performer", practitioner("actor"), tag=_ORDERED, only=_PERSON, shared=True),
    ORC_SECURITY,
)
"""Of what is dispensed or administered to fill an order (guide: ORC[MedicationAdministration])."""
