"""A partner's own fields: one place in v2 <-> one element of a list that FHIR has for such things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .emit import Leaf
from .lens import Bound, Row, Take, Unsaid
from .partner import Partner
from .places import Comps, Json, copies, includes, place
from .scope import Scope


@dataclass(frozen=True, slots=True)
class Listed:
    """A row about an element of the list at ``path``, which is known by its ``tag``."""

    path: str
    tag: Mapping[str, Any]
    row: Row

    def compile(self, partner: Partner) -> Bound:
        bound = self.row.compile(partner)
        reader, _ = place(self.path)
        tag = self.tag

        def mine(node: Json) -> Json:
            found = (one for one in reader(node) or () if isinstance(one, dict) and includes(one, tag))
            return next(found, {})

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            bound.put(mine(target), mine(base), comps, scope)

        return Bound(
            put,
            leaves={at: Leaf(self._leaf(leaf.take)) for at, leaf in bound.leaves.items()},
            inner={at: self._said(inner) for at, inner in bound.inner.items()},
            whole=self._said(bound.whole) if bound.whole else None,
            reads=bound.reads,
            marks=((self.path, tag),),
        )

    def _add(self, node: Json, element: Json) -> None:
        if element:
            reader, writer = place(self.path)
            marked = {**copies(self.tag)(), **element}
            found = reader(node)
            if found is None:
                writer(node, [marked])
            else:
                found.append(marked)

    def _leaf(self, take: Take) -> Take:
        def get(sent: str, node: Json) -> bool:
            element: Json = {}
            said = take(sent, element)
            self._add(node, element)
            return said

        return get

    def _said(self, look: Any) -> Any:
        """What looks at a raw text, or at a whole repetition."""

        def get(sent: Any, node: Json, scope: Scope) -> Unsaid | None:
            element: Json = {}
            unsaid: Unsaid | None = look(sent, element, scope)
            self._add(node, element)
            return unsaid

        return get
