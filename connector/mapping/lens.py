"""One declaration, two directions.

A map is a tuple of rows. A row is inert data: it says where a value lives in v2, where it lives in
FHIR, and which codec stands between. ``bound.compile_rows`` binds rows to a partner and returns a
``Bound``: ``get`` (v2 to FHIR) and ``put`` (FHIR to v2, over what the partner sent before).

* ``get`` walks the components that are there and returns the positions that no row could say.
* ``put`` is three-way: it looks at what FHIR says now (``target``) and what the prior v2 text said
  (``base``), and writes only where the two differ. What still means the same keeps its exact
  words, so ``put(get(v), get(v), v) == v`` however lossy ``get`` is.
* A constant written to FHIR (``tag``) is a guard read from FHIR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .bound import (
    SAID,
    Binder,
    Bound,
    Codec,
    Lens,
    Row,
    Take,
    Unsaid,
    compile_rows,
    in_turn,
)
from .emit import Leaf, first_holding, words
from .known import remembering_part
from .partner import Partner
from .places import (
    Comps,
    Json,
    Reader,
    Writer,
    bearer,
    comp,
    head,
    leaf,
    place,
    same,
    write_comp,
    write_sub,
)
from .scope import Scope

__all__ = [
    "EVERY",
    "SAID",
    "At",
    "Binder",
    "Bound",
    "Case",
    "Codec",
    "Item",
    "Joint",
    "Lens",
    "Nested",
    "OneOf",
    "Row",
    "Spread",
    "Take",
    "Unsaid",
    "compile_rows",
    "text",
]

Sent = TypeVar("Sent")


def text(_: Partner) -> Codec:
    """ST <-> string. A text of blanks only says nothing in FHIR."""
    return Codec(words, lambda value: value if isinstance(value, str) else None)


@dataclass(frozen=True, slots=True)
class Item:
    """One leaf <-> one element, through a codec."""

    at: str
    path: str
    codec: Binder = text
    agrees: bool = False  # another row may have said the element already; then this one must say the same

    def compile(self, partner: Partner) -> Bound:
        component, sub = leaf(self.at)
        to_fhir, to_v2, silent, strict = self.codec(partner)
        reader, writer = place(self.path)
        name = self.path if "." not in self.path else None
        agrees = self.agrees

        def get(sent: str, node: Json) -> bool:
            value = to_fhir(sent)
            if value is None or value is SAID:
                return value is SAID
            if agrees and (said := reader(node)) is not None:
                return same(said, value)
            if name is None:
                writer(node, value)
            else:
                node[name] = value
            return True

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new = reader(target)
            if agrees and not comp(comps, component):
                return  # the other row says it
            if not same(new, reader(base)):
                said = "" if new is None else to_v2(new) or ""
                write_sub(comps, component, sub, scope.escape(said), scope.subcomponent)

        taken = Leaf(get) if agrees or silent else Leaf(get, to_fhir, self.path, strict=strict)
        return Bound(put, leaves={component: taken}, elements=frozenset({self.path}))


@dataclass(frozen=True, slots=True)
class Spread:
    """Several leaves <-> one list of texts; FHIR's surplus is joined into the last leaf."""

    at: tuple[str, ...]
    path: str
    joiner: str = " "

    def compile(self, partner: Partner) -> Bound:
        leaves = [leaf(at) for at in self.at]
        reader, writer = place(self.path)

        def get(sent: str, node: Json) -> bool:
            if sent.isspace():
                return False
            found = reader(node)
            if found is None:
                writer(node, [sent])
            else:
                found.append(sent)
            return True

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            wanted = [value for value in reader(target) or () if isinstance(value, str)]
            if same(wanted, reader(base) or []):
                return
            room = len(leaves) - 1
            texts = wanted[:room] + [self.joiner.join(wanted[room:])] + [""] * len(leaves)
            for (component, sub), said in zip(leaves, texts):
                write_sub(comps, component, sub, scope.escape(said), scope.subcomponent)

        taken = Leaf(get, None, self.path, spread=True)
        return Bound(
            put, leaves={component: taken for component, _ in leaves}, elements=frozenset({self.path})
        )


@dataclass(frozen=True, slots=True)
class Joint:
    """One code that says several elements at once, each by a table of its own.

    Back: the code whose images say all of what FHIR says, else the one that says the most.
    """

    at: str
    ways: tuple[tuple[str, str], ...]  # (path, table)

    def compile(self, partner: Partner) -> Bound:
        component, sub = leaf(self.at)
        ways = [(*place(path), partner.table(table)) for path, table in self.ways]
        images = [{v2: coded.code for v2, coded in table.to_fhir.items()} for _, _, table in ways]
        written = [set(table.codes_to_v2.values()) for _, _, table in ways]

        def get(sent: str, node: Json) -> bool:
            said = False
            for (_, writer, _), image in zip(ways, images):
                if sent in image:
                    writer(node, image[sent])
                    said = True
            return said

        def fit(code: str, wanted: list[Any]) -> tuple[int, int]:
            hits = sum(
                1 for image, value in zip(images, wanted) if value is not None and image.get(code) == value
            )
            wrong = sum(1 for image, value in zip(images, wanted) if code in image and image[code] != value)
            return hits - wrong, sum(1 for codes in written if code in codes)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            wanted = [reader(target) for reader, _, _ in ways]
            if all(same(value, reader(base)) for value, (reader, _, _) in zip(wanted, ways)):
                return
            codes = sorted({code for image in images for code in image})
            best = max(codes, key=lambda code: fit(code, wanted), default="")
            said = best if best and fit(best, wanted)[0] > 0 else ""
            write_sub(comps, component, sub, scope.escape(said), scope.subcomponent)

        return Bound(put, leaves={component: Leaf(get)}, elements=frozenset(path for path, _ in self.ways))


