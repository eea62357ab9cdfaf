"""Units bound to a partner: for every field of every segment, what takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..hl7v2.delimiters import STANDARD
from ..hl7v2.tree import Message
from .fields import BoundAcross, BoundField, BoundOne, Field, One, marks_of
from .lens import Lens, compile_rows
from .making import Make, Whole, maker, whole
from .messages import registry
from .messages.message_map import MessageMap
from .owning import Ownership, indexed
from .partner import Partner
from .places import Json, Reader, Writer, copies, place
from .planning import Planner
from .units import Attached, Bond, PartOf, ResourceMap, Segments, Unit
from .unrolled import Sayer, Takers, sayer

Bound = BoundField | BoundOne
Link = tuple[str, Writer, str, int]
Units = tuple[Unit, ...]
_REMEMBERED = 1024


class BoundSegments(NamedTuple):
    """A ``Segments`` row bound to a partner."""

    name: str
    lens: Lens
    reader: Reader
    writer: Writer
    path: str
    needs: tuple[str, ...]
    only: Callable[[Json], bool]
    further: bool


class BoundPart(NamedTuple):
    """A ``PartOf`` bound to a partner."""

    declared: PartOf
    reader: Reader
    writer: Writer
    keys: list[Reader]


class Outside(NamedTuple):
    """What a field owns of a resource outside lists, or several fields ``across`` a segment own together."""

    fields: frozenset[tuple[str, int]]
    owned: Ownership
    across: BoundAcross | None = None


class Slot:
    """One resource of a unit (or one element of another unit's), with its bound rows.

    ``lists``: for each list, the fields that make it, in the order they are read. ``rivals``: the fields
    any of which may say the same element, the preferred one first. ``make``: makes the resource whole.
    ``outside``: what its rows own outside lists; ``joined``: of these, what owns elements of lists by marks;
    ``by_place``: see ``owning.indexed``. ``single``: the segments of which only the first one has fields.
    """

    __slots__ = (
        "across",
        "always",
        "apart",
        "attached",
        "by_place",
        "collected",
        "collects",
        "complete",
        "declared",
        "defaults",
        "fields",
        "joined",
        "kind",
        "linked",
        "links",
        "lists",
        "make",
        "mutual",
        "needs",
        "opens",
        "outside",
        "part",
        "rivals",
        "seed",
        "segments",
        "single",
        "undone",
        "unless",
    )

    def __init__(self, declared: ResourceMap | Attached | PartOf | Bond) -> None:
        self.declared = declared
        self.attached = declared if isinstance(declared, Attached) else None
        self.part: BoundPart | None = None
        self.fields: list[Bound] = []
        self.lists: list[list[BoundField]] = []
        self.rivals: list[list[BoundOne]] = []
        self.segments: list[BoundSegments] = []
        self.across: list[BoundAcross] = []
        resource = declared if isinstance(declared, ResourceMap) else ResourceMap("", ())
        self.kind = resource.kind
        self.always = resource.always
        self.needs = resource.needs
        self.unless = resource.unless
        self.undone = resource.undone
        self.mutual = resource.mutual
        self.apart = resource.apart
        self.opens = resource.opens
        self.complete = resource.complete
        self.seed = resource.seed
        self.collected = resource.collected
        self.collects = resource.collects
        self.defaults = [(name, copies(value)) for name, value in resource.default.items()]
        self.linked = frozenset(path.rstrip("?") for path in resource.links)
        self.links = [_link(path, unit, n) for path, (unit, n) in resource.links.items()]
        self.make: Make | None = None
        self.outside: list[Outside] = []
        self.joined: list[Outside] = []
        self.by_place: frozenset[str] = frozenset()
        self.single: frozenset[str] = frozenset()


def _link(path: str, unit: str, n: int) -> Link:
    """A link: its name or, where it lies deeper, how it is written; then whose resource it refers to."""
    reader, writer = place(path.rstrip("?"))

    def unless_there(node: Json, value: Json) -> None:
        if reader(node) is None:
            writer(node, value)

    if path.endswith("?"):
        return "", unless_there, unit, n
    return path if "." not in path else "", writer, unit, n


@dataclass(slots=True)
class BoundUnit:
    """A unit bound to a partner.

    ``takes``: segment name -> by field number, the number and its takers, ``None`` where the field needs no
    saying; ``says``: the same, unrolled. ``silent``: the fields that need no saying; ``looks``: what spans
    fields, ``repeats``: what takes whole segments, by segment name.
    ``order``: in which the slots are made whole, what others of the unit refer to first; ``whole`` makes
    them. ``shared``: the slots that say no field that no other slot says. ``nodes``: makes their empty nodes.
    ``bonds``: by slot. ``mutual``: whether resources of it and others refer to each other.
    """

    declared: Unit
    slots: list[Slot]
    takes: dict[str, list[tuple[int, Takers] | None]]
    says: dict[str, Sayer]
    silent: dict[str, frozenset[int]]
    looks: dict[str, list[tuple[int, BoundAcross]]]
    repeats: dict[str, list[tuple[int, BoundSegments]]]
    order: list[int]
    shared: frozenset[int]
    nodes: Callable[[], list[Json]]
    whole: Whole
    bonds: list[tuple[int, Bond]]
    mutual: bool

    def elements(self, name: str, n: int) -> bool:
        """Whether the unit's segment of a name, counted from 0, becomes an element of a list."""
        return name in self.repeats and (n > 0 or not self.repeats[name][0][1].further)


@dataclass(slots=True)
class Maps:
    """The units of one message map bound to a partner, and the planner that finds them in a message."""

    declared: MessageMap
    partner: Partner
    units: list[BoundUnit]
    planner: Planner
    known: bool = True


class Atlas:
    """All message maps of one partner; each is bound when the first message of its kind comes.

    ``change``: what the partner's profile makes of the units of a map. A unit that several maps share
    unchanged is bound once.
    """

    def __init__(self, partner: Partner, change: Callable[[Units], Units] = lambda units: units) -> None:
        self.partner = partner
        self._change = change
        self._maps: dict[tuple[str, str], Maps] = {}
        self._by_name: dict[str, Maps] = {}
        self._units: dict[int, tuple[Unit, BoundUnit]] = {}
        self._headed: dict[str, Maps] = {}

    def of_message(self, message: Message) -> Maps:
        """The maps of a message; its MSH-9 is read but once."""
        if message.delimiters is not STANDARD:
            return self.of(message.message_code, message.trigger_event)
        said = message.msh.field(9)
        found = self._headed.get(said)
        if found is None:
            found = self.of(message.message_code, message.trigger_event)
            if len(self._headed) < _REMEMBERED:
                self._headed[said] = found
        return found

    def of(self, code: str, event: str) -> Maps:
        """The maps of a message by MSH-9.1 and MSH-9.2."""
        found = self._maps.get((code, event))
        if found is None:
            declared = registry.map_of(code, event)
            name = declared.name
            found = self._by_name.get(name) or self._by_name.setdefault(name, self._bound(declared))
            if len(self._maps) < _REMEMBERED:  # what senders make up must not fill the memory
                self._maps[code, event] = found
        return found

    def _bound(self, declared: MessageMap) -> Maps:
        units = self._change(declared.units)
        known = declared is not registry.ANY
        return Maps(declared, self.partner, [self._unit(unit) for unit in units], Planner(units), known)

    def _unit(self, unit: Unit) -> BoundUnit:
        if id(unit) not in self._units:
            self._units[id(unit)] = unit, _unit(unit, self.partner)
        return self._units[id(unit)][1]


def _unit(unit: Unit, partner: Partner) -> BoundUnit:
    slots = [_slot(declared, partner, unit.segments) for declared in unit.maps]
    found: dict[str, dict[int, list[tuple[int, Any]]]] = {name: {} for name in unit.segments}
    looks: dict[str, list[tuple[int, BoundAcross]]] = {}
    repeats: dict[str, list[tuple[int, BoundSegments]]] = {}
    for n, slot in enumerate(slots):
        for bound in slot.fields:
            found[bound.segment].setdefault(bound.number, []).append((n, bound.take))
        for across in slot.across:
            looks.setdefault(across.segment, []).append((n, across))
        for rows in slot.segments:
            repeats.setdefault(rows.name, []).append((n, rows))
    silent = _silent(unit, slots)
    takes = {name: _rows(numbers, silent[name]) for name, numbers in found.items()}
    alone = {
        id(bound.take): bound.alone
        for slot in slots
        for bound in slot.fields
        if isinstance(bound, BoundOne) and bound.alone
    }
    known = {id(bound.take): bound.known for slot in slots for bound in slot.fields if bound.known}
    says = {name: sayer(row, looks.get(name, ()), alone, known) for name, row in takes.items()}
    shared = _shared(len(slots), takes, looks)
    order, named = _order(slots), "PID" in unit.segments
    for n, slot in enumerate(slots):
        if isinstance(slot.declared, ResourceMap):
            slot.make = maker(slot, n, named and n == 0)
    nodes: Callable[[], list[Json]] = copies(
        [{"resourceType": one.kind} if one.kind else {} for one in slots]
    )
    bonds = [(n, one.declared) for n, one in enumerate(slots) if isinstance(one.declared, Bond)]
    made, mutual = whole(slots, order), any(slot.mutual for slot in slots)
    return BoundUnit(
        unit, slots, takes, says, silent, looks, repeats, order, shared, nodes, made, bonds, mutual
    )


def _shared(
    slots: int,
    takes: dict[str, list[tuple[int, Takers] | None]],
    looks: dict[str, list[tuple[int, BoundAcross]]],
) -> frozenset[int]:
    """The slots all of whose fields other slots say too."""
    alone = {n for found in looks.values() for n, _ in found}
    for row in takes.values():
        for entry in row:
            slot = {n for n, _ in entry[1]} if entry else set[int]()
            if len(slot) == 1:
                alone |= slot
    return frozenset(range(slots)) - alone


def _rows(found: dict[int, list[tuple[int, Any]]], silent: frozenset[int]) -> list[tuple[int, Takers] | None]:
    """Takers by field number; 0 is the segment's name."""
    quiet = {0, *silent} - found.keys()
    last = max([*quiet, *found])
    return [None if n in quiet else (n, tuple(found.get(n, ()))) for n in range(last + 1)]


def _order(slots: list[Slot]) -> list[int]:
    after = {n: {other for _, _, name, other in slot.links if not name} for n, slot in enumerate(slots)}
    attached = {n for n, slot in enumerate(slots) if slot.attached}
    found: list[int] = []
    while len(found) < len(slots):
        found.append(
            min(
                n
                for n in after
                if n not in found
                and after[n] <= {*found}
                and (n not in attached or len(found) >= len(slots) - len(attached))
            )
        )
    return found


def _silent(unit: Unit, slots: list[Slot]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {name: set() for name in unit.segments}
    for at in unit.structural:
        name, _, number = at.partition("-")
        found[name].add(int(number))
    for slot in slots:
        for across in slot.across:
            found[across.segment].update(across.numbers)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def _slot(declared: ResourceMap | Attached | PartOf | Bond, partner: Partner, read: tuple[str, ...]) -> Slot:
    slot = Slot(declared)
    if isinstance(declared, PartOf):
        keys = [place(path)[0] for path in declared.key]
        slot.part = BoundPart(declared, *place(declared.path), keys)
    for row in declared.rows:
        if isinstance(row, Segments):
            lens = compile_rows(row.rows, partner)
            bound = BoundSegments(
                row.name, lens, *place(row.path), row.path, row.needs, row.only, row.further
            )
            slot.segments.append(bound)
        elif isinstance(row, (Field, One)):
            slot.fields.append(row.compile(partner))
        else:
            slot.across.append(row.compile(partner))
    slot.lists = _lists(slot.fields, read)
    slot.rivals = _rivals(slot.fields)
    _own(slot)
    return slot


def _own(slot: Slot) -> None:
    """Work out what the rows of a slot own outside lists."""
    for bound in slot.fields:
        if isinstance(bound, BoundOne):
            prefix = f"{bound.declared.path}." if bound.declared.path else ""
            paths = [prefix + name for name in bound.lens.elements]
            fields = frozenset({(bound.segment, bound.number)})
            slot.outside.append(Outside(fields, Ownership(paths, bound.lens.marks)))
    for across in slot.across:
        fields = frozenset((across.segment, number) for number in across.numbers)
        slot.outside.append(Outside(fields, Ownership(across.elements), across))
        if marks_of(across):
            slot.joined.append(slot.outside[-1])
    slot.by_place = indexed(slot.linked).union(*(one.owned.by_place for one in slot.outside))
    slot.single = frozenset(rows.name for rows in slot.segments if rows.further)


def _lists(fields: list[Bound], read: tuple[str, ...]) -> list[list[BoundField]]:
    """The fields that make one list each, in the order they are read."""
    found: dict[str, list[BoundField]] = {}
    for bound in fields:
        if isinstance(bound, BoundField):
            mine = found.setdefault(bound.declared.path, [])
            bound.preference = len(mine)
            mine.append(bound)
    return [sorted(mine, key=lambda one: (read.index(one.segment), one.number)) for mine in found.values()]


def _rivals(fields: list[Bound]) -> list[list[BoundOne]]:
    found: dict[tuple[str, frozenset[str]], list[BoundOne]] = {}
    for bound in fields:
        if isinstance(bound, BoundOne) and bound.declared.secondary:
            found.setdefault((bound.declared.path, bound.lens.elements), []).append(bound)
    return list(found.values())
