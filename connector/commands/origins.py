"""Where each element of a translation comes from: measured on the compiled rows, not written down again.

Every row is run alone, over one repetition of one field, and once more without each component: an element
that is not there then comes from that component. So what is said here is what the maps do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from connector.hl7v2.tree import Message, Segment
from connector.mapping import forward
from connector.mapping.compiled import BoundSegments, BoundUnit, Slot
from connector.mapping.fields import DELETE, BoundAcross, BoundField, BoundOne
from connector.mapping.places import Json, includes
from connector.mapping.scope import Scope
from connector.mapping.translator import Translator

Path = tuple[str | int, ...]
Leaves = dict[tuple[str, Path], Any]
Make = Callable[[str], Mapping[str, Json]]  # without this part ("": with all), the resources by reference

FOLLOWS = "follows from the map"


class Origin(NamedTuple):
    """One element of FHIR and the place of the message that it comes from."""

    reference: str  # ``Patient/abc``
    element: str  # ``name[0].family``
    location: str  # ``PID-5.1``; "" where no place says it
    row: str  # ``PID-5 <-> Patient.name``
    segment: int = 0  # position of the segment in the message
    field: int = 0


@dataclass(frozen=True, slots=True)
class _At:
    """A row at work: on which resource, where in the message."""

    reference: str
    label: str
    row: str
    segment: int
    field: int


def origins(translator: Translator, text: str) -> list[Origin]:
    """Of every element, by resource in the order of the bundle; several, where several places say it."""
    translator.to_fhir(text)
    message = Message.parse(text)
    translator.filling.assume(message)
    said = forward.to_fhir(message, translator.maps)
    found: dict[tuple[str, str], list[Origin]] = {}
    for n in said.plan.order:
        for one in _of_unit(said, translator.maps.units[said.plan.instances[n].unit], n):
            mine = found.setdefault((one.reference, one.element), [])
            if one.location not in {other.location for other in mine}:
                mine.append(one)
    return [
        one
        for reference, resource in said.assembly.resources.items()
        for _, element in _located(resource, resource)
        if element != "resourceType" and (element != "id" or not reference.startswith("Bundle/"))
        for one in found.get((reference, element), [Origin(reference, element, "", _why(element))])
    ]


def _why(element: str) -> str:
    if element == "id":
        return "the partner and the business identifiers"
    return "the structure of the message" if element.endswith("reference") else FOLLOWS


def _of_unit(said: forward.Forward, unit: BoundUnit, n: int) -> Iterator[Origin]:
    spoken = said.spoken[n]
    said.scope.owner = spoken.seed or forward.Around(said, spoken.instance).parent("patient") or said.key
    for positions in spoken.instance.at.values():
        for at in positions:
            for slot, reference in zip(unit.slots, spoken.references):
                reference = _home(said, slot, spoken) or reference
                if reference:
                    yield from _of_segment(said, slot, reference, at)


def _home(said: forward.Forward, slot: Slot, spoken: forward.Spoken) -> str:
    """Of an element attached to another unit's resource: that resource."""
    if slot.attached is None:
        return ""
    return forward.Around(said, spoken.instance).parent(slot.attached.unit)


def _of_segment(said: forward.Forward, slot: Slot, reference: str, at: int) -> Iterator[Origin]:
    segment, label = said.message.segments[at], said.plan.labels[at]
    kind = slot.kind or reference.partition("/")[0]
    for bound in slot.fields:
        if bound.segment == segment.name and segment.field(bound.number) not in ("", DELETE):
            row = _row(bound.declared.at, kind, bound.declared.path)
            here = _At(reference, f"{label}-{bound.number}", row, at, bound.number)
            yield from _of_field_row(said, slot, bound, segment.field(bound.number), here)
    for across in slot.across:
        if across.segment == segment.name:
            row = _row(f"{segment.name}-{'/'.join(map(str, across.numbers))}", kind, "")
            here = _At(reference, label, row, at, across.numbers[0])
            yield from _of_numbers(said, segment, here, _across(said.scope, slot, across, segment, reference))
    for rows in slot.segments:
        if rows.name == segment.name:
            here = _At(reference, label, _row(segment.name, kind, rows.path), at, 0)
            yield from _of_numbers(said, segment, here, _whole(said.scope, rows, segment, reference))


def _row(at: str, kind: str, path: str) -> str:
    return f"{at} <-> {kind}.{path}" if path else f"{at} <-> {kind}"