@dataclass(frozen=True, slots=True)
class Nested:
    """A component that has parts of its own: rows over its sub-components, saying things of the same node.

    ``shared``: reference data that says the same in many messages (see ``known``), whatever else is said.
    """

    at: str
    rows: tuple[Row, ...]
    shared: bool = False

    def compile(self, partner: Partner) -> Bound:
        component, _ = leaf(self.at)
        lens = compile_rows(self.rows, partner)
        get, inner_put = lens.get, lens.put
        first = self.rows[0].compile(partner).leaves.get(0)

        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            return get(sent.split(scope.subcomponent) if scope.parted else [sent], node, scope)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            before = comp(comps, component)
            subs = before.split(scope.subcomponent)
            inner_put(target, base, subs, scope)
            after = scope.subcomponent.join(subs)
            if after != before:
                write_comp(comps, component, after.rstrip(scope.subcomponent))

        firsts = {} if first is None else {component: first}
        take = remembering_part(inner) if self.shared else inner
        return Bound(put, inner={component: take}, firsts=firsts, elements=lens.elements, marks=lens.marks)


@dataclass(frozen=True, slots=True)
class At:
    """Rows about a node further in: ``At("period", (Item("7", "start", date),))``."""

    path: str
    rows: tuple[Row, ...]

    def compile(self, partner: Partner) -> Bound:
        bounds = [row.compile(partner) for row in self.rows]
        reader, writer = place(self.path)
        puts = [bound.put for bound in bounds]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            inside, before = _node(reader(target)), _node(reader(base))
            for each in puts:
                each(inside, before, comps, scope)

        wholes = [_look_within(bound.whole, reader, writer) for bound in bounds if bound.whole]
        return Bound(
            put,
            leaves={at: self._within(leaf, reader, writer) for b in bounds for at, leaf in b.leaves.items()},
            inner={at: _look_within(take, reader, writer) for b in bounds for at, take in b.inner.items()},
            whole=in_turn(wholes) if wholes else None,
            reads=frozenset().union(*(bound.reads for bound in bounds)),
            elements=frozenset(f"{self.path}.{name}" for bound in bounds for name in bound.elements),
            marks=tuple((f"{self.path}.{path}", mark) for bound in bounds for path, mark in bound.marks),
        )

    def _within(self, leaf: Leaf, reader: Reader, writer: Writer) -> Leaf:
        inside = f"{self.path}.{leaf.within}" if leaf.within else self.path
        deepest = leaf.within_take or leaf.take
        return leaf._replace(take=_leaf_within(leaf.take, reader, writer), within=inside, within_take=deepest)


def _leaf_within(take: Take, reader: Reader, writer: Writer) -> Take:
    def get(sent: str, node: Json) -> bool:
        inside = reader(node)
        if inside is not None:
            return take(sent, inside)
        inside = {}
        said = take(sent, inside)
        if inside:
            writer(node, inside)
        return said

    return get


def _look_within(
    look: Callable[[Sent, Json, Scope], Unsaid | None], reader: Reader, writer: Writer
) -> Callable[[Sent, Json, Scope], Unsaid | None]:
    """What looks at a raw component or at the whole repetition, about the node further in."""

    def get(sent: Sent, node: Json, scope: Scope) -> Unsaid | None:
        inside: Json = reader(node) or {}
        unsaid = look(sent, inside, scope)
        if inside:
            writer(node, inside)
        return unsaid

    return get


def _node(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


EVERY: frozenset[int] = frozenset(range(64))


@dataclass(frozen=True, slots=True)
class Case:
    """One way to say a thing.

    ``when``: whether v2 uses it; ``says``: whether it can say what FHIR says. ``tag``: constants that mark
    it in FHIR, ``mark``: texts that mark it in v2, ``default``: elements it sets where no row did. A case
    that no longer ``writes`` is an old form: understood, not written.
    """

    rows: tuple[Row, ...]
    when: Callable[[Comps], bool] = lambda comps: True
    says: Callable[[Json], bool] = lambda node: True
    tag: Mapping[str, Any] = field(default_factory=dict)
    mark: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    writes: bool = True
    _bears: Callable[[Any], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bears", bearer(self.tag))

    def can_say(self, target: Json) -> bool:
        """Whether the way back may use this case for what FHIR says."""
        return self.writes and self._bears(target) and self.says(target)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The first case that holds; it stands alone, and every case accounts for all components.

    Back: the case the prior text used, as long as it can still say what FHIR says.
    """

    cases: tuple[Case, ...]

    def compile(self, partner: Partner) -> Bound:
        compiled = [(case, compile_rows(case.rows, partner, case.mark)) for case in self.cases]

        ways = [(case.when, lens.get, dict(case.tag), list(case.default.items())) for case, lens in compiled]
        get = first_holding(ways)

        def holding(comps: Comps) -> tuple[Case, Lens]:
            return next(pair for pair in compiled if pair[0].when(comps))

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if all(same(target.get(name), base.get(name)) for name in heads):
                return
            if any(comps):
                case, lens = holding(comps)
                if case.can_say(target):
                    lens.put(target, base, comps, scope)
                    return
            comps.clear()
            for case, lens in compiled:
                if case.can_say(target):
                    lens.put(target, {}, comps, scope)
                    for at, said in case.mark.items():
                        write_sub(comps, *leaf(at), said, scope.subcomponent)
                    return

        elements = frozenset(name for case in self.cases for name in case.tag).union(
            *(lens.elements for _, lens in compiled)
        )
        heads = {head(path) for path in elements}
        marks = tuple(mark for _, lens in compiled for mark in lens.marks)
        return Bound(put, whole=get, reads=EVERY, elements=elements, marks=marks)
