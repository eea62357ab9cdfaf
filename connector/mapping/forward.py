"""v2 to FHIR: a message through its units into resources, and what could not be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..hl7v2.tree import Message, Segment
from . import bonding, linking
from .assembly import Assembly
from .compiled import BoundPart, BoundSegments, BoundUnit, Maps, Slot
from .fields import DELETE
from .overlay import is_absent
from .places import Json, place
from .planning import Instance, Plan
from .scope import Scope
from .units import Attached, Bond


class Spoken:
    """What one unit of a message said: by slot the reference and the resource.

    ``seed`` and ``owner``: of a patient, the identity, and the reference that follows from it, under which
    what has no identifier of its own is told apart.
    """

    __slots__ = ("instance", "nodes", "owner", "references", "seed")

    def __init__(self, instance: Instance, nodes: list[Json]) -> None:
        self.instance = instance
        self.nodes = nodes
        self.references = [""] * len(nodes)
        self.seed = self.owner = ""

    def fields(self, message: Message, deleted: bool) -> set[tuple[str, int]]:
        """The fields the unit's segments value; or those they delete (``""``)."""
        return {
            (name, number)
            for name, positions in self.instance.at.items()
            for at in positions
            for number, text in enumerate(message.segments[at].texts)
            if number and text and (text == DELETE) is deleted
        }


@dataclass(slots=True)
class Forward:
    """The outcome of one translation to FHIR."""

    message: Message
    maps: Maps
    plan: Plan
    assembly: Assembly
    scope: Scope
    spoken: list[Any]
    lost: list[str]
    key: str = ""
    collected: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def units(self) -> list[BoundUnit]:
        return self.maps.units


class Around:
    """The message around a unit, for identities and required elements (see ``units.Around``)."""

    __slots__ = ("_forward", "_instance")

    def __init__(self, forward: Forward, instance: Instance) -> None:
        self._forward = forward
        self._instance = instance

    @property
    def message_key(self) -> str:
        return self._forward.key

    def parent(self, unit: str, slot: int = 0) -> str:
        at = self._instance.parents.get(unit, -1)
        return self._forward.spoken[at].references[slot] if at >= 0 else ""

    def resource(self, unit: str, slot: int = 0) -> Json | None:
        return self._forward.assembly.resources.get(self.parent(unit, slot))

    def note(self, *fields: str, said: bool) -> None:
        lost = self._forward.lost
        for at in fields:
            name, _, number = at.partition("-")
            location = f"{self._forward.plan.labels[self._instance.at[name][0]]}-{number}"
            if said and location in lost:
                lost.remove(location)
            if not said and location not in lost and self.value(at):
                lost.append(location)

    def value(self, location: str) -> str:
        name, _, number = location.partition("-")
        number, _, component = number.partition(".")
        if name == "MSH":
            return self._forward.message.msh.value(int(number), 1, int(component or 1))
        at = self._instance.at.get(name)
        return self._forward.message.segments[at[0]].value(int(number), 1, int(component or 1)) if at else ""


def to_fhir(message: Message, maps: Maps) -> Forward:
    """Say a message in resources."""
    segments = message.segments
    plan = maps.planner.of(segments)
    assembly = Assembly(maps.partner.namespace)
    scope = Scope(message.delimiters, assembly, assembly, assembly)
    lost = [] if maps.known else ["MSH-9"]
    forward = Forward(message, maps, plan, assembly, scope, [None] * len(plan.instances), lost)
    for n in plan.order:
        unit = maps.units[plan.instances[n].unit]
        (_follow if unit.declared.after else _speak)(forward, unit, n)
    forward.lost[:] = dict.fromkeys(forward.lost)
    for at in plan.unknown:
        _lose(forward, at)
    return forward


def _lose(forward: Forward, at: int) -> None:
    """A segment of which nothing is said."""
    segment, label = forward.message.segments[at], forward.plan.labels[at]
    if label:
        valued = (n for n, text in enumerate(segment.texts) if n and text and text != DELETE)
        forward.lost += [f"{label}-{n}" for n in valued]
    elif str(segment).strip():
        forward.lost.append(f"line {at + 1}")


