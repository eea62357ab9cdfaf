"""To FHIR over what stands there: an update never erases what v2 did not say.

Absent means unchanged, ``""`` means removed (HL7 v2.5.1 ch. 2.5.3), and a field that repeats says the whole
of its list, but only of those elements it would claim on the way back. A field that was sent and could not
be said (it is among what was lost) changes nothing. What FHIR requires and v2 only assumes never overrides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import bonding, linking, listed, repeated
from .compiled import BoundPart, Slot
from .fields import BoundAcross, BoundField, BoundOne, across_over, marks_of
from .forward import Around, Forward, Spoken
from .overlay import Marks, clear, deep, indexed, refers, remove, said_already, united
from .places import Json, copied, head, includes, place, same
from .units import Bond, ResourceMap

Touched = set[tuple[str, int]]
_CONSTANT = ("resourceType", "id")


@dataclass(slots=True)
class _Speaker:
    """A unit of the message that speaks of a resource, in one of its slots."""

    slot: Slot
    valued: Touched
    deleted: Touched
    names: frozenset[str]
    assumes: tuple[str, ...] = ()

    def says(self, bound: BoundOne | BoundField) -> bool:
        return (bound.segment, bound.number) in self.valued

    def deletes(self, bound: BoundOne | BoundField) -> bool:
        return (bound.segment, bound.number) in self.deleted


@dataclass(slots=True)
class _Spoken:
    """Who speaks of one resource: in its own right, or of an element of one of its lists."""

    speakers: list[_Speaker] = field(default_factory=list)
    attached: list[tuple[_Speaker, str]] = field(default_factory=list)
    parts: list[tuple[BoundPart, Json]] = field(default_factory=list)
    bonds: list[tuple[Bond, Json]] = field(default_factory=list)
    collected: set[str] = field(default_factory=set)
    linked: list[linking.Linked] = field(default_factory=list)


def over_prior(said: Forward, prior: Mapping[str, Json]) -> dict[str, Json]:
    """The resources of a translation, each over its prior one."""
    spoken = _spoken(said)
    merged: dict[str, Json] = {}
    for reference, resource in said.assembly.resources.items():
        before = prior.get(reference)
        if before is None:
            merged[reference] = resource
        elif (found := spoken.get(reference)) is not None and found.speakers:
            new = not _says_nothing_new(resource, before, found)
            merged[reference] = _merged(resource, before, found) if new else before
        else:
            merged[reference] = _referred(resource, before)
    return merged


def _says_nothing_new(now: Json, before: Json, spoken: _Spoken) -> bool:
    """Whether all that is said stands there word for word, and nothing else does: most resources of most
    messages, such as wards and staff."""
    if before.keys() != now.keys() or spoken.linked or any(speaker.deleted for speaker in spoken.speakers):
        return False
    return now == before


def _spoken(said: Forward) -> dict[str, _Spoken]:
    """Who speaks of which resource."""
    found: dict[str, _Spoken] = {}
    for spoken in said.spoken:
        around = Around(said, spoken.instance)
        for slot, reference, node in zip(
            said.units[spoken.instance.unit].slots, spoken.references, spoken.nodes
        ):
            declared = slot.declared
            speaker = _speaker(said, spoken, slot)
            if slot.attached is not None:
                parent = around.parent(slot.attached.unit, slot.attached.slot)
                found.setdefault(parent, _Spoken()).attached.append((speaker, spoken.references[0]))
            elif isinstance(declared, Bond) and bonding.reference_in(declared, node):
                parent = bonding.parent(said, declared, spoken.instance.parents)
                found.setdefault(parent, _Spoken()).bonds.append((declared, node))
            elif slot.part is not None and node:
                parent = around.parent(slot.part.declared.parent)
                found.setdefault(parent, _Spoken()).parts.append((slot.part, node))
            elif reference and isinstance(declared, ResourceMap):
                if declared.assumes is not None:
                    speaker.assumes = declared.assumes(node, around)
                found.setdefault(reference, _Spoken()).speakers.append(speaker)
            for unit, other, path in slot.collected:
                parent = around.parent(unit, other) if unit else spoken.references[other]
                found.setdefault(parent, _Spoken()).collected.add(path)
            if reference and slot.mutual is not None:
                both = linking.sides(slot.mutual, reference, around.parent(slot.mutual.unit))
                for name, linked in both.items():
                    found.setdefault(name, _Spoken()).linked.append(linked)
    return found


def _speaker(said: Forward, spoken: Spoken, slot: Slot) -> _Speaker:
    single = {rows.name for rows in slot.segments if rows.further}
    valued, deleted = (spoken.fields(said.message, way, single) for way in (False, True))
    return _Speaker(slot, valued, deleted, frozenset(spoken.instance.at))


# --- a resource that segments speak of -----------------------------------------------------------------


def _merged(now: Json, before: Json, spoken: _Spoken) -> Json:
    rows_said = [
        (rows, rows.name in speaker.names) for speaker in spoken.speakers for rows in speaker.slot.segments
    ]
    now, before, behind = repeated.first_only(now, before, rows_said)
    now, before = _across_first(now, before, spoken)
    result = copied(before)
    lists: dict[str, list[Json]] = {}
    by_place: set[str] = set()
    said: set[str] = set()
    for speaker in spoken.speakers:
        said |= _cleared(result, now, speaker)
        by_place |= set(speaker.slot.linked)
        by_place |= {path for owned, _ in _owned(speaker.slot) for path in owned}
        for fields in speaker.slot.lists:
            path = fields[0].declared.path
            lists[path] = listed.elements(fields, _list(before, path), _list(now, path), speaker)
        for rows in speaker.slot.segments:
            if rows.name in speaker.names and not rows.further:
                lists[rows.path] = repeated.over(rows, before, now)
    for path in spoken.collected:
        lists[path] = united(_list(before, path), _list(now, path))
    for path, linked in [(linked.mutual.path, linked) for linked in spoken.linked]:
        lists[path] = linking.over(lists.get(path, _list(before, path)), _list(now, path), linked)
    for speaker, link in spoken.attached:
        path = speaker.slot.attached.path if speaker.slot.attached else ""
        lists[path] = _attached(speaker, link, lists.get(path, _list(before, path)), now)
    for bond, element in spoken.bonds:
        if bond.alone:
            clear(result, {}, [bond.path], ())
            continue
        lists[bond.path] = bonding.over(bond, element, lists.get(bond.path, _list(before, bond.path)))
    for part, _ in spoken.parts:
        path = part.declared.path
        lists[path] = _with_parts(spoken, path, now, lists.get(path, _list(before, path)))
    marks = indexed(by_place)
    for name, value in _without(now, lists).items():
        if name in _CONSTANT or (result.get(name) == value and f"_{name}" not in result):
            continue
        if not _only_assumed(name, value, result, said, spoken.speakers):
            result = deep(result, {name: value}, marks)
    for path, elements in lists.items():
        _write(result, path, elements)
    for path, elements in behind.items():
        _write(result, path, [*_list(result, path), *elements])
    return result


def _across_first(now: Json, before: Json, spoken: _Spoken) -> tuple[Json, Json]:
    """With the elements of lists that fields together say over those that stand there, in their place."""
    for speaker in spoken.speakers:
        for across in speaker.slot.across:
            marks = marks_of(across)
            if marks and _speaks_across(across, speaker, now):
                now, before = copied(now), copied(before)
                for path, mark in marks:
                    _joined(across, speaker, now, before, (path, mark))
    return now, before


def _joined(
    across: BoundAcross, speaker: _Speaker, now: Json, before: Json, at: tuple[str, Mapping[str, Any]]
) -> None:
    """Put the element that fields together say in the place of the one that stands there."""
    path, mark = at
    said, there = ([one for one in _list(node, path) if includes(one, mark)] for node in (now, before))
    deleted = frozenset(n for name, n in speaker.deleted if name == across.segment and n in across.numbers)
    new = across_over(across, there[0] if there else {}, said[0] if said else {}, deleted)
    elements = [one for one in _list(before, path) if not includes(one, mark)]
    if new:
        first = next((n for n, one in enumerate(_list(before, path)) if includes(one, mark)), len(elements))
        elements.insert(first, new)
    _write(before, path, elements)
    _write(now, path, [one for one in _list(now, path) if not includes(one, mark)])


def _list(node: Json, path: str) -> list[Json]:
    return [one for one in place(path)[0](node) or () if isinstance(one, dict)]


def _without(now: Json, lists: Mapping[str, object]) -> Json:
    """What is said, but for the lists that were worked out already."""
    rest = copied(now)
    for path in lists:
        _write(rest, path, [])
    return rest


def _write(node: Json, path: str, elements: list[Json]) -> None:
    reader, writer = place(path)
    if elements:
        writer(node, elements)
    elif reader(node) is not None:
        remove(node, path)


def _owned(slot: Slot) -> Iterator[tuple[frozenset[str], Marks]]:
    """What the rows of a slot own outside lists, row by row."""
    for bound in slot.fields:
        if isinstance(bound, BoundOne):
            yield _paths(bound), bound.lens.marks
    for across in slot.across:
        yield across.elements, ()


def _paths(bound: BoundOne) -> frozenset[str]:
    prefix = f"{bound.declared.path}." if bound.declared.path else ""
    return frozenset(prefix + name for name in bound.lens.elements)


def _cleared(result: Json, now: Json, speaker: _Speaker) -> set[str]:
    """Take out what the sent fields own and do not say; the names of the elements that they do say."""
    said: set[str] = set()
    for bound in speaker.slot.fields:
        if isinstance(bound, BoundOne):
            owned, marks = _paths(bound), bound.lens.marks
            there = any(_says(now, path) for path in owned) or any(
                includes(one, mark) for path, mark in marks for one in _list(now, path)
            )
            if speaker.deletes(bound) or (speaker.says(bound) and there):
                clear(result, now, owned, marks)
                said |= {head(path) for path in owned}
    for across in speaker.slot.across:
        if _speaks_across(across, speaker, now):
            clear(result, now, across.elements, ())
            said |= {head(path) for path in across.elements}
    return said


def _says(now: Json, path: str) -> bool:
    return place(path)[0](now) is not None


def _speaks_across(across: BoundAcross, speaker: _Speaker, now: Json) -> bool:
    fields = {(across.segment, number) for number in across.numbers}
    said = fields & speaker.valued and any(_says(now, path) for path in across.elements)
    return bool(said or fields & speaker.deleted)


def _only_assumed(name: str, value: object, result: Json, said: set[str], speakers: list[_Speaker]) -> bool:
    """Whether v2 only assumes an element that stands there."""
    if name not in result:
        return said_already(result, name, value)
    if said_already(result, name, value):
        return True
    for speaker in speakers:
        declared = speaker.slot.declared
        default = declared.default if isinstance(declared, ResourceMap) else {}
        if name in speaker.assumes or (name in default and name not in said and same(value, default[name])):
            return True
    return False


# --- lists ------------------------------------------------------------------------------------------------


def _attached(speaker: _Speaker, link: str, there: list[Json], now: Json) -> list[Json]:
    """The list with the element that refers to a unit's resource, over the prior one."""
    attached = speaker.slot.attached
    if attached is None or not link:
        return there
    new = next((one for one in _list(now, attached.path) if refers(one, attached.link) == link), None)
    found: list[Json] = []
    for one in there:
        if refers(one, attached.link) != link:
            found.append(one)
            continue
        result = copied(one)
        _cleared(result, new or {}, speaker)
        found.append(deep(result, new or {}))
    return united(found, [new] if new else [], attached.link)


