"""Who does what, for whom and where <-> PractitionerRole (guide: NDL and XCN[PractitionerRole]).

A role is known by its identifier; without one, by who does what for whom and where, so that what else is
said of it (a telephone number, an end) does not make another one of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..assembly import canonical
from ..lens import At, Bound, Item, Row, Unsaid
from ..partner import Partner
from ..places import Comps, Json, write_comp
from ..scope import Scope
from .primitives import End, date_time
from .references import Place, Refer, identified, ndl_practitioner, practitioner

_WHO_AND_WHERE = ("practitioner", "organization", "code", "location")


def role_identity(resource: Json) -> str:
    """The seed of a PractitionerRole."""
    said = {name: resource[name] for name in _WHO_AND_WHERE if name in resource}
    return identified(resource) or (canonical(said) if said else "")


@dataclass(frozen=True, slots=True)
class Shifted:
    """A row over some of the components, which it takes for all there are: NDL.4 to NDL.11 are a PL."""

    first: int  # counted from 0
    room: int
    row: Row

    def compile(self, partner: Partner) -> Bound:
        inner = self.row.compile(partner)
        first, last, look = self.first, self.first + self.room, inner.whole
        assert look is not None  # noqa: S101 - only rows that look at the whole can be shifted

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid = look(comps[first:last], node, scope) if len(comps) > first else None
            parts = [at.partition(".") for at in unsaid or ()]
            return [f"{int(at) + first}{dot}{rest}" for at, dot, rest in parts] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            before = comps[first:last]
            after = list(before)
            inner.put(target, base, after, scope)
            if after != before:
                for at in range(self.room):
                    write_comp(comps, first + at, after[at] if at < len(after) else "")

        return Bound(put, whole=get, reads=frozenset(range(first, last)), elements=inner.elements)


def ndl_practitioner_role(path: str) -> tuple[Row, ...]:
    """NDL <-> PractitionerRole: who, from when to when, and where (guide: NDL[PractitionerRole]).

    For a field that should say no more than who it is, see ``ndl_practitioner``.
    """
    rows: tuple[Row, ...] = (
        At("practitioner", (Shifted(0, 1, ndl_practitioner()[0]),)),
        At("period", (Item("2", "start", date_time), End("3", date_time))),
        Shifted(3, 8, Place("location.0")),
    )
    return (Refer("PractitionerRole", rows, path, role_identity),)


def xcn_practitioner_role(path: str) -> tuple[Row, ...]:
    """XCN <-> PractitionerRole that says no more than who it is (guide: XCN[PractitionerRole])."""
    return (Refer("PractitionerRole", practitioner("practitioner"), path, role_identity),)
