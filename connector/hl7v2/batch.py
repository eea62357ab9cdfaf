"""The messages of a file: one or many, bare, in MLLP frames, or in a batch (HL7 v2.5.1 section 2.10.3)."""

from __future__ import annotations

import codecs
import re
from typing import Final, overload

FRAME: Final = re.compile("\x0b|\x1c\r?\n?")
LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
STARTS: Final = re.compile(r"MSH[^\w\s]")
ENVELOPE: Final = re.compile(r"(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@overload
def split(content: bytes) -> list[bytes]: ...
@overload
def split(content: str) -> list[str]: ...
def split(content: bytes | str) -> list[bytes] | list[str]:
    """Each message exactly as sent, blank and stray lines with the message before them (else behind them).

    Frame bytes and the batch's own segments (FHS, BHS, BTS, FTS) belong to no message. A part that holds
    text but no MSH comes out as it is, so that nothing vanishes. UTF-16 (with its mark) is one message.
    """
    if isinstance(content, str):
        return _messages(content.removeprefix("\ufeff"))
    if content[:2] in MARKS:
        return [content]
    text = content.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    return [message.encode("latin-1") for message in _messages(text)]


def _messages(text: str) -> list[str]:
    return [message for part in FRAME.split(text) for message in _within(part)]


def _within(part: str) -> list[str]:
    """The messages of one frame, or of a file without frames."""
    found: list[str] = []
    lines: list[str] = []
    begun = False
    for line in LINE.findall(part):
        envelope = ENVELOPE.match(line)
        starts = STARTS.match(line)
        if envelope or (starts and begun):
            found.append("".join(lines))
            lines, begun = [], False
        if not envelope:
            lines.append(line)
            begun = begun or bool(starts)
    found.append("".join(lines))
    return [message for message in found if message.strip()]
