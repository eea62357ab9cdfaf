"""v2 to FHIR: a message through its units into resources, and what could not be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..hl7v2.tree import Message, Segment
from .assembly import Assembly
from .compiled import BoundSegments, BoundUnit, Maps, Slot
from .fields import DELETE, is_plain, shorten
from .places import Json, place
from .scope import Scope
from .units import Attached, Instance, Plan, ResourceMap


@dataclass(slots=True)
class Spoken:
    """What one unit of a message said: by slot the reference and the resource."""

    instance: Instance
    references: list[str]
    nodes: list[Json]
    segments: dict[str, list[Segment]] = field(default_factory=dict)

    def fields(self, deleted: bool) -> set[tuple[str, int]]:
        """The fields the unit's segments value; or those they delete (``""``)."""
        return {
            (name, number)
            for name, segments in self.segments.items()
            for segment in segments
            for number, text in enumerate(segment.texts)
            if number and text and (text == DELETE) is deleted
        }


@dataclass(slots=True)
class Forward:
    """The outcome of one translation to FHIR."""

    message: Message
    plan: Plan
    assembly: Assembly
    scope: Scope
    spoken: list[Any]
    lost: list[str]


class Around:
    """The message around a unit, for identities and required elements (see ``units.Around``)."""

    __slots__ = ("_forward", "_instance", "_unit", "message_key")

    def __init__(self, forward: Forward, unit: BoundUnit, instance: Instance, message_key: str) -> None:
        self._forward = forward
        self._unit = unit
        self._instance = instance
        self.message_key = message_key

    def parent(self, unit: str, slot: int = 0) -> str:
        at = self._instance.parents.get(unit, -1)
        return self._forward.spoken[at].references[slot] if at >= 0 else ""

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
    plan = maps.planner.plan(tuple([segment.name for segment in segments]))
    assembly = Assembly(maps.partner.namespace)
    msh = message.msh
    key = "|".join((msh.field(3), msh.field(4), msh.field(10)))
    scope = Scope(message.delimiters, _nowhere, assembly, assembly)
    scope.owner = key
    scope.refer = lambda kind, seed, node: assembly.refer(kind, seed, node, scope.owner)
    forward = Forward(message, plan, assembly, scope, [None] * len(plan.instances), [])
    ordinals = _Ordinals(segments)
    for n in plan.order:
        _speak(forward, maps.units[plan.instances[n].unit], n, ordinals, key)
    for at in plan.unknown:
        segment = segments[at]
        if segment.name:
            forward.lost += [ordinals.at(at, f"-{n}") for n in _valued(segment)]
        elif str(segment).strip():
            forward.lost.append(f"line {at + 1}")
    return forward


def _nowhere(kind: str, seed: str, node: Json) -> str:
    raise AssertionError("a scope refers before it has an assembly")


class _Ordinals:
    """Locations of segments: ``OBX`` for the first, ``OBX[2]`` for the second."""

    __slots__ = ("_names", "_segments")

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._names: list[str] = []

    def at(self, position: int, rest: str) -> str:
        if not self._names:
            seen: dict[str, int] = {}
            for segment in self._segments:
                count = seen[segment.name] = seen.get(segment.name, 0) + 1
                self._names.append(segment.name if count == 1 else f"{segment.name}[{count}]")
        return self._names[position] + rest


def _valued(segment: Segment) -> list[int]:
    first = 3 if segment.name == "MSH" else 1
    return [n for n, text in enumerate(segment.texts) if n >= first and text and text != DELETE]


def _speak(forward: Forward, unit: BoundUnit, n: int, ordinals: _Ordinals, key: str) -> None:
    instance = forward.plan.instances[n]
    nodes: list[Json] = [{"resourceType": slot.kind} if slot.kind else {} for slot in unit.slots]
    spoken = forward.spoken[n] = Spoken(instance, [""] * len(nodes), nodes)
    around = Around(forward, unit, instance, key)
    forward.scope.owner = around.parent("patient") or key
    for name, positions in instance.at.items():
        spoken.segments[name] = [forward.message.segments[at] for at in positions]
        if name in unit.repeats:
            _repeated(forward, unit, name, positions, nodes, ordinals)
            continue
        for at in positions:
            _segment(forward, unit, at, spoken, ordinals)
        if name == "PID":  # what has no identifier of its own belongs to the patient
            forward.scope.owner = unit.slots[0].declared.seed(nodes[0], around)
    unmade = {at for at in unit.order if not _finish(forward, unit.slots[at], at, spoken, around)}
    if unmade:
        _unmade(forward, unit, spoken, unmade, ordinals)


