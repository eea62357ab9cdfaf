"""Message types: the structure of an event (table 0354), and the event that fits a set of resources."""

from __future__ import annotations

from collections.abc import Mapping

from ..places import Json

_STRUCTURES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ADT": {
        "ADT_A01": ("A01", "A04", "A08", "A13"),
        "ADT_A02": ("A02",),
        "ADT_A03": ("A03",),
        "ADT_A05": ("A05", "A14", "A28", "A31"),
        "ADT_A09": ("A09", "A10", "A11"),
        "ADT_A12": ("A12",),
    },
    "ORU": {"ORU_R01": ("R01",)},
}
_STRUCTURE_OF = {
    (code, event): structure
    for code, structures in _STRUCTURES.items()
    for structure, events in structures.items()
    for event in events
}


def structure_of(code: str, event: str) -> str:
    """The message structure (MSH-9.3) of an event (HL7 v2.5.1 table 0354)."""
    return _STRUCTURE_OF.get((code, event), f"{code}_{event}")


def known_messages() -> frozenset[str]:
    """The messages that have a map: ``ADT^A01``."""
    return frozenset(f"{code}^{event}" for code, event in _STRUCTURE_OF)


def code_of(event: str) -> str:
    """The message code (MSH-9.1) of a trigger event: ``ORU`` for ``R01``."""
    return next((code for code, named in _STRUCTURE_OF if named == event), "ADT")


def event_of(resources: Mapping[str, Json], prior: bool) -> str:
    """The event that MessageHeader names; else, without a prior message, the one that fits the resources."""
    kinds = {resource["resourceType"] for resource in resources.values()}
    for resource in resources.values():
        if resource["resourceType"] == "MessageHeader":
            display = str(resource.get("eventCoding", {}).get("display", ""))
            if display.count("^"):
                return "^".join(display.split("^")[:2])
    if prior:
        return ""
    if kinds & {"DiagnosticReport", "Observation"}:
        return "ORU^R01"
    return "ADT^A08" if "Encounter" in kinds else "ADT^A31"