def _of_field_row(
    said: forward.Forward, slot: Slot, bound: BoundField | BoundOne, text: str, here: _At
) -> Iterator[Origin]:
    repetitions = text.split(said.scope.repetition)
    for number, repetition in enumerate(repetitions[: 1 if isinstance(bound, BoundOne) else None], 1):
        comps = repetition.split(said.scope.component)
        label = here.label + (f"({number})" if number > 1 else "")

        def make(without: str, comps: list[str] = comps) -> Mapping[str, Json]:
            kept = ["" if str(n) == without else comp for n, comp in enumerate(comps, 1)]
            apart, node = said.scope.apart(), _fresh(slot)
            bound.take(said.scope.component.join(kept).rstrip(said.scope.component), node, apart)
            return _made(said, slot, here.reference, node, apart)

        parts = {str(n): f"{label}.{n}" for n, comp in enumerate(comps, 1) if comp and len(comps) > 1}
        yield from _attributed(said, make, parts, here, label)


def _fresh(slot: Slot) -> Json:
    return {"resourceType": slot.kind} if slot.kind else {}


def _made(said: forward.Forward, slot: Slot, reference: str, node: Json, apart: Scope) -> Mapping[str, Json]:
    """What a row made: on its own resource, and further resources that it refers to."""
    if slot.attached is not None:
        node = {slot.attached.path: [node]}
    referred: dict[str, Json] = getattr(apart.gathered, "resources", {})
    return {reference: node} | {at: made for at, made in referred.items() if at in said.assembly.resources}


def _across(
    scope: Scope, slot: Slot, across: BoundAcross, segment: Segment, reference: str
) -> Callable[[Segment], Mapping[str, Json]]:
    def make(changed: Segment) -> Mapping[str, Json]:
        apart, node = scope.apart(), _fresh(slot)
        across.get(changed, node, apart)
        referred: dict[str, Json] = getattr(apart.gathered, "resources", {})
        return {reference: node, **referred}

    return make


def _whole(
    scope: Scope, rows: BoundSegments, segment: Segment, reference: str
) -> Callable[[Segment], Mapping[str, Json]]:
    def make(changed: Segment) -> Mapping[str, Json]:
        node: Json = {}
        element, _ = forward.view_segment(changed, rows, scope.apart())
        if element:
            rows.writer(node, [element])
        return {reference: node}

    return make


def _of_numbers(
    said: forward.Forward, segment: Segment, here: _At, make: Callable[[Segment], Mapping[str, Json]]
) -> Iterator[Origin]:
    """Of a row that looks at several fields: each of them left out in turn."""

    def without(number: str) -> Mapping[str, Json]:
        changed = segment.copy()
        if number:
            changed.set(int(number), "")
        return make(changed)

    valued = [n for n, text in enumerate(segment.texts) if n and text not in ("", DELETE)]
    parts = {str(n): f"{here.label}-{n}" for n in valued[::-1]}  # of OBX-2 and OBX-5, the latter is the value
    yield from _attributed(said, without, parts, here, here.label)


def _attributed(
    said: forward.Forward, make: Make, parts: Mapping[str, str], here: _At, whole: str
) -> Iterator[Origin]:
    """Each element made with all parts, and the part without which the fewest others would go with it."""
    everything = make("")
    leaves = _leaves(everything)
    gone = {part: _missing(leaves, _leaves(make(part))) for part in parts}
    for reference, made in everything.items():
        for path, element in _located(made, said.assembly.resources.get(reference, {})):
            needed = [part for part, paths in gone.items() if (reference, path) in paths]
            closest = min(needed, key=lambda part: len(gone[part]), default="")
            location = parts.get(closest, whole)
            field = here.field or int(closest or 0)
            yield Origin(reference, element, location, here.row, here.segment, field)


def _missing(leaves: Leaves, kept: Leaves) -> set[tuple[str, Path]]:
    return {at for at, value in leaves.items() if at not in kept or kept[at] != value}


def _leaves(resources: Mapping[str, Json]) -> Leaves:
    return {(reference, path): value for reference, one in resources.items() for path, value in _walk(one)}


def _walk(node: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(node, dict):
        inside = node.items()
    elif isinstance(node, list):
        inside = enumerate(node)
    else:
        yield at, node
    for step, child in inside:
        yield from _walk(child, (*at, step))


def _located(made: Any, whole: Any, at: Path = (), said: str = "") -> Iterator[tuple[Path, str]]:
    """The leaves of what a row made: their path there, and their place in the resource as it became."""
    if isinstance(made, dict):
        for name, child in made.items():
            inside = whole.get(name) if isinstance(whole, dict) else None
            yield from _located(child, inside, (*at, name), f"{said}.{name}".lstrip("."))
    elif isinstance(made, list):
        for n, child in enumerate(made):
            known = whole if isinstance(whole, list) else []
            place = _place_of(child, n, known)
            inside = known[place] if place < len(known) else None
            yield from _located(child, inside, (*at, n), f"{said}[{place}]")
    else:
        yield at, said


def _place_of(child: Any, n: int, known: list[Any]) -> int:
    """Where an element stands in a list that others add to as well."""
    if n < len(known) and known[n] == child:
        return n
    if child in known:
        return known.index(child)
    within = (at for at, other in enumerate(known) if isinstance(child, dict) and includes(other, child))
    return next(within, n)
