"""The delimiters of a message (MSH-1, MSH-2) and its escape sequences (HL7 v2.8.2 sections 2.5.4, 2.7)."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector.errors import UnreadableMessage

HEADERS: Final = frozenset({"MSH", "FHS", "BHS"})
"""Segments whose first field is the field separator itself and whose second names the others."""

_CONVENTIONAL: Final = "^~\\&"
_SPARE: Final = "^~\\&$%@!*+"
_FORMATTING: Final = r"\.[a-z]{2}[+-]?\d*|[HN]|Z%s*|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}"
_ALLOWED_CONTROLS: Final = "\t\n\r"


@dataclass(frozen=True, slots=True)
class Delimiters:
    """Five characters, each another one, and the truncation character ("" where none is declared)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    _sequence: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    _special: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    _said: dict[str, str] = dataclasses.field(init=False, repr=False, compare=False)
    _codes: dict[str, str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        e = re.escape(self.escape)
        others = self.field + self.component + self.repetition + self.subcomponent + self.truncation
        body = f"[^{e}{re.escape(others)}\\x00-\\x1f]"
        codes = dict(zip("FSRTEP", (*others[:3], others[3], self.escape, self.truncation)))
        said = {code: char for code, char in codes.items() if char} | {".br": "\n"}
        known = f"{e}([FSRTEP]|X(?:[0-9A-Fa-f]{{2}})+|{_FORMATTING % body}){e}"
        special = f"{known}|[{e}{re.escape(others)}\\x00-\\x08\\x0a-\\x1f]"
        for name, value in {
            "_said": said,
            "_codes": {char: f"{self.escape}{code}{self.escape}" for code, char in said.items()},
            "_sequence": re.compile(known),
            "_special": re.compile(special),
        }.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, text: str) -> Delimiters:
        """The delimiters that a text starting with MSH, FHS or BHS declares.

        A short MSH-2 gets the conventional characters for what it leaves out; a doubled escape character
        (``^~\\\\&``, from feeds that were escaped once too often) counts once; what follows the fifth
        character says nothing. Raises ``UnreadableMessage`` where they are absent or ambiguous.
        """
        if text[:3] not in HEADERS or len(text) < 5:
            raise UnreadableMessage("there is no MSH with its delimiters", fix="start the message with MSH")
        separator = text[3]
        encoding = text[4:24].partition(separator)[0]
        return _declared(separator, re.split("[\r\n]", encoding)[0])

    def unescape(self, text: str) -> str:
        """The text that is meant. Highlighting, formatting, local and unknown sequences stay as they are,
        and so does hexadecimal that is no UTF-8 or stands for characters that FHIR forbids."""
        if self.escape not in text:
            return text
        return self._sequence.sub(self._meaning, text)

    def escape_text(self, text: str) -> str:
        """The reverse: ``unescape(escape_text(t)) == t`` for every text that FHIR allows.

        A sequence that ``unescape`` leaves as it is goes out as it is; a character below U+0020 that FHIR
        forbids goes out as hexadecimal, so that it cannot end a segment or a frame.
        """
        return self._special.sub(self._escaped, text)

    def _meaning(self, found: re.Match[str]) -> str:
        code = found[1]
        if (said := self._said.get(code)) is not None:
            return said
        return _decoded(code[1:], found[0]) if code[0] == "X" else found[0]

    def _escaped(self, found: re.Match[str]) -> str:
        text = found[0]
        if found[1] and self._meaning(found) == text:
            return text
        return "".join(self._character(char) for char in text)

    def _character(self, char: str) -> str:
        if code := self._codes.get(char):
            return code
        return f"{self.escape}X{ord(char):02X}{self.escape}" if char < " " and char != "\t" else char


def _decoded(digits: str, sent: str) -> str:
    try:
        text = bytes.fromhex(digits).decode("utf-8")
    except UnicodeDecodeError:
        return sent
    return text if all(char >= " " or char in _ALLOWED_CONTROLS for char in text) else sent


@lru_cache(maxsize=256)
def _declared(separator: str, encoding: str) -> Delimiters:
    if len(encoding) > 4 and encoding[2] == encoding[3]:
        encoding = encoding[:3] + encoding[4:]
    given, rest = encoding[:4], encoding[4:5]
    if not given or len({separator, *given}) <= len(given) or not all(map(_may_delimit, separator + given)):
        raise UnreadableMessage(
            "the delimiters are missing or ambiguous", fix=r"send MSH|^~\&|", location="MSH-2"
        )
    chars = given
    for usual in _CONVENTIONAL[len(given) :]:
        chars += next(char for char in usual + _SPARE if char not in separator + chars)
    truncation = rest if rest and _may_delimit(rest) and rest not in separator + chars else ""
    component, repetition, escape, subcomponent = list(chars)
    return Delimiters(separator, component, repetition, escape, subcomponent, truncation)


def _may_delimit(char: str) -> bool:
    return char.isprintable() and not char.isalnum() and not char.isspace()


STANDARD: Final = _declared("|", _CONVENTIONAL)
"""``|^~\\&``, as the standard recommends."""
