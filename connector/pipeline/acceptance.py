"""May this v2 message come in? Pure checks against what the link's profile accepts.

Order follows HL7 v2.5.1 section 2.9.2.1: first what makes us reject (AR: type, event, processing id,
version, sender), then what makes the content an error (AE: segments and fields that must be there). Real
feeds leave out much of what the standard requires; here only that is asked for without which nobody can
say whose message it is. The rest is asked for by strict conformance (``edges.judge``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from connector.errors import (
    MessageError,
    MessageTooComplex,
    RequiredFieldMissing,
    SegmentSequence,
    TableValueNotFound,
    UnsupportedEvent,
    UnsupportedMessageType,
    UnsupportedProcessingId,
    UnsupportedVersion,
)
from connector.hl7v2 import structure
from connector.hl7v2.tree import Message, Segment
from connector.pipeline.links import Accepts, Shape

_NEEDED: Final = frozenset({"PID", "OBR"})  # without these a message of its structure says nothing of anybody
_PATIENT_KINDS: Final = frozenset({"ADT", "ORU", "ORM", "OML", "SIU", "MDM", "DFT", "VXU", "RDE", "BAR"})


def faults(message: Message, accepts: Accepts) -> list[MessageError]:
    """Why a message is not taken: the reasons to reject it, or else everything that is missing in it."""
    return list(_rejections(message, accepts)) or list(_missing(message))


def too_much(message: Message, shape: Shape) -> MessageTooComplex | None:
    """Of what a message has more than it may; None where nothing is too much."""
    if len(message.segments) > shape.segments:
        return _too_many("segments", shape.segments, "one message", "")
    for segment in message.segments:
        if len(segment.texts) - 1 > shape.fields:
            return _too_many("fields", shape.fields, "one segment", segment.name)
        if (number := _repeating(segment, shape.repetitions)) is not None:
            place = f"{segment.name}-{number}" if segment.name else ""
            return _too_many("repetitions", shape.repetitions, "one field", place)
    return None


def _repeating(segment: Segment, most: int) -> int | None:
    """The field with more repetitions than there may be."""
    mark = segment.delimiters.repetition
    for number, text in enumerate(segment.texts):
        if len(text) >= most and text.count(mark) >= most and number:  # so many marks need so many characters
            return number
    return None


def _too_many(what: str, most: int, where: str, location: str) -> MessageTooComplex:
    fix = f"send at most {most} in {where}"
    return MessageTooComplex(f"the message has too many {what}", fix=fix, location=location)


def _rejections(message: Message, accepts: Accepts) -> Iterator[MessageError]:
    if not message.control_id:
        yield RequiredFieldMissing("the message has no control id", fix="send MSH-10", location="MSH-10")
    yield from _kind(message, accepts.messages)
    if _outside(message.processing_id, accepts.processing_ids):
        yield UnsupportedProcessingId(
            "this processing id is not accepted here", fix=_named(accepts.processing_ids), location="MSH-11"
        )
    if _outside(message.version, accepts.versions):
        yield UnsupportedVersion(
            "this version is not accepted here", fix=_named(accepts.versions), location="MSH-12"
        )
    yield from sender(message, accepts)


def _kind(message: Message, accepted: frozenset[str]) -> Iterator[MessageError]:
    code, event = message.message_code, message.trigger_event
    if not code:
        yield RequiredFieldMissing("the message has no type", fix="send MSH-9", location="MSH-9.1")
    elif accepted and code not in {kind.partition("^")[0] for kind in accepted}:
        yield UnsupportedMessageType(
            "this message type is not accepted here", fix=_named(accepted), location="MSH-9.1"
        )
    elif accepted and not {f"{code}^{event}", f"{code}^*"} & accepted:
        yield UnsupportedEvent("this event is not accepted here", fix=_named(accepted), location="MSH-9.2")


def sender(message: Message, accepts: Accepts) -> Iterator[MessageError]:
    """Why a message of this application or facility is not taken."""
    read: Callable[[str], str] = message.get
    for location, accepted in (("MSH-3.1", accepts.applications), ("MSH-4.1", accepts.facilities)):
        if _outside(read(location), accepted):
            yield TableValueNotFound(
                "the profile does not know this sender",
                fix="send the name that the profile holds",
                location=location,
            )


def _missing(message: Message) -> Iterator[MessageError]:
    shape = structure.of(message.version, message.message_code, message.trigger_event, message.structure)
    names = tuple(segment.name for segment in message.segments)
    for name in structure.missing(shape, names) if shape else ():
        if name in _NEEDED:
            yield SegmentSequence("a required segment is missing", fix=f"send {name}", location=name)
    if message.message_code in _PATIENT_KINDS:
        yield from _unidentified(message)


def _unidentified(message: Message) -> Iterator[MessageError]:
    """Without an identifier in PID-3 nobody can say whose message this is (PID-2 before v2.3.1)."""
    for ordinal, segment in enumerate(message.all("PID"), start=1):
        if not segment.field(3).strip() and not segment.field(2).strip():
            place = "PID-3" if ordinal == 1 else f"PID[{ordinal}]-3"
            yield RequiredFieldMissing("the patient has no identifier", fix="send PID-3", location=place)


def _outside(value: str, accepted: frozenset[str]) -> bool:
    return bool(accepted) and value not in accepted


def _named(accepted: frozenset[str]) -> str:
    return f"accepted: {', '.join(sorted(accepted))}"
