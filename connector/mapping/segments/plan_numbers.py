"""IN1-2 <-> the numbers of a plan: one by each coding system that names it (guide: CWE[Identifier])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..bound import Marks
from ..fields import DELETE, joined, write_field
from ..lens import Bound, Codec, Item, Lens, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, same
from ..scope import Scope

_FIRST: Final = ("1", "3")
_FURTHER: Final = (("4", "6"), ("10", "12"))
_MARK: Final = {"use": "secondary"}
PLAN_NUMBERS: Final = (_MARK,)
"""The marks of the numbers beside the first."""


def system_name(partner: Partner) -> Codec:
    """The name of a coding system <-> its URI."""

    def to_v2(uri: Any) -> str | None:
        return partner.system_name(uri) if isinstance(uri, str) else None

    return Codec(lambda sent: None if sent.isspace() else partner.system_uri(sent), to_v2)


@dataclass(frozen=True, slots=True)
class FurtherSaid:
    """The components of the further numbers, which are said beside the first."""

    def compile(self, partner: Partner) -> Bound:
        reads = frozenset(int(at) - 1 for pair in _FURTHER for at in pair)
        return Bound(
            lambda target, base, comps, scope: None, whole=lambda comps, node, scope: None, reads=reads
        )


def _nothing(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
    """Another row writes them."""


@dataclass(frozen=True, slots=True)
class FurtherNumbers:
    """The second and third triple of a CWE <-> secondary identifiers."""

    segment: str
    number: int

    def compile(self, partner: Partner) -> _FurtherNumbers:
        lenses = [
            compile_rows((Item(value, "value"), Item(system, "system", system_name)), partner)
            for value, system in (_FIRST, *_FURTHER)
        ]
        return _FurtherNumbers(self, *lenses)


class _FurtherNumbers:
    __slots__ = ("first", "lenses", "number", "numbers", "segment")
    elements: Final = frozenset({"identifier"})
    marks: Final[Marks] = (("identifier", _MARK),)

    def __init__(self, declared: FurtherNumbers, first: Lens, *lenses: Lens) -> None:
        self.segment, self.number = declared.segment, declared.number
        self.first, self.lenses = first, lenses
        self.numbers = (declared.number,)

    def _comps(self, segment: Segment, scope: Scope) -> Comps:
        return sent(segment, self.number).split(scope.delimiters.repetition)[0].split(scope.component)

    def _view(self, n: int, comps: Comps, scope: Scope) -> tuple[Json, list[str]]:
        """One of the numbers, and what of it stays unsaid; a system without a number is none."""
        said: Json = {}
        mine = {int(at) - 1 for at in _FURTHER[n]}
        unsaid = self.lenses[n].get([c if at in mine else "" for at, c in enumerate(comps)], said, scope)
        if said and "value" not in said:
            return {}, [str(at + 1) for at in sorted(mine) if comp(comps, at)]
        return said, unsaid or []

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        comps = self._comps(segment, scope)
        if len(comps) < min(int(at) for at in _FURTHER[0]):
            return None
        scope.beware()
        lost: list[str] = []
        for n in range(len(_FURTHER)):
            said, unsaid = self._view(n, comps, scope)
            if said:
                numbers = node.setdefault("identifier", [])
                behind = sum(is_plan(one) or one.get("use") == _MARK["use"] for one in numbers[: n + 1])
                numbers.insert(behind, {**said, **_MARK})  # whatever field says others, these stand first
            lost += [f"{self.number}.{at}" for at in unsaid]
        return lost or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        wanted, before = _secondary(target), _secondary(base)
        if same(wanted, before):
            return
        scope.beware()
        first, *others = segment.field(self.number).split(scope.delimiters.repetition)
        comps = first.split(scope.component) if first not in ("", DELETE) else []
        if not any(comps):
            self.first.put(next(filter(is_plan, target.get("identifier") or ()), {}), {}, comps, scope)
        for n, lens in enumerate(self.lenses):
            old = self._view(n, comps, scope)[0]
            lens.put(wanted[n] if n < len(wanted) else {}, old, comps, scope)
        write_field(segment, self.number, [joined(comps, scope), *others], scope)


def is_plan(identifier: Any) -> bool:
    """Whether an identifier is no more than a number of a plan, and the first."""
    return isinstance(identifier, dict) and not identifier.keys() - {"system", "value"}


def _secondary(node: Json) -> list[Json]:
    """The further numbers of a coverage, without the mark."""
    listed = (one for one in node.get("identifier") or () if isinstance(one, dict))
    return [
        {name: one[name] for name in ("value", "system") if name in one}
        for one in listed
        if one.get("use") == _MARK["use"]
    ]