def _follow(forward: Forward, unit: BoundUnit, n: int) -> None:
    """Speak of a unit that is said of another; where it says nothing of that, as if it were not there."""
    instance = forward.plan.instances[n]
    there, said = len(forward.lost), len(forward.assembly.resources)
    if bonding.may_hold(forward, unit, instance.parents):
        _speak(forward, unit, n)
        if bonding.holds(forward, unit, n):
            return
    forward.spoken[n] = Spoken(instance, [{} for _ in unit.slots])
    forward.assembly.forget(said)
    del forward.lost[there:]
    for positions in instance.at.values():
        for at in positions:
            _lose(forward, at)


def _speak(forward: Forward, unit: BoundUnit, n: int) -> None:
    instance = forward.plan.instances[n]
    nodes: list[Json] = [{"resourceType": kind} if kind else {} for kind in unit.kinds]
    spoken = forward.spoken[n] = Spoken(instance, nodes)
    around = Around(forward, instance)
    scope, message, lost, labels = forward.scope, forward.message, forward.lost, forward.plan.labels
    scope.owner = around.parent("patient") or forward.key
    for name, positions in instance.at.items():
        if name in unit.repeats:
            _repeated(forward, unit, name, positions, nodes)
            continue
        say = unit.says[name]
        for at in positions:
            say(message.segments[at], nodes, scope, lost, labels[at])
        if name == "PID":  # what has no identifier of its own belongs to the patient
            spoken.seed = unit.slots[0].seed(nodes[0], around)
            scope.owner = spoken.owner = forward.assembly.reference(unit.slots[0].kind, spoken.seed)
    if unit.declared.key is not None:
        forward.key = unit.declared.key(nodes)
    unmade: set[int] = set()
    for at, slot, plain in unit.steps:
        if plain:
            made = len(nodes[at]) < 2 and not slot.always and (at > 0 or not _carries(slot, spoken))
            made = made or _finish(forward, slot, at, spoken, around)
        else:
            made = _join_in(forward, slot, at, spoken, around)
        if not made:
            unmade.add(at)
    if unmade and (len(unmade) > 1 or not unmade <= unit.shared):
        _unmade(forward, unit, spoken, unmade)


def _join_in(forward: Forward, slot: Slot, at: int, spoken: Spoken, around: Around) -> bool:
    """What a unit says of another's resource; whether that could be done, if there was anything."""
    node = spoken.nodes[at]
    if isinstance(slot.declared, Bond):
        return bonding.tie(forward, at, slot.declared, spoken, _finished) or not node
    if not node:
        return True
    if slot.attached is not None:
        return _attach(forward, slot.attached, node, spoken, around)
    if slot.part is not None and not _take_in(slot.part, node, around):
        spoken.nodes[at] = {}
        return False
    return True


def _unmade(forward: Forward, unit: BoundUnit, spoken: Spoken, slots: set[int]) -> None:
    """The fields that only resources which could not be made would have said."""
    for name, number in sorted(spoken.fields(forward.message, deleted=False)):
        row = unit.takes[name]
        entry = row[number] if number < len(row) else None
        takers = {n for n, _ in (entry[1] if entry else ())} | {
            n for n, across in unit.looks.get(name, ()) if number in across.numbers
        }
        if takers and takers <= slots:
            forward.lost.append(f"{forward.plan.labels[spoken.instance.at[name][0]]}-{number}")


def _repeated(
    forward: Forward, unit: BoundUnit, name: str, positions: Sequence[int], nodes: Sequence[Json]
) -> None:
    """Segments that each become an element of a list."""
    silent = {str(number) for number in unit.silent[name]}
    for at in positions:
        segment = forward.message.segments[at]
        for slot, rows in unit.repeats[name]:
            element, unsaid = view_segment(segment, rows, forward.scope)
            if element:
                found = rows.reader(nodes[slot])
                rows.writer(nodes[slot], [element]) if found is None else found.append(element)
            label = forward.plan.labels[at]
            forward.lost += [f"{label}-{where}" for where in unsaid if where not in silent]


