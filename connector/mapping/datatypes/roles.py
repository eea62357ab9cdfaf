"""Who does what, for whom and where <-> PractitionerRole (guide: NDL and XCN[PractitionerRole]).

A role is known by who does what for whom and where, so that what else is said of it (a telephone number, an
end) does not make another one of it. Its identifier is not asked first: senders number the participations of
each message anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..assembly import canonical
from ..lens import At, Bound, Item, Row, Unsaid
from ..partner import V2, Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .coded import Concept
from .primitives import End, date_time
from .references import Place, Refer, identified, ndl_practitioner, practitioner, reference_place

_PARTS = (V2 + "0443", V2 + "0912")
_WHO_AND_WHERE = ("practitioner", "organization", "code", "location")


def role_identity(resource: Json) -> str:
    """The seed of a PractitionerRole."""
    said = {name: resource[name] for name in _WHO_AND_WHERE if name in resource}
    return canonical(said) if said else identified(resource)


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


@dataclass(frozen=True, slots=True)
class Guarded:
    """A reference that is only said where ``fits`` holds of what it points to: others are said elsewhere."""

    refer: Row
    path: str
    fits: Callable[[Json], bool]

    def compile(self, partner: Partner) -> Bound:
        inner = self.refer.compile(partner)
        reader, fits = reference_place(self.path)[0], self.fits

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new = reader(target)
            role = scope.target.resolve(new)
            if role is None or fits(role):
                inner.put(target, base, comps, scope)
            elif not same(new, reader(base)):
                comps.clear()

        return inner._replace(put=put)


@dataclass(frozen=True, slots=True)
class Part:
    """A CWE of table 0443 or 0912 <-> a CodeableConcept; ``table``: which it is where nobody says.

    PRT-4 had the one in HL7 v2.7 and has the other since v2.8; ROL-3 had the first only.
    """

    table: str

    def compile(self, partner: Partner) -> Bound:
        both = {name: Concept(name).compile(partner) for name in ("HL70443", "HL70912")}
        table = self.table

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            look = both[comps[2] if len(comps) > 2 and comps[2] in both else table].whole
            assert look is not None  # noqa: S101 - a concept looks at the whole
            return look(comps, node, scope)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            kept = list(comps)
            systems = {
                coding.get("system") for coding in target.get("coding", ()) if isinstance(coding, dict)
            }
            name = next((name for name in both if V2 + name[3:] in systems), table)
            both[name].put(target, base, comps, scope)
            if comps != kept and name != table and comp(comps, 0) and not comp(comps, 2):
                write_comp(comps, 2, name)

        bound = both[table]
        return Bound(put, whole=get, reads=bound.reads, elements=bound.elements)


def takes_part(role: Json, *codes: str) -> bool:
    """Whether a role is named by tables 0443 and 0912: the part somebody takes, not what they are.

    ``codes``: one of these parts.
    """
    codings = (coding for concept in role.get("code", ()) for coding in concept.get("coding", ()))
    return any(
        coding.get("system") in _PARTS and (not codes or coding.get("code") in codes) for coding in codings
    )


def is_director(role: Json) -> bool:
    """Whether a role says no more than who the medical director is; OBX-25 says that."""
    bare = role.get("code") == [{"coding": [{"system": V2 + "0912", "code": "MDIR"}]}]
    return bare and role.keys() <= {"resourceType", "id", "code", "practitioner"}


def ndl_practitioner_role(path: str) -> tuple[Row, ...]:
    """NDL <-> PractitionerRole: who, from when to when, and where (guide: NDL[PractitionerRole]).

    For a field that should say no more than who it is, see ``ndl_practitioner``.
    """
    rows: tuple[Row, ...] = (
        At("practitioner", (Shifted(0, 1, ndl_practitioner()[0]),)),
        At("period", (Item("2", "start", date_time), End("3", date_time))),
        Shifted(3, 8, Place("location.0")),
    )
    refer = Refer("PractitionerRole", rows, path, role_identity)
    return (Guarded(refer, path, lambda role: not takes_part(role)),)


def xcn_practitioner_role(path: str) -> tuple[Row, ...]:
    """XCN <-> PractitionerRole that says no more than who it is (guide: XCN[PractitionerRole])."""
    refer = Refer("PractitionerRole", practitioner("practitioner"), path, role_identity)
    return (Guarded(refer, path, lambda role: not takes_part(role)),)
