"""v2 to FHIR: a message through its units into resources, and what could not be said."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from ..hl7v2.tree import Message, Segment
from . import bonding, linking
from .assembly import Assembly
from .compiled import BoundPart, BoundSegments, BoundUnit, Maps, Slot
from .fields import DELETE
from .overlay import is_absent
from .places import Json, place
from .planning import Instance, Plan
from .scope import Scope
from .units import Attached, Bond, ResourceMap
from .unrolled import Sayer


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

    def fields(
        self, message: Message, single: Container[str] = ()
    ) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
        """The fields the unit's segments value, and those they delete (``""``); of some, the first ones."""
        valued, deleted = set[tuple[str, int]](), set[tuple[str, int]]()
        for name, positions in self.instance.at.items():
            for at in positions[:1] if name in single else positions:
                for number, text in enumerate(message.segments[at].texts):
                    if text and number:
                        (deleted if text == DELETE else valued).add((name, number))
        return valued, deleted


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

    def collect(self, parent: str, path: str, reference: str) -> None:
        """Let the list of a parent's resource refer to this one."""
        resource = self.assembly.resources.get(parent)
        if resource is None or (parent, path, reference) in self.collected:
            return
        self.collected.add((parent, path, reference))
        reader, writer = place(path)
        found = reader(resource)
        if found is None:
            writer(resource, [{"reference": reference}])
        else:
            found.append({"reference": reference})


class Around:
    """The message around a unit, for identities and required elements (see ``units.Around``)."""

    __slots__ = ("_forward", "_instance", "_parents", "_spoken")

    def __init__(self, forward: Forward, instance: Instance) -> None:
        self._forward = forward
        self._instance = instance
        self._parents = instance.parents
        self._spoken = forward.spoken

    @property
    def message_key(self) -> str:
        return self._forward.key

    def parent(self, unit: str, slot: int = 0) -> str:
        if unit not in self._parents:
            return ""
        reference: str = self._spoken[self._parents[unit]].references[slot]
        return reference

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
        name, number, component = _location(location)
        if name == "MSH":
            return self._forward.message.msh.value(number, 1, component)
        at = self._instance.at.get(name)
        return self._forward.message.segments[at[0]].value(number, 1, component) if at else ""


@lru_cache(maxsize=256)
def _location(text: str) -> tuple[str, int, int]:
    """``MSH-9.2`` in parts."""
    name, _, number = text.partition("-")
    number, _, component = number.partition(".")
    return name, int(number), int(component or 1)


def to_fhir(message: Message, maps: Maps) -> Forward:
    """Say a message in resources."""
    segments = message.segments
    plan = maps.planner.of(segments)
    assembly = Assembly(maps.partner.namespace)
    scope = Scope(message.delimiters, assembly, assembly, assembly)
    lost = [] if maps.known else ["MSH-9"]
    forward = Forward(message, maps, plan, assembly, scope, [None] * len(plan.instances), lost)
    for turn in plan.turns or _turns(plan, maps):
        (_follow if turn.unit.declared.after else _speak)(forward, turn)
    forward.lost[:] = dict.fromkeys(forward.lost)
    for at in plan.unknown:
        _lose(forward, at)
    return forward


class Turn(NamedTuple):
    """An instance of a plan, and what says its segments: by position, with the segments' labels.

    Segments without a ``say`` each become an element of a list. ``patient``: the instance that it is about.
    """

    n: int
    unit: BoundUnit
    instance: Instance
    says: list[tuple[Sayer | None, str, int, str]]
    patient: int


def _turns(plan: Plan, maps: Maps) -> list[Turn]:
    """The instances of a plan in the order they are spoken of; the plan remembers them."""
    turns: list[Turn] = []
    for n in plan.order:
        instance = plan.instances[n]
        unit = maps.units[instance.unit]
        says = [
            (None if unit.elements(name, nth) else unit.says[name], name, at, plan.labels[at])
            for name, positions in instance.at.items()
            for nth, at in enumerate(positions)
        ]
        says.sort(key=lambda one: one[0] is None and unit.elements(one[1], 0) is False)  # behind the first
        turns.append(Turn(n, unit, instance, says, instance.parents.get("patient", -1)))
    plan.turns[:] = turns
    return turns


def _lose(forward: Forward, at: int) -> None:
    """A segment of which nothing is said."""
    segment, label = forward.message.segments[at], forward.plan.labels[at]
    if label:
        valued = (n for n, text in enumerate(segment.texts) if n and text and text != DELETE)
        forward.lost += [f"{label}-{n}" for n in valued]
    elif str(segment).strip():
        forward.lost.append(f"line {at + 1}")


def _follow(forward: Forward, turn: Turn) -> None:
    """Speak of a unit that is said of another; where it says nothing of that, as if it were not there."""
    n, unit, instance, *_ = turn
    there, said = len(forward.lost), len(forward.assembly.resources)
    if bonding.may_hold(forward, unit, instance.parents):
        _speak(forward, turn)
        if bonding.holds(forward, unit, n):
            return
    forward.spoken[n] = Spoken(instance, [{} for _ in unit.slots])
    forward.assembly.forget(said)
    del forward.lost[there:]
    for positions in instance.at.values():
        for at in positions:
            _lose(forward, at)


