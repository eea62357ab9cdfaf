"""ORC <-> Provenance: who entered, verified and asked for an order (guide: ORC[Provenance])."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..datatypes.coded_organization import coded_organization, coding_system
from ..datatypes.primitives import instant
from ..datatypes.references import Refer, practitioner
from ..fields import Field
from ..lens import At, Item, Row
from ..places import Json
from ..units import Around
from .rows import Constant, absent, value

_KINDS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_ACTIVITIES: Mapping[str, str] = {"NW": "CREATE", "SC": "UPDATE", "OC": "CANCEL", "CA": "CANCEL"}


_DEVICE: tuple[Row, ...] = (
    Item("1", "identifier.0.value"),
    At("deviceName.0", (Item("2", "name"), Constant({"type": "user-friendly-name"}))),
    Item("3", "identifier.0.system", coding_system),
)


def _who(kind: str) -> Callable[[Json], bool]:
    """Whether an agent is a resource of this kind."""
    return lambda agent: str(agent.get("who", {}).get("reference", "")).startswith(kind + "/")


def _agent(at: str, kind: str, rows: tuple[Row, ...], who: str) -> Field:
    """A field <-> the agents of one sort."""
    tag = {"type": {"coding": [{"system": _KINDS, "code": kind}]}} if kind else {}
    return Field(at, "agent", rows, tag=tag, only=_who(who), shared=True)


ORC_PROVENANCE = (
    value("ORC-9", "recorded", instant),
    _agent("ORC-10", "enterer", practitioner("who"), "Practitioner"),
    _agent("ORC-11", "verifier", practitioner("who"), "Practitioner"),
    _agent("ORC-12", "author", practitioner("who"), "Practitioner"),
    _agent("ORC-17", "enterer", coded_organization("who"), "Organization"),
    _agent("ORC-18", "", (Refer("Device", _DEVICE, "who"),), "Device"),
    _agent("ORC-19", "performer", practitioner("who"), "Practitioner"),
)


def complete(node: Json, around: Around) -> None:
    """``activity`` follows from the order control; ``recorded`` is required."""
    if code := _ACTIVITIES.get(around.value("ORC-1")):
        node["activity"] = {"coding": [{"system": _OPERATIONS, "code": code}]}
    absent(node, "recorded")


def identity(node: Json, around: Around) -> str:
    """What was done to an order in this message."""
    return f"{around.message_key}|{node['target'][0]['reference']}"
