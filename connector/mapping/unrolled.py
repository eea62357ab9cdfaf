"""One function a segment: every field that is there through the rows that take it.

Unrolled for speed, as ``emit`` does for the components of a field: from numbers and names of declarations,
with the rows as globals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..hl7v2.tree import Segment
from .emit import Function, Leaf, assignment
from .known import Known
from .places import Json
from .scope import Scope

_TOGETHER: Final = 8

Takers = tuple[tuple[int, Any], ...]
"""The (slot, ``take``) of all that say something of a field; none where nobody knows it."""

Sayer = Callable[[Segment, list[Json], Scope, list[str], str], None]
"""Says a segment in a unit's nodes; what is unsaid is added to the list, under the segment's label."""


def sayer(
    row: Sequence[tuple[int, Takers] | None],
    looks: Sequence[tuple[int, Any]],
    alone: Mapping[int, Leaf],
    known: Mapping[int, Known] = {},
) -> Sayer:
    """The function of a segment.

    ``row``: by field number, the number and its takers, ``None`` where the field needs no saying. ``looks``:
    what spans fields, by slot. ``alone``: by ``id`` of a taker, the leaf that is all there is to do;
    ``known``: likewise, what the taker remembers.
    """
    f = Function("say", "segment, nodes, scope, lost, label")
    f.line(1, "texts = segment.texts")
    f.line(1, f"if (n := len(texts)) < {len(row)}: texts = texts + {f.ref([''] * len(row))}[n:]")
    f.line(1, "standard = scope.standard")
    for slot in sorted(
        {slot for entry in row if entry for slot, _ in entry[1]} | {slot for slot, _ in looks}
    ):
        f.line(1, f"n{slot} = nodes[{slot}]")
    _fields(f, [entry for entry in row if entry is not None], alone, known)
    f.line(1, f"if n > {len(row)}:")
    f.line(2, f"for at in range({len(row)}, n):")
    f.line(3, "if texts[at] and texts[at] != '\"\"': lost.append(f'{label}-{at}')")
    for slot, across in looks:
        f.line(1, f"if {' or '.join(f'texts[{at}]' for at in across.numbers)}:")
        f.line(2, f"u = {f.ref(across.get)}(segment, n{slot}, scope)")
        f.line(2, "if u: lost += [f'{label}-{at}' for at in u]")
    made: Sayer = f.made()
    return made


def _fields(
    f: Function,
    row: Sequence[tuple[int, Takers]],
    alone: Mapping[int, Leaf],
    known: Mapping[int, Known],
) -> None:
    """All fields, by so many at a time: most segments end early, and most of their later fields are empty."""
    depth = 1
    for first in range(0, row[-1][0] + 1 if row else 0, _TOGETHER):
        mine = [entry for entry in row if first <= entry[0] < first + _TOGETHER]
        if not mine:
            continue
        if first:
            f.line(depth, f"if n > {first}:")
            depth += 1
        inner = depth
        if first >= 2 * _TOGETHER and len(mine) > _TOGETHER // 2:
            f.line(depth, f"if any(texts[{first}:{first + _TOGETHER}]):")
            inner += 1
        for number, takers in mine:
            _field(f, inner, number, takers, alone, known)


def _field(
    f: Function,
    depth: int,
    number: int,
    takers: Takers,
    alone: Mapping[int, Leaf],
    known: Mapping[int, Known],
) -> None:
    f.line(depth, f"if (t := texts[{number}]) and t != '\"\"':")
    depth += 1
    if not takers:
        f.line(depth, f"lost.append(f'{{label}}-{number}')")
        return
    (slot, take), *others = takers
    leaf, mine = alone.get(id(take)), known.get(id(take))
    if leaf is not None and not others:
        f.line(depth, f"v = {f.ref(leaf.codec)}(t) if standard else None")
        f.line(depth, f"if v is not None: {assignment(f, leaf.path, f'n{slot}')}")
        f.line(depth, "else:")
        depth += 1
    said = f"u = {f.ref(take)}(t, n{slot}, scope)"
    if mine is not None:
        f.line(depth, f"if (m := {f.ref(mine.simple.get)}(t)) and standard and m[0] not in n{slot}:")
        f.line(depth + 1, f"n{slot}[m[0]], u = m[1](), m[2]")
        f.line(depth, f"else: {said}")
    else:
        f.line(depth, said)
    for slot, other in others:
        f.line(depth, f"u = {f.ref(both)}(u, {f.ref(other)}(t, n{slot}, scope))")
    f.line(depth, f"if u: lost += [f'{{label}}-{number}{{at}}' for at in u]")


def both(one: list[str] | None, other: list[str] | None) -> list[str] | None:
    """What neither of two rows could say; a part of what the other left whole counts as left."""
    if not one or not other:
        return None
    return [at for at in one if _covered(at, other)] + [
        at for at in other if at not in one and _covered(at, one)
    ]


def _covered(at: str, by: Sequence[str]) -> bool:
    return any(not whole or at == whole or at.startswith((whole + ".", whole + "(")) for whole in by)
