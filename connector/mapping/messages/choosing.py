"""Which event a set of resources becomes where nobody says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from ..places import Json
from ..units import ResourceMap
from .aspects import changed
from .changes import Rule, event_for
from .events import EVENT_URN, EVENTS, code_of
from .registry import map_of

SPEAKERS: Final = (
    "DiagnosticReport",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "Immunization",
    "ChargeItem",
    "Appointment",
    "DocumentReference",
    "ServiceRequest",
    "Observation",
    "Encounter",
    "Patient",
)
"""Who speaks for what is changed together: the first of these that is there. The others ride along."""

_FOR: Final[Mapping[str, str]] = {
    "DiagnosticReport": "basedOn",
    "Observation": "basedOn",
    "MedicationDispense": "authorizingPrescription",
    "MedicationAdministration": "request",
}
"""The element by which a resource answers an order: a message about it tells of the order too."""

_UNNAMED: Final = "ADT^A31"
_EVENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")


def named_event(resources: Mapping[str, Json]) -> str:
    """The event of v2 that a MessageHeader names (``ADT^A01``); empty where there is none."""
    for header in _headers(resources):
        if display := _display(header):
            return "^".join(display.split("^")[:2])
        coding = header.get("eventCoding")
        if not isinstance(coding, dict) or coding.get("system", EVENTS) != EVENTS:
            continue
        code = coding.get("code")
        if isinstance(code, str) and _EVENT.fullmatch(code):
            return f"{code_of(code)}^{code}"
    return ""


def headed(resources: Mapping[str, Json]) -> bool:
    """Whether the message was a v2 message before: its MessageHeader names the event as the way to FHIR
    does, or, as a message whose MSH-9 is empty, not at all.
    """
    return any(
        _display(header)
        or str(header.get("eventUri")).startswith(EVENT_URN)
        or not (header.get("eventUri") or _coding(header).keys() - {"extension"})
        for header in _headers(resources)
    )


def _headers(resources: Mapping[str, Json]) -> Iterator[Json]:
    return (one for one in resources.values() if one.get("resourceType") == "MessageHeader")


def _coding(header: Json) -> Json:
    coding = header.get("eventCoding")
    return coding if isinstance(coding, dict) else {}


def _display(header: Json) -> str:
    display = _coding(header).get("display")
    return display if isinstance(display, str) and "^" in display else ""


def event_of(resources: Mapping[str, Json], table: tuple[Rule, ...]) -> str:
    """The event of resources that nothing is known of before: as if each were new.

    The first of the speakers decides. Where only things about a patient are there, the event whose
    message says the most of them.
    """
    found: dict[str, str] = {}
    for resource in resources.values():
        kind = str(resource.get("resourceType"))
        if event := event_for(table, kind, resource, None):
            if is_merged(resource):
                return event
            found.setdefault(kind, event)
    for kind in SPEAKERS[:-1]:
        if kind in found and not (kind == "ServiceRequest" and _answered(resources)):
            return found[kind]
    kinds = [str(resource.get("resourceType")) for resource in resources.values()]
    ranked = sorted(found.values(), key=lambda event: (_unsaid(event, kinds), event.startswith("ADT")))
    return ranked[0] if ranked else _UNNAMED


def _answered(resources: Mapping[str, Json]) -> bool:
    """Whether an order is there only since others answer it."""
    asked = {name for name, one in resources.items() if one.get("resourceType") == "ServiceRequest"}
    return asked <= set(answers(resources.values()))


def is_merged(resource: Json) -> bool:
    """Whether a resource says that another takes its place."""
    return changed("replaced-by", resource, None)


def answers(resources: Iterable[Json]) -> Iterator[str]:
    """``Type/id`` of the orders that others of the resources answer."""
    for resource in resources:
        element = resource.get(_FOR.get(str(resource.get("resourceType")), ""))
        for one in element if isinstance(element, list) else [element]:
            if isinstance(one, dict) and isinstance(reference := one.get("reference"), str):
                yield reference


def _unsaid(event: str, kinds: Iterable[str]) -> int:
    """How many of the resources a message of this event has no segments for."""
    known = _kinds(event)
    return sum(kind not in known for kind in kinds)


@cache
def _kinds(event: str) -> frozenset[str]:
    found = map_of(*event.split("^"))
    written = found.written(False)
    maps: Iterator[Any] = (each for unit in found.units if unit.name in written for each in unit.maps)
    return frozenset(each.kind for each in maps if isinstance(each, ResourceMap))
