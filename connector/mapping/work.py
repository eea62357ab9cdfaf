"""What FHIR says now, and which of its resources speaks for which part of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import forward
from .aside import Aside
from .compiled import BoundUnit, Maps, Slot
from .layout import Layout
from .places import Json, place
from .scope import Scope
from .units import ResourceMap


@dataclass(slots=True)
class Target:
    """What FHIR says now: resources by reference, over those of the prior message; and what it deleted.

    ``standing``: the resources that segments of the prior message go on speaking of, once it is written.
    ``aside``: those that were rearranged.
    """

    resources: Mapping[str, Json]
    deleted: frozenset[str]
    base: Mapping[str, Json] = field(default_factory=dict)
    standing: frozenset[str] = frozenset()
    aside: dict[str, Aside] = field(default_factory=dict)

    def resolve(self, reference: Any) -> Json | None:
        at = forward.reference_of(reference)
        if at in self.deleted:
            return None
        return self.resources.get(at) or self.base.get(at)


@dataclass(slots=True)
class Work:
    """One translation to v2 in progress.

    ``said``: by instance, what FHIR says now of each of its resources. ``still``: nothing that fields refer
    to has changed, so what a resource says again needs no writing. ``kinds``: the resources by kind.
    """

    maps: Maps
    target: Target
    before: forward.Forward
    scope: Scope
    layout: Layout
    done: set[str]
    said: dict[int, list[Json]] = field(default_factory=dict)
    still: bool = False
    kinds: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[tuple[str, Json]]:
        """The resources of a kind by reference, as FHIR has them now."""
        if not self.kinds:
            for reference, resource in self.target.resources.items():
                self.kinds.setdefault(str(resource.get("resourceType")), []).append((reference, resource))
        return self.kinds.get(kind, [])


def now(work: Work, unit: BoundUnit, references: list[str], parents: Mapping[str, int]) -> list[Json]:
    """What FHIR says now of each slot's resource of a unit of the prior message."""
    found = [_first(work, unit.slots[0], references[0])]
    for slot, reference in zip(unit.slots[1:], references[1:]):
        if isinstance(slot.declared, ResourceMap) and slot.declared.via:
            found.append(by_way(work, slot, found[0], references[0], reference, parents))
        else:
            found.append(_first(work, slot, reference))
    return found


def _first(work: Work, slot: Slot, reference: str) -> Json:
    """The resource under this reference; a message has one header and one event, whatever their ids."""
    declared, resources = slot.declared, work.target.resources
    if slot.kind in ("MessageHeader", "Bundle", "Provenance") and reference not in resources:
        for name, resource in resources.items():
            mine = isinstance(declared, ResourceMap) and declared.speaks_of(resource)
            if mine and name not in work.done and about_message(resource):
                work.done.add(name)
                return resource
    return work.target.resolve({"reference": reference}) or {}


def about_message(resource: Json) -> bool:
    """Whether a resource speaks of the message itself; a Provenance may be about anything."""
    if resource.get("resourceType") != "Provenance":
        return True
    return any(forward.reference_of(one).startswith("MessageHeader/") for one in resource.get("target", ()))


def by_way(
    work: Work, slot: Slot, main: Json, reference: str, before: str = "", parents: Mapping[str, int] = {}
) -> Json:
    """The resource of a further slot: where the first one refers to it, or it to the first one."""
    declared = slot.declared
    if not isinstance(declared, ResourceMap) or not declared.via:
        return {}
    if not declared.via.startswith("<"):
        found: Json | None = main
        for step in declared.via.split("/"):
            found = work.target.resolve(place(step)[0](found)) if found else None
        return found if found and declared.speaks_of(found) else {}
    if before in work.target.resources or before in work.target.deleted:
        return work.target.resolve({"reference": before}) or {}
    path = declared.via[1:]
    unit, _ = declared.links.get(path) or declared.links.get(f"{path}.0") or ("", 0)
    whose = work.layout.reference(parents[unit]) if unit in parents else "" if unit else reference
    reader, _ = place(path)
    for name, resource in work.of_kind(declared.kind) if whose else ():
        if name in work.done or not declared.speaks_of(resource):
            continue
        pointers = reader(resource)
        listed = pointers if isinstance(pointers, list) else [pointers]
        if any(forward.reference_of(one) == whose for one in listed):
            work.done.add(name)
            return resource
    return work.target.resolve({"reference": before}) or {}
