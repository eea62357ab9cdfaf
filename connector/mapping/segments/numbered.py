"""Numbers of a relative beside their own: of the role (ROL-1), to reach them by (PRT-24)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import shorten, write_field
from ..lens import Bound, Lens, Row, compile_rows
from ..partner import Partner
from ..places import Comps, Json, same
from ..scope import Scope
from .parties import texts

_SECONDARY = "secondary"


def is_licence(identifier: Json) -> bool:
    """Whether a PLN says an identifier, and not an EI."""
    return bool({"type", "period"} & identifier.keys())


def is_secondary(identifier: Any) -> bool:
    """Whether an identifier is not the person's own."""
    return isinstance(identifier, dict) and identifier.get("use") == _SECONDARY


@dataclass(frozen=True, slots=True)
class Own:
    """Rows about the first identifier that is the person's own."""

    row: Row

    def compile(self, partner: Partner) -> Bound:
        inner = self.row.compile(partner)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            inner.put(_own(target), _own(base), comps, scope)

        return inner._replace(put=put)


def _own(node: Json) -> Json:
    mine = [one for one in node.get("identifier", ()) if not is_secondary(one)]
    return {**node, "identifier": mine}


@dataclass(frozen=True, slots=True)
class Secondary:
    """A field whose repetitions are secondary identifiers; ``only``: which of them go back to it."""

    segment: str
    number: int
    rows: tuple[Row, ...]
    only: Callable[[Json], bool] = lambda identifier: True

    def compile(self, partner: Partner) -> _Secondary:
        return _Secondary(self, compile_rows(self.rows, partner))


class _Secondary:
    __slots__ = ("elements", "lens", "number", "numbers", "only", "segment")

    def __init__(self, declared: Secondary, lens: Lens) -> None:
        self.segment, self.number, self.lens = declared.segment, declared.number, lens
        self.only = declared.only
        self.numbers = (declared.number,)
        self.elements = frozenset({"identifier"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        lost: list[str] = []
        for n, (rep, element, unsaid) in enumerate(self._views(segment, scope), 1):
            if element:
                listed = node.setdefault("identifier", [])
                marked = {**element, "use": _SECONDARY}
                listed += [] if marked in listed else [marked]
            name = f"{self.number}({n})" if n > 1 else str(self.number)
            lost += shorten(unsaid, rep.split(scope.component), name, bool(element)) if unsaid else []
        return lost or None

    def _views(self, segment: Segment, scope: Scope) -> list[tuple[str, Json, list[str]]]:
        scope.beware()
        found = []
        text = sent(segment, self.number)
        for rep in text.split(scope.repetition) if text else ():
            element: Json = {}
            unsaid = self.lens.get(rep.split(scope.component), element, scope) or []
            found.append((rep, element, unsaid))
        return found

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        wanted, before = (
            [
                {name: value for name, value in one.items() if name != "use"}
                for one in node.get("identifier", ())
                if is_secondary(one) and self.only(one)
            ]
            for node in (target, base)
        )
        if not same(wanted, before):
            priors = self._views(segment, scope)
            write_field(segment, self.number, texts(wanted, priors, self.lens.put, scope), scope)
