"""Fields: where repetitions become the elements of a list (back: see ``sharing``), or one element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..hl7v2.tree import Segment
from .bound import Marks
from .emit import Leaf, field_taker, one_taker
from .known import Known, remembering_within
from .lens import Lens, Row, Unsaid, compile_rows
from .owning import Ownership
from .partner import Partner
from .places import Json, Reader, Writer, bearer, copies, head, includes, own_part, place, same
from .scope import Resources, Scope

DELETE = '""'
STRONGEST = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A field whose repetitions become the elements of the list at ``path``.

    ``tag``: constants that every element from this field carries, and by which the way back knows them.
    ``default``: the same, but only where no row said the element. ``rest``: takes the elements that no other
    field claims. ``only``: which elements this field may take at all; ``prefers``: which it takes before
    others. ``most``: how many (0: any). ``key``: the paths by which a changed element finds its prior
    repetition.
    ``shared``: reference data that says the same in many messages (see ``known``); nothing of the patient.
    ``never``: marks of elements that another place says.
    """

    at: str
    path: str
    rows: tuple[Row, ...]
    tag: Mapping[str, Any] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    rest: bool = False
    only: Callable[[Json], bool] | None = None
    prefers: Callable[[Json], bool] | None = None
    most: int = 0
    key: tuple[str, ...] = ()
    shared: bool = False
    never: tuple[Mapping[str, Any], ...] = ()

    def compile(self, partner: Partner) -> BoundField:
        return BoundField(self, compile_rows(self.rows, partner))


@dataclass(frozen=True, slots=True)
class One:
    """A field whose first repetition becomes the element at ``path`` (empty: the resource itself).

    ``secondary``: another field may have said the element already; then this one must agree. ``first``: on
    the way back, whether it is the one to say what none of them says yet. ``shared``: as with ``Field``.
    """

    at: str
    path: str
    rows: tuple[Row, ...]
    secondary: bool = False
    shared: bool = False
    first: Callable[[Json, Resources], bool] | None = None

    def compile(self, partner: Partner) -> BoundOne:
        return BoundOne(self, compile_rows(self.rows, partner), self._alone(partner))

    def _alone(self, partner: Partner) -> Leaf | None:
        """The row that takes a field of a single leaf, if that is all there is to do."""
        if self.path or len(self.rows) != 1:
            return None
        bound = self.rows[0].compile(partner)
        return bound.leaves[0] if list(bound.leaves) == [0] and not bound.whole and not bound.inner else None


class Across(Protocol):
    """What spans several fields of a segment; declared by a class of its own, compiled like a field."""

    def compile(self, partner: Partner) -> BoundAcross: ...


class BoundAcross(Protocol):
    """``numbers``: the fields it accounts for; ``elements``: the paths of the FHIR elements it owns."""

    @property
    def segment(self) -> str: ...

    @property
    def numbers(self) -> tuple[int, ...]: ...

    @property
    def elements(self) -> frozenset[str]: ...

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        """What of these fields is unsaid, as ``"5(2).1"``."""
        ...

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None: ...


def marks_of(across: BoundAcross) -> Marks:
    """The elements of lists that a row owns, by the list's path and their constants, where it has any."""
    found: Marks = getattr(across, "marks", ())
    return found


def across_over(across: BoundAcross, before: Json, now: Json, deleted: frozenset[int]) -> Json:
    """The element that fields together say over the one that stands there; ``deleted``: the fields gone."""
    over: Callable[[Json, Json, frozenset[int]], Json] | None = getattr(across, "over", None)
    return now if over is None else over(before, now, deleted)


def split_at(at: str) -> tuple[str, int]:
    """``"PID-3"`` -> ``("PID", 3)``."""
    name, _, number = at.partition("-")
    return name, int(number)