def view_segment(segment: Segment, rows: BoundSegments, scope: Scope) -> tuple[Json, list[str]]:
    """The element a whole segment says; its fields stand where components do."""
    element: Json = {}
    scope.beware()
    unsaid = rows.lens.get(segment.texts[1:], element, scope) or []
    if all(need in element for need in rows.needs):
        return element, unsaid
    return {}, [str(n) for n, text in enumerate(segment.texts[1:], 1) if text and text != DELETE]


def _carries(slot: Slot, spoken: Spoken) -> bool:
    """Whether a unit's first resource has another of the unit to refer to."""
    return any(spoken.references[other] for *_, unit, other in slot.links if not unit)


def _finish(forward: Forward, slot: Slot, n: int, spoken: Spoken, around: Around) -> bool:
    """Make a slot's resource whole and take it in; whether that could be done."""
    node = spoken.nodes[n]
    around_it, all_spoken = spoken.instance.parents, forward.spoken
    for name, writer, unit, other in slot.links:
        if not unit:
            link = spoken.references[other]
        else:
            link = all_spoken[around_it[unit]].references[other] if unit in around_it else ""
        if link and name:
            node[name] = {"reference": link}
        elif link:
            writer(node, {"reference": link})
    if slot.complete is not None:
        slot.complete(node, around)
        if not node:  # another resource says all of it
            return True
    if slot.apart is not None:
        there = forward.assembly.known(slot.kind, slot.seed(node, around))
        if there is not None:
            return slot.apart(node, there, around)
    for need in slot.needs:
        if need not in node:
            return False
    if slot.unless is not None and slot.unless(node):
        return False
    for name, make in slot.defaults:
        if name not in node and f"_{name}" not in node:
            node[name] = make()
    named = n == 0 and bool(spoken.seed)  # a patient, whom another PID may name again
    seed = spoken.seed if named else slot.seed(node, around)
    spoken.references[n] = reference = (
        forward.assembly.join if named and "identifier" in node else forward.assembly.add
    )(slot.kind, seed, node)
    for unit, other, path in slot.collected if slot.collects is None else slot.collects(node, around):
        parent = around.parent(unit, other) if unit else spoken.references[other]
        _collect(forward, parent, path, reference)
    if slot.mutual is not None:
        linking.link(forward.assembly.resources, slot.mutual, reference, around.parent(slot.mutual.unit))
    return True


def _finished(forward: Forward, slot: Slot, n: int, spoken: Spoken) -> bool:
    return _finish(forward, slot, n, spoken, Around(forward, spoken.instance))


def _attach(forward: Forward, declared: Attached, node: Json, spoken: Spoken, around: Around) -> bool:
    parent = forward.assembly.resources.get(around.parent(declared.unit, declared.slot))
    if parent is None or not spoken.references[0]:
        return False
    element = {declared.link: {"reference": spoken.references[0]}, **node}
    found = parent.setdefault(declared.path, [])
    if element not in found:
        found.append(element)
    return True


def _take_in(part: BoundPart, element: Json, around: Around) -> bool:
    """Make an element part of the parent's list; what only says that the list is unknown gives way to it."""
    declared = part.declared
    parent = around.resource(declared.parent)
    if declared.complete is not None:
        declared.complete(element, around)
    if parent is None or not element or any(need not in element for need in declared.needs):
        return False
    found = part.reader(parent)
    if found is None or is_absent(found):
        part.writer(parent, [element])
    else:
        found.append(element)
    if declared.affects is not None:
        declared.affects(element, around)
    return True


def _collect(forward: Forward, parent: str, path: str, reference: str) -> None:
    resource = forward.assembly.resources.get(parent)
    if resource is None or (parent, path, reference) in forward.collected:
        return
    forward.collected.add((parent, path, reference))
    reader, writer = place(path)
    found = reader(resource)
    if found is None:
        writer(resource, [{"reference": reference}])
    else:
        found.append({"reference": reference})


def reference_of(value: Any) -> str:
    """The ``reference`` of a FHIR Reference, or an empty text."""
    found = value.get("reference") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""
