"""A partner's differences: what a profile asks of the maps, and what the maps have.

Closed verbs on named places. ``changing`` follows those that change rows, ``filling`` those that set texts.
What a verb names and the maps do not have is ``Refused``; ``known_rows`` and ``known_tables`` say what there
is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from ..errors import ConfigurationError
from . import codes
from .datatypes import primitives
from .fields import Across, Field, One
from .lens import Binder, Row, text
from .messages import registry
from .partner import V2, Partner
from .units import Segments, Unit

Units = tuple[Unit, ...]
AnyRow = Field | One | Segments | Across

CODECS: Final[Mapping[str, Binder]] = {
    "string": text,
    "code": primitives.raw_code,
    "date": primitives.date,
    "dateTime": primitives.date_time,
    "integer": primitives.integer,
    "decimal": primitives.decimal,
    "boolean": primitives.yes_no,
}
"""The primitive types an added extension may have."""


class Refused(ConfigurationError):
    """A verb asks for what does not exist or cannot be; ``key`` leads to it: ``("drop", 2)``."""

    def __init__(self, key: tuple[str | int, ...], what: str, fix: str = "") -> None:
        super().__init__(what, fix=fix, location=".".join(map(str, key)))
        self.key = key


class Place(NamedTuple):
    """A place in v2 as profiles write it: ``NK1``, ``PID-19``, ``PID-5.1``, ``ZPI-3.1.2``; 0 is the whole."""

    segment: str
    number: int = 0
    component: int = 0
    sub: int = 0

    @classmethod
    def of(cls, text: str) -> Place:
        """Read a place."""
        segment, _, rest = text.partition("-")
        return cls(segment, *(int(part) for part in rest.split(".") if part))

    @property
    def field(self) -> str:
        return f"{self.segment}-{self.number}"


@dataclass(frozen=True, slots=True)
class Added:
    """A field of the partner's own that becomes an extension, or an identifier, of a resource.

    ``list``: ``extension`` or ``identifier``; ``tag``: the constants that mark the element; ``type``: of the
    extension's value, ``""`` for an identifier.
    """

    source: str
    resource: str
    list: str
    tag: Mapping[str, Any]
    type: str = ""

    @classmethod
    def extension(cls, source: str, resource: str, url: str, type: str = "string") -> Added:
        """A place <-> an extension of a resource."""
        return cls(source, resource, "extension", {"url": url}, type)

    @classmethod
    def identifier(cls, source: str, resource: str, system: str, type: str = "") -> Added:
        """A place <-> an identifier of a resource; ``type``: a code of table 0203."""
        kind = {"type": {"coding": [{"system": V2 + "0203", "code": type}]}} if type else {}
        return cls(source, resource, "identifier", {"system": system, **kind})


@dataclass(frozen=True, slots=True)
class Verbs:
    """What a profile's ``[mapping]`` says about rows."""

    drop: tuple[str, ...] = ()
    move: Mapping[str, str] = field(default_factory=dict)
    added: tuple[tuple[tuple[str | int, ...], Added], ...] = ()
    patient_systems: tuple[frozenset[str], ...] = ()


# --- code tables --------------------------------------------------------------------------------------


def extended_tables(own: Mapping[str, Mapping[str, str]]) -> dict[str, codes.CodeTable]:
    """The shipped tables with a partner's codes, each in those forms of the table that allow its meaning.

    Table 0190 has the forms ``HL70190-use`` and ``HL70190-type``, one for each element it maps to.
    Raises ``Refused``.
    """
    found: dict[str, codes.CodeTable] = {}
    for name, meanings in own.items():
        forms = [one for one in codes.names() if one.partition("-")[0] == name]
        if not forms:
            raise Refused(("codes", name), f"there is no code table {name}")
        for v2, target in meanings.items():
            allowed = False
            for form in forms:
                table = found.get(form) or codes.CodeTable.load(form)
                try:
                    found[form] = table.extended({v2: target})
                    allowed = True
                except codes.TableError as error:
                    fix = error.fix
            if not allowed:
                raise Refused(("codes", name, v2), "FHIR does not allow this code here", fix)
    return found


# --- what there is ------------------------------------------------------------------------------------


@cache
def known_rows() -> frozenset[str]:
    """The places the maps read or write: ``PID-19``, ``MSH-12``."""
    found: set[str] = set()
    for unit in registry.units():
        found |= unit.structural
        for row in declared(unit):
            found |= {row.at} if isinstance(row, (Field, One)) else set(numbers(row))
    return frozenset(found)


@cache
def known_tables() -> frozenset[str]:
    """The code tables a profile may extend: ``HL70001``."""
    return frozenset(name.partition("-")[0] for name in codes.names())


# --- rows ---------------------------------------------------------------------------------------------


def declared(unit: Unit) -> Iterator[AnyRow]:
    """Every row of a unit."""
    return (row for one in unit.maps for row in one.rows)


def numbers(row: AnyRow) -> list[str]:
    """The fields that a row reads together with others: ``OBX-5``."""
    if isinstance(row, (Field, One)):
        return []
    if isinstance(row, Segments):
        return [f"{row.name}-{n}" for n in read_components(row.rows) if n not in row.unsaid]
    segment, together = spans(row)
    return [f"{segment}-{n}" for n in together]


def spans(row: AnyRow) -> tuple[str, tuple[int, ...]]:
    """The segment and the fields of a row that spans several."""
    assert not isinstance(row, (Field, One, Segments))  # noqa: S101 - the caller has looked
    bound = row.compile(Partner())
    return bound.segment, bound.numbers


def read_components(rows: tuple[Row, ...]) -> set[int]:
    """The components that rows read, counted from 1."""
    bounds = [row.compile(Partner()) for row in rows]
    return {at + 1 for bound in bounds for at in (*bound.leaves, *bound.inner, *bound.reads)}
