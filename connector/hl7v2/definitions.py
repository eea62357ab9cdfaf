"""What the standard says of messages, segments, fields, datatypes and tables, v2.1 to v2.8.2.

Compiled from hl7apy by ``scripts/compile_structures.py`` (its docstring describes the form); a version is
loaded when it is first asked for. Where hl7apy knows nothing of an element, neither do we.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final, NamedTuple

VERSIONS: Final = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
USUAL: Final = "2.5.1"

_NUMBER: Final = re.compile(r"\s*(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")
_REQUIRED: Final = ("", "+")
_REPEATS: Final = ("*", "+")

Json = dict[str, Any]


class Element(NamedTuple):
    """A field of a segment or a component of a datatype.

    ``name``: as in the standard (``Patient identifier list``); ``datatype``: ``CX``, or ``varies``;
    ``table``: ``0203``, or "" where it has none.
    """

    name: str
    datatype: str
    required: bool
    repeats: bool
    table: str


def nearest(version: str) -> str:
    """The known version that a sender's MSH-12 comes to: itself, else the next lower one, else the lowest.

    Without a readable version, ``USUAL``.
    """
    if version in VERSIONS:
        return version
    wanted = _numbers(version)
    if not wanted:
        return USUAL
    return max((known for known in VERSIONS if _numbers(known) <= wanted), key=_numbers, default=VERSIONS[0])


def by_nearness(version: str) -> list[str]:
    """All known versions, the nearest first, of two neighbours the later one."""
    at = VERSIONS.index(nearest(version))
    return sorted(VERSIONS, key=lambda known: (abs(VERSIONS.index(known) - at), -VERSIONS.index(known)))


def field(segment: str, number: int, version: str) -> Element | None:
    """Field ``number`` (from 1) of a segment; None where the version does not know it."""
    return _element(of(version)["segments"].get(segment, ()), number)


def field_name(segment: str, number: int, version: str) -> str:
    """The name of a field, such as ``Patient name``; "" where the version does not know it."""
    found = field(segment, number, version)
    return found.name if found else ""


def component(datatype: str, number: int, version: str) -> Element | None:
    """Component ``number`` (from 1) of a datatype; None where the version does not know it."""
    return _element(of(version)["datatypes"].get(datatype, ()), number)


@lru_cache(maxsize=4096)
def codes(table: str, version: str) -> frozenset[str] | None:
    """The codes of a table such as ``0001``; None where the version's tables are not known."""
    found = of(version)["tables"].get(table)
    return frozenset(found[1:]) if found else None


def of(version: str) -> Json:
    """Everything known of the nearest version, in the compiled form."""
    return _loaded(nearest(version))


@cache
def _loaded(version: str) -> Json:
    packed = (resources.files("connector.hl7v2") / "definitions.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        loaded: Json = json.loads(archive.read(f"{version}.json"))
    return loaded


def _element(elements: list[str], number: int) -> Element | None:
    if not 0 < number <= len(elements) or elements[number - 1] == "-":
        return None
    name, kind, *table = elements[number - 1].split(" ")
    datatype = kind.rstrip("?*+")
    mark = kind[len(datatype) :]
    said = name.replace("_", " ").capitalize()
    return Element(said, datatype, mark in _REQUIRED, mark in _REPEATS, "".join(table))


def _numbers(version: str) -> tuple[int, ...]:
    found = _NUMBER.match(version)
    return tuple(int(part) for part in found.groups() if part) if found else ()
