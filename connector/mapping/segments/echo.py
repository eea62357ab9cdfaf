"""A field said in two resources, of which one alone goes back: who entered or wrote something."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..fields import DELETE, BoundField, Field
from ..partner import Partner
from ..places import Json
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class Echo:
    """A field that another resource says, and takes back, said here too."""

    field: Field

    def compile(self, partner: Partner) -> _Echo:
        return _Echo(self.field.compile(partner))


class _Echo:
    __slots__ = ("elements", "field", "numbers", "segment")

    def __init__(self, field: BoundField) -> None:
        self.field = field
        self.segment = field.segment
        self.numbers = (field.number,)
        self.elements = frozenset({field.declared.path})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = segment.field(self.field.number)
        if text and text != DELETE:
            self.field.take(text, node, scope)
        return None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        return