def _with_parts(spoken: _Spoken, path: str, now: Json, there: list[Json]) -> list[Json]:
    """The list with the elements that segments say, which are all there are of their kind."""
    makers = {id(element): part for part, element in spoken.parts if part.declared.path == path}
    mine = [(makers[id(one)], one) for one in _list(now, path) if id(one) in makers]
    others: list[Json] = []
    claimed: list[Json] = []
    for one in there:
        said = any(part.declared.only(one) for part, _ in mine)
        (claimed if said else others).append(one)
    return others + [_over_like(part, element, claimed) for part, element in mine]


def _over_like(part: BoundPart, element: Json, claimed: list[Json]) -> Json:
    """An element over the prior one that says as much or has the same key."""
    mark = [reader(element) for reader in part.keys]
    for one in claimed:
        keyed = bool(mark) and any(mark) and same([reader(one) for reader in part.keys], mark)
        if includes(one, element) or keyed:
            return dict(deep(one, element))
    return element


# --- a resource that a field refers to --------------------------------------------------------------------


def _referred(resource: Json, before: Json) -> Json:
    """A person, organization or place: what the reference said over what is known."""
    result = copied(before)
    for name, value in resource.items():
        there = result.get(name)
        if name in _CONSTANT or (there is not None and includes(there, value)):
            continue
        if name == "identifier" and isinstance(there, list):
            result[name] = [*value, *(one for one in there if not any(includes(new, one) for new in value))]
        else:
            result[name] = value
    return result
