"""What FHIR says now, and which of its resources speaks for which part of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import forward
from .compiled import BoundUnit, Maps, Slot
from .layout import Layout
from .places import Json, place
from .scope import Scope
from .units import ResourceMap


@dataclass(slots=True)
class Target:
    """What FHIR says now: resources by reference, over those of the prior message; and what it deleted.

    ``standing``: the resources that segments of the prior message go on speaking of, once it is written.
    """

    resources: Mapping[str, Json]
    deleted: frozenset[str]
    base: Mapping[str, Json] = field(default_factory=dict)
    standing: frozenset[str] = frozenset()

    def resolve(self, reference: Any) -> Json | None:
        at = forward.reference_of(reference)
        if at in self.deleted:
            return None
        return self.resources.get(at) or self.base.get(at)


@dataclass(slots=True)
class Work:
    """One translation to v2 in progress."""

    maps: Maps
    target: Target
    before: forward.Forward
    scope: Scope
    layout: Layout
    done: set[str]


def now(work: Work, unit: BoundUnit, references: list[str]) -> list[Json]:
    """What FHIR says now of each slot's resource of a unit of the prior message."""
    found = [_first(work, unit.slots[0], references[0])]
    for slot, reference in zip(unit.slots[1:], references[1:]):
        if isinstance(slot.declared, ResourceMap) and slot.declared.via:
            found.append(by_way(work, slot, found[0], references[0], reference))
        else:
            found.append(_first(work, slot, reference))
    return found


def _first(work: Work, slot: Slot, reference: str) -> Json:
    """The resource under this reference; a message has one header and one event, whatever their ids."""
    if slot.kind in ("MessageHeader", "Bundle", "Provenance"):
        for name, resource in work.target.resources.items():
            if resource.get("resourceType") == slot.kind and about_message(resource):
                work.done.add(name)
                return resource
    return work.target.resolve({"reference": reference}) or {}


def about_message(resource: Json) -> bool:
    """Whether a resource speaks of the message itself; a Provenance may be about anything."""
    if resource.get("resourceType") != "Provenance":
        return True
    return any(forward.reference_of(one).startswith("MessageHeader/") for one in resource.get("target", ()))


def by_way(work: Work, slot: Slot, main: Json, reference: str, before: str = "") -> Json:
    """The resource of a further slot: where the first one refers to it, or it to the first one."""
    declared = slot.declared
    if not isinstance(declared, ResourceMap) or not declared.via:
        return {}
    if not declared.via.startswith("<"):
        found = work.target.resolve(place(declared.via)[0](main))
        return found if found and found.get("resourceType") == slot.kind else {}
    if before in work.target.resources or before in work.target.deleted:
        return work.target.resolve({"reference": before}) or {}
    reader, _ = place(declared.via[1:])
    for resource in work.target.resources.values():
        pointers = reader(resource) if resource.get("resourceType") == slot.kind else None
        listed = pointers if isinstance(pointers, list) else [pointers]
        if any(forward.reference_of(one) == reference for one in listed):
            return resource
    return work.target.resolve({"reference": before}) or {}
