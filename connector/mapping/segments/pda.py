"""PDA <-> why the patient died, who certified it, and the autopsy (HL7 v2.5.1 ch. 3.4.13).

The guide has no map; the codes are those of HL7's guide for death reporting (VRDR).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import Concept
from ..datatypes.primitives import date_time, yes_no
from ..datatypes.ranges import DateRange
from ..datatypes.references import practitioner
from ..fields import BoundField, Field, One
from ..lens import At, Codec
from ..partner import Partner
from ..places import Json
from ..scope import Scope
from ..sharing import put_list
from ..units import Around
from .findings import LOINC, SNOMED, coded, speaks
from .rows import value

CAUSE: Final = coded(LOINC, "69453-9", "Cause of death [US Standard Certificate of Death]")
_FURTHER: Final = {"code": {"text": "Further cause of death"}}
CERTIFICATION: Final = coded(SNOMED, "308646001", "Death certification")
AUTOPSY: Final = coded(SNOMED, "29240004", "Autopsy examination")
CORONER: Final = coded(
    LOINC, "74497-9", "Medical examiner or coroner was contacted [US Standard Certificate of Death]"
)


def _done(_: Partner) -> Codec:
    """ID of table 0136 <-> ``status`` of what was done, or was not."""
    to_v2 = {"completed": "Y", "not-done": "N"}
    return Codec({"Y": "completed", "N": "not-done"}.get, lambda status: to_v2.get(str(status)))


def _by(at: str) -> Field:
    return Field(at, "performer", practitioner("actor"), most=1)


@dataclass(frozen=True, slots=True)
class Causes:
    """PDA-1 <-> the value, and further causes as components of another code (R4 invariant obs-7)."""

    def compile(self, partner: Partner) -> _Causes:
        rows = (At("valueCodeableConcept", (Concept(),)),)
        return _Causes(Field("PDA-1", "component", rows, tag=_FURTHER).compile(partner))


class _Causes:
    __slots__ = ("field",)

    segment = "PDA"
    numbers = (1,)
    elements = frozenset({"valueCodeableConcept", "component"})

    def __init__(self, field: BoundField) -> None:
        self.field = field

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if not (text := sent(segment, 1)):
            return None
        said: Json = {}
        unsaid = self.field.take(text, said, scope) or []
        first, *others = said.get("component") or [{}]
        if first:
            node["valueCodeableConcept"] = first["valueCodeableConcept"]
        if others:
            node["component"] = others
        return [f"1{rest}" for rest in unsaid] or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        put_list([self.field], _causes(target), _causes(base), lambda _: segment, scope)


def _causes(node: Json) -> list[Json]:
    """All causes as components, the first one first."""
    first = node.get("valueCodeableConcept")
    others = [one for one in node.get("component") or () if isinstance(one, dict)]
    return [*([{"valueCodeableConcept": first, **_FURTHER}] if first else ()), *others]


PDA_CAUSE = (Causes(),)
PDA_CERTIFICATION = (
    value("PDA-3", "status", _done),
    value("PDA-4", "performedDateTime", date_time),
    _by("PDA-5"),
)
PDA_AUTOPSY = (
    value("PDA-6", "status", _done),
    One("PDA-7", "", (DateRange("performed"),)),
    _by("PDA-8"),
)
PDA_CORONER = (value("PDA-9", "valueBoolean", yes_no),)

is_cause = speaks(CAUSE, "valueCodeableConcept", "component")
is_certification = speaks(CERTIFICATION, "performedDateTime", "performer")
is_autopsy = speaks(AUTOPSY, "performedDateTime", "performedPeriod", "performer")
is_coroner = speaks(CORONER, "valueBoolean")


def identity(node: Json, around: Around) -> str:
    """Whose death, and what of it: each is said once."""
    code: Any = node["code"]["coding"][0]["code"]
    return f"death|{around.parent('patient')}|{code}"
