"""RXC <-> an ingredient of a Medication (HL7 v2.5.1 ch. 4.14.3); its fields are the components."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..datatypes.amounts import unit_of, unit_parts
from ..datatypes.coded import Concept
from ..datatypes.primitives import decimal, number_text
from ..lens import Bound, Codec, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from ..units import Segments

_KIND, _CODE = 0, 1
# number and units (from 0) of the amount in the preparation, of the component's own strength, and its volume
_AMOUNT, _STRENGTH, _VOLUME = (2, 3), (4, 5), (7, 8)
_ACTIVE = {"A": True, "B": False}
_KINDS = {str(active): kind for kind, active in _ACTIVE.items()}


@dataclass(frozen=True, slots=True)
class Component:
    """What goes into a mixture: an additive is active, a base is not; how much of it there is.

    Without an amount, the component's own strength.
    """

    def compile(self, partner: Partner) -> Bound:
        bound = _Component(partner)
        elements = frozenset({"isActive", "itemCodeableConcept", "strength"})
        return Bound(bound.put, whole=bound.get, reads=frozenset(range(11)), elements=elements)


class _Component:
    __slots__ = ("concept", "look", "number", "partner")

    def __init__(self, partner: Partner) -> None:
        self.partner = partner
        self.number: Codec = decimal(partner)
        self.concept = Concept().compile(partner)
        assert self.concept.whole is not None  # noqa: S101 - Concept looks at the whole
        self.look = self.concept.whole

    def get(self, comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        unsaid = [str(n + 1) for n in (6, 9, 10) if comp(comps, n)]
        kind = comp(comps, _KIND)
        if kind in _ACTIVE:
            node["isActive"] = _ACTIVE[kind]
        elif kind:
            unsaid.append(str(_KIND + 1))
        said: Json = {}
        unsaid += self._item(comp(comps, _CODE), said, scope)
        if said:
            node["itemCodeableConcept"] = said
        ratio, rest = self._strength(comps, scope)
        if ratio:
            node["strength"] = ratio
        return unsaid + rest or None

    def _item(self, code: str, said: Json, scope: Scope) -> Unsaid:
        rest = self.look(code.split(scope.component), said, scope) if code else None
        return [f"{_CODE + 1}.{at}" if scope.component in code else str(_CODE + 1) for at in rest or ()]

    def _strength(self, comps: Comps, scope: Scope) -> tuple[Json, Unsaid]:
        amount, unsaid = self._quantity(comps, _AMOUNT, scope)
        if amount:
            others = [str(n + 1) for at in (_STRENGTH, _VOLUME) for n in at if comp(comps, n)]
            return {"numerator": amount, "denominator": {"value": Decimal(1)}}, unsaid + others
        own, rest = self._quantity(comps, _STRENGTH, scope)
        volume, more = self._quantity(comps, _VOLUME, scope)
        if not own:
            others = [str(n + 1) for n in _VOLUME if volume and comp(comps, n)]
            return {}, unsaid + rest + (others or more)
        return {"numerator": own, "denominator": volume or {"value": Decimal(1)}}, unsaid + rest + more

    def _quantity(self, comps: Comps, at: tuple[int, int], scope: Scope) -> tuple[Json, Unsaid]:
        text, units = (scope.unescape(comp(comps, at[0])), comp(comps, at[1]).split(scope.component))
        value = self.number.to_fhir(text) if text else None
        unit, rest = unit_of([scope.unescape(one) for one in units], self.partner)
        unsaid = [str(at[0] + 1)] if text and value is None else []
        unsaid += [f"{at[1] + 1}.{n}" if len(units) > 1 else str(at[1] + 1) for n in rest]
        return ({} if value is None else {"value": value}) | unit, unsaid

    def put(self, target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        if not same(target.get("isActive"), base.get("isActive")):
            write_comp(comps, _KIND, _KINDS.get(str(target.get("isActive")), ""))
        new, old = (node.get("itemCodeableConcept") or {} for node in (target, base))
        if not same(new, old):
            parts = comp(comps, _CODE).split(scope.component) if comp(comps, _CODE) else []
            self.concept.put(new, old, parts, scope)
            write_comp(comps, _CODE, scope.component.join(parts).rstrip(scope.component))
        if not same(target.get("strength"), base.get("strength")):
            self._put_strength(target.get("strength") or {}, comps, scope)

    def _put_strength(self, ratio: Json, comps: Comps, scope: Scope) -> None:
        own = any(comp(comps, n) for n in _STRENGTH) and not any(comp(comps, n) for n in _AMOUNT)
        volume = ratio.get("denominator") or {}
        if set(volume) == {"value"} and str(volume["value"]) == "1":
            volume = {}  # as much is in one of it
        own = own or bool(volume)
        self._write(ratio.get("numerator") or {}, _STRENGTH if own else _AMOUNT, comps, scope)
        if own:
            self._write(volume, _VOLUME, comps, scope)
            self._write({}, _AMOUNT, comps, scope)

    def _write(self, quantity: Json, at: tuple[int, int], comps: Comps, scope: Scope) -> None:
        write_comp(comps, at[0], _number(quantity.get("value")))
        parts = [scope.escape(part) for part in unit_parts(quantity, self.partner)] if quantity else []
        write_comp(comps, at[1], scope.component.join(parts).rstrip(scope.component))


def _number(value: Any) -> str:
    return number_text(value) or ""


COMPONENTS = Segments(
    "RXC",
    "ingredient",
    (Component(),),
    needs=("itemCodeableConcept", "isActive"),
    unsaid=frozenset({7, 10, 11}),
)
