"""Plans: how the segments of a message fall into units, worked out once for each sequence of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..hl7v2.tree import Segment
from .units import Unit


@dataclass(slots=True)
class Instance:
    """One unit in one message: the positions of its segments, what is around it, and what it follows."""

    unit: int
    at: dict[str, list[int]] = field(default_factory=dict)
    parents: dict[str, int] = field(default_factory=dict)
    follows: int = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """How the segments of a message fall into units.

    ``order``: in which to speak of them, parents first. ``unknown``: the segments no unit takes.
    ``labels``: each segment's name as locations say it, ``OBX`` for the first, ``OBX[2]`` for the second.
    ``turns``: what ``forward`` makes of it when it first sees it: each instance with its bound unit.
    """

    instances: tuple[Instance, ...]
    order: tuple[int, ...]
    unknown: tuple[int, ...]
    labels: tuple[str, ...]
    turns: list[Any] = field(default_factory=list, repr=False, compare=False)


class Planner:
    """Works out plans for a set of units and remembers them by the sequence of names.

    Where a segment's fields decide which of the units that may follow another it is, what they decide belongs
    to the sequence.
    """

    def __init__(self, units: tuple[Unit, ...]) -> None:
        self.units = units
        self._openers = {unit.opener: n for n, unit in enumerate(units) if not unit.after and not unit.when}
        self._guarded: dict[str, list[int]] = {}
        for n, unit in enumerate(units):
            if unit.after or unit.when:
                self._guarded.setdefault(unit.opener, []).append(n)
        self._leads: dict[str, list[int]] = {}
        self._members: dict[str, list[int]] = {}
        self._followers: dict[str, list[int]] = {}
        for n, unit in enumerate(units):
            for lead in unit.leads[1:]:
                self._followers.setdefault(lead, []).append(n)
            for lead in unit.leads[:1]:
                self._leads.setdefault(lead, []).append(n)
            for member in (*unit.leads[1:], *unit.members):
                self._members.setdefault(member, []).append(n)
        self._many = {(n, name) for n, unit in enumerate(units) for name in unit.many}
        self.plan = lru_cache(maxsize=2048)(self._plan)

    def of(self, segments: Sequence[Segment]) -> Plan:
        """The plan of a message."""
        names = tuple([segment.name for segment in segments])
        if self._guarded.keys().isdisjoint(names):
            return self.plan(names)
        guarded = self._guarded
        return self.plan(
            names, tuple([self._may_be(each) if each.name in guarded else () for each in segments])
        )

    def _may_be(self, segment: Segment) -> tuple[int, ...]:
        """The following units that a segment may open."""
        having = self._guarded.get(segment.name, ())
        return tuple(n for n in having if (when := self.units[n].when) is None or when(segment))

    def _plan(self, names: tuple[str, ...], may_be: tuple[tuple[int, ...], ...] = ()) -> Plan:
        instances: list[Instance] = []
        unknown: list[int] = []
        current: dict[str, int] = {}
        last = -1
        for at, name in enumerate(names):
            if last >= 0 and instances[last].follows >= 0:
                last = instances[last].follows
            if self._again(name, instances, current):
                last = -1
                unknown.append(at)
                continue
            found = self._follow(may_be[at], instances, last) if may_be and may_be[at] else -1
            if found < 0:
                found = self._take(names, at, instances, current, last, may_be[at] if may_be else ())
            if found < 0:
                unknown.append(at)
                continue
            instances[found].at.setdefault(name, []).append(at)
            last = found
        self._adopt(instances)
        for instance in instances:
            if instance.follows >= 0:
                instance.parents = {**instances[instance.follows].parents, **instance.parents}
        order = sorted(range(len(instances)), key=lambda n: _turn(instances[n]))
        return Plan(tuple(instances), tuple(order), tuple(unknown), _labels(names))

    def _again(self, name: str, instances: list[Instance], current: dict[str, int]) -> bool:
        """Whether a segment begins what a message has one of, and that was there; what is in it goes too."""
        n = self._openers.get(name, -1)
        if n < 0 or not self.units[n].single or not any(instance.unit == n for instance in instances):
            return False
        there = current.get(self.units[n].name, -1)
        for member in self.units[n].members if there >= 0 else ():
            instances[there].at.setdefault(member, [])
        return True

    def _adopt(self, instances: list[Instance]) -> None:
        """A segment before the only PID (PV1, TXA) of a message is about that one all the same.

        What is about another patient is not.
        """
        for n, unit in enumerate(self.units):
            if not unit.once:
                continue
            mine = [at for at, instance in enumerate(instances) if instance.unit == n]
            if mine:
                whose = instances[mine[0]].parents.get("patient")
                for instance in instances[: mine[0]]:
                    patients = {instance.parents.get("patient", whose), whose} - {None}
                    if unit.name in self.units[instance.unit].under and len(patients) < 2:
                        instance.parents.setdefault(unit.name, mine[0])

    def _follow(self, may_be: tuple[int, ...], instances: list[Instance], last: int) -> int:
        """A new instance of the unit that is said of the one at hand."""
        if last < 0:
            return -1
        before = instances[last]
        name = self.units[before.unit].name
        n = next((n for n in may_be if name in self.units[n].after), -1)
        if n < 0:
            return -1
        instances.append(Instance(n, {}, {**before.parents, name: last}, last))
        return len(instances) - 1

    def _take(
        self,
        names: tuple[str, ...],
        at: int,
        instances: list[Instance],
        current: dict[str, int],
        last: int,
        may_be: tuple[int, ...],
    ) -> int:
        """The instance a segment goes to: the one at hand, the open one of its unit, or a new one."""
        name = names[at]
        if last >= 0 and (instances[last].unit, name) in self._many:
            return last
        if name in self._leads and not self._follows(name, instances, last):
            return self._led(names, at, self._leads[name], instances, current)
        n = next((n for n in may_be if not self.units[n].after), self._openers.get(name, -1))
        if n < 0:
            found = self._member(name, instances, current, last)
            if found < 0 and name in self._followers and not self._has(name, instances, last):
                return self._led(names, at, self._followers[name], instances, current)
            return found
        found = current.get(self.units[n].name, -1)
        if found >= 0 and self._only_led(instances[found], self.units[n]):
            return found
        return self._open(n, instances, current)

    def _follows(self, name: str, instances: list[Instance], last: int) -> bool:
        """Whether a lead that may also follow its opener stands behind one that it did not lead."""
        if last < 0 or name not in self.units[instances[last].unit].members:
            return False
        return name not in instances[last].at

    def _member(self, name: str, instances: list[Instance], current: dict[str, int], last: int) -> int:
        """The instance a member goes to: of those open the one at hand, else the latest; it comes once."""
        there = {
            found
            for n in self._members.get(name, ())
            if (found := current.get(self.units[n].name, -1)) >= 0
            and (name in self.units[n].members or self._only_led(instances[found], self.units[n]))
        }
        found = last if last in there else max(there, default=-1)
        return found if found >= 0 and name not in instances[found].at else -1

    def _has(self, name: str, instances: list[Instance], last: int) -> bool:
        """Whether the unit at hand has such a segment already: a second timing begins no other order."""
        return last >= 0 and name in instances[last].at

    def _led(
        self,
        names: tuple[str, ...],
        at: int,
        sharing: list[int],
        instances: list[Instance],
        current: dict[str, int],
    ) -> int:
        """A new instance of the unit whose opener comes next, which ends those of all that share the lead."""
        name = names[at]
        openers = {self.units[n].opener: n for n in sharing}
        ahead = next((other for other in names[at + 1 :] if other in openers or other == name), "")
        for n in sharing:
            self._close(self.units[n].name, current, instances)
        return self._open(openers.get(ahead, sharing[0]), instances, current)

    @staticmethod
    def _only_led(instance: Instance, unit: Unit) -> bool:
        return unit.opener not in instance.at and any(lead in instance.at for lead in unit.leads)

    def _open(self, n: int, instances: list[Instance], current: dict[str, int]) -> int:
        unit = self.units[n]
        before = current.get(unit.name)
        self._close(unit.name, current, instances)
        parents = {name: current[name] for name in unit.under if name in current}
        if before is not None and unit.name in unit.under:
            parents[unit.name] = before
        instances.append(Instance(n, {}, parents))
        current[unit.name] = len(instances) - 1
        return len(instances) - 1

    @staticmethod
    def _close(unit: str, current: dict[str, int], instances: list[Instance]) -> None:
        """End the instance of a unit, and what is in it."""
        if (before := current.pop(unit, None)) is not None:
            for name in [name for name, at in current.items() if instances[at].parents.get(unit) == before]:
                del current[name]


def _turn(instance: Instance) -> tuple[bool, int]:
    """When an instance is spoken of: what follows others last, in the order of the message."""
    return (True, 0) if instance.follows >= 0 else (False, instance.unit)


def _labels(names: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        count = seen[name] = seen.get(name, 0) + 1
        found.append(name if count == 1 else f"{name}[{count}]")
    return tuple(found)
