"""FHIR to v2: resources over the prior message, or into a new one.

What the bundle does not speak of stays as it was; a DELETE entry removes. Each unit of the prior
message is put with three things in hand: what FHIR says now, what the prior text said, and that text.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from ..hl7v2.tree import Message, Segment
from . import following, forward, native
from .bonding import bonds, reference_in
from .compiled import Bound, BoundSegments, BoundUnit, Slot
from .fields import BoundField, BoundOne
from .layout import Layout
from .opening import New, news
from .parts import placed
from .places import Json, head, same
from .scope import Scope
from .sharing import put_list, views, without
from .units import Attached, Bond
from .work import Target, Work, by_way, now


def to_v2(before: forward.Forward, target: Target, order: tuple[str, ...]) -> Message:
    """Write resources over a message, given with what it said.

    ``order``: the units it may hold, in the order they are written.
    """
    prior, maps = before.message, before.maps
    target.base = before.assembly.resources
    native.adapt(target, maps)
    scope = Scope(prior.delimiters, before.assembly, target, before.assembly)
    scope.version = prior.version
    layout = Layout(prior, before.plan, maps.planner.units, order)
    for n, spoken in enumerate(before.spoken):
        layout.know(n, spoken.references[0])
    there = {reference for spoken in before.spoken for reference in spoken.references if reference}
    work = Work(maps, target, before, scope, layout, there, still=_still(target, there))
    for n in before.plan.order:
        _put_instance(work, n)
    for unit in maps.units:
        if unit.declared.name in order and not unit.declared.after:
            _open_parts(work, unit)
            for new in news(work, unit):
                _open(work, unit, new)
    for unit in following.units(work):
        for new in news(work, unit):
            _open(work, unit, new)
    for one in following.new(work):
        _follow(work, one)
    target.standing = frozenset(layout.standing(len(before.spoken)))
    return layout.message()


def _still(target: Target, there: set[str]) -> bool:
    """Whether all that fields refer to (persons, places, organizations) is as the prior message said it."""
    changed = {name for name, resource in target.resources.items() if resource is not target.base.get(name)}
    return (changed | target.deleted) & target.base.keys() <= there


def _put_instance(work: Work, n: int) -> None:
    """A unit of the prior message."""
    spoken = work.before.spoken[n]
    unit = work.maps.units[spoken.instance.unit]
    main = spoken.references[0]
    if unit.slots[0].part is not None:
        _put_part(work, unit, n)
        return
    if bonds(unit):
        _put_follower(work, unit, n)
        return
    if main in work.target.deleted:
        work.layout.remove(n)
        return
    work.scope.owner = _owner(work, n)
    said = now(work, unit, spoken.references, spoken.instance.parents)
    old = [work.before.assembly.resources.get(reference, {}) for reference in spoken.references]
    _put_unit(work, unit, n, said, old, main)
    if unit.declared.marks:
        _mark(work, unit, n)


def _owner(work: Work, n: int) -> str:
    """Under whom things without an identifier are told apart, as on the way to FHIR."""
    before = work.before
    parent = before.plan.instances[n].parents.get("patient", -1)
    mine = before.spoken[parent].references[0] if parent >= 0 else ""
    return str(before.spoken[n].owner or mine or before.key)


def _put_unit(work: Work, unit: BoundUnit, n: int, now: list[Json], old: list[Json], main: str) -> None:
    work.said[n] = now
    for at, slot in enumerate(unit.slots):
        target, base = now[at], old[at]
        if isinstance(slot.declared, Attached):
            target, base = _attached(work, slot.declared, n, main)
        elif target is base and work.still:
            continue
        if slot.undone is not None:
            target, base = slot.undone(target), slot.undone(base)
        if target or base:  # what is not there, and was not, leaves the text as it is
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


def _put_follower(work: Work, unit: BoundUnit, n: int) -> None:
    """A unit of the prior message that is said of what stands before it, as long as that refers to it."""
    spoken = work.before.spoken[n]
    at, bond = bonds(unit)[0]
    element = following.home(work, unit, n)
    reference = reference_in(bond, element) if element else ""
    if element is None or reference in work.target.deleted:
        work.layout.remove(n)
    elif element:
        work.scope.owner = _owner(work, n)
        old = [work.before.assembly.resources.get(one, {}) for one in spoken.references]
        old[at] = spoken.nodes[at]
        _put_bound(work, unit, n, (reference, at, element), old)


def _put_bound(work: Work, unit: BoundUnit, n: int, now: tuple[str, int, Json], old: list[Json]) -> None:
    """Write what a unit speaks of, and the element that refers to it."""
    reference, at, element = now
    work.layout.know(n, reference)
    work.done.add(reference)
    said: list[Json] = [{} for _ in unit.slots]
    if at:
        said[0] = work.target.resolve({"reference": reference}) or {}
    said[at] = element
    _put_unit(work, unit, n, said, old, reference)
    _mark(work, unit, n)


def _follow(work: Work, new: following.Follower) -> None:
    """Segments for what a resource refers to, behind those of the resource."""
    layout, declared = work.layout, new.unit.slots[new.bond].declared
    assert isinstance(declared, Bond)  # noqa: S101 - it was found by it
    reference = reference_in(declared, new.element)
    parents = {**layout.parents(new.leader), layout.unit(new.leader): new.leader}
    n = layout.open(new.unit.declared, reference, parents)
    old: list[Json] = [{} for _ in new.unit.slots]
    _put_bound(work, new.unit, n, (reference, new.bond, new.element), old)
    _mark(work, new.unit, n, new=True)
    layout.close(n)


def _mark(work: Work, unit: BoundUnit, n: int, new: bool = False) -> None:
    """Write what tells a unit from others that follow the same, where nothing does."""
    declared = unit.declared
    segment = work.layout.segment(n, declared.opener)
    known = declared.when is None or declared.when(segment)
    for number, text in declared.marks.items():
        if not known or (new and not segment.field(number)):
            delimiter = segment.delimiters.component
            there, mark = segment.field(number).split(delimiter), text.split("^")
            both = [new or old for new, old in zip_longest(mark, there, fillvalue="")]
            segment.set(number, delimiter.join(both).rstrip(delimiter))


def _open_parts(work: Work, unit: BoundUnit) -> None:
    """Segments for elements that the prior message did not say."""
    slot, layout = unit.slots[0], work.layout
    if slot.part is None:
        return
    declared = slot.part.declared
    for parent in list(layout.instances(declared.parent)):
        for element in placed(work, unit, parent).new:
            around = {**layout.parents(parent), declared.parent: parent}
            parents = {name: at for name, at in around.items() if name in unit.declared.under}
            n = layout.open(unit.declared, "", parents)
            if declared.led and not layout.holds(declared.led):
                layout.add(n, declared.led)
            _own(work, n)
            _put_slot(work, unit, slot, n, element, {})
            layout.close(n)


def _attached(work: Work, declared: Attached, n: int, main: str) -> tuple[Json, Json]:
    """The element of the parent's list that refers to this unit's resource, now and before."""
    parent = work.layout.parent(n, declared.unit)
    if parent is None:
        return {}, {}
    spoken = work.before.spoken
    reference = spoken[parent].references[declared.slot] if parent < len(spoken) else ""
    before = work.before.assembly.resources.get(reference, {})
    now, old = (_element(resource, declared, main) for resource in (work.said[parent][declared.slot], before))
    return now, old


def _element(resource: Json, declared: Attached, main: str) -> Json:
    return next(
        (
            {name: value for name, value in element.items() if name != declared.link}
            for element in resource.get(declared.path, ())
            if forward.reference_of(element.get(declared.link)) == main
        ),
        {},
    )


def _put_slot(work: Work, unit: BoundUnit, slot: Slot, n: int, target: Json, base: Json) -> None:
    layout, scope = work.layout, work.scope

    def segment_of(bound: Bound) -> Segment:
        return layout.segment(n, bound.segment)

    changed = _changed(target, base) if work.still else {*target, *base}
    for bound in slot.fields:
        if isinstance(bound, BoundField) or bound.declared.secondary or changed.isdisjoint(bound.heads):
            continue
        bound.put(target, base, segment_of(bound), scope)
    for rivals in slot.rivals:
        if changed.isdisjoint(rivals[0].heads):
            continue
        speaking = [one for one in rivals if one.speaks(base, segment_of(one), scope)]
        for bound in speaking or [_preferred(rivals, target, scope)]:
            bound.put(target, base, segment_of(bound), scope)
    for across in slot.across:
        if not changed.isdisjoint(map(head, across.elements)):
            across.put(target, base, layout.segment(n, across.segment), scope)
    for rows in slot.segments:
        beside = [fields for fields in slot.lists if fields[0].declared.path == rows.path]
        said = [view for fields in beside for each in fields for view in views(each, segment_of(each), scope)]
        _put_segments(work, rows, n, target, base, said)
    for fields in slot.lists:
        if head(fields[0].declared.path) not in changed:
            continue
        elements = fields[0].reader(target)
        before = fields[0].reader(base)
        put_list(fields, _as_objects(elements), _as_objects(before), segment_of, scope)


def _preferred(rivals: list[BoundOne], target: Json, scope: Scope) -> BoundOne:
    """Of fields that may say the same element, the one to say it where none does yet."""
    asking = (one for one in rivals if one.declared.first and one.declared.first(target, scope.target))
    return next(asking, rivals[0])


def _changed(target: Json, base: Json) -> set[str]:
    """The elements that FHIR says otherwise than before."""
    return {name for name in {*target, *base} if not same(target.get(name), base.get(name))}


def _as_objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _put_segments(
    work: Work, rows: BoundSegments, n: int, target: Json, base: Json, elsewhere: list[Json]
) -> None:
    """A list whose elements are segments: each over the one that said the same, else over the next one.

    ``elsewhere``: the elements that fields say.
    """
    first = int(rows.further)
    wanted, before = (
        [
            one
            for one in _as_objects(rows.reader(node))[first:]
            if one.keys() >= {*rows.needs} and rows.only(one)
        ]
        for node in (target, base)
    )
    if same(wanted, before):
        return
    wanted = without(wanted, elsewhere)
    if rows.further and wanted:
        work.layout.keep(n, rows.name)
    segments = work.layout.segments(n, rows.name)[first:]
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


def _open(work: Work, unit: BoundUnit, new: New) -> None:
    """Segments for a resource that the prior message did not speak of."""
    reference, resource, parents, at = new
    n = work.layout.open(unit.declared, reference, parents)
    work.done.add(reference)
    around = work.layout.parents(n)
    _own(work, n)
    said: list[Json] = [*({} for _ in unit.slots[:at]), resource]
    said += [by_way(work, slot, said[0], reference, parents=around) for slot in unit.slots[at + 1 :]]
    _put_unit(work, unit, n, said, [{} for _ in unit.slots], reference)
    _mark(work, unit, n, new=True)
    work.layout.close(n)
