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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..hl7v2.tree import Segment
from .fields import Across, Field, One
from .lens import Row
from .places import Json


@dataclass(frozen=True, slots=True)
class Segments:
    """A segment that repeats: each becomes an element of the list at ``path``; its fields are the components.

    ``needs``: only made where all of these elements are there. ``only``: which of the list's elements these
    segments say, where a field says others. ``further``: fields say the first of these segments, which is the
    list's first element; those behind it are the elements behind that. ``unsaid``: fields that the rows read
    and never say.
    """

    name: str
    path: str
    rows: tuple[Row, ...]
    needs: tuple[str, ...] = ()
    only: Callable[[Json], bool] = lambda element: True
    further: bool = False
    unsaid: frozenset[int] = frozenset()


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
    path -> (unit, slot), ``""`` being this unit; a path with ``?`` behind it only where nothing refers there
    yet. ``default``: elements FHIR requires, where nothing said them. ``complete``: elements that follow
    from others. ``collected``: the list of a parent's resource that refers to this one: (unit, slot, path);
    ``collects``: which of these, where not all. ``needs``: only made where all of these elements are there;
    ``always``: made even where no row said anything. ``via``: for a resource that is not its unit's first:
    where the first refers to it (through another: ``basedOn.0/requester``), or (``"<subject"``) where it
    refers to the first, or to what its link of that path names. ``says``: on the way back, which resources
    of its kind it speaks of, where others of the kind stand beside. ``undone``: on the way back, what the
    rows said of a resource before ``complete`` changed it. ``told``: by the path of what refers to them, of
    resources that its rows tell all of, the elements they tell. ``assumes``: which of the elements that
    follow from others this message only assumes, so that they never override what stands in FHIR.
    ``unless``: what only says that there is no such thing, and makes none. ``mutual``: how it and another
    resource refer to each other. ``apart``: for what is only made where no other segment speaks of it;
    whether what stands there says all of it. ``opens``: on the way back, a unit may begin with it where its
    first resource is not there.
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
    ``under``: the units that may be around it; they end what is in them. Its own name stands for the one
    before. ``single``: a message has one; a further one is said of something else, and stays unsaid.
    ``free``: a message may hold it without a patient. ``once``: it is about one of them. ``key``: of the
    header: what tells this message from any other, from what its resources say. ``inside``: of the units
    around it, the innermost first, those whose segments it stands among: an order's observations follow
    their order, not all orders. ``after``: of a unit that is said of what stands right before it (see
    ``Bond``): the units it is said of; several with one opener may follow one unit, told apart by ``when``.
    Without ``after``, ``when`` tells a unit from the one that has its opener else. ``marks``: by field
    number, what the way back writes where ``when`` would not know it again, or FHIR says nothing.
    ``before``: segments of the other that come behind it. ``says``: which of its first resources the way
    back can say by it. ``led``: a new one has its first lead even where that says nothing, or it would seem
    to be part of the one before.
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
