"""FHIR to v2: resources over the prior message, or into a new one.

What the bundle does not speak of stays as it was; a DELETE entry removes. Each unit of the prior
message is put with three things in hand: what FHIR says now, what the prior text said, and that text.
"""

from __future__ import annotations

from typing import Any

from ..hl7v2.tree import Message, Segment
from . import forward
from .compiled import Bound, BoundSegments, BoundUnit, Maps, Slot
from .fields import BoundOne
from .layout import Layout
from .opening import Parents, news
from .parts import placed
from .places import Json, same
from .scope import Scope
from .sharing import put_list
from .units import Attached
from .work import Target, Work, by_way, now


def to_v2(prior: Message, maps: Maps, target: Target, order: tuple[str, ...]) -> Message:
    """Write resources over a message; ``order``: the units it may hold, in the order they are written."""
    before = forward.to_fhir(prior, maps)
    target.base = before.assembly.resources
    scope = Scope(prior.delimiters, before.assembly, target, before.assembly)
    layout = Layout(prior, before.plan, maps.planner.units, order)
    for n, spoken in enumerate(before.spoken):
        layout.know(n, spoken.references[0])
    work = Work(maps, target, before, scope, layout, set())
    for n in before.plan.order:
        _put_instance(work, n)
    for unit in maps.units:
        if unit.declared.name in order:
            _open_parts(work, unit)
            for reference, resource, parents in news(work, unit):
                _open(work, unit, reference, resource, parents)
    target.standing = frozenset(layout.standing(len(before.spoken)))
    return layout.message()


def _put_instance(work: Work, n: int) -> None:
    """A unit of the prior message."""
    spoken = work.before.spoken[n]
    unit = work.maps.units[spoken.instance.unit]
    main = spoken.references[0]
    work.done.update(reference for reference in spoken.references if reference)
    if unit.slots[0].part is not None:
        _put_part(work, unit, n)
        return
    if main in work.target.deleted:
        work.layout.remove(n)
        return
    work.scope.owner = _owner(work, n)
    said = now(work, unit, spoken.references)
    old = [work.before.assembly.resources.get(reference, {}) for reference in spoken.references]
    _put_unit(work, unit, n, said, old, main)


def _owner(work: Work, n: int) -> str:
    """Under whom things without an identifier are told apart, as on the way to FHIR."""
    before = work.before
    parent = before.plan.instances[n].parents.get("patient", -1)
    mine = before.spoken[parent].references[0] if parent >= 0 else before.spoken[n].seed
    return str(mine or before.key)


def _put_unit(work: Work, unit: BoundUnit, n: int, now: list[Json], old: list[Json], main: str) -> None:
    for at, slot in enumerate(unit.slots):
        target, base = now[at], old[at]
        if isinstance(slot.declared, Attached):
            target, base = _attached(work, slot.declared, n, main)
        _put_slot(work, unit, slot, n, target, base)


def _put_part(work: Work, unit: BoundUnit, n: int) -> None:
    """A unit of the prior message that says an element of its parent's list."""
    slot, spoken = unit.slots[0], work.before.spoken[n]
    assert slot.part is not None  # noqa: S101 - the caller has looked
    parent = spoken.instance.parents.get(slot.part.declared.parent)
    if parent is None or not spoken.nodes[0]:
        return
    element = placed(work, unit, parent).homes.get(n)
    if element is None:
        work.layout.remove(n)
        return
    work.scope.owner = _owner(work, n)
    _put_slot(work, unit, slot, n, element, spoken.nodes[0])


def _open_parts(work: Work, unit: BoundUnit) -> None:
    """Segments for elements that the prior message did not say."""
    slot, layout = unit.slots[0], work.layout
    if slot.part is None:
        return
    declared = slot.part.declared
    for parent in list(layout.instances(declared.parent)):
        for element in placed(work, unit, parent).new:
            n = layout.open(unit.declared, "", {**layout.parents(parent), declared.parent: parent})
            if declared.led and not layout.holds(declared.led):
                layout.add(n, declared.led)
            _own(work, n)
            _put_slot(work, unit, slot, n, element, {})
            layout.close(n)