class BoundField:
    """A ``Field`` bound to a partner."""

    __slots__ = (
        "bears",
        "constants",
        "declared",
        "get",
        "key",
        "known",
        "lens",
        "name",
        "number",
        "owned",
        "preference",
        "reader",
        "segment",
        "take",
        "writer",
    )

    def __init__(self, declared: Field, lens: Lens) -> None:
        self.declared = declared
        self.bears = bearer(declared.tag)
        self.preference = 0  # among the fields of one list: the one declared first is preferred
        self.segment, self.number = split_at(declared.at)
        self.lens = lens
        self.owned = Ownership({*lens.elements, *declared.tag, *declared.default}, lens.marks)
        self.get = lens.get
        self.reader, self.writer = place(declared.path)
        self.name = declared.path if "." not in declared.path else ""
        self.key: list[Reader] = [place(path)[0] for path in declared.key]
        constants = [(name, value, True) for name, value in declared.tag.items()]
        constants += [(name, value, False) for name, value in declared.default.items()]
        self.constants = [(name, copies(value), always) for name, value, always in constants]
        self.take: Callable[[str, Json, Scope], Unsaid | None] = field_taker(
            lens.get, declared.path, constants, self.writer, self.reader, self._several, shorten
        )
        self.known: Known | None = None
        if declared.shared:
            self.known = Known(self.take)
            self.take = self.known.again

    def view(self, comps: list[str], scope: Scope) -> tuple[Json, Unsaid | None]:
        """The element one repetition says, and what of it stays unsaid."""
        node: Json = {}
        unsaid = self.get(comps, node, scope)
        if node:
            for name, make, always in self.constants:
                if always or name not in node:
                    node[name] = make()
        return node, unsaid

    def _several(self, text: str, node: Json, scope: Scope) -> Unsaid | None:
        """Say a field of several repetitions; what is unsaid comes back as ``"(2).4.1"``."""
        scope.look_at(text)
        found: Unsaid = []
        room = self.declared.most or -1
        for at, repetition in enumerate(text.split(scope.repetition), 1):
            if not room:
                if repetition and repetition != DELETE:
                    found.append(f"({at})")
                continue
            comps = repetition.split(scope.component)
            element: Json = {}
            unsaid = self.get(comps, element, scope)
            if element:
                for name, make, always in self.constants:
                    if always or name not in element:
                        element[name] = make()
                self._append(node, element)
                room -= 1
            if unsaid:
                found += shorten(unsaid, comps, f"({at})" if at > 1 else "", bool(element))
        return found

    def _append(self, node: Json, element: Json) -> None:
        found = node.get(self.name) if self.name else self.reader(node)
        if found is None:
            self.writer(node, [element])
        elif element not in found:
            found.append(element)

    def claims(self, element: Json) -> int:
        """How strongly an element belongs here: 0 not at all, 2 as the rest, 3 by default, 4 by tag."""
        d = self.declared
        if (d.only and not d.only(element)) or (d.never and any(includes(element, one) for one in d.never)):
            return 0
        if d.only or d.tag:
            return STRONGEST if self.bears(element) else 0
        if d.prefers and d.prefers(element):
            return STRONGEST
        if d.default and includes(element, d.default):
            return 3
        return 2 if d.rest else 1


