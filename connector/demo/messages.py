"""What the hospital system knows of HL7 v2: frames, the few fields it reads, and acknowledgments.

Its own reading of the standard (v2.5.1 chapter 2, MLLP release 1), on bytes, apart from the connector's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_START: Final = re.compile(rb"(?:\A|(?<=[\r\n\x0b]))MSH(?=[^\w\s])")
_CHARSETS: Final = {
    "UNICODE UTF-8": "utf-8",
    "8859/1": "iso8859-1",
    "8859/15": "iso8859-15",
    "ASCII": "ascii",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgment: MSA-1, MSA-2, and per ERR segment its code and location."""

    code: str
    acknowledges: str
    errors: tuple[str, ...]


def frame(message: bytes) -> bytes:
    """The message between its start byte and its end bytes."""
    return b"\x0b" + message + b"\x1c\r"


def split(content: bytes) -> list[bytes]:
    """The messages of a file, with CR behind every segment as the standard asks for."""
    starts = [found.start() for found in _START.finditer(content)]
    parts = [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)])]
    return [b"\r".join(_lines(part)) + b"\r" for part in parts]


def control_id(message: bytes) -> str:
    """MSH-10."""
    return _field(_lines(message)[0], 10)


def kind(message: bytes) -> str:
    """Code and event of MSH-9, such as ``ADT^A01``."""
    return "^".join(_field(_lines(message)[0], 9).split("^")[:2])


def text_of(message: bytes) -> str:
    """The text, in the character set that MSH-18 names, or UTF-8."""
    return message.decode(_CHARSETS.get(_field(_lines(message)[0], 18), "utf-8"), "backslashreplace")


def read_answer(message: bytes) -> Answer:
    """What an acknowledgment says; a message without MSA is an answer with an empty code."""
    code, acknowledges, errors = "", "", []
    for line in _lines(message):
        if line.startswith(b"MSA"):
            code, acknowledges = _field(line, 1), _field(line, 2)
        elif line.startswith(b"ERR"):
            location, condition = _field(line, 2) or _field(line, 1), _field(line, 3).partition("^")[0]
            errors.append(f"{condition} {location.replace('^', '-')}".strip())
    return Answer(code, acknowledges, tuple(errors))


def acknowledge(message: bytes, code: str, identity: str, at: str) -> bytes:
    """The answer to ``message``: sender and receiver change places (v2.5.1 section 2.9.2)."""
    header = _lines(message)[0]
    fields = [_field(header, number) for number in range(13)]
    event = fields[9].split("^")[1:2]
    msh = ["MSH", fields[2], fields[5], fields[6], fields[3], fields[4], at, ""]
    msh += ["^".join(["ACK", *event, "ACK"]), identity, fields[11], fields[12]]
    lines = ["|".join(msh), f"MSA|{code}|{fields[10]}"]
    return "".join(f"{line}\r" for line in lines).encode("utf-8")


def _lines(message: bytes) -> list[bytes]:
    return [line for line in re.split(rb"[\r\n]+", message.translate(None, b"\x0b\x1c")) if line]


def _field(line: bytes, number: int) -> str:
    fields = line.decode("iso8859-1").split("|")
    index = number - 1 if fields[0] == "MSH" else number
    return fields[index] if 0 <= index < len(fields) else ""
