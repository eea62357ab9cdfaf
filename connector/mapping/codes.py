"""Code tables: one small text file a table, one line a code, an arrow for the direction.

    # HL70001 Administrative Sex <-> http://hl7.org/fhir/administrative-gender
    system http://hl7.org/fhir/administrative-gender
    values female male other unknown
    F  =  female  "Female"       both directions
    A  >  other                  v2 to FHIR only: several v2 codes share one FHIR code
    OP <  outpatient             FHIR to v2 only
    U  =  UNK @ http://terminology.hl7.org/CodeSystem/v3-NullFlavor      a code of another system

``values`` stands where FHIR's binding is required: it is the whole of what FHIR allows there, and a line
or a partner's code outside it refuses to load. Codes are compared exactly, case included, as FHIR's code
systems ask for; what a partner writes otherwise is for its profile to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigurationError

_TABLES = Path(__file__).with_name("tables")
_SUFFIX = ".codes"
_NOT_ALLOWED = "a code that FHIR does not allow here"

_NOTHING = re.compile(r"\s*(#.*)?\Z")
_SYSTEM = re.compile(r"system\s+(?P<uri>[^\s#=<>]\S*)\s*(#.*)?\Z")
_VALUES = re.compile(r"values(?P<codes>(\s+[^\s#=<>]\S*)+)\s*(#.*)?\Z")
_ROW = re.compile(
    r"(?P<v2>\S+)\s+(?P<arrow>[=<>])\s+(?P<code>\S+)"
    r'(\s+@\s+(?P<system>\S+))?(\s+"(?P<display>[^"]*)")?\s*(#.*)?\Z'
)


class TableError(ConfigurationError):
    """A code table cannot be read or contradicts itself; ``location`` is ``file:line``."""


class Coded(NamedTuple):
    """A FHIR code: what a ``Coding`` says. ``display`` is empty where the table gives none."""

    code: str
    system: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One v2 table against one FHIR code system (or element), in both directions.

    ``to_fhir``: v2 code to FHIR code. ``to_v2``: (system, code) to v2 code. ``codes_to_v2``: the same by
    the code alone, for elements of type ``code``; where two systems share a code, the table's own wins.
    ``values``: all codes of a required FHIR binding, empty where the binding is open.
    """

    name: str
    system: str = ""
    to_fhir: Mapping[str, Coded] = field(default_factory=dict)
    to_v2: Mapping[tuple[str, str], str] = field(default_factory=dict)
    codes_to_v2: Mapping[str, str] = field(default_factory=dict)
    values: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, name: str, text: str) -> CodeTable:
        """The table that a text says. Raises ``TableError``."""
        reading = _Reading(name)
        for number, line in enumerate(text.splitlines(), 1):
            reading.take(number, line.strip())
        return reading.table()

    @classmethod
    def load(cls, name: str) -> CodeTable:
        """A shipped table by name, such as ``HL70190-use``; read once. Raises ``TableError``."""
        return _load(name)

    def v2_code(self, system: str | None, code: str) -> str | None:
        """The v2 code for a FHIR code; ``system`` is ``None`` for an element that has none."""
        return self.codes_to_v2.get(code) if system is None else self.to_v2.get((system, code))

    def keeps(self, system: str, code: str) -> bool:
        """Whether a FHIR code is still itself after the way to v2 and back: a ``<`` row may not be.

        ``IMP`` is, ``ACUTE`` (written as ``I``, read as ``IMP``) is not; a code without a v2 code is not.
        """
        back = self.to_fhir.get(self.to_v2.get((system, code), ""))
        return back is not None and _key(back) == (system, code)

    def extended(self, codes: Mapping[str, str]) -> CodeTable:
        """This table with a partner's own v2 codes, each with the FHIR code (or ``system|code``) it means.

        They go to FHIR only; where the table has no v2 code for a FHIR code, the partner's first one is
        also the way back. A v2 code that the table has already gets the partner's meaning, and what it
        was the way back for loses it. Raises ``TableError`` for a FHIR code that is not allowed there.
        """
        meanings = {v2: self._coded(target) for v2, target in codes.items()}
        to_v2 = {key: v2 for key, v2 in self.to_v2.items() if v2 not in meanings or _key(meanings[v2]) == key}
        for v2, coded in meanings.items():
            to_v2.setdefault(_key(coded), v2)
        to_fhir = {**self.to_fhir, **meanings}
        return replace(self, to_fhir=to_fhir, to_v2=to_v2, codes_to_v2=_by_code(to_v2, self.system))

    def _coded(self, target: str) -> Coded:
        system, _, code = target.rpartition("|")
        if self.values and (code not in self.values or system not in ("", self.system)):
            raise TableError(_NOT_ALLOWED, fix=_allowed(self.values), location=self.name)
        for known in self.to_fhir.values():
            if known.code == code and system in ("", known.system):
                return known
        return Coded(code, system or self.system)


