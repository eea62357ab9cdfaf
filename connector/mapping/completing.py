"""Making a new message whole: segments that its structure demands and FHIR has no word for.

Only for what FHIR began: a message that was v2 before goes back as it was.
"""

from __future__ import annotations

from ..errors import UnresolvedReference
from ..hl7v2 import structure
from ..hl7v2.tree import Message, Segment

_BEFORE_PV1 = ("MSH", "SFT", "EVN", "PID", "PD1", "ROL", "NK1")
# OBX-11 to OBR-25: the codes that tables 0085 and 0123 have in common.
_STATUS = frozenset("CFPXIRS")

_REPORTED = "RE"
# What a placer sends is a new order; whoever carries it out reports.
_CONTROLS = {"OMP": "NW", "ORM": "NW", "OML": "NW", "OMG": "NW"}


def complete(message: Message) -> None:
    """Add a PV1 that says there is no visit (PV1-2 ``N``), and an OBR for results of no order.

    The OBR asks for what the first result answers: an order of one test (HL7 v2.5.1 ch. 7.4.1). Raises
    ``UnresolvedReference`` where the structure demands a patient and FHIR speaks of none.
    """
    found = structure.of(message.version, message.message_code, message.trigger_event)
    if found is None:
        return
    _order_controls(message)
    absent = structure.missing(found, tuple(segment.name for segment in message.segments))
    if "PID" in absent:
        raise UnresolvedReference(
            "the patient of this change is not known here",
            fix="send the Patient too",
            location="Bundle.entry",
        )
    if "PV1" in absent:
        _insert(message, "PV1", {1: "1", 2: "N"}, _after(message))
    first = message.first("OBX")
    if "OBR" in absent and first is not None:
        status = first.field(11) if first.field(11) in _STATUS else ""
        said = {1: "1", 4: first.field(3), 7: first.field(14), 25: status}
        _insert(message, "OBR", said, message.segments.index(first))


def _order_controls(message: Message) -> None:
    """What is given stands behind an ORC, and every ORC says what it is for (HL7 v2.5.1 ch. 4.5.1.1)."""
    if message.message_code == "VXU":
        for at in reversed([n for n, segment in enumerate(message.segments) if segment.name == "RXA"]):
            if message.segments[at - 1].name != "ORC":
                _insert(message, "ORC", {1: _REPORTED}, at)
    for segment in message.segments:
        if segment.name == "ORC" and not segment.field(1):
            segment.set(1, _CONTROLS.get(message.message_code, _REPORTED))


def _after(message: Message) -> int:
    return max(at for at, segment in enumerate(message.segments) if segment.name in _BEFORE_PV1) + 1


def _insert(message: Message, name: str, fields: dict[int, str], at: int) -> None:
    segment = Segment(name, message.delimiters, message.msh.end or "\r")
    for number, text in fields.items():
        segment.set(number, text)
    message.segments.insert(at, segment)
