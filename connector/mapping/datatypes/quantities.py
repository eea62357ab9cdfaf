"""CQ <-> Quantity (guide: CQ[Quantity])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..lens import Bound, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, place, same, write_comp
from ..scope import Scope
from .amounts import unit_of, unit_parts
from .primitives import decimal, number_text


@dataclass(frozen=True, slots=True)
class Amount:
    """A CQ <-> the Quantity at ``path`` (empty: the node itself)."""

    path: str = ""

    def compile(self, partner: Partner) -> Bound:
        number = decimal(partner)
        reader, writer = place(self.path) if self.path else (lambda node: node, None)

        def say(comps: Comps, scope: Scope) -> tuple[Json, Unsaid]:
            value = number.to_fhir(scope.unescape(comp(comps, 0)))
            if value is None:
                return {}, [str(n + 1) for n in (0, 1) if comp(comps, n)]
            parts = [scope.unescape(part) for part in comp(comps, 1).split(scope.subcomponent)]
            unit, rest = unit_of(parts, partner)
            return {"value": value, **unit}, [f"2.{n}" for n in rest]

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            quantity, unsaid = say(comps, scope)
            if quantity and writer is not None:
                writer(node, quantity)
            else:
                node.update(quantity)
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new, old = _quantity(reader(target)), _quantity(reader(base))
            if same(new, old):
                return
            if not same(new.get("value"), old.get("value")):
                write_comp(comps, 0, number_text(new.get("value")) or "")
            if unit_parts(new, partner) != unit_parts(old, partner) or "value" not in new:
                parts = unit_parts(new, partner) if "value" in new else ("",)
                text = scope.subcomponent.join(map(scope.escape, parts)).rstrip(scope.subcomponent)
                write_comp(comps, 1, text)

        heads = ("value", "unit", "system", "code")
        elements = frozenset({self.path} if self.path else heads)
        return Bound(put, whole=get, reads=frozenset({0, 1}), elements=elements)


def _quantity(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
