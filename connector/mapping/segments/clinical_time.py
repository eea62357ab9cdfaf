"""OBR-7 and OBR-8 of an order <-> an extension of the request, where no report and no specimen says them.

The clinically relevant time is a result's, but for an order whose specimen is drawn already (HL7 v2.5.1 ch.
4.5.3.7); the guide has it in the report and the specimen, of which an order may say nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import Moment, sent
from ..bound import Marks
from ..datatypes.primitives import date_time
from ..fields import BoundAcross
from ..partner import Partner
from ..places import Json
from ..scope import Scope

URL: Final = "http://hl7.org/fhir/4.0/StructureDefinition/extension-DiagnosticReport.effective"
_OF_OTHERS: Final = (9, 10, 14, 15, 39, 22, 25, 32, 34, 35)
"""The fields by which OBR speaks of a specimen, and of a report."""


@dataclass(frozen=True, slots=True)
class ClinicalTime:
    """A start and an end as one extension, a dateTime or a Period."""

    def compile(self, partner: Partner) -> _ClinicalTime:
        return _ClinicalTime(Moment("OBR", 7, 8, "value", date_time).compile(partner))


class _ClinicalTime:
    __slots__ = ("moment",)
    segment: Final = "OBR"
    numbers: Final = (7, 8)
    elements: Final = frozenset({"extension"})
    marks: Final[Marks] = (("extension", {"url": URL}),)

    def __init__(self, moment: BoundAcross) -> None:
        self.moment = moment

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if any(any(map(str.isalnum, sent(segment, number))) for number in _OF_OTHERS):
            return None
        said: Json = {}
        unsaid = self.moment.get(segment, said, scope)
        if said:
            node.setdefault("extension", []).append({"url": URL, **said})
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        self.moment.put(_time(target), _time(base), segment, scope)


def _time(node: Json) -> Json:
    extensions = (one for one in node.get("extension") or () if isinstance(one, dict))
    return next((one for one in extensions if one.get("url") == URL), {})
