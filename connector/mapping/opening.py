"""Resources that the prior message did not speak of: which of them get segments of their own, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import forward, linking
from .bonding import bonds
from .compiled import BoundUnit
from .places import Json, place
from .units import ResourceMap
from .work import Work, about_message

Parents = dict[str, int]


class New(NamedTuple):
    """A resource that a unit is opened for: in which slot it stands, and what will be around the unit."""

    reference: str
    resource: Json
    parents: Parents
    slot: int


def news(work: Work, unit: BoundUnit) -> Iterator[New]:
    """The resources a unit is to be opened for."""
    if unit.slots[0].kind in ("MessageHeader", "") or bonds(unit):
        return  # a message has one header, and it is there; what follows another waits for its reference
    for at, slot in enumerate(unit.slots):
        if (at == 0 or slot.opens) and isinstance(slot.declared, ResourceMap):
            yield from _news(work, unit, at, slot.declared)


def _news(work: Work, unit: BoundUnit, at: int, declared: ResourceMap) -> Iterator[New]:
    for reference, resource in work.of_kind(declared.kind):
        if reference in work.done or not declared.speaks_of(resource):
            continue
        if (at == 0 and _elsewhere(work, unit, reference)) or not about_message(resource):
            continue
        for parents in _parents(work, declared, unit.declared.name, reference, resource):
            if unit.declared.once:
                _make_room(work, unit)
            yield New(reference, resource, parents, at)


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
    """Whether another unit tells a resource, or speaks of it as a further one (an insured RelatedPerson)."""
    for other in work.maps.units:
        for at, slot in enumerate(other.slots):
            declared = slot.declared
            if not isinstance(declared, ResourceMap):
                continue
            if any(
                _tells(work, slot.kind, path, reference, all_of) for path, all_of in declared.told.items()
            ):
                return True
            if not at or slot.kind != unit.slots[0].kind:
                continue
            further, _, path = declared.via.lstrip("<").rpartition("/")
            kind = "" if further else other.slots[0].kind
            if declared.speaks_of(work.target.resources[reference]) and _referring(
                work, kind, path, reference
            ):
                return True
    return False


def _referring(work: Work, kind: str, path: str, reference: str) -> bool:
    """Whether a resource of a kind (any, where none is named) refers to another one at a path."""
    reader, _ = place(path)
    return any(
        forward.reference_of(reader(resource)) == reference
        for resource in work.target.resources.values()
        if not kind or resource.get("resourceType") == kind
    )


def _tells(work: Work, kind: str, path: str, reference: str, all_of: frozenset[str]) -> bool:
    """Whether who refers to a resource can tell all of it."""
    said = work.target.resources[reference].keys() - {"resourceType", "id", "meta"}
    return said <= all_of and _referring(work, kind, path, reference)


def _parents(work: Work, declared: ResourceMap, unit: str, reference: str, resource: Json) -> list[Parents]:
    """What it refers to of the message, else what is at hand; once for each list that refers to it.

    None where it refers to another patient or visit than the message is about: it must not seem to
    be theirs.
    """
    found: Parents = {}
    for names, pointer in _pointers(declared, unit, resource):
        instances = [n for name in names if name for n in work.layout.instances(name)]
        if names == ["header"] or not instances or not pointer:
            continue
        mine = [n for n in instances if work.layout.reference(n) == pointer]
        if not mine:
            return []
        found[work.layout.unit(mine[-1])] = mine[-1]
    collecting = _collecting(work, declared, reference)
    return [found | work.layout.parents(n) | {work.layout.unit(n): n} for n in collecting] or [found]


def _pointers(declared: ResourceMap, unit: str, resource: Json) -> Iterator[tuple[list[str], str]]:
    """The units around a resource, alternatives together, and to whom it refers as to theirs."""
    named: dict[str, list[str]] = {}
    for path, (name, slot) in declared.links.items():
        if not slot:
            named.setdefault(path.rstrip("?"), []).append(name)
    for path, names in named.items():
        yield names, forward.reference_of(place(path)[0](resource))
    if declared.mutual is not None and declared.mutual.unit != unit:
        yield [declared.mutual.unit], linking.other_of(declared.mutual, resource)


def _collecting(work: Work, declared: ResourceMap, reference: str) -> list[int]:
    """The units whose lists refer to the resource: a report to its observations, orders to their reason.

    Where FHIR speaks of no such list at all, the last of those that are there: it is the one at hand.
    """
    found: list[int] = []
    for name, slot, path in declared.collected:
        reader, _ = place(path)
        for n in work.layout.instances(name):
            resource = work.said[n][slot]
            if n not in found and any(
                forward.reference_of(one) == reference for one in reader(resource) or ()
            ):
                found.append(n)
    if found:
        return found
    collectors = {(name, _kind(work, name, slot)) for name, slot, _ in declared.collected}
    spoken = {resource.get("resourceType") for resource in work.target.resources.values()}
    if spoken.isdisjoint(kind for _, kind in collectors):
        return sorted(n for name, _ in collectors for n in work.layout.instances(name))[-1:]
    return []


def _kind(work: Work, name: str, slot: int) -> str:
    """The kind of one of a unit's resources."""
    return next(other.slots[slot].kind for other in work.maps.units if other.declared.name == name)
