"""One function a segment: every field that is there through the rows that take it.

Unrolled for speed, as ``emit`` does for the components of a field: from numbers and names of declarations,
with the rows as globals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..hl7v2.tree import Segment
from .emit import Function, Leaf, assignment
from .places import Json
from .scope import Scope

Takers = tuple[tuple[int, Any], ...]
"""The (slot, ``take``) of all that say something of a field; none where nobody knows it."""

Sayer = Callable[[Segment, list[Json], Scope, list[str], str], None]
"""Says a segment in a unit's nodes; what is unsaid is added to the list, under the segment's label."""


def sayer(
    row: Sequence[tuple[int, Takers] | None],
    looks: Sequence[tuple[int, Any]],
    alone: Mapping[int, Leaf],
) -> Sayer:
    """The function of a segment.

    ``row``: by field number, the number and its takers, ``None`` where the field needs no saying. ``looks``:
    what spans fields, by slot. ``alone``: by ``id`` of a taker, the leaf that is all there is to do.
    """
    f = Function("say", "segment, nodes, scope, lost, label")
    f.line(1, "texts = segment.texts")
    f.line(1, f"if (n := len(texts)) < {len(row)}: texts = texts + {f.ref([''] * len(row))}[n:]")
    f.line(1, "standard = scope.standard")
    for slot in sorted(
        {slot for entry in row if entry for slot, _ in entry[1]} | {slot for slot, _ in looks}
    ):
        f.line(1, f"n{slot} = nodes[{slot}]")
    for entry in row:
        if entry is not None:
            _field(f, *entry, alone)
    f.line(1, f"if n > {len(row)}:")
    f.line(2, f"for at in range({len(row)}, n):")
    f.line(3, "if texts[at] and texts[at] != '\"\"': lost.append(f'{label}-{at}')")
    for slot, across in looks:
        f.line(1, f"u = {f.ref(across.get)}(segment, n{slot}, scope)")
        f.line(1, "if u: lost += [f'{label}-{at}' for at in u]")
    made: Sayer = f.made()
    return made


def _field(f: Function, number: int, takers: Takers, alone: Mapping[int, Leaf]) -> None:
    f.line(1, f"if (t := texts[{number}]) and t != '\"\"':")
    if not takers:
        f.line(2, f"lost.append(f'{{label}}-{number}')")
        return
    (slot, take), *others = takers
    leaf = alone.get(id(take))
    depth = 2
    if leaf is not None and not others:
        f.line(2, f"v = {f.ref(leaf.codec)}(t) if standard else None")
        f.line(2, f"if v is not None: {assignment(f, leaf.path, f'n{slot}')}")
        f.line(2, "else:")
        depth = 3
    f.line(depth, f"u = {f.ref(take)}(t, n{slot}, scope)")
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
