"""PV1-40 <-> the status of the bed or room that PV1-3 assigns (guide: PV1[Encounter])."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class BedStatus:
    """IS of table 0116 <-> ``operationalStatus`` of the Location that the visit is assigned to."""

    def compile(self, partner: Partner) -> _BedStatus:
        return _BedStatus(partner.table("HL70116"))


class _BedStatus:
    segment = "PV1"
    numbers = (40,)
    elements = frozenset({"location"})

    def __init__(self, table: CodeTable) -> None:
        self._table = table

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if len(segment.texts) <= 40:
            return None
        code, unsaid = simple(segment, 40, scope)
        if not code:
            return unsaid or None
        bed = _bed(node, scope.base)
        coded = self._table.to_fhir.get(code)
        if bed is None or coded is None or "operationalStatus" in bed:
            return ["40"]
        bed["operationalStatus"] = {"system": _SYSTEM, "code": coded.code, "display": coded.display}
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = (
            _status(_bed(node, side)) for node, side in ((target, scope.target), (base, scope.base))
        )
        if same(now, before):
            return
        write_field(segment, 40, [scope.escape(str(now.get("code", "")))], scope)


def _status(bed: Json | None) -> Mapping[str, object]:
    status = (bed or {}).get("operationalStatus")
    return status if isinstance(status, dict) and status.get("system") == _SYSTEM else {}


def _bed(visit: Json, resources: Resources) -> Json | None:
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
