"""To FHIR over what stands there: an update never erases what v2 did not say.

Absent means unchanged, ``""`` means removed (HL7 v2.5.1 ch. 2.5.3), and a field that repeats says the whole
of its list, but only of those elements it would claim on the way back. A field that was sent and could not
be said (it is among what was lost) changes nothing. What FHIR requires and v2 only assumes never overrides.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..hl7v2.tree import Message
from . import bonding, linking, listed, repeated
from .compiled import BoundPart, Outside, Slot
from .fields import DELETE, BoundAcross, BoundField, across_over, marks_of
from .forward import Around, Forward, Spoken
from .overlay import deep, refers, said_already, say, united
from .owning import Ownership, write
from .places import Json, includes, place, same
from .units import Bond, ResourceMap

Touched = set[tuple[str, int]]
_CONSTANT = ("resourceType", "id")


class _Speaker:
    """A unit of the message that speaks of a resource, in one of its slots."""

    __slots__ = ("assumes", "deleted", "names", "slot", "valued")

    def __init__(self, message: Message, spoken: Spoken, slot: Slot) -> None:
        self.slot = slot
        self.valued, self.deleted = spoken.fields(message, slot.single)
        self.names = spoken.instance.at.keys()
        self.assumes: tuple[str, ...] = ()

    def says(self, bound: BoundField) -> bool:
        return (bound.segment, bound.number) in self.valued

    def deletes(self, bound: BoundField) -> bool:
        return (bound.segment, bound.number) in self.deleted

    def changes(self, outside: Outside, now: Json) -> bool:
        """Whether fields were sent as ``""``, or sent and said anything."""
        if not self.deleted.isdisjoint(outside.fields):
            return True
        return not self.valued.isdisjoint(outside.fields) and outside.owned.said(now)


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
    there = {name: prior[name] for name in said.assembly.resources if name in prior}
    wanted = _open(said, there)
    spoken = _spoken(said, wanted)
    merged: dict[str, Json] = {}
    for reference, resource in said.assembly.resources.items():
        before = there.get(reference)
        if before is None:
            merged[reference] = resource
        elif reference not in wanted:
            merged[reference] = before
        elif (found := spoken.get(reference)) is not None and found.speakers:
            new = not _says_nothing_new(resource, before, found)
            merged[reference] = _merged(resource, before, found) if new else before
        else:
            merged[reference] = _referred(resource, before)
    return merged


def _open(said: Forward, there: Mapping[str, Json]) -> Container[str]:
    """The resources of which it matters who speaks: of those that stand there word for word it does not,
    unless something is deleted or two refer to each other."""
    mutual = any(said.units[spoken.instance.unit].mutual for spoken in said.spoken)
    if mutual or any(DELETE in segment.texts for segment in said.message.segments):
        return there
    return {name for name, before in there.items() if not same(said.assembly.resources[name], before)}


def _says_nothing_new(now: Json, before: Json, spoken: _Spoken) -> bool:
    """Whether all that is said stands there word for word, and nothing else does: most resources of most
    messages, such as wards and staff."""
    if before.keys() != now.keys() or spoken.linked or any(speaker.deleted for speaker in spoken.speakers):
        return False
    return now == before


def _spoken(said: Forward, wanted: Container[str]) -> dict[str, _Spoken]:
    """Who speaks of which of some resources."""
    found: dict[str, _Spoken] = {}
    for spoken in said.spoken:
        around = Around(said, spoken.instance)
        for slot, reference, node in zip(
            said.units[spoken.instance.unit].slots, spoken.references, spoken.nodes
        ):
            declared = slot.declared
            if slot.attached is not None:
                parent = around.parent(slot.attached.unit, slot.attached.slot)
                if parent in wanted:
                    speaker = _Speaker(said.message, spoken, slot)
                    found.setdefault(parent, _Spoken()).attached.append((speaker, spoken.references[0]))
            elif isinstance(declared, Bond) and bonding.reference_in(declared, node):
                parent = bonding.parent(said, declared, spoken.instance.parents)
                found.setdefault(parent, _Spoken()).bonds.append((declared, node))
            elif slot.part is not None and node:
                parent = around.parent(slot.part.declared.parent)
                found.setdefault(parent, _Spoken()).parts.append((slot.part, node))
            elif reference in wanted and isinstance(declared, ResourceMap):
                speaker = _Speaker(said.message, spoken, slot)
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


# --- a resource that segments speak of -----------------------------------------------------------------


def _merged(now: Json, before: Json, spoken: _Spoken) -> Json:
    rows_said = [
        (rows, rows.name in speaker.names) for speaker in spoken.speakers for rows in speaker.slot.segments
    ]
    now, before, behind = repeated.first_only(now, before, rows_said)
    now, before = _across_first(now, before, spoken)
    result = dict(before)
    lists: dict[str, list[Json]] = {}
    by_place = frozenset[str]()
    said: set[str] = set()
    for speaker in spoken.speakers:
        said |= _cleared(result, now, speaker)
        by_place |= speaker.slot.by_place
        for fields in speaker.slot.lists:
            there, wanted = fields[0].reader(before), fields[0].reader(now)
            if there is not None or wanted is not None:
                path = fields[0].declared.path
                lists[path] = listed.elements(fields, _nodes(there), _nodes(wanted), speaker)
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
            Ownership([bond.path]).clear(result, {})
            continue
        lists[bond.path] = bonding.over(bond, element, lists.get(bond.path, _list(before, bond.path)))
    for part, _ in spoken.parts:
        path = part.declared.path
        lists[path] = _with_parts(spoken, path, now, lists.get(path, _list(before, path)))
    for name, value in _without(now, lists).items():
        if name in _CONSTANT or (result.get(name) == value and f"_{name}" not in result):
            continue
        if not _only_assumed(name, value, result, said, spoken.speakers):
            say(result, name, value, by_place, name)
    for path, elements in lists.items():
        write(result, path, elements)
    for path, elements in behind.items():
        write(result, path, [*_list(result, path), *elements])
    return result


def _across_first(now: Json, before: Json, spoken: _Spoken) -> tuple[Json, Json]:
    """With the elements of lists that fields together say over those that stand there, in their place."""
    for speaker in spoken.speakers:
        for outside in speaker.slot.joined:
            across = outside.across
            if across is not None and speaker.changes(outside, now):
                now, before = dict(now), dict(before)
                for path, mark in marks_of(across):
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
    write(before, path, elements)
    write(now, path, [one for one in _list(now, path) if not includes(one, mark)])


def _list(node: Json, path: str) -> list[Json]:
    return _nodes(place(path)[0](node))


def _nodes(found: Any) -> list[Json]:
    return [one for one in found or () if isinstance(one, dict)]


def _without(now: Json, lists: Mapping[str, object]) -> Json:
    """What is said, but for the lists that were worked out already."""
    rest = dict(now)
    for path in lists:
        write(rest, path, [])
    return rest


def _cleared(result: Json, now: Json, speaker: _Speaker) -> set[str]:
    """Take out what the sent fields own and do not say; the names of the elements that they do say."""
    said: set[str] = set()
    for outside in speaker.slot.outside:
        if speaker.changes(outside, now):
            outside.owned.clear(result, now)
            said |= outside.owned.heads
    return said


def _only_assumed(name: str, value: object, result: Json, said: set[str], speakers: list[_Speaker]) -> bool:
    """Whether v2 only assumes an element that stands there."""
    if said_already(result, name, value):
        return True
    if name not in result:
        return False
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
        result = dict(one)
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
    result = dict(before)
    for name, value in resource.items():
        there = result.get(name)
        if name in _CONSTANT or (there is not None and includes(there, value)):
            continue
        if name == "identifier" and isinstance(there, list):
            result[name] = [*value, *(one for one in there if not any(includes(new, one) for new in value))]
        else:
            result[name] = value
    return result