def _speak(forward: Forward, turn: Turn) -> None:
    n, unit, instance, says, patient = turn
    nodes: list[Json] = unit.nodes()
    spoken = forward.spoken[n] = Spoken(instance, nodes)
    around = Around(forward, instance)
    scope, segments, lost = forward.scope, forward.message.segments, forward.lost
    scope.owner = forward.spoken[patient].references[0] if patient >= 0 else ""
    scope.owner = scope.owner or forward.key
    for say, name, at, label in says:
        if say is None:
            _repeated(forward, unit, name, at, nodes)
            continue
        say(segments[at], nodes, scope, lost, label)
        if name == "PID":  # what has no identifier of its own belongs to the patient
            spoken.seed = unit.slots[0].seed(nodes[0], around)
            scope.owner = spoken.owner = forward.assembly.reference(unit.slots[0].kind, spoken.seed)
    if unit.declared.key is not None:
        forward.key = unit.declared.key(nodes)
    unmade = unit.whole(forward, spoken, around, _join_in)
    if unmade and (len(unmade) > 1 or not unmade <= unit.shared):
        _unmade(forward, unit, spoken, unmade)


def made_whole(forward: Forward, unit: BoundUnit, spoken: Spoken, around: Around) -> set[int]:
    """What ``unit.whole`` does, step by step: the slots that could not be made whole."""
    unmade: set[int] = set()
    for at in unit.order:
        slot = unit.slots[at]
        if isinstance(slot.declared, ResourceMap):
            nothing = len(spoken.nodes[at]) < 2 and not slot.always
            made = nothing and (at > 0 or not _carries(slot, spoken))
            made = made or finish(forward, slot, at, spoken, around)
        else:
            said = spoken.nodes[at] or isinstance(slot.declared, Bond)
            made = not said or _join_in(forward, slot, at, spoken, around)
        if not made:
            unmade.add(at)
    return unmade


def _join_in(forward: Forward, slot: Slot, at: int, spoken: Spoken, around: Around) -> bool:
    """What a unit says of another's resource; whether that could be done, if there was anything."""
    node = spoken.nodes[at]
    if isinstance(slot.declared, Bond):
        return bonding.tie(forward, at, slot.declared, spoken, _finished) or not node
    if slot.attached is not None:
        return _attach(forward, slot.attached, node, spoken, around)
    if slot.part is not None and not _take_in(slot.part, node, around):
        spoken.nodes[at] = {}
        return False
    return True


def _unmade(forward: Forward, unit: BoundUnit, spoken: Spoken, slots: set[int]) -> None:
    """The fields that only resources which could not be made would have said."""
    for name, number in sorted(spoken.fields(forward.message)[0]):
        row = unit.takes[name]
        entry = row[number] if number < len(row) else None
        takers = {n for n, _ in (entry[1] if entry else ())} | {
            n for n, across in unit.looks.get(name, ()) if number in across.numbers
        }
        if takers and takers <= slots:
            forward.lost.append(f"{forward.plan.labels[spoken.instance.at[name][0]]}-{number}")


def _repeated(forward: Forward, unit: BoundUnit, name: str, at: int, nodes: Sequence[Json]) -> None:
    """A segment that becomes an element of a list."""
    segment, label = forward.message.segments[at], forward.plan.labels[at]
    for slot, rows in unit.repeats[name]:
        element, unsaid = view_segment(segment, rows, forward.scope)
        found = rows.reader(nodes[slot])
        if rows.further and found is None:  # there is no first one
            element, unsaid = {}, _valued(segment)
        if element:
            rows.writer(nodes[slot], [element]) if found is None else found.append(element)
        structural = unit.declared.structural
        forward.lost += [f"{label}-{where}" for where in unsaid if f"{name}-{where}" not in structural]


def _valued(segment: Segment) -> list[str]:
    return [str(n) for n, text in enumerate(segment.texts[1:], 1) if text and text != DELETE]


def view_segment(segment: Segment, rows: BoundSegments, scope: Scope) -> tuple[Json, list[str]]:
    """The element a whole segment says; its fields stand where components do."""
    element: Json = {}
    scope.beware()
    unsaid = rows.lens.get(segment.texts[1:], element, scope) or []
    if all(need in element for need in rows.needs):
        return element, unsaid
    return {}, _valued(segment)


def _carries(slot: Slot, spoken: Spoken) -> bool:
    """Whether a unit's first resource has another of the unit to refer to."""
    return any(spoken.references[other] for *_, unit, other in slot.links if not unit)


def finish(forward: Forward, slot: Slot, n: int, spoken: Spoken, around: Around) -> bool:
    """Make a slot's resource whole and take it in, as ``slot.make`` does; whether that could be done."""
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
        forward.collect(parent, path, reference)
    if slot.mutual is not None:
        linking.link(forward.assembly.resources, slot.mutual, reference, around.parent(slot.mutual.unit))
    return True


def _finished(forward: Forward, slot: Slot, n: int, spoken: Spoken) -> bool:
    return finish(forward, slot, n, spoken, Around(forward, spoken.instance))


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


def reference_of(value: Any) -> str:
    """The ``reference`` of a FHIR Reference, or an empty text."""
    found = value.get("reference") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""
