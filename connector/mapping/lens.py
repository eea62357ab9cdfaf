"""One declaration, two directions.

A map is a tuple of rows. A row is inert data: it says where a value lives in v2, where it lives in
FHIR, and which codec stands between. ``compile_rows`` binds rows to a partner and returns a
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
from typing import Any, NamedTuple, Protocol

from .emit import Leaf, getter
from .partner import Partner
from .places import (
    Comps,
    Json,
    Reader,
    Writer,
    comp,
    head,
    includes,
    leaf,
    place,
    same,
    write_comp,
    write_sub,
)
from .scope import Scope

Unsaid = list[str]
Get = Callable[[Comps, Json, Scope], Unsaid | None]
Put = Callable[[Json, Json, Comps, Scope], None]
Take = Callable[[str, Json], bool]
Inner = Callable[[str, Json, Scope], Unsaid | None]


class Codec(NamedTuple):
    """How one text and one FHIR value say the same thing; ``None``: it cannot be said."""

    to_fhir: Callable[[str], Any]
    to_v2: Callable[[Any], str | None]
    silent: bool = False  # ``to_fhir`` may return ``SAID``
    strict: bool = False  # ``to_fhir`` says nothing of a text that holds a delimiter


Binder = Callable[[Partner], Codec]

Marks = tuple[tuple[str, Mapping[str, Any]], ...]

SAID: Any = object()
"""What a codec returns for a text that is said by what stands around it, and needs no element of its own."""


class Bound(NamedTuple):
    """A row bound to a partner.

    ``leaves``: for a component (from 0), what takes its unescaped text; ``inner``: what takes its raw
    text, sub-components and all (``firsts``: what of it takes a text without parts); ``whole``: what looks at
    the whole repetition, and ``reads``, the components it accounts for. ``elements``: the paths of the FHIR
    elements the row owns; ``marks``: the elements of lists it owns, by the list's path and their constants.
    """

    put: Put
    leaves: Mapping[int, Leaf] = {}
    inner: Mapping[int, Inner] = {}
    firsts: Mapping[int, Leaf] = {}
    whole: Get | None = None
    reads: frozenset[int] = frozenset()
    elements: frozenset[str] = frozenset()
    marks: Marks = ()


class Row(Protocol):
    """Inert data that ``compile`` binds to a partner."""

    def compile(self, partner: Partner) -> Bound:
        """The two directions of this row for this partner."""
        ...


class Lens(NamedTuple):
    """Rows that were compiled together."""

    get: Get
    put: Put
    elements: frozenset[str]
    marks: Marks = ()


def text(_: Partner) -> Codec:
    """ST <-> string. A text of blanks only says nothing in FHIR."""
    return Codec(
        lambda sent: None if sent.isspace() else sent, lambda value: value if isinstance(value, str) else None
    )


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
    """A component that has parts of its own: rows over its sub-components, saying things of the same node."""

    at: str
    rows: tuple[Row, ...]

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
        return Bound(put, inner={component: inner}, firsts=firsts, elements=lens.elements, marks=lens.marks)


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

        wholes = [_whole_within(bound.whole, reader, writer) for bound in bounds if bound.whole]
        return Bound(
            put,
            leaves={at: self._within(leaf, reader, writer) for b in bounds for at, leaf in b.leaves.items()},
            inner={at: _inner_within(take, reader, writer) for b in bounds for at, take in b.inner.items()},
            whole=_in_turn(wholes) if wholes else None,
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


def _inner_within(take: Inner, reader: Reader, writer: Writer) -> Inner:
    def get(sent: str, node: Json, scope: Scope) -> Unsaid | None:
        inside: Json = reader(node) or {}
        unsaid = take(sent, inside, scope)
        if inside:
            writer(node, inside)
        return unsaid

    return get


def _whole_within(look: Get, reader: Reader, writer: Writer) -> Get:
    def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        inside: Json = reader(node) or {}
        unsaid = look(comps, inside, scope)
        if inside:
            writer(node, inside)
        return unsaid

    return get


def _in_turn(looks: list[Get]) -> Get:
    if len(looks) == 1:
        return looks[0]

    def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        return [rest for look in looks for rest in look(comps, node, scope) or ()]

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

    def can_say(self, target: Json) -> bool:
        """Whether the way back may use this case for what FHIR says."""
        return self.writes and includes(target, self.tag) and self.says(target)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The first case that holds; it stands alone, and every case accounts for all components.

    Back: the case the prior text used, as long as it can still say what FHIR says.
    """

    cases: tuple[Case, ...]

    def compile(self, partner: Partner) -> Bound:
        compiled = [(case, compile_rows(case.rows, partner, case.mark)) for case in self.cases]

        ways = [(case.when, lens.get, dict(case.tag), list(case.default.items())) for case, lens in compiled]

        def holding(comps: Comps) -> tuple[Case, Lens]:
            return next(pair for pair in compiled if pair[0].when(comps))

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            for way in ways:
                if way[0](comps):
                    break
            _, look, tag, default = way
            unsaid = look(comps, node, scope)
            if node:
                node.update(tag)
                for name, value in default:
                    if name not in node:
                        node[name] = value
            return unsaid

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


