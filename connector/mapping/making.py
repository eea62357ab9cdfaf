"""One function a resource: what makes it whole and takes it in, and one a unit for all of its resources.

Unrolled for speed, as ``unrolled`` does for the fields of a segment: of what ``ResourceMap`` may ask for,
each function holds only what its declaration asks. ``forward.finish`` is the same, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import linking
from .emit import Function
from .units import Bond, ResourceMap

if TYPE_CHECKING:
    from .compiled import Slot
    from .forward import Around, Forward, Spoken

Make = Callable[["Forward", "Spoken", "Around"], bool]
"""Makes a slot's resource whole and takes it in; whether that could be done."""

Whole = Callable[["Forward", "Spoken", "Around", Any], "set[int] | None"]
"""Makes all of a unit whole; the slots that could not be. The last argument joins in what is no resource."""


def maker(slot: Slot, at: int, names_itself: bool) -> Make:
    """The function of a slot. ``names_itself``: a patient, whose identity is known by now."""
    f = Function("make", "forward, spoken, around")
    f.line(1, f"node = spoken.nodes[{at}]")
    _links(f, slot)
    if slot.complete is not None:
        f.line(1, f"{f.ref(slot.complete)}(node, around)")
        f.line(1, "if not node: return True")  # another resource says all of it
    if slot.apart is not None:
        f.line(1, f"there = forward.assembly.known({slot.kind!r}, {f.ref(slot.seed)}(node, around))")
        f.line(1, f"if there is not None: return {f.ref(slot.apart)}(node, there, around)")
    for need in slot.needs:
        f.line(1, f"if {need!r} not in node: return False")
    if slot.unless is not None:
        f.line(1, f"if {f.ref(slot.unless)}(node): return False")
    for name, make in slot.defaults:
        f.line(1, f"if {name!r} not in node and {'_' + name!r} not in node: node[{name!r}] = {f.ref(make)}()")
    _taken_in(f, slot, at, names_itself)
    f.line(1, "return True")
    made: Make = f.made()
    return made


def _links(f: Function, slot: Slot) -> None:
    if any(unit for *_, unit, _ in slot.links):
        f.line(1, "parents, all_spoken = spoken.instance.parents, forward.spoken")
    for name, writer, unit, other in slot.links:
        if unit:
            f.line(1, f"if {unit!r} in parents and (")
            f.line(2, f"link := all_spoken[parents[{unit!r}]].references[{other}]")
            f.line(1, "):")
        else:
            f.line(1, f"if link := spoken.references[{other}]:")
        said = "{'reference': link}"
        f.line(2, f"node[{name!r}] = {said}" if name else f"{f.ref(writer)}(node, {said})")


def _taken_in(f: Function, slot: Slot, at: int, names_itself: bool) -> None:
    f.line(1, "assembly = forward.assembly")
    if names_itself:  # whom another PID may name again
        f.line(1, f"seed = spoken.seed or {f.ref(slot.seed)}(node, around)")
        f.line(1, "add = assembly.join if spoken.seed and 'identifier' in node else assembly.add")
        f.line(1, f"reference = spoken.references[{at}] = add({slot.kind!r}, seed, node)")
    else:
        f.line(1, f"reference = spoken.references[{at}] = assembly.add(")
        f.line(2, f"{slot.kind!r}, {f.ref(slot.seed)}(node, around), node")
        f.line(1, ")")
    if slot.collects is not None:
        f.line(1, f"for unit, other, path in {f.ref(slot.collects)}(node, around):")
        f.line(2, "parent = around.parent(unit, other) if unit else spoken.references[other]")
        f.line(2, "forward.collect(parent, path, reference)")
    else:
        for unit, other, path in slot.collected:
            parent = f"around.parent({unit!r}, {other})" if unit else f"spoken.references[{other}]"
            f.line(1, f"forward.collect({parent}, {path!r}, reference)")
    if slot.mutual is not None:
        f.line(1, f"{f.ref(linking.link)}(")
        f.line(2, f"assembly.resources, {f.ref(slot.mutual)}, reference, around.parent({slot.mutual.unit!r})")
        f.line(1, ")")


def whole(slots: Sequence[Slot], order: Sequence[int]) -> Whole:
    """The function of a unit."""
    f = Function("whole", "forward, spoken, around, join")
    f.line(1, "nodes, unmade = spoken.nodes, None")
    for at in order:
        slot = slots[at]
        if isinstance(slot.declared, ResourceMap):
            said = " or ".join([f"len(nodes[{at}]) > 1", *_carried(slot, at)])
            made = f"{f.ref(slot.make)}(forward, spoken, around)"
            f.line(1, f"if not {made}:" if slot.always else f"if ({said}) and not {made}:")
        else:
            asked = "" if isinstance(slot.declared, Bond) else f"nodes[{at}] and "
            f.line(1, f"if {asked}not join(forward, {f.ref(slot)}, {at}, spoken, around):")
        f.line(2, f"unmade = {{*(unmade or ()), {at}}}")
    f.line(1, "return unmade")
    made_whole: Whole = f.made()
    return made_whole


def _carried(slot: Slot, at: int) -> list[str]:
    """Of a unit's first resource: that it has another of the unit to refer to."""
    return [f"spoken.references[{other}]" for *_, unit, other in slot.links if not unit] if not at else []
