"""Acknowledgments (HL7 v2.5.1 section 2.9, 2.13.1; MSA and ERR in 2.15.8, 2.15.5): built and read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from connector.errors import AnswerNotUnderstood, ConnectorError, UnreadableMessage
from connector.hl7v2.delimiters import Delimiters
from connector.hl7v2.location import Location
from connector.hl7v2.tree import Message, Segment

CODES: Final = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})
"""Table 0008: application (original mode) and commit (enhanced mode) accept, error, reject."""

CONDITIONS: Final = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""Table 0357."""

_TEXT: Final = 80  # characters of MSA-3
_OURS: Final = "99CONNECTOR"  # the coding system of ERR-5; table 0396 keeps 99zzz for local ones
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


class Fault(NamedTuple):
    """What a partner says is wrong, without its words: they may repeat what the message said.

    ``condition``: table 0357, or "" where none of its form is given; ``location``: ``PID-3`` or "";
    ``severity``: E, W, I, F or "".
    """

    condition: str
    location: str
    severity: str


class Ack(NamedTuple):
    """MSA-1, MSA-2 and the errors of an answer."""

    code: str
    control_id: str
    errors: tuple[Fault, ...] = ()


def ack(
    received: Message,
    code: str,
    *,
    control_id: str,
    at: str,
    errors: Sequence[ConnectorError] = (),
    expected: str = "",
    accept: str = "",
) -> str:
    """The answer to a message, in its own delimiters, version and character set.

    ``code``: one of ``CODES``; ``control_id``: MSH-10 of the answer; ``at``: its MSH-7 (DTM). Each error
    becomes an ERR segment: where, the code of table 0357, our own name for it, and what to do. Before v2.5
    ERR-1 repeats instead, which has no room for words: those of the first error stand in MSA-3.
    ``expected``: MSA-4, in the sequence number protocol. ``accept``: MSH-15 of an application
    acknowledgment that goes out as a message of its own; it then asks for no other answer (MSH-16).
    """
    d, version = received.delimiters, _version(received.version)
    text = errors[0].what[:_TEXT] if errors and version < (2, 5) else ""
    msa = _line(d, "MSA", code, received.msh.field(10), d.escape_text(text), d.escape_text(expected))
    lines = [_header(received, version, control_id, at, accept), msa]
    if version < (2, 5) and errors:
        lines.append(_line(d, "ERR", d.repetition.join(_old_place(d, error) for error in errors)))
    elif errors:
        lines += [_error(d, error) for error in errors]
    return "".join(f"{line}\r" for line in lines)


def read_ack(text: str) -> Ack:
    """Read an answer. Raises ``AnswerNotUnderstood`` where it has no MSA with a code of table 0008."""
    try:
        message = Message.parse(text)
    except UnreadableMessage as error:
        raise AnswerNotUnderstood("the answer is no v2 message") from error
    msa = message.first("MSA")
    code = msa.value(1).strip() if msa else ""
    if msa is None or code not in CODES:
        raise AnswerNotUnderstood("the answer is no acknowledgment", location="MSA-1")
    faults = tuple(fault for segment in message.all("ERR") for fault in _faults(segment))
    return Ack(code, message.delimiters.unescape(msa.field(2)).strip(), faults)


# --- building -----------------------------------------------------------------------------------------


def _header(received: Message, version: tuple[int, ...], control_id: str, at: str, accept: str) -> str:
    d, msh = received.delimiters, received.msh
    encoding = d.component + d.repetition + d.escape + d.subcomponent + d.truncation
    parties = [msh.field(number) for number in (5, 6, 3, 4)]
    kind = _kind(received, version)
    fields = [control_id, msh.field(11) or "P", msh.field(12) or "2.5.1", "", ""]
    asked = [accept, "NE" if accept else "", "", msh.field(18)]
    return _line(d, "MSH", encoding, *parties, at, "", kind, *fields, *asked)


