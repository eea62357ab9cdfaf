"""Messages in which everything that their structure foresees is said once: every segment, every field."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from connector.hl7v2 import definitions, structure
from connector.hl7v2.structure import Part

from .messages import LEAST, header, line
from .values import VERSION, text_of

_LEFT_OUT = ("ARV", "UAC", "DSC", "MSH")
_VALUE_TYPES = ("NM", "CWE", "SN", "ST")


@cache
def everything(name: str) -> str:
    """One message of a structure such as ``ORU_R01``."""
    code, _, event = name.partition("_")
    found = structure.of(VERSION, code, event)
    names = list(_names(found.root)) if found else []
    lines = [header(name, {}), *(line(one, full(one, n)) for n, one in enumerate(names))]
    return "\r".join(lines) + "\r"


def _names(part: Part) -> Iterator[str]:
    for one in part.parts[:1] if part.choice else part.parts:
        if one.parts:
            yield from _names(one)
        elif one.name not in _LEFT_OUT and len(one.name) == 3:
            yield one.name


@cache
def full(segment: str, at: int = 0) -> dict[int, str]:
    """Every field of a segment, each with a text of its datatype; what identifies it differs by ``at``."""
    count = len(definitions.of(VERSION)["segments"].get(segment, ()))
    fields = {number: _text(segment, number, at) for number in range(1, count + 1)}
    if segment == "OBX":
        fields |= {2: _VALUE_TYPES[at % 4], 3: f"O{at}^Thing {at}^L", 5: text_of(_VALUE_TYPES[at % 4], 5)}
    return {**fields, **{n: text for n, text in LEAST.get(segment, {}).items() if n not in fields}}


def _text(segment: str, number: int, at: int) -> str:
    element = definitions.field(segment, number, VERSION)
    return text_of(element.datatype, number + 60 * at, element.table) if element else ""
