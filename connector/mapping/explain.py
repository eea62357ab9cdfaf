"""Where each FHIR element of a translation comes from: the v2 location and the row.

Nothing is described twice: a field is said again in parts by the very rows that said it, and what a part
says alone, or what goes missing without it, is what comes from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..hl7v2.tree import Segment
from . import bonding, linking, remaining
from .compiled import BoundPart, BoundSegments, Slot
from .fields import DELETE, BoundField, BoundOne
from .forward import Around, Forward, Spoken
from .naming import fhir_place, names_of, v2_place
from .places import Json, includes, place, same
from .saying import Leaves, Part, Saying, Source, across_source, field_source, leaves_of, walk
from .scope import Scope
from .units import Bond

_INDEX = re.compile(r"\[\d+\]")
_LISTED = re.compile(r"(\w+)\[(\d+)\](\..*)")


class Explained(NamedTuple):
    """One element: ``Patient.name[0].family``, from ``PID-5.1``, by ``PID-5 XPN.1 -> HumanName.family``.

    ``location`` is empty for what no field says (a default, or what follows from other elements), ``element``
    for what the connector itself writes towards v2.
    """

    element: str
    location: str
    row: str
    to_v2: bool = False

    def __str__(self) -> str:
        if self.to_v2:
            return f"{self.location:<14} {self.element:<48} {self.row}"
        return f"{self.element:<48} {self.location:<14} {self.row}"


_OURS = "written by the connector, kept, or said by what stands beside it"
_STANDS = Explained("", "", "stands in FHIR")
_OWN = Explained("", "", _OURS, True)


@dataclass(slots=True)
class _Work:
    said: Forward
    version: str
    names: Mapping[str, str]
    filled: frozenset[tuple[int, int]]
    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note(self, element: str, location: str, row: str) -> None:
        claims = self.found.setdefault(element, [])
        if (location, row) not in claims:
            claims.append((location, row))


def to_fhir(
    said: Forward, resources: Mapping[str, Json], filled: Sequence[tuple[Segment, int]] = ()
) -> list[Explained]:
    """Every primitive of a translation's resources with its sources, in the order of the resources.

    ``resources``: those of the translation, which may have been merged with what stood in FHIR. ``filled``:
    the fields that a profile filled.
    """
    own = explained(said, filled)
    if resources is said.assembly.resources:
        return own
    claims: dict[str, list[Explained]] = {}
    for one in own:
        claims.setdefault(one.element, []).append(one)
    mine = {key: dict(walk(resource)) for key, resource in said.assembly.resources.items()}
    names = names_of(resources)
    return [
        one._replace(element=f"{names[key]}.{path}")
        for key, resource in resources.items()
        for path, value in walk(resource)
        for one in claims.get(_same_leaf(path, value, names[key], mine[key])) or [_STANDS]
    ]


def _same_leaf(path: str, value: Any, name: str, said: Mapping[str, Any]) -> str:
    """The name of the leaf that a merged one came from, wherever in its lists it stands now."""
    if said.get(path) == value:
        return f"{name}.{path}"
    form = _INDEX.sub("", path)
    return next(
        (f"{name}.{at}" for at, one in said.items() if one == value and _INDEX.sub("", at) == form), ""
    )


def to_v2(said: Forward, wanted: Mapping[str, Json]) -> list[Explained]:
    """Every part of a message with the FHIR elements it says, in the order of the message.

    ``said``: the message, read; ``wanted``: the resources it was written from.
    """
    renamed = _renamed(said.assembly.resources, wanted)
    claims: dict[str, list[Explained]] = {}
    for one in explained(said):
        if one.location and not one.row.endswith("(constant)"):
            element = renamed.get(one.element.partition(".")[0], "") + "." + one.element.partition(".")[2]
            place, _, target = one.row.partition(" -> ")
            back = Explained(element.strip("."), one.location, f"{target} -> {place}", True)
            claims.setdefault(one.location, []).append(back)
    found: list[Explained] = []
    for label, segment in zip(said.plan.labels, said.message.segments):
        for at in _parts(segment):
            location = f"{label}-{at}"
            alone = location.removesuffix(".1") if location.endswith(".1") else location
            whole = location.partition(".")[0]  # a row that spans fields takes each as a whole
            mine = claims.get(location) or claims.get(alone) or claims.get(whole)
            found += [one._replace(location=location) for one in mine or [_OWN]]
    return found


def _renamed(read: Mapping[str, Json], wanted: Mapping[str, Json]) -> dict[str, str]:
    """The names of the resources as they were read, with those under which they were wanted."""
    names, asked = names_of(read), names_of(wanted)
    found = {names[key]: asked[key] for key in read if key in asked}
    for key, resource in read.items():
        if names[key] not in found:
            kind = resource["resourceType"]
            free = (asked[one] for one in wanted if wanted[one]["resourceType"] == kind)
            found[names[key]] = next((one for one in free if one not in found.values()), names[key])
    return found


def _parts(segment: Segment) -> Iterator[str]:
    """The parts of a segment that say something: ``3(2).4.1``."""
    d = segment.delimiters
    for number, text in enumerate(segment.texts):
        if not number or not text:
            continue
        if segment.name == "MSH" and number <= 2:
            yield str(number)
            continue
        for rep, repetition in enumerate(text.split(d.repetition), 1):
            at = f"{number}({rep})" if rep > 1 else str(number)
            comps = repetition.split(d.component)
            for c, comp in enumerate(comps, 1):
                subs = comp.split(d.subcomponent)
                inside = "" if len(comps) == len(subs) == 1 else f".{c}"
                yield from (
                    at + inside + (f".{s}" if len(subs) > 1 else "") for s, sub in enumerate(subs, 1) if sub
                )


def explained(said: Forward, filled: Sequence[tuple[Segment, int]] = ()) -> list[Explained]:
    """Every primitive of what a message says with its sources, in the order of the resources."""
    resources = said.assembly.resources
    version = said.message.version
    assumed = frozenset((id(segment), number) for segment, number in filled)
    work = _Work(said, version, names_of(resources), assumed)
    for spoken in said.spoken:
        for at in said.units[spoken.instance.unit].order:
            _explain_slot(work, spoken, at)
    work.found.update(remaining.claims(said, work.found))
    return [
        Explained(element, *claim)
        for reference, resource in resources.items()
        for path, _ in walk(resource)
        for element in [f"{work.names[reference]}.{path}"]
        for claim in work.found.get(element) or [("", "follows from other elements")]
    ]


# --- the rows of one resource -------------------------------------------------------------------------------


def _explain_slot(work: _Work, spoken: Spoken, at: int) -> None:
    slot = work.said.units[spoken.instance.unit].slots[at]
    around = Around(work.said, spoken.instance)
    reference, prefix = spoken.references[at], ""
    if slot.attached is not None:
        reference, prefix = _attached(work, slot, spoken, around)
    if isinstance(slot.declared, Bond):
        reference, prefix = _bond(work, slot.declared, spoken, at)
    if slot.part is not None:
        reference, prefix = _part(work, slot.part, spoken.nodes[at], around)
    if reference not in work.names:
        return
    _rows(work, spoken, slot, reference, prefix)
    _links(work, spoken, slot, reference)
    for path, name in _defaults(slot):
        if name in work.said.assembly.resources[reference]:
            for inside, _ in walk(work.said.assembly.resources[reference][name], name):
                work.found.setdefault(f"{work.names[reference]}.{inside}", [("", f"default -> {path}")])


def _defaults(slot: Slot) -> Iterator[tuple[str, str]]:
    return ((f"{slot.kind}.{name}", name) for name, _ in slot.defaults)


def _attached(work: _Work, slot: Slot, spoken: Spoken, around: Around) -> tuple[str, str]:
    """The parent's resource, and the path of the element that refers to this unit's."""
    declared = slot.attached
    assert declared is not None  # noqa: S101 - the caller has looked
    parent = around.parent(declared.unit, declared.slot)
    for n, one in enumerate(work.said.assembly.resources.get(parent, {}).get(declared.path, ())):
        if one.get(declared.link, {}).get("reference") == spoken.references[0]:
            path = f"{declared.path}[{n}]"
            _note_link(work, spoken, parent, f"{path}.{declared.link}.reference")
            return parent, path
    return "", ""


def _bond(work: _Work, bond: Bond, spoken: Spoken, at: int) -> tuple[str, str]:
    """The resource around, and the path of the element that refers to what the unit speaks of."""
    parent = bonding.parent(work.said, bond, spoken.instance.parents)
    element = spoken.nodes[at]
    there = place(bond.path)[0](work.said.assembly.resources.get(parent, {}))
    listed = [there] if bond.alone else there or ()
    n = next((n for n, one in enumerate(listed) if same(one, element)), None)
    if n is None:
        return "", ""
    path = _dotted(bond.path) if bond.alone else f"{_dotted(bond.path)}[{n}]"
    _note_link(work, spoken, parent, ".".join(part for part in (path, bond.link, "reference") if part))
    return parent, path


def _part(work: _Work, part: BoundPart, element: Json, around: Around) -> tuple[str, str]:
    """The parent's resource, and the path of the element that this unit's segments say."""
    parent = around.parent(part.declared.parent)
    listed = part.reader(work.said.assembly.resources.get(parent, {})) or ()
    found = next((f"{part.declared.path}[{n}]" for n, one in enumerate(listed) if one is element), "")
    return (parent, found) if found else ("", "")


def _rows(work: _Work, spoken: Spoken, slot: Slot, reference: str, prefix: str) -> None:
    for name, positions in spoken.instance.at.items():
        for nth, position in enumerate(positions):
            segment, label = work.said.message.segments[position], work.said.plan.labels[position]
            scope = _scope(work, spoken, name)
            at = _At(reference, prefix, label, segment)
            mine = [rows for rows in slot.segments if rows.name == name and nth >= rows.further]
            for rows in mine:
                _segment(work, rows, at, scope)
            if any(rows.further for rows in mine):
                continue
            for bound in slot.fields:
                text = segment.field(bound.number)
                if bound.segment == name and text not in ("", DELETE):
                    _field(work, bound, text, at, scope)
            for across in slot.across:
                if across.segment == name:
                    _attribute(work, across_source(across, segment, scope), at, "", "")


class _At(NamedTuple):
    """Where a row stands on both sides."""

    reference: str
    prefix: str
    label: str
    segment: Segment


def _scope(work: _Work, spoken: Spoken, name: str) -> Scope:
    """The surroundings in which the segment was said; what is referred to is looked at apart."""
    scope = work.said.scope.apart()
    parent = Around(work.said, spoken.instance).parent("patient")
    scope.owner = (spoken.owner if name != "PID" else "") or parent or work.said.key
    scope.beware()
    return scope


def _field(work: _Work, bound: BoundField | BoundOne, text: str, at: _At, scope: Scope) -> None:
    repetitions = text.split(scope.repetition)
    if isinstance(bound, BoundOne):
        path = _dotted(bound.declared.path)
        _attribute(work, field_source(bound, repetitions[0], "", scope), at, path, bound.declared.path)
        return
    for n, repetition in enumerate(repetitions, 1):
        element = bound.view(repetition.split(scope.component), scope)[0]
        there = place(bound.declared.path)[0](_resource(work, at)) or []
        index = next((i for i, one in enumerate(there) if includes(one, element)), None)
        if element and index is not None:
            path = f"{_dotted(bound.declared.path)}[{index}]"
            source = field_source(bound, repetition, f"({n})" if n > 1 else "", scope)
            _attribute(work, source, at, path, bound.declared.path)


def _segment(work: _Work, rows: BoundSegments, at: _At, scope: Scope) -> None:
    """A segment that is an element: its fields stand where components do."""
    parts = [(n, text) for n, text in enumerate(at.segment.texts) if n and text not in ("", DELETE)]
    everything = at.segment.texts[1:]

    def say(told: frozenset[int]) -> Leaves:
        kept = {parts[n][0] for n in told}
        element: Json = {}
        texts = [text if n in kept else "" for n, text in enumerate(everything, 1)]
        rows.lens.get(texts, element, scope)
        return leaves_of(element, scope)

    whole: Json = {}
    rows.lens.get(everything, whole, scope)
    there = rows.reader(_resource(work, at)) or []
    index = next((n for n, one in enumerate(there) if includes(one, whole)), None)
    if whole and index is not None:
        source = Source([Part(f"-{n}", f"-{n}") for n, _ in parts], say)
        _attribute(work, source, at, f"{_dotted(rows.path)}[{index}]", rows.path)


def _resource(work: _Work, at: _At) -> Json:
    resource = work.said.assembly.resources[at.reference]
    node: Any = resource
    for step in re.findall(r"\w+", at.prefix):
        node = node[int(step) if step.isdigit() else step]
    found: Json = node
    return found


def _dotted(path: str) -> str:
    """``name.0.family`` as ``name[0].family``."""
    return re.sub(r"\.(\d+)", r"[\1]", path)


def _attribute(work: _Work, source: Source, at: _At, path: str, row_path: str) -> None:
    """Note for each leaf of what is said the parts it comes from."""
    if not source.parts:
        return
    saying = Saying(source)
    kind = work.said.assembly.resources[at.reference]["resourceType"]
    for where, inside in [*saying.full, *(("", constant) for constant in source.constants)]:
        element = _element(work, at, where, path, inside, saying)
        if element is None:
            continue
        owners = saying.owners(where, inside)
        parts = [source.parts[n] for n in owners] or [_whole(source.parts[0])]
        target = fhir_place(kind, f"{at.prefix}.{row_path}".strip("."), inside, where)
        for part in parts:
            row = f"{v2_place(at.segment.name, part.named, work.version)} -> {target}"
            if (id(at.segment), int(re.split(r"[-.(]", part.named)[1])) in work.filled:
                row += " (assumed by the profile)"
            work.note(element, at.label + part.at, row if owners else f"{row} (constant)")


def _whole(part: Part) -> Part:
    """The field or repetition that a part is of."""
    return Part(part.at.partition(".")[0], part.named.partition(".")[0])


def _element(work: _Work, at: _At, where: str, path: str, inside: str, saying: Saying) -> str | None:
    """The name of a leaf as it stands in the resources; None where it does not stand there."""
    if where:
        return f"{work.names[where]}.{inside}" if where in work.names else None
    if not path and (found := _LISTED.match(inside)):
        name, index, rest = found.groups()
        mine = saying.element(name, int(index))
        there = _resource(work, at).get(name, [])
        index = next((n for n, one in enumerate(there) if includes(one, mine)), index)
        inside = f"{name}[{index}]{rest}"
    joined = ".".join(part for part in (at.prefix, path, inside) if part)
    return f"{work.names[at.reference]}.{joined}"


# --- links ------------------------------------------------------------------------------------------------


def _links(work: _Work, spoken: Spoken, slot: Slot, reference: str) -> None:
    around = Around(work.said, spoken.instance)
    resource = work.said.assembly.resources[reference]
    for path in slot.linked:
        links = getattr(slot.declared, "links", {})
        units = [links[one][0] for one in (path, f"{path}?") if one in links]
        found = place(path)[0](resource)
        if isinstance(found, dict) and "reference" in found:
            there = next((unit for unit in units if unit in spoken.instance.parents), "")
            other = work.said.spoken[spoken.instance.parents[there]] if there else spoken
            _note_link(work, other, reference, f"{_dotted(path)}.reference")
    for unit, other_slot, path in slot.collected:
        parent = around.parent(unit, other_slot)
        for n, one in enumerate(place(path)[0](work.said.assembly.resources.get(parent, {})) or ()):
            if one.get("reference") == reference:
                _note_link(work, spoken, parent, f"{path}[{n}].reference")
    if slot.mutual is not None:
        other = around.parent(slot.mutual.unit)
        for name, where in linking.places(work.said.assembly.resources, slot.mutual, reference, other):
            _note_link(work, spoken, name, where)


def _note_link(work: _Work, spoken: Spoken, reference: str, path: str) -> None:
    """A reference to the resource of a unit comes from its first segment."""
    position = min(at for ats in spoken.instance.at.values() for at in ats)
    label = work.said.plan.labels[position]
    kind = reference.partition("/")[0]
    name = work.said.message.segments[position].name
    work.note(f"{work.names[reference]}.{path}", label, f"{name} -> {kind}.{_INDEX.sub('', path)}")
