"""What a specimen is in: SPM-6 and SPM-27 of its own, SAC of each container (HL7 v2.5.1 ch. 13.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..datatypes.amounts import unit_of, unit_parts
from ..datatypes.coded import Concept
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import decimal, number_text
from ..fields import BoundOne, One, joined
from ..lens import At, Bound, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from ..units import Segments
from .inside import Inside

_OWN = (("SPM-6", "additiveCodeableConcept", "HL70371"), ("SPM-27", "type", ""))


@dataclass(frozen=True, slots=True)
class OwnContainer:
    """Additive and type of the container that SPM speaks of <-> the container that has no identifier."""

    def compile(self, partner: Partner) -> _OwnContainer:
        return _OwnContainer(partner)


class _OwnContainer:
    __slots__ = ("elements", "fields", "numbers", "segment")

    def __init__(self, partner: Partner) -> None:
        self.segment = "SPM"
        self.numbers = (6, 27)
        self.elements = frozenset({"container"})
        self.fields: list[BoundOne] = [
            One(at, path, (Concept(table),)).compile(partner) for at, path, table in _OWN
        ]

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        container: Json = {}
        unsaid: list[str] = []
        for field in self.fields:
            text = segment.field(field.number)
            if text and text != '""':
                unsaid += [f"{field.number}{rest}" for rest in field.take(text, container, scope) or ()]
        if container:
            node.setdefault("container", []).insert(0, container)
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _unnamed(target), _unnamed(base)
        if not same(new, old):
            for field in self.fields:
                field.put(new, old, segment, scope)


def _unnamed(node: Json) -> Json:
    containers = (one for one in node.get("container") or () if isinstance(one, dict))
    return next((one for one in containers if "identifier" not in one), {})


# --- SAC ------------------------------------------------------------------------------------------


_VOLUMES = ((20, "capacity"), (21, "specimenQuantity"))
_UNITS = 23


@dataclass(frozen=True, slots=True)
class Volumes:
    """Container volume and available volume with the units of both (SAC-21, SAC-22, SAC-24)."""

    def compile(self, partner: Partner) -> Bound:
        number = decimal(partner)

        def units(comps: Comps, scope: Scope) -> tuple[Json, bool]:
            parts = [scope.unescape(one) for one in comp(comps, _UNITS).split(scope.component)]
            said, rest = unit_of(parts, partner)
            return said, bool(rest)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unit, partly = units(comps, scope)
            values = {at: number.to_fhir(comp(comps, at)) for at, _ in _VOLUMES}
            for at, name in _VOLUMES:
                if values[at] is not None:
                    node[name] = {"value": values[at], **unit}
            unsaid = [str(at + 1) for at, value in values.items() if comp(comps, at) and value is None]
            if comp(comps, _UNITS) and (partly or all(value is None for value in values.values())):
                unsaid.append(str(_UNITS + 1))
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            now, before = ([_object(node.get(name)) for _, name in _VOLUMES] for node in (target, base))
            if same(now, before):
                return
            for (at, _), new, old in zip(_VOLUMES, now, before):
                if not same(new.get("value"), old.get("value")):
                    write_comp(comps, at, number_text(new.get("value")) or "")
            parts, was = (unit_parts(next(filter(None, each), {}), partner) for each in (now, before))
            if parts != was:
                write_comp(comps, _UNITS, joined([*map(scope.escape, parts)], scope))

        elements = frozenset(name for _, name in _VOLUMES)
        return Bound(put, whole=get, reads=frozenset({20, 21, _UNITS}), elements=elements)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


CONTAINERS = Segments(
    "SAC",
    "container",
    (
        Inside("3", (At("identifier.0", EI_IDENTIFIER),)),
        Volumes(),
        Inside("27", (At("additiveCodeableConcept", (Concept("HL70371"),)),)),
    ),
    needs=("identifier",),
)
"""A container without an identifier is not told from the one that SPM speaks of: it stays unsaid."""
