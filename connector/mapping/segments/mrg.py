"""MRG <-> the Patient, Account and Encounter that are retired (HL7 v2.5.1 ch. 3.4.10, 3.6.2).

MRG names what was known under other identifiers until now. A patient is retired as FHIR retires one:
``active`` is false and ``link`` says who takes its place. Accounts and visits have no such link; their
identifiers are old. Guide: MRG[Account].
"""

from __future__ import annotations

from typing import Any, Final

from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import XPN_HUMANNAME
from ..fields import Field
from ..places import Json, includes
from ..units import Around
from .rows import UNKNOWN, type_of

REPLACED_BY: Final = {"type": "replaced-by"}
_OLD: Final = {"use": "old"}

MRG_PATIENT = (
    Field("MRG-1", "identifier", CX_IDENTIFIER, rest=True, key=("system", "type")),
    Field("MRG-4", "identifier", CX_IDENTIFIER, most=1, key=("system",)),
    Field("MRG-2", "identifier", CX_IDENTIFIER, key=("system",)),
    Field("MRG-7", "name", XPN_HUMANNAME, rest=True, key=("use",)),
)
MRG_ACCOUNT = (Field("MRG-3", "identifier", CX_IDENTIFIER, tag=_OLD, key=("system",)),)
MRG_ENCOUNTER = (
    Field("MRG-5", "identifier", CX_IDENTIFIER, tag=_OLD, default=type_of("VN"), most=1, key=("system",)),
    Field("MRG-6", "identifier", CX_IDENTIFIER, tag=_OLD, key=("system", "type")),
)

# A patient's stay that goes on under another number ends; a visit filed under a wrong number never was one.
_GOES_ON: Final = ("A06", "A07")


def retire_patient(node: Json, around: Around) -> None:
    """A record in whose place another one stands is active no longer."""
    if _numbers(node):
        node["active"] = False


def retire_account(node: Json, around: Around) -> None:
    """Without its number (MRG-3) it is no account."""
    if not _numbers(node):
        node.pop("subject", None)


def retire_visit(node: Json, around: Around) -> None:
    """The visit of a number that is used no longer; without that number (MRG-5) it is no visit of its own."""
    if around.value("MRG-5.1") not in _numbers(node):
        node.pop("subject", None)
    node["status"] = "finished" if around.value("MSH-9.2") in _GOES_ON else "entered-in-error"
    node["class"] = dict(UNKNOWN)


def is_retired(resource: Json) -> bool:
    """Whether a resource is one that MRG speaks of."""
    if resource.get("resourceType") == "Patient":
        return any(includes(one, REPLACED_BY) for one in _objects(resource.get("link")))
    named = _objects(resource.get("identifier"))
    return bool(named) and all(includes(one, _OLD) for one in named)


def is_current(resource: Json) -> bool:
    """Whether PID and PV1 speak of a resource."""
    return not is_retired(resource)


def says_no_more(node: Json, there: Json, around: Around) -> bool:
    """Whether MRG says nothing of a patient, account or visit but what PID or PV1 before it says."""
    if node["resourceType"] == "Patient":
        mine = around.parent("patient") == f"Patient/{there['id']}"
    else:
        mine = "subject" in node and node["subject"] == there.get("subject")
    if not mine:
        return False
    known = _objects(there.get("identifier"))
    for one in _objects(node.get("identifier")):
        said = {name: value for name, value in one.items() if name != "use"}
        if not any(includes(other, said) for other in known):
            return False
    return "name" not in node or includes(there.get("name"), node["name"])


def _numbers(node: Json) -> list[str]:
    return [one["value"] for one in node.get("identifier", ()) if "value" in one]


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
