"""Fields of a segment that is an element of a list, where they have components of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import joined, shorten
from ..lens import Bound, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, write_comp
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class Inside:
    """A field of a segment that is an element of a list: its first repetition, component by component.

    ``needs``: an element without which there is none, so that nothing is said of it either.
    """

    at: str
    rows: tuple[Row, ...]
    needs: str = ""

    def compile(self, partner: Partner) -> Bound:
        component = int(self.at) - 1
        lens = compile_rows(self.rows, partner)

        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            if self.needs and self.needs not in node:
                return [""]
            first, *others = sent.split(scope.repetition)
            comps = first.split(scope.component)
            before = len(node)
            unsaid = lens.get(comps, node, scope) or []
            rest = shorten(unsaid, comps, "", len(node) > before) if unsaid else []
            return [one.removeprefix(".") for one in rest] + [
                f"({n})" for n, one in enumerate(others, 2) if one
            ]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            first, *others = comp(comps, component).split(scope.repetition)
            parts = first.split(scope.component) if first else []
            kept = list(parts)
            lens.put(target, base, parts, scope)
            if parts != kept:
                text = scope.repetition.join((joined(parts, scope), *others)).rstrip(scope.repetition)
                write_comp(comps, component, text)

        return Bound(put, inner={component: inner}, elements=lens.elements, marks=lens.marks)
