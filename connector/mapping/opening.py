"""Resources that the prior message did not speak of: which of them get segments of their own, and where."""

from __future__ import annotations

from collections.abc import Iterator

from . import forward
from .compiled import BoundUnit
from .places import Json, place
from .units import ResourceMap
from .work import Work, about_message

Parents = dict[str, int]


def news(work: Work, unit: BoundUnit) -> Iterator[tuple[str, Json, Parents]]:
    """The resources a unit is to be opened for, by reference, and what will be around them."""
    main = unit.slots[0]
    if main.kind in ("MessageHeader", ""):  # a message has one, and it is there
        return
    for reference, resource in work.target.resources.items():
        if resource.get("resourceType") != main.kind or reference in work.done:
            continue
        if _elsewhere(work, unit, reference) or not about_message(resource):
            continue
        parents = _parents(work, unit, reference, resource)
        if parents is not None:
            if unit.declared.once:
                _make_room(work, unit)
            yield reference, resource, parents


def _make_room(work: Work, unit: BoundUnit) -> None:
    """Where FHIR speaks of none of those in the message, it is about another one."""
    there = list(work.layout.instances(unit.declared.name))
    if any(work.layout.reference(n) in work.target.resources for n in there):
        return
    for n in there:
        for gone in work.layout.replace(n):
            if gone < len(work.before.spoken):
                work.done.difference_update(work.before.spoken[gone].references)


def _elsewhere(work: Work, unit: BoundUnit, reference: str) -> bool:
    """Whether another unit speaks of this resource as a further one (an insured's RelatedPerson)."""
    for other in work.maps.units:
        for slot in other.slots[1:]:
            declared = slot.declared
            if slot.kind != unit.slots[0].kind or not isinstance(declared, ResourceMap):
                continue
            reader, _ = place(declared.via.lstrip("<"))
            if any(
                forward.reference_of(reader(resource)) == reference
                for resource in work.target.resources.values()
                if resource.get("resourceType") == other.slots[0].kind
            ):
                return True
    return False


def _parents(work: Work, unit: BoundUnit, reference: str, resource: Json) -> Parents | None:
    """What it refers to of the message, else what is at hand.

    ``None`` where it refers to another patient or visit than the message is about: it must not seem to
    be theirs.
    """
    declared = unit.slots[0].declared
    found: Parents = {}
    if not isinstance(declared, ResourceMap):
        return found
    for path, (name, _) in declared.links.items():
        instances = list(work.layout.instances(name)) if name else []
        pointer = forward.reference_of(place(path)[0](resource))
        if name == "header" or not instances or not pointer:
            continue
        mine = [n for n in instances if work.layout.reference(n) == pointer]
        if not mine:
            return None
        found[name] = mine[-1]
    collecting = _collecting(work, declared, reference)
    if collecting is not None:
        found |= work.layout.parents(collecting) | {work.layout.unit(collecting): collecting}
    return found


def _collecting(work: Work, declared: ResourceMap, reference: str) -> int | None:
    """The unit whose list refers to the resource (a report to its observations), if there is one.

    Where FHIR speaks of no such list at all, the last of those that are there: it is the one at hand.
    """
    for name, slot, path in declared.collected:
        reader, _ = place(path)
        instances = list(work.layout.instances(name))
        for n in instances:
            resource = work.target.resolve({"reference": work.layout.reference(n)})
            if resource and any(forward.reference_of(one) == reference for one in reader(resource) or ()):
                return n
        kind = next(other.slots[slot].kind for other in work.maps.units if other.declared.name == name)
        if not any(resource.get("resourceType") == kind for resource in work.target.resources.values()):
            return instances[-1] if instances else None
    return None