def _attached(work: Work, declared: Attached, n: int, main: str) -> tuple[Json, Json]:
    """The element of the parent's list that refers to this unit's resource, now and before."""
    parent = work.layout.parent(n, declared.unit)
    reference = work.layout.reference(parent) if parent is not None else ""
    return tuple(  # type: ignore[return-value]
        next(
            (
                {name: value for name, value in element.items() if name != declared.link}
                for element in (resource or {}).get(declared.path, ())
                if forward.reference_of(element.get(declared.link)) == main
            ),
            {},
        )
        for resource in (
            work.target.resolve({"reference": reference}),
            work.before.assembly.resources.get(reference),
        )
    )


def _put_slot(work: Work, unit: BoundUnit, slot: Slot, n: int, target: Json, base: Json) -> None:
    layout, scope = work.layout, work.scope

    def segment_of(bound: Bound) -> Segment:
        return layout.segment(n, bound.segment)

    for bound in slot.fields:
        if isinstance(bound, BoundOne) and not bound.declared.secondary:
            bound.put(target, base, segment_of(bound), scope)
    for rivals in slot.rivals:
        speaking = [one for one in rivals if one.speaks(base, segment_of(one), scope)]
        for bound in speaking or rivals[:1]:
            bound.put(target, base, segment_of(bound), scope)
    for across in slot.across:
        across.put(target, base, layout.segment(n, across.segment), scope)
    for rows in slot.segments:
        _put_segments(work, rows, n, target, base)
    for fields in slot.lists:
        elements = fields[0].reader(target)
        before = fields[0].reader(base)
        put_list(fields, _as_objects(elements), _as_objects(before), segment_of, scope)


def _as_objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _put_segments(work: Work, rows: BoundSegments, n: int, target: Json, base: Json) -> None:
    """A list whose elements are segments: each over the one that said the same, else over the next one."""
    wanted = [element for element in rows.reader(target) or () if isinstance(element, dict)]
    if same(wanted, rows.reader(base) or []):
        return
    segments = work.layout.segments(n, rows.name)
    views = [forward.view_segment(segment, rows, work.scope)[0] for segment in segments]
    free = list(range(len(segments)))
    homes = [_equal(views, free, element) for element in wanted]
    spoken = [at for at in free if views[at]]  # a segment of which nothing is said stays as it is
    for element, home in zip(wanted, homes):
        at = home if home is not None else (spoken.pop(0) if spoken else None)
        segment = segments[at] if at is not None else work.layout.add(n, rows.name)
        fields = segment.texts[1:]
        rows.lens.put(element, views[at] if at is not None else {}, fields, work.scope)
        for number, text in enumerate(fields, 1):
            if text != segment.field(number):
                segment.set(number, text)
    for at in spoken:
        work.layout.drop(segments[at])


def _equal(views: list[Json], free: list[int], element: Json) -> int | None:
    at = next((n for n in free if same(views[n], element)), None)
    if at is not None:
        free.remove(at)
    return at


def _own(work: Work, n: int) -> None:
    """Let what has no identifier belong to the patient of a new unit, else to the message."""
    patient = work.layout.reference(work.layout.parents(n).get("patient", -1))
    work.scope.owner = patient or _message_key(work)


def _message_key(work: Work) -> str:
    header = next((work.layout.segment(n, "MSH") for n in work.layout.instances("header")), None)
    return forward.to_fhir(Message([header], header.delimiters), work.maps).key if header else ""


def _open(work: Work, unit: BoundUnit, reference: str, resource: Json, parents: Parents) -> None:
    """Segments for a resource that the prior message did not speak of."""
    n = work.layout.open(unit.declared, reference, parents)
    work.done.add(reference)
    _own(work, n)
    said = [resource] + [by_way(work, slot, resource, reference) for slot in unit.slots[1:]]
    _put_unit(work, unit, n, said, [{} for _ in unit.slots], reference)
    work.layout.close(n)
