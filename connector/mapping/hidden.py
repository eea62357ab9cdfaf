"""What a profile drops from a row: a component, or a field of a row that spans several.

The row does not see it on the way to FHIR and does not touch it on the way back; where it says something,
it is named among what is unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..hl7v2.tree import Segment
from .lens import EVERY, Bound, Row, Unsaid, compile_rows
from .partner import Partner
from .places import Comps, Json, write_comp
from .scope import Scope

if TYPE_CHECKING:
    from .fields import Across, BoundAcross

Part = tuple[int, int]
"""A component and a sub-component, counted from 1; sub-component 0: the whole component."""
_DELETE = '""'


class _Kept(list[str]):
    """Component texts that know whether a row began anew with them."""

    renewed = False

    def clear(self) -> None:
        self.renewed = True
        super().clear()


def hide(comps: Comps, parts: Sequence[Part], subcomponent: str) -> dict[Part, str]:
    """Empty the parts of a repetition; what they held."""
    held: dict[Part, str] = {}
    for component, sub in parts:
        text = comps[component - 1] if component <= len(comps) else ""
        if not sub:
            inside, rest = text, ""
        else:
            subs = text.split(subcomponent)
            inside = subs[sub - 1] if sub <= len(subs) else ""
            rest = subcomponent.join("" if n == sub else one for n, one in enumerate(subs, 1))
        if inside:
            held[component, sub] = inside
            comps[component - 1] = rest.rstrip(subcomponent)
    return held


def show(comps: Comps, held: dict[Part, str], subcomponent: str) -> None:
    """Put back what ``hide`` took."""
    for (component, sub), text in held.items():
        if sub:
            subs = (comps[component - 1] if component <= len(comps) else "").split(subcomponent)
            write_comp(subs, sub - 1, text)
            text = subcomponent.join(subs)
        write_comp(comps, component - 1, text)


def named(held: dict[Part, str]) -> list[str]:
    """The parts that say something, as locations inside a repetition."""
    return [f"{c}.{s}" if s else str(c) for (c, s), text in held.items() if text != _DELETE]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Rows about a repetition of which they do not see some parts."""

    rows: tuple[Row, ...]
    parts: tuple[Part, ...]

    def compile(self, partner: Partner) -> Bound:
        lens, parts = compile_rows(self.rows, partner), self.parts

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            seen = list(comps)
            held = hide(seen, parts, scope.subcomponent)
            return named(held) + (lens.get(seen, node, scope) or []) or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            seen = _Kept(comps)
            held = hide(seen, parts, scope.subcomponent)
            lens.put(target, base, seen, scope)
            if not seen.renewed:  # else it is about something else now
                show(seen, held, scope.subcomponent)
            comps[:] = seen

        return Bound(put, whole=get, reads=EVERY, elements=lens.elements, marks=lens.marks)


@dataclass(frozen=True, slots=True)
class HiddenAcross:
    """A row that spans fields and does not see some of them; ``fields``: number, parts (none: all)."""

    row: Across
    fields: tuple[tuple[int, tuple[Part, ...]], ...]

    def compile(self, partner: Partner) -> BoundAcross:
        return _HiddenAcross(self.row.compile(partner), dict(self.fields))


class _HiddenAcross:
    def __init__(self, inner: BoundAcross, fields: dict[int, tuple[Part, ...]]) -> None:
        self._inner = inner
        self._fields = fields
        self.segment = inner.segment
        self.numbers = inner.numbers
        self.elements = inner.elements

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        seen, unsaid = segment.copy(), list[str]()
        for number, parts in self._fields.items():
            unsaid += self._hide(seen, number, parts, scope)
        return unsaid + (self._inner.get(seen, node, scope) or []) or None

    def _hide(self, seen: Segment, number: int, parts: tuple[Part, ...], scope: Scope) -> list[str]:
        text, unsaid = seen.field(number), list[str]()
        if not parts:
            seen.set(number, "")
            return [str(number)] if text not in ("", _DELETE) else []

        def without(at: int, comps: Comps) -> None:
            held = hide(comps, parts, scope.subcomponent)
            unsaid.extend(f"{number}{f'({at})' if at > 1 else ''}.{part}" for part in named(held))

        seen.set(number, _each(text, without, scope))
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        seen = segment.copy()
        for number, parts in self._fields.items():
            self._hide(seen, number, parts, scope)
        self._inner.put(target, base, seen, scope)
        for number in self.numbers:
            if number not in self._fields:
                segment.set(number, seen.field(number))
            elif parts := self._fields[number]:
                segment.set(number, self._shown(segment.field(number), seen.field(number), parts, scope))

    @staticmethod
    def _shown(before: str, after: str, parts: tuple[Part, ...], scope: Scope) -> str:
        held: list[dict[Part, str]] = []
        _each(before, lambda at, comps: held.append(hide(comps, parts, scope.subcomponent)), scope)
        if len(held) != after.count(scope.repetition) + 1 or after in ("", _DELETE):
            return after
        return _each(after, lambda at, comps: show(comps, held[at - 1], scope.subcomponent), scope)


def _each(text: str, change: Callable[[int, Comps], None], scope: Scope) -> str:
    """A field's text after a change to each of its repetitions."""
    found = []
    for at, repetition in enumerate(text.split(scope.repetition), 1):
        comps = repetition.split(scope.component)
        change(at, comps)
        found.append(scope.component.join(comps).rstrip(scope.component))
    return scope.repetition.join(found)
