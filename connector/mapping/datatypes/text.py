"""FT and TX <-> text of several lines."""

from __future__ import annotations

from dataclasses import dataclass

from ..lens import Bound, Unsaid
from ..partner import Partner
from ..places import Comps, Json, place, same, write_comp
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class FreeText:
    """A component taken as it stands: delimiters in free text are text, repetitions are lines."""

    at: str
    path: str

    def compile(self, partner: Partner) -> Bound:
        component = int(self.at) - 1
        reader, writer = place(self.path)

        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            said = "\n".join(scope.unescape(line) for line in sent.split(scope.delimiters.repetition))
            if not said.strip():
                return [""]
            writer(node, said)
            return None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new = reader(target)
            if not same(new, reader(base)):
                write_comp(comps, component, scope.escape(new) if isinstance(new, str) else "")

        return Bound(put, inner={component: inner}, elements=frozenset({self.path}))
