"""Who takes part (PRT, ROL): a person and an organization, with what other fields say of them.

In v2 the address of a person, and the sort of an organization, are fields of their own; in FHIR they belong
to the resource that the person or the organization becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import Concept
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.references import Refer, organization, practitioner
from ..fields import joined, shorten, write_field
from ..lens import Bound, Lens, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, place, same, write_comp
from ..scope import Scope

_ROOM = 30  # behind the components of the field itself


@dataclass(frozen=True, slots=True)
class Lent:
    """A field of its own whose repetitions are elements of what another field becomes.

    Its raw text stands at ``at`` (counted from 0), behind the components of that field.
    """

    at: int
    path: str
    rows: tuple[Row, ...]
    only: Callable[[Json], bool] = lambda element: True

    def compile(self, partner: Partner) -> Bound:
        lens = compile_rows(self.rows, partner)
        reader, writer = place(self.path)
        at = self.at

        def views(text: str, scope: Scope) -> list[tuple[str, Json, Unsaid]]:
            found = []
            for rep in text.split(scope.repetition) if text else ():
                element: Json = {}
                comps = rep.split(scope.component)
                unsaid = lens.get(comps, element, scope)
                if not self.only(element):
                    element, unsaid = {}, [str(n) for n, text in enumerate(comps, 1) if text and text != '""']
                found.append((rep, element, unsaid or []))
            return found

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            left: Unsaid = []
            elements: list[Json] = []
            for n, (rep, element, unsaid) in enumerate(views(comp(comps, at), scope), 1):
                name = f"{at + 1}({n})" if n > 1 else f"{at + 1}"
                if element and element not in elements:
                    elements.append(element)
                left += shorten(unsaid, rep.split(scope.component), name, bool(element)) if unsaid else []
            if elements:
                writer(node, elements)
            return left or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            wanted, before = reader(target) or [], reader(base) or []
            if same(wanted, before):
                return
            priors = views(comp(comps, at), scope)
            write_comp(comps, at, scope.repetition.join(texts(wanted, priors, lens.put, scope)))

        return Bound(put, whole=get, reads=frozenset({at}), elements=frozenset({self.path}))


def texts(wanted: list[Json], priors: list[tuple[str, Json, Unsaid]], put: object, scope: Scope) -> list[str]:
    """Repetitions for elements: each over the one that said the same, else over the next one."""
    assert callable(put)  # noqa: S101 - a lens's way back
    free = list(priors)
    homes = []
    for element in wanted:
        home = next((prior for prior in free if same(prior[1], element)), None)
        if home is not None:
            free.remove(home)
        homes.append(home)
    spoken = [prior for prior in free if prior[1]]
    texts = [rep for rep, view, _ in free if not view]
    for element, home in zip(wanted, homes):
        prior = home or (spoken.pop(0) if spoken else ("", {}, []))
        comps = prior[0].split(scope.component) if prior[0] else []
        put(element, prior[1], comps, scope)
        texts.append(joined(comps, scope))
    return [text for text in texts if text]


@dataclass(frozen=True, slots=True)
class Parties:
    """XCN, XON, the sort of organization and an address <-> the practitioner and organization of a role.

    The address is the person's, or the organization's where there is no person (guide: PRT[CareTeam]).
    """

    segment: str
    person: int
    organization: int
    sort: int
    address: int

    def compile(self, partner: Partner) -> _Parties:
        lent_address = Lent(_ROOM, "address", XAD_ADDRESS)
        who, employer = practitioner("practitioner")[0], organization("organization")[0]
        assert isinstance(who, Refer)  # noqa: S101 - rows that refer to a resource
        assert isinstance(employer, Refer)  # noqa: S101
        sort = Lent(_ROOM + 1, "type", (Concept(),))
        person = replace(who, rows=(*who.rows, lent_address))
        office = replace(lent_address, only=lambda one: one.get("use") != "home")  # FHIR R4 invariant org-3
        body = replace(employer, rows=(*employer.rows, office, sort))
        own = {self.person: who.rows, self.organization: employer.rows}
        lenses = {number: compile_rows(rows, partner) for number, rows in own.items()}
        return _Parties(self, person.compile(partner), body.compile(partner), lenses)


class _Parties:
    __slots__ = ("body", "declared", "elements", "lenses", "numbers", "person", "segment")

    def __init__(self, declared: Parties, person: Bound, body: Bound, lenses: dict[int, Lens]) -> None:
        self.declared, self.person, self.body, self.lenses = declared, person, body, lenses
        self.segment = declared.segment
        self.numbers = (declared.person, declared.organization, declared.sort, declared.address)
        self.elements = frozenset({"practitioner", "organization"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        scope.beware()
        said = {number: sent(segment, number) for number in self.numbers}
        if not any(said.values()):
            return None
        to_person, to_body = (self._named(segment, n, scope) for n in (d.person, d.organization))
        lost: list[str] = []
        if to_person:
            lost += self._say(self.person, d.person, said, (said[d.address], ""), node, scope)
        if to_body:
            lent = "" if to_person else said[d.address], said[d.sort]
            lost += self._say(self.body, d.organization, said, lent, node, scope)
        rest = [] if to_person else [d.person]
        rest += [] if to_body else [d.organization, d.sort]
        rest += [] if to_person or to_body else [d.address]
        return lost + [str(number) for number in rest if said[number]]

    def _named(self, segment: Segment, number: int, scope: Scope) -> bool:
        """Whether a party has a name or a number; an address alone makes none (FHIR R4 invariant org-1)."""
        node: Json = {}
        first = sent(segment, number).split(scope.repetition)[0]
        self.lenses[number].get(first.split(scope.component), node, scope.apart())
        return bool({"name", "identifier"} & node.keys())

    def _say(
        self, row: Bound, number: int, said: dict[int, str], lent: tuple[str, str], node: Json, scope: Scope
    ) -> list[str]:
        """What is unsaid of a party, and of the fields that are lent to it."""
        first, *others = said[number].split(scope.repetition)
        comps = first.split(scope.component)
        assert row.whole is not None  # noqa: S101 - a reference looks at the whole
        before = set(node)
        unsaid = row.whole(_with(comps, lent), node, scope) or []
        names = {_ROOM + 1: self.declared.address, _ROOM + 2: self.declared.sort}
        own = [at for at in unsaid if _number(at) not in names]
        lost = shorten(own, comps, str(number), set(node) != before) if own else []
        lost += [f"{number}({n})" for n, other in enumerate(others, 2) if other and other != '""']
        for at in unsaid:
            if (behind := names.get(_number(at))) is not None:
                lost.append(f"{behind}{at[len(str(_number(at))) :]}")
        return lost

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        scope.beware()
        address, sort = sent(segment, d.address), sent(segment, d.sort)
        had_person = self._named(segment, d.person, scope)
        lent = self._write(
            self.person, d.person, (address if had_person else "", ""), (target, base), segment, scope
        )
        mine = lent[0]
        lent = self._write(
            self.body, d.organization, ("" if had_person else address, sort), (target, base), segment, scope
        )
        if not self._named(segment, d.person, scope):
            mine = lent[0] if sent(segment, d.organization) or not had_person else mine
        self._keep(segment, d.address, address, mine, scope)
        self._keep(segment, d.sort, sort, lent[1], scope)

    @staticmethod
    def _keep(segment: Segment, number: int, before: str, after: str, scope: Scope) -> None:
        if before != after:
            write_field(segment, number, [after], scope)

    def _write(
        self,
        row: Bound,
        number: int,
        lent: tuple[str, str],
        says: tuple[Json, Json],
        segment: Segment,
        scope: Scope,
    ) -> tuple[str, str]:
        """Write a party; the fields lent to it, as they are now."""
        first, *more = sent(segment, number).split(scope.repetition)
        comps = first.split(scope.component) if first else []
        kept = list(comps)
        whole = _with(comps, lent)
        row.put(*says, whole, scope)
        after = whole[:_ROOM]
        if joined(after, scope) != joined(kept, scope):
            write_field(segment, number, [joined(after, scope), *more], scope)
        return comp(whole, _ROOM), comp(whole, _ROOM + 1)


def _with(comps: Comps, lent: Sequence[str]) -> Comps:
    return [*(comps + [""] * _ROOM)[:_ROOM], *lent]


def _number(at: str) -> int:
    return int(at.partition(".")[0].partition("(")[0])