def compile_rows(rows: tuple[Row, ...], partner: Partner, known: Mapping[str, str] = {}) -> Lens:
    """Bind rows that look at the same repetition. ``known``: leaves whose text is a constant."""
    bounds = [row.compile(partner) for row in rows]
    leaves: dict[int, Leaf] = {}
    for bound in bounds:
        for at, get in bound.leaves.items():
            leaves[at] = Leaf(_both(leaves[at].take, get.take)) if at in leaves else get
    for text_at, mark in known.items():
        leaves.setdefault(leaf(text_at)[0], Leaf(_mark(mark)))
    inner = {at: get for bound in bounds for at, get in bound.inner.items()}
    firsts = {at: first for bound in bounds for at, first in bound.firsts.items()}
    whole = [bound.whole for bound in bounds if bound.whole]
    reads: frozenset[int] = frozenset().union(*(bound.reads for bound in bounds))
    puts = [bound.put for bound in bounds]

    def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        for each in puts:
            each(target, base, comps, scope)

    elements: frozenset[str] = frozenset().union(*(bound.elements for bound in bounds))
    marks = tuple(mark for bound in bounds for mark in bound.marks)
    return Lens(_getter(leaves, inner, firsts, whole, reads), put, elements, marks)


def _mark(mark: str) -> Take:
    return lambda sent, node: sent == mark


def _both(one: Take, other: Take) -> Take:
    def get(sent: str, node: Json) -> bool:
        first, second = one(sent, node), other(sent, node)
        return first or second

    return get


def _getter(
    leaves: Mapping[int, Leaf],
    inner: Mapping[int, Inner],
    firsts: Mapping[int, Leaf],
    whole: list[Get],
    reads: frozenset[int],
) -> Get:
    """Every component that is there, through the row that takes it."""
    if not leaves and not inner and len(whole) == 1:
        return _only(whole[0], reads)
    careful = _careful(leaves, inner, reads)
    get: Get = getter(leaves, inner, firsts, whole, reads, _in_turn([careful, *whole]))
    return get


def _careful(leaves: Mapping[int, Leaf], inner: Mapping[int, Inner], reads: frozenset[int]) -> Get:
    def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        unsaid: Unsaid = []
        for at, sent in enumerate(comps):
            if not sent or sent == '""':
                continue
            if at in leaves:
                unsaid += [f"{at + 1}{sub}" for sub in _with_care(leaves[at].take, sent, node, scope)]
            elif at in inner:
                unsaid += [
                    f"{at + 1}.{sub}" if sub else str(at + 1) for sub in inner[at](sent, node, scope) or ()
                ]
            elif at not in reads:
                unsaid.append(str(at + 1))
        return unsaid or None

    return get


def _only(look: Get, reads: frozenset[int]) -> Get:
    room = max(reads) + 1
    if reads != frozenset(range(room)):
        raise AssertionError("a row that stands alone accounts for its components from the first on")

    def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        unsaid = look(comps, node, scope)
        if len(comps) > room and (rest := [str(n) for n, sent in enumerate(comps[room:], room + 1) if sent]):
            return (unsaid or []) + rest
        return unsaid

    return get


def _with_care(take: Take, sent: str, node: Json, scope: Scope) -> Unsaid:
    """A leaf whose text may hold escapes or sub-components nobody reads; returns what is unsaid of it."""
    first, *others = sent.split(scope.subcomponent)
    rest = [f".{n}" for n, sub in enumerate(others, 2) if sub]
    if first and first != '""' and not take(scope.unescape(first), node):
        rest.insert(0, ".1" if others else "")
    return rest
