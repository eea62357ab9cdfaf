"""RXA-11, RXA-27 and RXA-28 <-> where it was given (guide: RXA[Immunization]).

Three fields for one place: the location as it was sent up to v2.5 (LA2, the address behind it), the location
since v2.6 (PL), and its address. A new place is written as RXA-11 and RXA-28.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.references import Place
from ..fields import joined, shorten, write_field
from ..lens import Lens, compile_rows
from ..partner import Partner
from ..places import Json, place, same
from ..scope import Resources, Scope

_LA2, _PL, _XAD = 11, 27, 28
_OWN = 8  # LA2.1 to LA2.8 are a PL, LA2.9 to LA2.16 an address


@dataclass(frozen=True, slots=True)
class GivenAt:
    """The Location at ``path``."""

    path: str = "location"

    def compile(self, partner: Partner) -> _GivenAt:
        return _GivenAt(self.path, partner)


class _GivenAt:
    __slots__ = ("address", "elements", "numbers", "places", "reader", "segment", "writer")

    def __init__(self, path: str, partner: Partner) -> None:
        self.segment, self.numbers = "RXA", (_LA2, _PL, _XAD)
        self.elements = frozenset({path})
        self.places: Lens = compile_rows((Place(""),), partner)
        self.address: Lens = compile_rows(XAD_ADDRESS, partner)
        self.reader, self.writer = place(path)

    # --- to FHIR

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        scope.beware()
        unsaid: list[str] = []
        for number in (_PL, _LA2):
            known = self.reader(node)
            where, rest = self._where(segment, number, scope if known is None else scope.apart())
            unsaid += rest
            if where and known is None:
                self.writer(node, where)
            elif where and not same(known, where):
                unsaid.append(str(number))
        for number in (_XAD, _LA2):
            address, rest = self._address(segment, number, scope)
            unsaid += rest
            if address and not self._lies_at(node, address, scope):
                unsaid.append(str(number))
        return unsaid

    def _where(self, segment: Segment, number: int, scope: Scope) -> tuple[Json, list[str]]:
        comps, more = _first(segment, number, scope)
        found: Json = {}
        own = comps[:_OWN] if number == _LA2 else comps
        rest = self.places.get(own, found, scope)
        return found, [f"{number}{at}" for at in [*_short(rest, comps, found), *more]]

    def _address(self, segment: Segment, number: int, scope: Scope) -> tuple[Json, list[str]]:
        comps, more = _first(segment, number, scope)
        before = _OWN if number == _LA2 else 0
        found: Json = {}
        rest = self.address.get(comps[before:], found, scope) or []
        moved = [_moved(at, before) for at in rest]
        return found, [f"{number}{at}" for at in [*_short(moved, comps, found), *([] if before else more)]]

    def _lies_at(self, node: Json, address: Json, scope: Scope) -> bool:
        """Say the address of the place, if it has no other."""
        location = scope.gathered.resolve(self.reader(node))
        if location is None:
            location = {"resourceType": "Location", "address": address}
            self.writer(node, {"reference": scope.refer("Location", "", location, scope.owner)})
        return same(location.setdefault("address", address), address)

    # --- to v2

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        scope.beware()
        new, old = self.reader(target) or {}, self.reader(base) or {}
        where = _PL if sent(segment, _PL) else _LA2
        comps, more = _parts(segment, where, scope)
        own = comps[:_OWN] if where == _LA2 else list(comps)
        behind = comps[_OWN:] if where == _LA2 else []
        kept = list(own)
        self.places.put(new, old, own, scope)
        if own != kept:
            own += [""] * (_OWN - len(own)) if behind else []
            write_field(segment, where, [joined([*own, *behind], scope), *more], scope)
        self._put_address(_address_of(new, scope.target), _address_of(old, scope.base), segment, scope)

    def _put_address(self, new: Json, old: Json, segment: Segment, scope: Scope) -> None:
        if same(new, old):
            return
        mine = {n: self._address(segment, n, scope.apart())[0] for n in (_XAD, _LA2)}
        number = next((n for n, said in mine.items() if said and same(said, old)), _XAD if not old else 0)
        if not number:
            return  # another segment says the address
        comps, more = _parts(segment, number, scope)
        before = _OWN if number == _LA2 else 0
        own = comps[before:]
        self.address.put(new, mine[number], own, scope)
        ahead = comps[:before] + [""] * (before - len(comps))
        write_field(segment, number, [joined([*ahead, *own], scope), *more], scope)


def _short(unsaid: list[str] | None, comps: list[str], said: Json) -> list[str]:
    return shorten(unsaid, comps, "", bool(said)) if unsaid else []


def _address_of(reference: Json, resources: Resources) -> Json:
    location = resources.resolve(reference) or {}
    found = location.get("address")
    return found if isinstance(found, dict) else {}


def _parts(segment: Segment, number: int, scope: Scope) -> tuple[list[str], list[str]]:
    text, *more = sent(segment, number).split(scope.repetition)
    return text.split(scope.component) if text else [], more


def _first(segment: Segment, number: int, scope: Scope) -> tuple[list[str], list[str]]:
    comps, more = _parts(segment, number, scope)
    return comps, [f"({n})" for n, one in enumerate(more, 2) if one]


def _moved(at: str, by: int) -> str:
    number, dot, rest = at.partition(".")
    return f"{int(number) + by}{dot}{rest}"
