"""A row that says nothing of the repetitions that another place speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..fields import DELETE
from ..lens import EVERY, Bound, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class Where:
    """Rows about the repetitions for which ``test`` holds."""

    test: Callable[[Comps], bool]
    rows: tuple[Row, ...]

    def compile(self, partner: Partner) -> Bound:
        lens, test = compile_rows(self.rows, partner), self.test

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if test(comps):
                return lens.get(comps, node, scope)
            return [str(n) for n, text in enumerate(comps, 1) if text and text != DELETE] or None

        return Bound(lens.put, whole=get, reads=EVERY, elements=lens.elements, marks=lens.marks)
