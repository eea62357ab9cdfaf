"""A message as the sender wrote it: segments of field texts, and nothing lost (HL7 v2.5.1 section 2.5, 2.6).

``parse`` splits segments and fields only; repetitions, components and sub-components are split where they
are asked for. ``str`` of a message that nobody changed is the sender's text, character by character.
"""

from __future__ import annotations

import re
from typing import Final

from connector.errors import DataTypeFault, UnreadableMessage
from connector.hl7v2.delimiters import HEADERS, STANDARD, Delimiters
from connector.hl7v2.location import Location

_LINE_END: Final = re.compile(r"(\r\n|\r|\n)")
_USUAL: Final = frozenset({
    "MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "AL1", "DG1", "PR1", "IN1", "IN2", "GT1", "OBR", "ORC",
    "OBX", "NTE", "MSA", "ERR", "SFT", "ROL", "MRG", "ACC",
})  # fmt: skip


class Segment:
    """One line of a message.

    ``name``: three capitals or digits, or "" for a line that is no segment (blank, or stray text);
    ``texts``: the raw texts of the fields, ``texts[0]`` what stands before the first separator, ``texts[n]``
    field n (of MSH, FHS and BHS, 1 is the separator itself); ``end``: the line end that was sent.
    """

    __slots__ = ("delimiters", "end", "name", "texts")

    def __init__(self, text: str, delimiters: Delimiters = STANDARD, end: str = "\r") -> None:
        self.delimiters = delimiters
        self.end = end
        self.texts = texts = text.split(delimiters.field)
        name = texts[0]
        self.name = name if name in _USUAL or _is_name(name) else ""
        if name in HEADERS and len(texts) > 1:
            texts.insert(1, delimiters.field)

    def __str__(self) -> str:
        separator, texts = self.delimiters.field, self.texts
        if self.name in HEADERS and len(texts) > 1:
            return texts[0] + separator + separator.join(texts[2:])
        return separator.join(texts)

    def __repr__(self) -> str:
        return f"<Segment {self.name or 'without a name'}>"

    def copy(self) -> Segment:
        """A segment of its own with the same texts."""
        twin = Segment.__new__(Segment)
        twin.name, twin.texts, twin.delimiters, twin.end = (
            self.name,
            self.texts.copy(),
            self.delimiters,
            self.end,
        )
        return twin

    def field(self, number: int) -> str:
        """The raw text of a field, "" where it is absent."""
        return self.texts[number] if number < len(self.texts) else ""

    def set(self, number: int, text: str) -> None:
        """Replace the raw text of a field (counted from 1), which grows the segment where needed.

        Raises ``DataTypeFault`` for a text that would begin another field or segment.
        """
        if number < 1 or self.delimiters.field in text or "\r" in text or "\n" in text:
            raise DataTypeFault("a field cannot hold this text", fix="escape it", location=self.name)
        missing = number + 1 - len(self.texts)
        if missing > 0:
            if not text:
                return
            self.texts.extend([""] * missing)
        self.texts[number] = text

    def repetitions(self, number: int) -> list[str]:
        """The raw texts of a field's repetitions, none where it is empty."""
        text = self.field(number)
        if self._is_encoding(number):
            return [text] if text else []
        return text.split(self.delimiters.repetition) if text else []

    def value(self, number: int, rep: int = 1, comp: int = 1, sub: int = 1) -> str:
        """The unescaped text of one sub-component, all counted from 1, "" where it is absent."""
        text = self.field(number)
        if not text or self._is_encoding(number):
            return text if rep == comp == sub == 1 else ""
        d = self.delimiters
        text = _part(text, rep, d.repetition)
        text = _part(text, comp, d.component)
        return d.unescape(_part(text, sub, d.subcomponent))

    def _is_encoding(self, number: int) -> bool:
        return number <= 2 and self.name in HEADERS


class Message:
    """The segments of one message in the sender's order."""

    __slots__ = ("delimiters", "segments")

    def __init__(self, segments: list[Segment], delimiters: Delimiters) -> None:
        self.segments = segments
        self.delimiters = delimiters

    @classmethod
    def parse(cls, text: str) -> Message:
        """Split a text into segments and fields; ``str`` gives the very text back.

        Segments end with CR, LF or CRLF, also mixed. Lines before MSH, blank lines and stray lines stay
        where they are, without a name. Raises ``UnreadableMessage`` where no line is an MSH with delimiters.
        """
        if "\n" in text:
            parts = _LINE_END.split(text)
            lines, ends = parts[::2], [*parts[1::2], ""]
        else:
            lines = text.split("\r")
            ends = ["\r"] * (len(lines) - 1) + [""]
        if not lines[-1]:
            del lines[-1], ends[-1]
        delimiters = Delimiters.of(lines[0] if text.startswith("MSH") else _header(lines))
        return cls([Segment(line, delimiters, end) for line, end in zip(lines, ends)], delimiters)

    def __str__(self) -> str:
        return "".join([str(segment) + segment.end for segment in self.segments])

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"

    def copy(self) -> Message:
        """A message of its own with the same segments."""
        return Message([segment.copy() for segment in self.segments], self.delimiters)

    @property
    def msh(self) -> Segment:
        """The first MSH. Raises ``UnreadableMessage`` where somebody took it out."""
        found = self.first("MSH")
        if found is None:
            raise UnreadableMessage("there is no MSH")
        return found

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> list[Segment]:
        """All segments of this name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def get(self, location: str | Location) -> str:
        """The unescaped text at ``PID-3(2).4.1``, "" where it is absent.

        Where the location names no component, that of the first one; a whole segment has no value (``""``).
        """
        at = Location.parse(location) if isinstance(location, str) else location
        found = self.all(at.segment)[at.ordinal - 1 : at.ordinal]
        if not found or not at.field:
            return ""
        return found[0].value(at.field, at.repetition, at.component or 1, at.subcomponent or 1)

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.msh.value(3)

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.msh.value(4)

    @property
    def receiving_application(self) -> str:
        """MSH-5.1."""
        return self.msh.value(5)

    @property
    def receiving_facility(self) -> str:
        """MSH-6.1."""
        return self.msh.value(6)

    @property
    def message_code(self) -> str:
        """MSH-9.1, such as ``ADT``."""
        return self.msh.value(9).strip()

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, such as ``A01``."""
        return self.msh.value(9, 1, 2).strip()

    @property
    def structure(self) -> str:
        """MSH-9.3 as the sender says it, such as ``ADT_A01``; often wrong or absent."""
        return self.msh.value(9, 1, 3).strip()

    @property
    def control_id(self) -> str:
        """MSH-10 as a whole: a control id with delimiters in it is still one id."""
        return self.delimiters.unescape(self.msh.field(10)).strip()

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P (production), T (training), D (debugging)."""
        return self.msh.value(11).strip()

    @property
    def version(self) -> str:
        """MSH-12.1, such as ``2.5.1``."""
        return self.msh.value(12).strip()

    @property
    def character_set(self) -> str:
        """MSH-18, first repetition."""
        return self.msh.value(18).strip()


def _header(lines: list[str]) -> str:
    for line in lines:
        if line.startswith("MSH"):
            return line
    raise UnreadableMessage("there is no MSH", fix="start the message with MSH")


def _is_name(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalnum() and text.isupper()


def _part(text: str, at: int, delimiter: str) -> str:
    if delimiter not in text:
        return text if at == 1 else ""
    parts = text.split(delimiter)
    return parts[at - 1] if 0 < at <= len(parts) else ""
