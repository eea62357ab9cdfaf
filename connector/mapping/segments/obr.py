"""OBR <-> DiagnosticReport and ServiceRequest (guide: OBR[DiagnosticReport], OBR[ServiceRequest])."""

from __future__ import annotations

from ..across import Moment
from ..datatypes.coded import meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import Code, date_time, instant
from ..datatypes.references import ndl_practitioner, practitioner
from ..fields import Field, One
from ..places import Json
from ..units import Around
from .rows import concept, concepts, refers_to, type_of, value

OBR_NUMBERS = (
    Field("OBR-2", "identifier", EI_IDENTIFIER, tag=type_of("PLAC"), key=("system",)),
    Field("OBR-3", "identifier", EI_IDENTIFIER, tag=type_of("FILL"), key=("system",)),
)

OBR_DIAGNOSTICREPORT = (
    *OBR_NUMBERS,
    concept("OBR-4", "code"),
    Moment("OBR", 7, 8, "effective", date_time),
    value("OBR-22", "issued", instant),
    concepts("OBR-24", "category", "HL70074"),
    value("OBR-25", "status", Code("HL70123")),
    Field("OBR-32", "resultsInterpreter", ndl_practitioner(), only=refers_to("Practitioner")),
)

OBR_SERVICEREQUEST = (
    *OBR_NUMBERS,
    concept("OBR-4", "code"),
    value("OBR-5", "priority", Code("HL70485")),
    One("OBR-16", "", practitioner("requester"), secondary=True),
    concepts("OBR-31", "reasonCode"),
)


def _numbers(node: Json) -> str:
    found = {
        _type(one): f"{one.get('system', '')}|{one.get('value', '')}" for one in node.get("identifier", ())
    }
    return found.get("FILL") or found.get("PLAC", "")


def _type(identifier: Json) -> str:
    return str((identifier.get("type", {}).get("coding") or [{}])[0].get("code", ""))


def identity(node: Json, around: Around) -> str:
    """The filler's number, else the placer's, with the service (there may be several); else the message."""
    what = meant(node.get("code"))
    number = _numbers(node)
    whose = number or f"{around.parent('patient')}|{around.message_key}"
    return f"{whose}|{what}"
