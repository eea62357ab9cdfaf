"""NTE <-> a note of an Appointment, which R4 has as R5's element (guide: NTE[Appointment-Comment])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.coded import ALTERNATE, Concept
from ..datatypes.primitives import date_time
from ..datatypes.references import practitioner
from ..fields import Field, One, write_field
from ..lens import At
from ..partner import Partner
from ..places import Json, place, same
from ..scope import Scope
from ..units import Around
from .rows import SD, absent, value

_NOTE: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.note"


@dataclass(frozen=True, slots=True)
class Words:
    """A field of free text <-> a text; repetitions are lines."""

    segment: str
    number: int
    path: str

    def compile(self, partner: Partner) -> _Words:
        return _Words(self)


class _Words:
    __slots__ = ("elements", "number", "numbers", "reader", "segment", "writer")

    def __init__(self, declared: Words) -> None:
        self.segment = declared.segment
        self.number = declared.number
        self.numbers = (declared.number,)
        self.elements = frozenset({declared.path})
        self.reader, self.writer = place(declared.path)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, self.number)
        if not text:
            return None
        said = "\n".join(scope.unescape(line) for line in text.split(scope.delimiters.repetition))
        if not said.strip():
            return [str(self.number)]
        self.writer(node, said)
        return None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new = self.reader(target)
        if not same(new, self.reader(base)):
            write_field(segment, self.number, [scope.escape(new) if isinstance(new, str) else ""], scope)


NTE_COMMENT = (
    Words("NTE", 3, "valueAnnotation.text"),
    Field(
        "NTE-4",
        "valueAnnotation.extension",
        (At("valueCodeableConcept", (Concept("HL70364"),)),),
        tag={"url": SD + "annotationType"},
        most=1,
    ),
    One("NTE-5", "", practitioner("valueAnnotation.authorReference")),
    value("NTE-6", "valueAnnotation.time", date_time),
    Field(
        "NTE-9",
        "valueAnnotation.extension",
        (At("valueCodeableConcept", (Concept(),)),),
        tag={"url": ALTERNATE},
    ),
)


def complete(node: Json, around: Around) -> None:
    """A note has words, or says that it has none."""
    absent(node["valueAnnotation"], "text")
    node["url"] = _NOTE


def is_comment(node: Json) -> bool:
    """Whether an extension is a note."""
    return node.get("url") == _NOTE