class BoundOne:
    """A ``One`` bound to a partner."""

    __slots__ = (
        "alone",
        "declared",
        "get",
        "heads",
        "known",
        "lens",
        "number",
        "reader",
        "segment",
        "take",
        "writer",
    )

    def __init__(self, declared: One, lens: Lens, alone: Leaf | None = None) -> None:
        self.declared = declared
        self.alone = alone if alone is not None and alone.strict and not declared.secondary else None
        self.segment, self.number = split_at(declared.at)
        self.lens = lens
        self.get = lens.get
        paths = [declared.path] if declared.path else [*lens.elements, *(path for path, _ in lens.marks)]
        self.heads = frozenset(map(head, paths))
        self.reader: Reader = (lambda node: node) if not declared.path else place(declared.path)[0]
        self.writer: Writer | None = place(declared.path)[1] if declared.path else None
        self.take: Callable[[str, Json, Scope], Unsaid | None] = self._several
        self.known: Known | None = None
        if not declared.secondary:
            self.take = one_taker(
                lens.get, declared.path, alone, self.reader, self.writer, self._several, shorten
            )
            if declared.shared and self.writer is not None and declared.path.endswith(".0"):
                own = BoundOne(replace(declared, path="", shared=False), lens)
                self.take = remembering_within(own.take, self.reader, self.writer)
            elif declared.shared:
                self.known = Known(self.take)
                self.take = self.known.again

    def _several(self, text: str, node: Json, scope: Scope) -> Unsaid | None:
        """Say the first repetition; the others, if any, stay unsaid."""
        scope.look_at(text)
        text, *more = text.split(scope.repetition)
        others = [f"({n})" for n, rep in enumerate(more, 2) if rep and rep != DELETE]
        comps = text.split(scope.component)
        unsaid = self._say(comps, node, scope)
        if unsaid:
            return shorten(unsaid, comps, "", False) + others
        return others or None

    def _say(self, comps: list[str], node: Json, scope: Scope) -> Unsaid | None:
        said = self.reader(node) or {}
        if self.declared.secondary and any(head(path) in said for path in self.lens.elements):
            return self._agree(comps, said, scope)
        if self.writer is None:
            return self.get(comps, node, scope)
        element: Json = said
        unsaid = self.get(comps, element, scope)
        if element:
            self.writer(node, element)
        return unsaid

    def _own(self, comps: list[str], scope: Scope) -> Json:
        """What the field says by itself."""
        apart, own = scope.apart(), dict[str, Any]()
        self.get(comps, own, apart)
        return own

    def speaks(self, said: Json, segment: Segment, scope: Scope) -> bool:
        """Whether the field says something, and nothing but what is said already."""
        text = segment.field(self.number).split(scope.repetition)[0]
        apart, again = scope.apart(), dict[str, Any]()
        self.get(text.split(scope.component), again, apart)
        return bool(again) and all(
            _agrees(value, said.get(name), apart, scope) for name, value in again.items()
        )

    def _agree(self, comps: list[str], said: Json, scope: Scope) -> Unsaid | None:
        """Nothing is said twice: what differs from what another field said stays unsaid."""
        apart, again = scope.apart(), dict[str, Any]()
        unsaid = self.get(comps, again, apart)
        if all(_agrees(value, said.get(name), apart, scope) for name, value in again.items()):
            return unsaid
        return [str(n) for n, text in enumerate(comps, 1) if text and text != DELETE]

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        """Write the element over the first repetition."""
        before = segment.field(self.number)
        first, *more = before.split(scope.repetition)
        comps = [] if first in ("", DELETE) else first.split(scope.component)
        kept = list(comps)
        new, old = (said if isinstance(said, dict) else {} for said in map(self.reader, (target, base)))
        if self.writer is not None and not same(new, old):
            own = self._own(comps, scope)
            if includes(old, own):
                new, old = own_part(new, old, own), own
        self.lens.put(new, old, comps, scope)
        if comps != kept:
            write_field(segment, self.number, [joined(comps, scope), *more], scope)


def _agrees(value: Any, said: Any, apart: Scope, scope: Scope) -> bool:
    """Whether a value is said already, with what it refers to."""
    referred, known = apart.base.resolve(value), scope.base.resolve(said)
    return same(value, said) and (referred is None or includes(known, referred))


def shorten(unsaid: Unsaid, comps: Sequence[str], rep: str, said: bool) -> Unsaid:
    """A field of one component is named as the field; a repetition nothing was said of, as the repetition."""
    if len(comps) == 1 and unsaid == ["1"]:
        return [rep]
    valued = sum(1 for text in comps if text and text != DELETE)
    if not said and len(unsaid) == valued and all("." not in at for at in unsaid):
        return [rep]
    return [f"{rep}.{at}" for at in unsaid]


def joined(comps: Sequence[str], scope: Scope) -> str:
    """Component texts as one repetition, without trailing delimiters."""
    return scope.component.join(comps).rstrip(scope.component)


def write_field(segment: Segment, number: int, repetitions: Sequence[str], scope: Scope) -> None:
    """Set a field; one that held something and now holds nothing says so (``""``, HL7 v2.5.1 ch. 2.5.3)."""
    text = scope.repetition.join(repetitions).rstrip(scope.repetition)
    before = segment.field(number)
    if not text and before:
        text = DELETE
    if text != before:
        segment.set(number, text)
