"""Rows bound to a partner, and how rows that look at the same repetition become one function.

``get`` has two ways: the short one, unrolled by ``emit``, for texts whose leaves may be taken as they
are, and the careful one for escapes, sub-components nobody reads and ``""``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from .emit import Leaf, getter
from .partner import Partner
from .places import Comps, Json, leaf
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


def compile_rows(rows: tuple[Row, ...], partner: Partner, known: Mapping[str, str] = {}) -> Lens:
    """Bind rows that look at the same repetition. ``known``: leaves whose text is a constant.

    Equal rows are bound once: the names, addresses and identifiers of all segments run through the same
    few functions, which stay near the processor.
    """
    key = rows, tuple(known.items())
    try:
        found: Lens | None = partner.lenses.get(key)
    except TypeError:  # rows that hold mappings
        return _compiled(rows, partner, known)
    if found is None:
        found = partner.lenses[key] = _compiled(rows, partner, known)
    return found


def _compiled(rows: tuple[Row, ...], partner: Partner, known: Mapping[str, str]) -> Lens:
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
    get: Get = getter(leaves, inner, firsts, whole, reads, in_turn([careful, *whole]))
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
                rest = inner[at](sent, node, scope) or ()
                unsaid += [f"{at + 1}{'' if sub[:1] in ('', '(') else '.'}{sub}" for sub in rest]
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


def in_turn(looks: list[Get]) -> Get:
    """One after the other; what each leaves unsaid."""
    if len(looks) == 1:
        return looks[0]

    def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        return [rest for look in looks for rest in look(comps, node, scope) or ()]

    return get
