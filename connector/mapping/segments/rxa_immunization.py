"""RXA and RXR <-> Immunization (guide: RXA[Immunization], RXR[Immunization])."""

from __future__ import annotations

from typing import Any

from ..datatypes.amounts import Measured
from ..datatypes.coded import meant
from ..datatypes.coded_organization import coded_organization
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date, date_time
from ..datatypes.references import identified
from ..fields import Field, One
from ..lens import Item
from ..places import Json, same
from ..units import Around
from . import obx
from .orc_medication import ADMINISTERED_BY, event_time
from .rows import UNKNOWN, concept, concepts, value
from .rxa_place import GivenAt
from .rxa_report import Administered, Reported, Usual

RXA_IMMUNIZATION = (
    Usual("RXA", 1, "0"),
    Usual("RXA", 2, "1"),
    value("RXA-3", "occurrenceDateTime", date_time),
    One("RXA-4", "", (Item("1", "occurrenceDateTime", date_time, agrees=True),)),
    concept("RXA-5", "vaccineCode"),
    Measured("RXA", 6, 7, "doseQuantity", unknown="999"),
    Reported(),
    ADMINISTERED_BY,
    GivenAt(),
    value("RXA-15", "lotNumber"),
    value("RXA-16", "expirationDate", date),
    One("RXA-17", "", coded_organization("manufacturer"), shared=True),
    concept("RXA-18", "statusReason"),
    concepts("RXA-19", "reasonCode"),
    Administered(),
    value("RXA-22", "recorded", date_time),
    Field("RXA-29", "identifier", EI_IDENTIFIER, rest=True),
)

RXR_IMMUNIZATION = (
    concept("RXR-1", "route", "HL70162"),
    concept("RXR-2", "site", "HL70163"),
)

# What an order's status says of the administration that RXA-20 is silent of (table 0038).
_BY_ORDER = {"CA": "not-done", "DC": "not-done", "ER": "entered-in-error"}


def complete(node: Json, around: Around) -> None:
    """``status``, ``vaccineCode`` and ``occurrence`` are required; ORC-9 stands in for RXA-22."""
    node.setdefault("status", _BY_ORDER.get(around.value("ORC-5"), "completed"))
    node.setdefault("vaccineCode", dict(UNKNOWN))
    if "occurrenceDateTime" not in node:
        node.setdefault("occurrenceString", "unknown")
    if "recorded" not in node and (moment := event_time(node)):
        node["recorded"] = moment


_OF_THE_ORDER = {"resourceType", "identifier", "extension", "status", "patient", "encounter"}


def unless(node: Json) -> bool:
    """An order without a word of what was given when is no vaccination."""
    said = {name for name in node if name not in _OF_THE_ORDER}
    return said == {"vaccineCode", "occurrenceString"} and same(node["vaccineCode"], dict(UNKNOWN))


def identity(node: Json, around: Around) -> str:
    """The filler's number, else the placer's, with the vaccine and its day; else whose, which and when."""
    what = f"{meant(node.get('vaccineCode'))}|{node.get('occurrenceDateTime') or around.message_key}"
    return f"{_number(node) or around.parent('patient')}|{what}"


def _number(node: Json) -> str:
    found: dict[str, Any] = {}
    for one in node.get("identifier", ()):
        code = (one.get("type", {}).get("coding") or [{}])[0].get("code", "")
        found.setdefault(code, f"{one.get('system', '')}|{one.get('value', '')}")
    return str(found.get("FILL") or found.get("PLAC") or "")


def finding_identity(node: Json, around: Around) -> str:
    """An observation about a vaccination: the sub-id tells its findings apart; any other as ever."""
    whose = around.parent("immunization")
    if not whose or identified(node):
        return obx.identity(node, around)
    sub = next((one["valueString"] for one in node.get("extension", ()) if "valueString" in one), "")
    return f"{whose}|{meant(node.get('code'))}|{sub}"
