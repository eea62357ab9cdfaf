"""Units bound to a partner: for every field of every segment, what takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .fields import Across, BoundAcross, BoundField, BoundOne, Field, One
from .lens import Lens, compile_rows
from .partner import Partner
from .places import Reader, Writer, place
from .units import Attached, Planner, ResourceMap, Segments, Unit

Bound = BoundField | BoundOne


class BoundSegments(NamedTuple):
    """A ``Segments`` row bound to a partner."""

    name: str
    lens: Lens
    reader: Reader
    writer: Writer


@dataclass(slots=True)
class Slot:
    """One resource of a unit (or one element attached to another unit's), with its bound rows."""

    declared: ResourceMap | Attached
    fields: list[Bound] = field(default_factory=list)
    segments: list[BoundSegments] = field(default_factory=list)
    across: list[BoundAcross] = field(default_factory=list)
    links: list[tuple[Writer, str, int]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.declared.kind if isinstance(self.declared, ResourceMap) else ""


@dataclass(slots=True)
class BoundUnit:
    """A unit bound to a partner.

    ``takes``: segment name -> field number -> (slot, bound row) of all that say something of it;
    ``silent``: the fields that need no saying; ``looks``: what spans fields, by segment name.
    """

    declared: Unit
    slots: list[Slot]
    takes: dict[str, dict[int, list[tuple[int, Bound]]]]
    silent: dict[str, frozenset[int]]
    looks: dict[str, list[tuple[int, BoundAcross]]]
    repeats: dict[str, list[tuple[int, BoundSegments]]]
    order: list[int]  # in which the slots are made whole: what others of the unit refer to comes first


@dataclass(slots=True)
class Maps:
    """All units bound to one partner, and the planner that finds them in a message."""

    partner: Partner
    units: list[BoundUnit]
    planner: Planner


def compile_units(units: tuple[Unit, ...], partner: Partner) -> Maps:
    """Bind units to a partner."""
    return Maps(partner, [_unit(unit, partner) for unit in units], Planner(units))


def _unit(unit: Unit, partner: Partner) -> BoundUnit:
    slots = [_slot(declared, partner) for declared in unit.maps]
    takes: dict[str, dict[int, list[tuple[int, Bound]]]] = {name: {} for name in unit.segments}
    looks: dict[str, list[tuple[int, BoundAcross]]] = {}
    repeats: dict[str, list[tuple[int, BoundSegments]]] = {}
    for n, slot in enumerate(slots):
        for bound in slot.fields:
            takes[bound.segment].setdefault(bound.number, []).append((n, bound))
        for across in slot.across:
            looks.setdefault(across.segment, []).append((n, across))
        for rows in slot.segments:
            repeats.setdefault(rows.name, []).append((n, rows))
    return BoundUnit(unit, slots, takes, _silent(unit, slots), looks, repeats, _order(slots))


def _order(slots: list[Slot]) -> list[int]:
    after = {n: {other for _, name, other in slot.links if not name} for n, slot in enumerate(slots)}
    attached = {n for n, slot in enumerate(slots) if isinstance(slot.declared, Attached)}
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


def _slot(declared: ResourceMap | Attached, partner: Partner) -> Slot:
    slot = Slot(declared)
    for row in declared.rows:
        if isinstance(row, Segments):
            slot.segments.append(BoundSegments(row.name, compile_rows(row.rows, partner), *place(row.path)))
        elif isinstance(row, (Field, One)):
            slot.fields.append(row.compile(partner))
        else:
            slot.across.append(row.compile(partner))
    if isinstance(declared, ResourceMap):
        slot.links = [(place(path)[1], unit, n) for path, (unit, n) in declared.links.items()]
    return slot


def declared_rows(unit: Unit) -> list[tuple[int, Any]]:
    """Every row a unit declares, with its slot."""
    return [(n, row) for n, declared in enumerate(unit.maps) for row in declared.rows]


__all__ = ["Across", "Bound", "BoundSegments", "BoundUnit", "Maps", "Slot", "compile_units", "declared_rows"]
