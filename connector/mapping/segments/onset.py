"""A date and a text <-> ``onsetDateTime``, else ``onsetString`` (guide: IAM-11 and IAM-12)."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import simple
from ..datatypes.primitives import date_time
from ..fields import write_field
from ..lens import Codec
from ..partner import Partner
from ..places import Json, same
from ..scope import Scope

_DATE, _TEXT = "onsetDateTime", "onsetString"


@dataclass(frozen=True, slots=True)
class Onset:
    """FHIR has one onset: the date where there is one; the words beside it stay unsaid."""

    segment: str
    date: int
    words: int

    def compile(self, partner: Partner) -> _Onset:
        return _Onset(self, date_time(partner))


class _Onset:
    __slots__ = ("codec", "declared", "elements", "numbers", "segment")

    def __init__(self, declared: Onset, codec: Codec) -> None:
        self.declared = declared
        self.codec = codec
        self.segment = declared.segment
        self.numbers = (declared.date, declared.words)
        self.elements = frozenset({_DATE, _TEXT})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        date, unsaid = simple(segment, self.declared.date, scope)
        words, rest = simple(segment, self.declared.words, scope)
        unsaid += rest
        said = self.codec.to_fhir(date) if date else None
        if said is not None:
            node[_DATE] = said
        elif date:
            unsaid.append(str(self.declared.date))
        if words and said is None and not words.isspace():
            node[_TEXT] = words
        elif words:
            unsaid.append(str(self.declared.words))
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if not same(target.get(_DATE), base.get(_DATE)):
            date = self.codec.to_v2(target[_DATE]) if _DATE in target else ""
            write_field(segment, self.declared.date, [scope.escape(date or "")], scope)
        if not same(target.get(_TEXT), base.get(_TEXT)):
            write_field(segment, self.declared.words, [scope.escape(str(target.get(_TEXT, "")))], scope)
