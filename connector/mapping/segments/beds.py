"""PV1-40 and NPU-2 <-> the status of the bed that PV1-3 assigns, or NPU-1 names (guide: PV1[Encounter])."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import simple
from ..codes import CodeTable
from ..fields import write_field
from ..partner import V2, Partner
from ..places import Json, same
from ..scope import Resources, Scope

_PLACED: Final = frozenset({"ro", "bd"})
_SYSTEM: Final = V2 + "0116"


def assigned(visit: Json, resources: Resources) -> Json | None:
    """The bed or room among the places of a visit that it is assigned to, or will be."""
    for stay in visit.get("location") or ():
        if (
            not isinstance(stay, dict)
            or "extension" in stay
            or stay.get("status") not in ("active", "planned")
        ):
            continue
        location = resources.resolve(stay.get("location"))
        codings = (location or {}).get("physicalType", {}).get("coding") or ()
        if location is not None and any(one.get("code") in _PLACED for one in codings):
            return location
    return None


def named(reference: Json, resources: Resources) -> Json | None:
    """What a Reference names."""
    return resources.resolve(reference)


@dataclass(frozen=True, slots=True)
class BedStatus:
    """IS of table 0116 <-> ``operationalStatus`` of a Location: the one that the visit is assigned to.

    ``element``: what refers to it, or is the reference itself.
    """

    segment: str = "PV1"
    number: int = 40
    element: str = "location"
    bed: Callable[[Json, Resources], Json | None] = assigned

    def compile(self, partner: Partner) -> _BedStatus:
        return _BedStatus(self, partner.table("HL70116"))


class _BedStatus:
    __slots__ = ("_bed", "_table", "elements", "numbers", "segment")

    def __init__(self, declared: BedStatus, table: CodeTable) -> None:
        self.segment, self.numbers = declared.segment, (declared.number,)
        self.elements = frozenset({declared.element})
        self._bed, self._table = declared.bed, table

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        (number,) = self.numbers
        if len(segment.texts) <= number:
            return None
        code, unsaid = simple(segment, number, scope)
        if not code:
            return unsaid or None
        bed = self._bed(node, scope.base)
        coded = self._table.to_fhir.get(code)
        if bed is None or coded is None or "operationalStatus" in bed:
            return [str(number)]
        bed["operationalStatus"] = {"system": _SYSTEM, "code": coded.code, "display": coded.display}
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = (
            _status(self._bed(node, side)) for node, side in ((target, scope.target), (base, scope.base))
        )
        if same(now, before):
            return
        write_field(segment, *self.numbers, [scope.escape(str(now.get("code", "")))], scope)


def _status(bed: Json | None) -> Mapping[str, object]:
    status = (bed or {}).get("operationalStatus")
    return status if isinstance(status, dict) and status.get("system") == _SYSTEM else {}