def _unmade(forward: Forward, unit: BoundUnit, spoken: Spoken, slots: set[int], ordinals: _Ordinals) -> None:
    """The fields that only resources which could not be made would have said."""
    for name, number in sorted(spoken.fields(deleted=False)):
        takers = {n for n, _ in unit.takes[name].get(number, ())} | {
            n for n, across in unit.looks.get(name, ()) if number in across.numbers
        }
        if takers and takers <= slots:
            forward.lost.append(ordinals.at(spoken.instance.at[name][0], f"-{number}"))


def _segment(forward: Forward, unit: BoundUnit, at: int, spoken: Spoken, ordinals: _Ordinals) -> None:
    segment = forward.message.segments[at]
    scope, nodes = forward.scope, spoken.nodes
    name = segment.name
    takes, silent = unit.takes[name], unit.silent[name]
    number = -1
    for text in segment.texts:
        number += 1
        if not text or not number:
            continue
        if text == DELETE:
            continue
        takers = takes.get(number)
        if takers is None:
            if number not in silent:
                forward.lost.append(ordinals.at(at, f"-{number}"))
            continue
        slot, bound = takers[0]
        unsaid = bound.take(text, nodes[slot], scope)
        for slot, bound in takers[1:]:
            other = bound.take(text, nodes[slot], scope)
            unsaid = both(unsaid, other)
        if unsaid:
            forward.lost += [ordinals.at(at, f"-{number}{rest}") for rest in unsaid]
    for slot, across in unit.looks.get(name, ()):
        rest = across.get(segment, nodes[slot], scope)
        if rest:
            forward.lost += [ordinals.at(at, f"-{where}") for where in rest]


def both(one: list[str] | None, other: list[str] | None) -> list[str] | None:
    """What neither of two rows could say; a part of what the other left whole counts as left."""
    if not one or not other:
        return None
    return [at for at in one if _covered(at, other)] + [
        at for at in other if at not in one and _covered(at, one)
    ]


def _covered(at: str, by: Sequence[str]) -> bool:
    return any(not whole or at == whole or at.startswith((whole + ".", whole + "(")) for whole in by)


def _repeated(
    forward: Forward,
    unit: BoundUnit,
    name: str,
    positions: Sequence[int],
    nodes: Sequence[Json],
    ordinals: _Ordinals,
) -> None:
    """Segments that each become an element of a list."""
    for at in positions:
        segment = forward.message.segments[at]
        for slot, rows in unit.repeats[name]:
            element, unsaid = view_segment(segment, rows, forward.scope)
            if element:
                found = rows.reader(nodes[slot])
                rows.writer(nodes[slot], [element]) if found is None else found.append(element)
            silent = {str(number) for number in unit.silent[name]}
            forward.lost += [ordinals.at(at, f"-{where}") for where in unsaid if where not in silent]


def view_segment(segment: Segment, rows: BoundSegments, scope: Scope) -> tuple[Json, list[str]]:
    """The element a whole segment says; its fields stand where components do."""
    element: Json = {}
    scope.plain = False
    return element, rows.lens.get(segment.texts[1:], element, scope) or []


def _finish(forward: Forward, slot: Slot, n: int, spoken: Spoken, around: Around) -> bool:
    """Make a slot's resource whole and take it in; whether that could be done."""
    declared, node = slot.declared, spoken.nodes[n]
    if isinstance(declared, Attached):
        return not node or _attach(forward, declared, node, spoken, around)
    if len(node) == 1 and not declared.always:
        return True
    for writer, unit, other in slot.links:
        if reference := around.parent(unit, other) if unit else spoken.references[other]:
            writer(node, {"reference": reference})
    if declared.complete:
        declared.complete(node, around)
    if any(need not in node for need in declared.needs):
        return False
    for name, value in declared.default.items():
        if name not in node and f"_{name}" not in node:
            node[name] = value
    spoken.references[n] = reference = forward.assembly.add(slot.kind, declared.seed(node, around), node)
    for unit, other, path in declared.collected:
        _collect(forward, around.parent(unit, other), path, reference)
    return True


def _attach(forward: Forward, declared: Attached, node: Json, spoken: Spoken, around: Around) -> bool:
    parent = forward.assembly.resources.get(around.parent(declared.unit))
    if parent is None or not spoken.references[0]:
        return False
    element = {declared.link: {"reference": spoken.references[0]}, **node}
    found = parent.setdefault(declared.path, [])
    if element not in found:
        found.append(element)
    return True


def _collect(forward: Forward, parent: str, path: str, reference: str) -> None:
    resource = forward.assembly.resources.get(parent)
    if resource is None:
        return
    reader, writer = place(path)
    found = reader(resource)
    if found is None:
        writer(resource, [{"reference": reference}])
    elif {"reference": reference} not in found:
        found.append({"reference": reference})


def reference_of(value: Any) -> str:
    """The ``reference`` of a FHIR Reference, or an empty text."""
    found = value.get("reference") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


__all__ = ["Forward", "Spoken", "both", "is_plain", "reference_of", "shorten", "to_fhir", "view_segment"]