def names() -> tuple[str, ...]:
    """The names of the shipped tables, in order."""
    return tuple(sorted(path.stem for path in _TABLES.glob("*" + _SUFFIX)))


@cache
def _load(name: str) -> CodeTable:
    if name not in names():
        raise TableError("no such code table", fix="see connector/mapping/tables", location=name + _SUFFIX)
    return CodeTable.parse(name, (_TABLES / (name + _SUFFIX)).read_text(encoding="utf-8"))


def _key(coded: Coded) -> tuple[str, str]:
    return coded.system, coded.code


def _by_code(to_v2: Mapping[tuple[str, str], str], system: str) -> dict[str, str]:
    own_last = sorted(to_v2, key=lambda key: key[0] == system)
    return {key[1]: to_v2[key] for key in own_last}


def _allowed(values: Iterable[str]) -> str:
    return "one of: " + ", ".join(sorted(values))


class _Reading:
    """A table while its lines are read."""

    __slots__ = ("at", "name", "system", "to_fhir", "to_v2", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.at = 0
        self.system = ""
        self.values: frozenset[str] = frozenset()
        self.to_fhir: dict[str, Coded] = {}
        self.to_v2: dict[tuple[str, str], str] = {}

    def take(self, number: int, line: str) -> None:
        self.at = number
        if _NOTHING.match(line):
            return
        if said := _SYSTEM.match(line):
            self._header(bool(self.system))
            self.system = said["uri"]
        elif said := _VALUES.match(line):
            self._header(bool(self.values))
            self.values = frozenset(said["codes"].split())
        elif said := _ROW.match(line):
            self._row(said)
        else:
            raise self._error("not a line of a code table", 'write: <v2> = <fhir> [@ <system>] ["display"]')

    def _header(self, repeated: bool) -> None:
        if repeated or self.to_fhir or self.to_v2:
            raise self._error("system and values stand once each, before the codes")

    def _row(self, said: re.Match[str]) -> None:
        coded = Coded(said["code"], said["system"] or self.system, said["display"] or "")
        if not coded.system:
            raise self._error("a code without a system", "write a system line before the codes")
        if self.values and (coded.system != self.system or coded.code not in self.values):
            raise self._error(_NOT_ALLOWED, _allowed(self.values))
        if said["arrow"] in "=>":
            if said["v2"] in self.to_fhir:
                raise self._error("a v2 code is mapped to FHIR twice")
            self.to_fhir[said["v2"]] = coded
        if said["arrow"] in "=<":
            if _key(coded) in self.to_v2:
                raise self._error("a FHIR code is mapped to v2 twice", "keep one = and make the others >")
            self.to_v2[_key(coded)] = said["v2"]

    def _error(self, what: str, fix: str = "") -> TableError:
        return TableError(what, fix=fix, location=f"{self.name}{_SUFFIX}:{self.at}")

    def table(self) -> CodeTable:
        by_code = _by_code(self.to_v2, self.system)
        return CodeTable(self.name, self.system, self.to_fhir, self.to_v2, by_code, self.values)
