"""Where something stands in a message: ``PID-3(2).4.1``, ``OBX[2]-5`` (HL7 v2.5.1 section 2.15.5, ERR-2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector.errors import ConfigurationError

_FORM: Final = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[([1-9]\d{0,5})\])?"
    r"(?:-([1-9]\d{0,3})(?:\(([1-9]\d{0,5})\))?(?:\.([1-9]\d{0,3})(?:\.([1-9]\d{0,3}))?)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Location:
    """A segment, field, component or sub-component, all counted from 1; 0 means the whole.

    ``ordinal``: which segment of this name in the message; ``repetition``: which repetition of the field.
    """

    segment: str
    ordinal: int = 1
    field: int = 0
    repetition: int = 1
    component: int = 0
    subcomponent: int = 0

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read ``OBX[2]-5(1).2.1``. Raises ``ConfigurationError``: programs and profiles write locations."""
        location = _parsed(text)
        if location is None:
            raise ConfigurationError("this is no v2 location", fix="write it as PID-3(2).4.1 or OBX[2]-5")
        return location

    @classmethod
    def of_error(cls, text: str) -> Location | None:
        """The location an error names; ``None`` where that is another kind of place (a FHIR path, a line)."""
        return _parsed(text)

    def __str__(self) -> str:
        """The shortest form: the first segment and the first repetition go without saying."""
        text = self.segment if self.ordinal == 1 else f"{self.segment}[{self.ordinal}]"
        if not self.field:
            return text
        text += f"-{self.field}" if self.repetition == 1 else f"-{self.field}({self.repetition})"
        if not self.component:
            return text
        text += f".{self.component}"
        return f"{text}.{self.subcomponent}" if self.subcomponent else text


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Location | None:
    found = _FORM.fullmatch(text)
    if not found:
        return None
    segment, ordinal, number, repetition, component, sub = found.groups()
    return Location(
        segment, int(ordinal or 1), int(number or 0), int(repetition or 1), int(component or 0), int(sub or 0)
    )
