"""TQ1 of a medication order, one or several <-> its dosage instructions (guide: TQ1[MedicationRequest])."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..datatypes.primitives import Code
from ..fields import DELETE, BoundAcross, BoundField, BoundOne, Field, One
from ..lens import Bound, Item, Unsaid
from ..partner import Partner
from ..places import Comps, Json
from ..scope import Scope
from ..sharing import put_list
from ..units import Segments
from .dosing import DOSAGE, Dosed, each_interval
from .tq1 import Timing

_TIMED = (
    each_interval("TQ1-2"),
    Dosed(Timing()),
    Field("TQ1-10", f"{DOSAGE}.additionalInstruction", (Item("1", "text"),)),
    One("TQ1-11", "", (Item("1", f"{DOSAGE}.text"),)),
)

TQ1_PRESCRIPTION = (
    *_TIMED,
    One("TQ1-9", "", (Item("1", "priority", Code("HL70485")),), secondary=True),
)
"""The first TQ1: when to take what the order says, and how soon the order is wanted."""

_LIST = DOSAGE.partition(".")[0]
_UNSAID = (9, 12)
"""How soon the order is wanted the first says; whether a timing follows another or goes with it, none."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A whole TQ1 <-> a Dosage: when, how much each time, and words. How much the order says for all of them.

    The fields are the components.
    """

    def compile(self, partner: Partner) -> Bound:
        phase = _Phase([row.compile(partner) for row in _TIMED])
        elements = frozenset({"timing", "doseAndRate", "additionalInstruction", "text"})
        return Bound(phase.put, whole=phase.get, reads=frozenset(range(14)), elements=elements)


class _Phase:
    __slots__ = ("across", "lists", "ones")

    def __init__(self, rows: Sequence[BoundField | BoundOne | BoundAcross]) -> None:
        self.lists = [row for row in rows if isinstance(row, BoundField)]
        self.ones = [row for row in rows if isinstance(row, BoundOne)]
        self.across = [row for row in rows if not isinstance(row, (BoundField, BoundOne))]

    def get(self, comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        segment, said = _segment(comps, scope), Json()
        fields: list[BoundField | BoundOne] = [*self.lists, *self.ones]
        unsaid: Unsaid = [str(n) for n in _UNSAID if segment.field(n) not in ("", DELETE)]
        for row in fields:
            text = segment.field(row.number)
            if text not in ("", DELETE):
                unsaid += [f"{row.number}{rest}" for rest in row.take(text, said, scope) or ()]
        for across in self.across:
            unsaid += across.get(segment, said, scope) or ()
        node.update((said.get(_LIST) or [{}])[0])
        return unsaid or None

    def put(self, target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        segment = _segment(comps, scope)
        now, before = {_LIST: [target]}, {_LIST: [base]}
        for across in self.across:
            across.put(now, before, segment, scope)
        for one in self.ones:
            one.put(now, before, segment, scope)
        for each in self.lists:
            there = [[*(each.reader(node) or ())] for node in (now, before)]
            put_list([each], there[0], there[1], lambda _: segment, scope)
        comps[:] = segment.texts[1:]


def _segment(comps: Comps, scope: Scope) -> Segment:
    segment = Segment("TQ1", scope.delimiters)
    segment.texts.extend(comps)
    return segment


PHASES = Segments("TQ1", _LIST, (Phase(),), further=True, unsaid=frozenset({1, *_UNSAID}))
