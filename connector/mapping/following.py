"""What is said of what stands before it, on the way to v2: which segments say it, which are new or gone.

An element by which a resource refers to a PractitionerRole, a Device ... is a PRT behind the segments of
that resource. Elements go to the segments that said the same, else to those that referred to the same, else
to those whose own are gone, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from typing import NamedTuple

from ..hl7v2 import structure
from .bonding import bonds, elements, fits, reference_in, slot_of
from .compiled import BoundUnit
from .layout import Layout
from .places import Json, place, same
from .units import Bond
from .work import Work


class Follower(NamedTuple):
    """A unit to be opened behind the instance ``leader``, for an element of what is around it."""

    unit: BoundUnit
    bond: int
    element: Json
    leader: int


class _Said(NamedTuple):
    """An instance of the prior message with its bond and what it said of it."""

    n: int
    bond: Bond
    element: Json


def home(work: Work, unit: BoundUnit, n: int) -> Json | None:
    """What FHIR says now of the bond of an instance of the prior message; None where it is gone."""
    at, bond = bonds(unit)[0]
    if not _holds(work, n, at, bond):
        return {}
    parent = work.before.spoken[n].instance.parents[bond.unit]
    return _homes(work, parent, bond)[0].get(n)


def new(work: Work) -> Iterator[Follower]:
    """What no segment of the prior message says yet: each list in its order, of several as FHIR has them."""
    groups: dict[tuple[str, str, str], Bond] = {}
    for unit in work.maps.units:
        for _, bond in bonds(unit):
            groups.setdefault((bond.unit, bond.path, bond.of), bond)
    turn: dict[str, int] = {}
    for name in dict.fromkeys(bond.unit for bond in groups.values()):
        mine = [bond for bond in groups.values() if bond.unit == name]
        for parent in list(work.layout.instances(name)):
            lists = [[(bond, one) for one in _homeless(work, parent, bond)] for bond in mine]
            if any(lists) and not turn:
                turn = {reference: n for n, reference in enumerate(work.target.resources)}
            for bond, element in merge(*lists, key=lambda one: turn.get(reference_in(*one), len(turn))):
                if (found := _opened(work, bond, parent, element)) is not None:
                    yield found


def _opened(work: Work, like: Bond, parent: int, element: Json) -> Follower | None:
    """The unit by which an element can be said: one that says all of it, and that the structure foresees."""
    resource = work.target.resolve({"reference": reference_in(like, element)})
    if resource is None:
        return None
    found: list[tuple[bool, bool, Follower]] = []
    for unit in work.maps.units:
        for at, bond in bonds(unit):
            leader = _leader(work.layout, unit, bond, parent)
            elsewhere = bond.unless is not None and bond.unless(resource)
            if _beside(bond, like) and fits(bond, element) and leader is not None and not elsewhere:
                foreseen = unit.declared.opener in _foreseen(work)
                follower = Follower(unit, at, element, leader)
                found.append((not unit.declared.says(resource), not foreseen, follower))
    return min(found, key=lambda one: one[:2])[2] if found else None


def units(work: Work) -> list[BoundUnit]:
    """The units that follow others without a bond to them; first those that the structure foresees."""
    found = [unit for unit in work.maps.units if unit.declared.after and not bonds(unit)]
    return sorted(found, key=lambda unit: unit.declared.opener not in _foreseen(work))


def _foreseen(work: Work) -> frozenset[str]:
    """The segments that the structure of the message has in its version."""
    name = next(iter(work.maps.declared.structures), "")
    code, _, event = name.partition("_")
    found = structure.of(work.before.message.version, code, event, name)
    return found.root.holds if found else frozenset()


def _leader(layout: Layout, unit: BoundUnit, bond: Bond, parent: int) -> int | None:
    """The instance whose segments it stands behind."""
    for name in unit.declared.after:
        if name == bond.unit:
            return parent
        found = layout.instances(name)
        if under := [n for n in found if layout.parents(n).get(bond.unit, parent) == parent]:
            return under[0]
    return None


def _homeless(work: Work, parent: int, like: Bond) -> list[Json]:
    """The elements that no instance says."""
    if place(like.path)[0](_around(work, parent, like)) is None:
        return []
    return _homes(work, parent, like)[1]


def _homes(work: Work, parent: int, like: Bond) -> tuple[dict[int, Json], list[Json]]:
    """By instance the element it says; and those that none says."""
    resource = _around(work, parent, like)
    views = list(_views(work, parent, like))
    ways = {id(bond): bond for unit in work.maps.units for _, bond in bonds(unit) if _beside(bond, like)}
    wanted: list[Json] = []
    for bond in ways.values():
        wanted += [one for one in elements(bond, resource) if not any(one is other for other in wanted)]
    homes: dict[int, Json] = {}
    for alike in (_same, _same_reference, _same_kind):
        wanted = _matched(wanted, views, homes, alike)
    return homes, wanted


def _around(work: Work, parent: int, bond: Bond) -> Json:
    """What FHIR says now of the resource that refers to the elements."""
    unit = next(one for one in work.maps.units if one.declared.name == bond.unit)
    at = slot_of(unit, bond)
    return work.said[parent][at] if parent in work.said and at >= 0 else {}


def _views(work: Work, parent: int, like: Bond) -> Iterator[_Said]:
    for n, spoken in enumerate(work.before.spoken):
        if spoken.instance.parents.get(like.unit, -1) != parent:
            continue
        for at, bond in bonds(work.maps.units[spoken.instance.unit]):
            if _beside(bond, like) and _holds(work, n, at, bond):
                yield _Said(n, bond, spoken.nodes[at])


def _holds(work: Work, n: int, at: int, bond: Bond) -> bool:
    """Whether an instance of the prior message is bound to what is around it."""
    return bool(reference_in(bond, work.before.spoken[n].nodes[at]))


def _beside(one: Bond, other: Bond) -> bool:
    return (one.unit, one.path, one.of) == (other.unit, other.path, other.of)


def _same(said: _Said, element: Json) -> bool:
    return same(said.element, element)


def _same_reference(said: _Said, element: Json) -> bool:
    return reference_in(said.bond, said.element) == reference_in(said.bond, element)


def _same_kind(said: _Said, element: Json) -> bool:
    return fits(said.bond, element)


def _matched(
    wanted: list[Json], views: list[_Said], homes: dict[int, Json], alike: Callable[[_Said, Json], bool]
) -> list[Json]:
    """Give elements to the first free instance that is alike, and to its twins; the elements left over."""
    rest: list[Json] = []
    for element in wanted:
        found = next((said for said in views if said.n not in homes and alike(said, element)), None)
        if found is None:
            rest.append(element)
            continue
        homes[found.n] = element
        for twin in views:
            if twin.n not in homes and same(twin.element, found.element):
                homes[twin.n] = element
    return rest
