"""DR <-> a moment, or a period where its end is sent too (guide: DR[dateTime], DR[Period])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..lens import Bound, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, place, same, write_comp
from ..scope import Scope
from .primitives import date_time, ends_before


@dataclass(frozen=True, slots=True)
class DateRange:
    """A DR <-> ``<path>DateTime`` or ``<path>Period``."""

    path: str

    def compile(self, partner: Partner) -> Bound:
        codec = date_time(partner)
        (moment, say_moment), (period, say_period) = (
            place(self.path + name) for name in ("DateTime", "Period")
        )

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            sent = [scope.unescape(comp(comps, at)) for at in (0, 1)]
            start, end = (codec.to_fhir(text) if text else None for text in sent)
            if start and end and ends_before(start, end):
                end = None
            if end:
                say_period(node, ({"start": start} if start else {}) | {"end": end})
            elif start:
                say_moment(node, start)
            ends = zip(("1", "2"), sent, (start, end))
            return [at for at, text, value in ends if text and not value] or None

        def ends(node: Json) -> tuple[Any, Any]:
            said = period(node)
            if isinstance(said, dict):
                return said.get("start"), said.get("end")
            return moment(node), None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            for at, (now, before) in enumerate(zip(ends(target), ends(base))):
                if not same(now, before):
                    write_comp(comps, at, scope.escape(codec.to_v2(now) or "" if now is not None else ""))

        elements = frozenset({self.path + "DateTime", self.path + "Period"})
        return Bound(put, whole=get, reads=frozenset({0, 1}), elements=elements)
