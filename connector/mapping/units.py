"""Units: which segments together speak of which resources, and how those hang together.

A unit is a segment that opens something (PID, PV1, OBR, OBX ...), the segments that belong to it (PD1
to PID, PV2 to PV1, NTE to OBX, ORC before OBR) and the resources all of them speak of. Which unit a
segment belongs to depends on the order of segment names alone, so the plan of a message is worked
out once for each sequence of names.

Some segments are said of whatever stands before them, and mean another thing behind each: PRT, ROL. They open
units that follow (``Unit.after``), of which the resource that they follow refers to what they speak of
(``Bond``). Their fields may decide which of these units it is (``Unit.when``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from ..hl7v2.tree import Segment
from .fields import Across, Field, One
from .lens import Row
from .places import Json


@dataclass(frozen=True, slots=True)
class Segments:
    """A segment that repeats: each becomes an element of the list at ``path``; its fields are the components.

    ``needs``: only made where all of these elements are there. ``only``: which of the list's elements these
    segments say, where a field says others.
    """

    name: str
    path: str
    rows: tuple[Row, ...]
    needs: tuple[str, ...] = ()
    only: Callable[[Json], bool] = lambda element: True


class Around(Protocol):
    """What a resource's identity and its required elements may ask of the message around it."""

    def parent(self, unit: str, slot: int = 0) -> str:
        """The reference (``Type/id``) of a resource of the unit around, empty where there is none."""
        ...

    def value(self, location: str) -> str:
        """The unescaped text at a location of this unit's segments, or of MSH; empty when absent."""
        ...

    def resource(self, unit: str, slot: int = 0) -> Json | None:
        """A resource of the unit around, as far as it is said already."""
        ...

    def note(self, *fields: str, said: bool) -> None:
        """Fields of this unit's segments (``AIS-4``) that are said after all, or are not."""
        ...

    @property
    def message_key(self) -> str:
        """What tells this message from any other; empty where its header does not say."""
        ...


Seed = Callable[[Json, Around], str]
Complete = Callable[[Json, Around], None]
Collected = tuple[tuple[str, int, str], ...]


def of_message(node: Json, around: Around) -> str:
    """The identity of what has none but the message it came in."""
    return f"message|{around.message_key}"


@dataclass(frozen=True, slots=True)
class Mutual:
    """Two resources that refer to each other, each by an element of its list at ``path``.

    ``unit``: around this one, whose first resource the other is; ``link``: what refers in such an element.
    ``here`` and ``there``: what else the elements of this resource and of the other say. ``ended``: v2 says
    that the two refer to each other no longer.
    """

    unit: str
    path: str
    link: str
    here: Mapping[str, Any]
    there: Mapping[str, Any]
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ResourceMap:
    """One kind of resource a unit speaks of.

    ``seed``: its business identity. ``links``: elements that refer to the resource of another unit:
    path -> (unit, slot), ``""`` being this unit; a path with ``?`` behind it only where nothing refers there yet. ``default``: elements FHIR requires, where nothing said
    them. ``complete``: elements that follow from others. ``collected``: the list of a parent's resource that
    refers to this one: (unit, slot, path); ``collects``: which of these, where not all. ``needs``: only made
    where all of these elements are there; ``always``: made even where no row said anything.
    ``via``: for a resource that is not its unit's first: where the first refers to it (through another:
    ``basedOn.0/requester``), or
    (``"<subject"``) where it refers to the first, or to what its link of that path names. ``says``: on the way
    back, which resources of its kind it speaks of, where others of the kind stand beside. ``undone``: on
    the way back, what the rows said of a resource before ``complete`` changed it. ``told``: by the
    path of what refers to them, of resources that its rows tell all of, the elements they tell. ``assumes``: which of the elements that follow from others
    this message only assumes, so that they never override what stands in FHIR. ``unless``: what only
    says that there is no such thing, and makes none. ``mutual``: how it and another resource refer to each
    other. ``apart``: for what is only made where no other segment speaks of it; whether what stands there says
    all of it. ``opens``: on the way back, a unit may begin with it where its first resource is not there.
    """

    kind: str
    rows: tuple[Field | One | Segments | Across, ...]
    seed: Seed = of_message
    links: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    complete: Complete | None = None
    collected: Collected = ()
    collects: Callable[[Json, Around], Collected] | None = None
    needs: tuple[str, ...] = ()
    always: bool = False
    via: str = ""
    assumes: Callable[[Json, Around], tuple[str, ...]] | None = None
    unless: Callable[[Json], bool] | None = None
    says: Callable[[Json], bool] | None = None
    undone: Callable[[Json], Json] | None = None
    told: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mutual: Mutual | None = None
    apart: Callable[[Json, Json, Around], bool] | None = None
    opens: bool = False

    def speaks_of(self, resource: Json) -> bool:
        """Whether the way back may take a resource for this one."""
        return resource.get("resourceType") == self.kind and (self.says is None or self.says(resource))


