"""Making a new message whole: segments and fields that the standard demands and FHIR has no word for.

Only for what FHIR began: a message that was v2 before goes back as it was.
"""

from __future__ import annotations

from ..errors import NotTranslatable, UnresolvedReference
from ..hl7v2 import definitions, structure
from ..hl7v2.tree import Message, Segment
from .required import ADDED, BY_EVENT, CHANGED, CONTROLS, REPORTED, REQUIRED, Default

_FREE = ("SIU", "SRM")  # an appointment may be nobody's yet
_OF_WHAT_IS_BEFORE = frozenset({"ROL", "PRT"})
# OBX-11 to OBR-25: the codes that tables 0085 and 0123 have in common.
_STATUS = frozenset("CFPXIRS")


def complete(message: Message) -> None:
    """Add the segments that have defaults, an OBR for results of no order, and the fields that have defaults.

    The OBR asks for what the first result answers: an order of one test (HL7 v2.5.1 ch. 7.4.1). Raises
    ``UnresolvedReference`` where the structure demands a patient and FHIR speaks of none, ``NotTranslatable``
    where it demands another segment of which FHIR says nothing.
    """
    found = structure.of(message.version, message.message_code, message.trigger_event)
    if found is None:
        return
    _order_controls(message)
    absent = _absent(message, found)
    if "PID" in absent or _lacks_patient(message, found):
        raise UnresolvedReference(
            "the patient of this change is not known here",
            fix="send the Patient too",
            location="Bundle.entry",
        )
    for name in absent:
        _add(message, found, name)
    _order_results(message, found)
    for segment in message.segments:
        _fill(message, segment)
    for name in _absent(message, found):
        raise NotTranslatable(
            f"the v2 message needs a {name} segment, of which this says nothing",
            fix="send the resource that it is about, or name another message under [events] in the profile",
            location="Bundle.entry",
        )


def _lacks_patient(message: Message, found: structure.Structure) -> bool:
    """Whether a message that may speak of a patient, and would be read as if it did, speaks of none."""
    if message.message_code in _FREE or "PID" not in found.root.holds:
        return False
    return not any(segment.name == "PID" and any(segment.texts[2:]) for segment in message.segments)


def _absent(message: Message, found: structure.Structure) -> tuple[str, ...]:
    return structure.missing(found, tuple(segment.name for segment in message.segments))


def _add(message: Message, found: structure.Structure, name: str) -> None:
    """A segment of defaults in every group that demands it, behind what stands before it there."""
    if name not in ADDED:
        return
    names = tuple(segment.name for segment in message.segments)
    for at in sorted(structure.gaps(found, names, name), reverse=True):
        while names[at : at + 1] and names[at] in _OF_WHAT_IS_BEFORE:
            at += 1
        _insert(message, name, {n: _text(message, message.msh, text) for n, text in ADDED[name].items()}, at)


def _order_results(message: Message, found: structure.Structure) -> None:
    """An OBR before results that no order asked for, where they may not stand without one."""
    if not any(segment.name == "OBX" for segment in message.segments) or "OBR" not in found.root.holds:
        return
    names = tuple(segment.name for segment in message.segments)
    first = names.index("OBX")
    if "OBR" in names[:first] or structure.assign(found, names)[first].expected:
        return
    result = message.segments[first]
    status = result.field(11) if result.field(11) in _STATUS else ""
    said = {1: "1", 4: result.field(3), 7: result.field(14), 25: status}
    _insert(message, "OBR", said, first)
    for number, segment in enumerate((one for one in message.segments if one.name == "OBR"), 1):
        segment.set(1, str(number))


def renew(message: Message, prior: Message, before: str) -> None:
    """The fields that have defaults, of the segments that a message has over its prior one.

    An order that the prior message placed is changed by this one (ORC-1 ``XO``), or what its status asks for,
    where anything is said of it now that the text ``before`` did not.
    """
    there = {id(segment) for segment in prior.segments}
    asked = CONTROLS.get(message.message_code, {})
    said = {tuple(map(str, order)) for order in _orders(Message.parse(before))} if asked else set()
    placed = [order for order in _orders(message) if asked and order[0].field(1) == asked[""]]
    for order in placed:
        if id(order[0]) in there and tuple(map(str, order)) not in said:
            status = order[0].value(5)
            order[0].set(1, asked.get(status or CHANGED, CHANGED))
    for segment in message.segments:
        if id(segment) not in there:
            _control(message, segment)
            _fill(message, segment)


def _orders(message: Message) -> list[list[Segment]]:
    """The orders of a message: an ORC and what stands behind it."""
    found: list[list[Segment]] = []
    for segment in message.segments:
        if segment.name == "ORC":
            found.append([segment])
        elif found:
            found[-1].append(segment)
    return found


def _order_controls(message: Message) -> None:
    """What is given stands behind an ORC, and every ORC says what it is for (HL7 v2.5.1 ch. 4.5.1.1)."""
    if message.message_code == "VXU":
        for at in reversed([n for n, segment in enumerate(message.segments) if segment.name == "RXA"]):
            if message.segments[at - 1].name != "ORC":
                _insert(message, "ORC", {1: REPORTED}, at)
    for segment in message.segments:
        _control(message, segment)


def _control(message: Message, segment: Segment) -> None:
    if segment.name == "ORC" and not segment.field(1):
        asked = CONTROLS.get(message.message_code)
        segment.set(1, asked.get(segment.value(5), asked[""]) if asked else REPORTED)


def _fill(message: Message, segment: Segment) -> None:
    """The fields that the version demands of a segment, where there is a default."""
    special = REQUIRED.get(f"{message.message_code}:{segment.name}", {})
    for number, default in {**REQUIRED.get(segment.name, {}), **special}.items():
        known = definitions.field(segment.name, number, message.version)
        if known is not None and known.required and not segment.field(number):
            segment.set(number, _text(message, segment, default))


def _text(message: Message, segment: Segment, default: Default) -> str:
    if isinstance(default, int):
        return segment.field(default)
    if isinstance(default, tuple):
        name, number = default
        other = message.first(name)
        return other.field(number) if other is not None else ""
    by_event = BY_EVENT.get(default.removeprefix("?"))
    return by_event.get(message.trigger_event, by_event[""]) if by_event else default


def _insert(message: Message, name: str, fields: dict[int, str], at: int) -> None:
    segment = Segment(name, message.delimiters, message.msh.end or "\r")
    for number, text in fields.items():
        segment.set(number, text)
    message.segments.insert(at, segment)