def _kind(received: Message, version: tuple[int, ...]) -> str:
    """MSH-9: one component before v2.3, two in v2.3, then three."""
    d = received.delimiters
    event = d.escape_text(received.trigger_event)
    if version < (2, 3) or not event:
        return "ACK"
    parts = ["ACK", event] if version == (2, 3) else ["ACK", event, "ACK"]
    return d.component.join(parts)


def _error(d: Delimiters, error: ConnectorError) -> str:
    place = Location.of_error(error.location)
    where = d.component.join(_place(place)) if place else ""
    said = [d.escape_text(error.what), d.escape_text(error.fix)]
    ours = d.component.join((type(error).__name__, "", _OURS))
    return _line(d, "ERR", "", where, _condition(error, d.component), "E", ours, "", *said)


def _place(at: Location) -> list[str]:
    """ERL: segment, its ordinal, field, repetition, component, sub-component; as many as are meant."""
    numbers = (at.ordinal, at.field, at.repetition, at.component, at.subcomponent)
    meant = (True, at.field, at.field and at.repetition > 1, at.component, at.subcomponent)
    depth = max(n for n, said in enumerate(meant, 1) if said)
    return [at.segment, *map(str, numbers[:depth])]


def _old_place(d: Delimiters, error: ConnectorError) -> str:
    """ELD of v2.1 to v2.4: segment, its ordinal, field, code."""
    at = Location.of_error(error.location)
    place = [at.segment, str(at.ordinal), str(at.field or "")] if at else ["", "", ""]
    return d.component.join([*place, _condition(error, d.subcomponent)])


def _condition(error: ConnectorError, delimiter: str) -> str:
    code = error.answer.condition
    return delimiter.join([code, CONDITIONS.get(code, ""), "HL70357"])


def _line(d: Delimiters, *fields: str) -> str:
    """A segment; what would end or begin a block of MLLP in what is echoed goes out as hexadecimal."""
    text = d.field.join(fields).rstrip(d.field)
    return without_block_marks(text, d)


def without_block_marks(text: str, d: Delimiters) -> str:
    """The text with VT and FS as escape sequences, which mean the same (v2.5.1 section 2.7.6)."""
    for mark in "\x0b\x1c":
        if mark in text:
            text = text.replace(mark, f"{d.escape}X{ord(mark):02X}{d.escape}")
    return text


def _version(text: str) -> tuple[int, ...]:
    """``(2, 3, 1)``; without a version, one as of today."""
    found = _VERSION.match(text)
    return tuple(int(part) for part in found.groups() if part) if found else (2, 5, 1)


# --- reading ------------------------------------------------------------------------------------------


def _faults(segment: Segment) -> list[Fault]:
    """The errors of one ERR: by ERR-2 to ERR-4, or by ERR-1 of v2.1 to v2.4."""
    if segment.field(3):
        places = range(1, max(1, len(segment.repetitions(2))) + 1)
        severity = segment.value(4).strip()
        known = severity if severity in {"E", "W", "I", "F"} else ""
        return [Fault(_code(segment.value(3)), _read_place(segment, 2, at, 6), known) for at in places]
    repetitions = range(1, len(segment.repetitions(1)) + 1)
    return [Fault(_code(segment.value(1, at, 4)), _read_place(segment, 1, at, 3), "") for at in repetitions]


def _code(text: str) -> str:
    return text.strip() if text.strip() in CONDITIONS else ""


def _read_place(segment: Segment, field: int, at: int, most: int) -> str:
    """The location in an ERL or ELD, "" where it is none."""
    name = segment.value(field, at, 1).strip()
    ordinal, number, rep, comp, sub = [
        _number(segment.value(field, at, part)) if part <= most else 0 for part in range(2, 7)
    ]
    place = Location(name, ordinal or 1, number, rep or 1, comp, sub)
    return str(place) if Location.of_error(str(place)) == place else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