@dataclass(frozen=True, slots=True)
class Attached:
    """An element of a list of the parent's resource that refers to this unit's first resource by ``link``.

    ``slot``: which of the parent unit's resources.
    """

    unit: str
    path: str
    link: str
    rows: tuple[Field | One, ...]
    slot: int = 0


@dataclass(frozen=True, slots=True)
class PartOf:
    """An element of a list of the parent's resource that a unit's segments say: they speak of no resource.

    ``parent``: the unit whose first resource it is an element of; ``path``: the list. ``only``: which of its
    elements these segments say; ``key``: the paths by which a changed element finds its prior segments.
    ``complete``: elements that follow from others; ``affects``: what of resources around follows from it.
    ``needs``: only made where all of these are there. ``led``: what a message holds before the first of them.
    It is the only map of its unit.
    """

    parent: str
    path: str
    rows: tuple[Field | One | Across, ...]
    only: Callable[[Json], bool] = lambda element: True
    key: tuple[str, ...] = ()
    complete: Complete | None = None
    affects: Complete | None = None
    needs: tuple[str, ...] = ()
    led: str = ""


@dataclass(frozen=True, slots=True)
class Bond:
    """How a resource around refers to what a unit speaks of, and why the unit is there: PRT, ROL.

    ``unit``: whose first resource, or the one of the kind ``of``; one that nothing else speaks of is made
    with its first element. ``path``: its list, or with ``alone`` its only element. ``link``: what refers in
    an element, empty where the element is the reference. ``tag``: constants of the element. ``kind``: what it
    refers to: the unit's first resource; where the unit has none, what a row of this refers to. ``unless``:
    on the way back, what of these another place says.
    """

    unit: str
    path: str
    link: str
    kind: str
    rows: tuple[Field | One | Across, ...] = ()
    of: str = ""
    alone: bool = False
    tag: Mapping[str, Any] = field(default_factory=dict)
    unless: Callable[[Json], bool] | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """Segments that together speak of some resources.

    ``opener`` begins a unit, unless the first of ``leads`` did already; one that several units share belongs
    to the one whose opener comes next. Other leads and ``members`` come once (where several units have
    them, with the one at hand), ``many`` again and again. A lead that is a member too may follow its opener.
    ``structural``: fields that say nothing but their place, made anew on the way back.
    ``under``: the units that may be around it; they end what is in them. Its own name stands for the one before.
    ``single``: a message has one; a further one is said of something else, and stays unsaid. ``free``: a message may hold it without a patient. ``once``: it is about one of them. ``key``: of the header: what tells this message from any other,
    from what its resources say. ``inside``: of the units around it, the innermost first, those whose segments
    it stands among: an order's observations follow their order, not all orders.
    ``after``: of a unit that is said of what stands right before it (see ``Bond``): the units it is said of;
    several with one opener may follow one unit, told apart by ``when``. Without ``after``, ``when`` tells a unit
    from the one that has its opener else. ``marks``: by field number, what the
    way back writes where ``when`` would not know it again, or FHIR says nothing. ``before``: segments of the other that come behind
    it. ``says``: which of its first resources the way back can say by it.
    ``led``: a new one has its first lead even where that says nothing, or it would seem to be part of the one
    before.
    """

    name: str
    opener: str
    maps: tuple[ResourceMap | Attached | PartOf | Bond, ...]
    leads: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    many: tuple[str, ...] = ()
    structural: frozenset[str] = frozenset()
    under: tuple[str, ...] = ()
    free: bool = False
    key: Callable[[list[Json]], str] | None = None
    once: bool = False
    single: bool = False
    inside: tuple[str, ...] = ()
    led: bool = False
    after: tuple[str, ...] = ()
    when: Callable[[Segment], bool] | None = None
    marks: Mapping[int, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    says: Callable[[Json], bool] = lambda resource: True

    @property
    def segments(self) -> tuple[str, ...]:
        """Every segment of the unit, in the order it is written."""
        leads = (name for n, name in enumerate(self.leads) if n or name not in self.members)
        return tuple(dict.fromkeys((*leads, self.opener, *self.members, *self.many)))


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
    """

    instances: tuple[Instance, ...]
    order: tuple[int, ...]
    unknown: tuple[int, ...]
    labels: tuple[str, ...]


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
        return self.plan(names, tuple([self._may_be(segment) for segment in segments]))

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
        """Whether a segment begins what a message has one of, and that was there; what belongs to it goes too."""
        n = self._openers.get(name, -1)
        if n < 0 or not self.units[n].single or not any(instance.unit == n for instance in instances):
            return False
        there = current.get(self.units[n].name, -1)
        for member in self.units[n].members if there >= 0 else ():
            instances[there].at.setdefault(member, [])
        return True

    def _adopt(self, instances: list[Instance]) -> None:
        """A segment before the only PID (PV1, TXA) of a message is about that one all the same."""
        for n, unit in enumerate(self.units):
            if not unit.once:
                continue
            mine = [at for at, instance in enumerate(instances) if instance.unit == n]
            if mine:
                for at, instance in enumerate(instances):
                    if at < mine[0] and unit.name in self.units[instance.unit].under:
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
            if found < 0 and name in self._followers:
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
