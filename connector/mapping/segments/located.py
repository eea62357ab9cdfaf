"""A place, and its address in a field of its own <-> one Location (guide: PRT[Observation-Location])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.references import Place, reference_place
from ..fields import joined, shorten, write_field
from ..lens import Bound, Lens, compile_rows
from ..partner import Partner
from ..places import Json, same
from ..scope import Resources, Scope


@dataclass(frozen=True, slots=True)
class LocationAddress:
    """PL and XAD <-> one Location, referred to at ``path``: the address is that of the narrowest part."""

    segment: str
    place: int
    address: int
    path: str

    def compile(self, partner: Partner) -> _LocationAddress:
        return _LocationAddress(self, Place(self.path).compile(partner), compile_rows(XAD_ADDRESS, partner))


class _LocationAddress:
    __slots__ = ("address", "declared", "elements", "numbers", "place", "reader", "segment", "writer")

    def __init__(self, declared: LocationAddress, place: Bound, address: Lens) -> None:
        self.declared, self.place, self.address = declared, place, address
        self.segment = declared.segment
        self.numbers = (declared.place, declared.address)
        self.elements = frozenset({declared.path})
        self.reader, self.writer = reference_place(declared.path)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        scope.beware()
        lost: list[str] = []
        if text := sent(segment, d.place):
            first, *others = text.split(scope.repetition)
            comps = first.split(scope.component)
            assert self.place.whole is not None  # noqa: S101 - a place looks at the whole
            unsaid = self.place.whole(comps, node, scope) or []
            unsaid += [str(n) for n, each in enumerate(comps, 1) if each and each != '""' and n > 9]
            lost += shorten(unsaid, comps, str(d.place), bool(node)) if unsaid else []
            lost += _others(d.place, others)
        if text := sent(segment, d.address):
            first, *others = text.split(scope.repetition)
            comps, element = first.split(scope.component), dict[str, Any]()
            unsaid = self.address.get(comps, element, scope) or []
            said = bool(element) and self._place(node, element, scope)
            lost += shorten(unsaid, comps, str(d.address), said) if said and unsaid else []
            lost += _others(d.address, others) if said else [str(d.address)]
        return lost or None

    def _place(self, node: Json, address: Json, scope: Scope) -> bool:
        """Give the place its address; one that has another has moved, or the address is not its own."""
        there = scope.gathered.resolve(self.reader(node))
        if there is None:
            location = {"resourceType": "Location", "address": address}
            self.writer(node, scope.refer("Location", "", location, scope.owner))
            return True
        return same(there.setdefault("address", address), address)

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        scope.beware()
        first, *more = sent(segment, d.place).split(scope.repetition)
        comps = first.split(scope.component) if first else []
        self.place.put(target, base, comps, scope)
        if joined(comps, scope) != first:
            write_field(segment, d.place, [joined(comps, scope), *more], scope)
        new, old = (self._address(node, side) for node, side in ((target, scope.target), (base, scope.base)))
        if not same(new, old):
            first, *more = sent(segment, d.address).split(scope.repetition)
            comps = first.split(scope.component) if first else []
            self.address.put(new, old, comps, scope)
            write_field(segment, d.address, [joined(comps, scope), *more], scope)

    def _address(self, node: Json, side: Resources) -> Json:
        there = side.resolve(self.reader(node)) or {}
        address = there.get("address")
        return address if isinstance(address, dict) else {}


def _others(number: int, others: list[str]) -> list[str]:
    return [f"{number}({n})" for n, other in enumerate(others, 2) if other and other != '""']
