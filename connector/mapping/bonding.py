"""What is said of what stands before it, on the way to FHIR: PRT behind PV1 takes part in the encounter.

See ``units.Bond``; the way back is in ``following``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .overlay import deep
from .places import Json, includes, place
from .units import Bond

if TYPE_CHECKING:
    from .compiled import BoundUnit, Slot
    from .forward import Forward, Spoken


def bonds(unit: BoundUnit) -> list[tuple[int, Bond]]:
    """The bonds of a unit by slot."""
    return unit.bonds


def may_hold(forward: Forward, unit: BoundUnit, parents: Mapping[str, int]) -> bool:
    """Whether what the unit is said of is there, and refers to no other in the same place."""
    return all(_may_hold(forward, bond, parents) for _, bond in bonds(unit))


def _may_hold(forward: Forward, bond: Bond, parents: Mapping[str, int]) -> bool:
    spoken = _around(forward, bond, parents)
    if spoken is None:
        return False
    unit = forward.units[spoken.instance.unit]
    at = slot_of(unit, bond)
    if at < 0:
        return False
    resource = forward.assembly.resources.get(spoken.references[at])
    if resource is None:
        slot = unit.slots[at]  # one that is there for such elements is made by the first of them
        return bool(spoken.references[0]) and (not slot.declared.rows or bond.path in slot.needs)
    return not bond.alone or place(bond.path)[0](resource) is None


def holds(forward: Forward, unit: BoundUnit, n: int) -> bool:
    """Whether what a unit is said of refers to what it speaks of; a relative refers to the patient."""
    spoken = forward.spoken[n]
    if found := bonds(unit):
        return all(reference_in(bond, spoken.nodes[at]) for at, bond in found)
    return bool(spoken.references[0])


def tie(
    forward: Forward,
    at: int,
    bond: Bond,
    spoken: Spoken,
    finish: Callable[[Forward, Slot, int, Spoken], bool],
) -> bool:
    """Let the resource around refer to what the unit speaks of; whether it does.

    ``finish``: makes a resource whole and takes it in.
    """
    node = spoken.nodes[at]
    reference = spoken.references[0] or reference_in(bond, node)
    around = _around(forward, bond, spoken.instance.parents)
    if not reference or around is None:
        return False
    said = {"reference": reference}
    element: Json = {bond.link: said, **bond.tag, **node} if bond.link else {**said, **bond.tag, **node}
    unit = forward.units[around.instance.unit]
    slot = slot_of(unit, bond)
    made = around.references[slot]
    parent = forward.assembly.resources[made] if made else around.nodes[slot]
    reader, writer = place(bond.path)
    there = reader(parent)
    if bond.alone or there is None:
        writer(parent, element if bond.alone else [element])
    elif element not in there:
        there.append(element)
    spoken.nodes[at] = element
    return bool(made) or finish(forward, unit.slots[slot], slot, around)


def _around(forward: Forward, bond: Bond, parents: Mapping[str, int]) -> Spoken | None:
    at = parents.get(bond.unit, -1)
    found: Spoken | None = forward.spoken[at] if at >= 0 else None
    return found


def slot_of(unit: BoundUnit, bond: Bond) -> int:
    """Which of the resources of the unit around refers to it; -1 where it has none of the kind."""
    return next((at for at, slot in enumerate(unit.slots) if slot.kind == bond.of), -1) if bond.of else 0


def parent(forward: Forward, bond: Bond, parents: Mapping[str, int]) -> str:
    """The reference of the resource that refers to what a unit speaks of; empty where there is none."""
    around = _around(forward, bond, parents)
    if around is None:
        return ""
    at = slot_of(forward.units[around.instance.unit], bond)
    return around.references[at] if at >= 0 else ""


def reference_in(bond: Bond, element: Any) -> str:
    """What an element refers to; empty where to nothing."""
    holder = place(bond.link)[0](element) if bond.link else element
    found = holder.get("reference") if isinstance(holder, dict) else None
    return found if isinstance(found, str) else ""


def elements(bond: Bond, resource: Json) -> list[Json]:
    """The elements of a resource by which it may refer to what such a unit speaks of."""
    found = place(bond.path)[0](resource)
    listed = [found] if bond.alone else found if isinstance(found, list) else []
    return [one for one in listed if isinstance(one, dict) and fits(bond, one)]


def fits(bond: Bond, element: Json) -> bool:
    """Whether an element refers to something of the kind, in the way that is asked for."""
    kind = reference_in(bond, element).rpartition("/")[0].rpartition("/")[2]
    return kind == bond.kind and includes(element, bond.tag)


def over(bond: Bond, element: Json, there: list[Json]) -> list[Json]:
    """The list with an element that refers to something, over the prior one that refers to the same."""
    if any(includes(one, element) for one in there):
        return there
    like = next((one for one in there if reference_in(bond, one) == reference_in(bond, element)), None)
    if like is None:
        return [*there, element]
    return [dict(deep(one, element)) if one is like else one for one in there]
