"""Syslog messages and their frames on a stream of TLS, in both directions. Pure: bytes, no sockets.

Sources: RFC 5424 (message), RFC 5425 section 4.3 (frame: octet counting), IHE ITI TF-2 3.20.4.1 (Send Audit
Event Message - Syslog) and DICOM PS3.15 A.6: facility 10, severity 5 or 4, MSGID, and the audit message in
UTF-8 as MSG. What is read is judged as strictly as what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

IHE: Final = "IHE+RFC-3881"  # ITI TF-2 3.20.4.1.2
DICOM: Final = "DICOM+RFC3881"  # PS3.15 A.6
Kind = Literal["IHE+RFC-3881", "DICOM+RFC3881"]
Facility = Literal[10, 13]  # security/authorization messages, as ITI-20 has it; log audit

NOTICE: Final = 5  # normal but significant
WARNING: Final = 4
LONGEST: Final = 1024 * 1024  # bytes of a frame's content, for who says nothing else

NONE: Final = "-"  # NILVALUE
_BOM: Final = b"\xef\xbb\xbf"
_DIGITS: Final = 7  # of the length of a frame
_TIME: Final = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
    r"(\.\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_HEAD: Final = re.compile(rb"<(0|[1-9][0-9]{0,2})>1 (\S+) (\S+) (\S+) (\S+) (\S+) ")
_NAME: Final = re.compile(r"[!#-<>-\\^-~]{1,32}")  # printable, without = ] and "
_PARAMETER: Final = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_PRINTABLE: Final = re.compile(r"[!-~]+")
_LENGTHS: Final = {"host": 255, "app": 48, "process": 128, "kind": 32}


class SyslogRefused(ValueError):
    """Bytes are no message or frame of syslog, or a message cannot be written; the text holds no value."""


class Element(NamedTuple):
    """Structured data: its SD-ID and its parameters, name and value."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``"-"`` stands for what is not said.

    ``priority``: facility * 8 + severity; ``time``: RFC 3339 with at most six digits of a fraction; ``kind``:
    MSGID; ``content``: MSG without its mark; ``marked``: it is UTF-8 and begins with the byte order mark
    (MSG-UTF8), else it is any octets (MSG-ANY).
    """

    priority: int
    content: bytes
    time: str = NONE
    host: str = NONE
    app: str = NONE
    process: str = NONE
    kind: str = NONE
    structured: tuple[Element, ...] = ()
    marked: bool = True

    @property
    def facility(self) -> int:
        """0 to 23."""
        return self.priority >> 3

    @property
    def severity(self) -> int:
        """0 (emergency) to 7 (debug)."""
        return self.priority & 7


def priority(outcome: str, facility: Facility = 10) -> int:
    """PRI of an audit message: a success is a notice, everything else a warning. ITI-20 knows no other."""
    return facility * 8 + (NOTICE if outcome == "success" else WARNING)


def moment(time: str) -> str:
    """A time of RFC 3339 as RFC 5424 takes it: six digits of a fraction at most, what is beyond cut off.

    Raises ``SyslogRefused``.
    """
    found = _TIME.fullmatch(time)
    if not found:
        raise SyslogRefused("the time is not RFC 3339")
    return f"{found[1]}{(found[2] or '')[:7]}{found[3]}"


def printable(text: str, most: int) -> str:
    """A name as a header takes it: US-ASCII without blanks, what is not becomes ``_``; ``"-"`` for none."""
    return re.sub(r"[^!-~]", "_", text)[:most] or NONE


# --- messages ----------------------------------------------------------------------------------------------


def write(message: Message) -> bytes:
    """The bytes of a message. Raises ``SyslogRefused`` where a part cannot be said."""
    if not 0 <= message.priority <= 191:
        raise SyslogRefused("the priority is not between 0 and 191")
    if message.time != NONE and moment(message.time) != message.time:
        raise SyslogRefused("the fraction of the time is too long")
    for name, most in _LENGTHS.items():
        if not _PRINTABLE.fullmatch(said := getattr(message, name)) or len(said) > most:
            raise SyslogRefused(f"{name} is not printable US-ASCII of 1 to {most} characters")
    head = " ".join(
        (f"<{message.priority}>1", message.time, message.host, message.app, message.process, message.kind)
    )
    said = f"{head} {_structured(message.structured)} "
    return said.encode("utf-8") + _marked(message.content, marked=message.marked)


def read(message: bytes) -> Message:
    """What a message says. Raises ``SyslogRefused`` for everything that RFC 5424 does not allow."""
    found = _HEAD.match(message)
    if not found:
        raise SyslogRefused("the header is not of RFC 5424")
    try:
        time, host, app, process, kind = (part.decode("ascii") for part in found.groups()[1:])
    except UnicodeDecodeError:
        raise SyslogRefused("the header is not US-ASCII") from None
    structured, rest = _read_structured(message[found.end() :])
    if rest[:1] not in (b"", b" "):
        raise SyslogRefused("something else follows the structured data")
    content = rest[1:]
    marked = content.startswith(_BOM)
    if marked:
        content = content.removeprefix(_BOM)
    made = Message(int(found[1]), content, time, host, app, process, kind, structured, marked)
    write(made)  # the rules for what is written are those for what is read
    return made


def _marked(content: bytes, *, marked: bool) -> bytes:
    if not marked:
        if content.startswith(_BOM):
            raise SyslogRefused("the content begins with a mark and is not marked")
        return content
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise SyslogRefused("the content is not UTF-8") from None
    return _BOM + content


def _structured(elements: tuple[Element, ...]) -> str:
    if len({element.name for element in elements}) != len(elements):
        raise SyslogRefused("structured data of one name comes twice")
    return "".join(map(_element, elements)) or NONE


def _element(element: Element) -> str:
    if not all(_NAME.fullmatch(name) for name in (element.name, *(name for name, _ in element.parameters))):
        raise SyslogRefused("a name of structured data is not one")
    said = [f' {name}="{_escaped(value)}"' for name, value in element.parameters]
    return f"[{element.name}{''.join(said)}]"


def _escaped(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise SyslogRefused("a value of structured data is not UTF-8") from None
    return re.sub(r'(["\\\]])', r"\\\1", value)


def _read_structured(rest: bytes) -> tuple[tuple[Element, ...], bytes]:
    """The structured data at the beginning, and what follows."""
    if rest.startswith(b"-"):
        return (), rest[1:]
    elements: list[Element] = []
    while rest.startswith(b"["):
        element, rest = _read_element(rest)
        elements.append(element)
    if not elements:
        raise SyslogRefused("the structured data is not of RFC 5424")
    return tuple(elements), rest


def _read_element(rest: bytes) -> tuple[Element, bytes]:
    inside, text = _inside(rest)
    name, blank, _ = inside.partition(" ")
    at, parameters = len(name), list[tuple[str, str]]()
    while at < len(inside):
        found = _PARAMETER.match(inside, at)
        if not found:
            raise SyslogRefused("a parameter of structured data is not of RFC 5424")
        parameters.append((found[1], re.sub(r'\\(["\\\]])', r"\1", found[2])))
        at = found.end()
    if not _NAME.fullmatch(name) or (blank and not parameters):
        raise SyslogRefused("a name of structured data is not one")
    return Element(name, tuple(parameters)), text


_ELEMENT: Final = re.compile(rb'\[((?:[^"\]]|"(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL)


def _inside(rest: bytes) -> tuple[str, bytes]:
    """What stands between the brackets, and what follows them."""
    found = _ELEMENT.match(rest)
    if not found:
        raise SyslogRefused("structured data does not end")
    try:
        return found[1].decode("utf-8"), rest[found.end() :]
    except UnicodeDecodeError:
        raise SyslogRefused("structured data is not UTF-8") from None


# --- frames ------------------------------------------------------------------------------------------------


def frame(message: bytes) -> bytes:
    """A message as it goes over the stream: its length in octets, a blank, itself."""
    return b"%d %b" % (len(message), message)


class Frames:
    """Takes the messages out of a stream, however it is cut. ``limit``: bytes of one message.

    Of no use any more after it raised.
    """

    def __init__(self, limit: int = LONGEST) -> None:
        self._limit, self._held = limit, bytearray()

    @property
    def empty(self) -> bool:
        """Whether the stream may end here: no message is begun."""
        return not self._held

    def receive(self, data: bytes) -> None:
        """Take what came."""
        self._held += data

    def messages(self) -> Iterator[bytes]:
        """Those that are complete. Raises ``SyslogRefused`` where the stream is not of such frames."""
        while (length := self._length()) is not None:
            begin = len(str(length)) + 1
            if len(self._held) < begin + length:
                return
            message = bytes(self._held[begin : begin + length])
            del self._held[: begin + length]
            yield message

    def _length(self) -> int | None:
        """What the first frame says of itself, once it has."""
        digits, blank, _ = bytes(self._held[: _DIGITS + 1]).partition(b" ")
        if not re.fullmatch(rb"([1-9][0-9]*)?", digits) or len(digits) > _DIGITS:
            raise SyslogRefused("a frame does not begin with its length")
        if not blank:
            return None
        if not digits or int(digits) > self._limit:
            raise SyslogRefused("a frame has no length, or a longer one than the limit")
        return int(digits)
