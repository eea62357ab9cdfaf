"""Messages built from the structure tables: every group, segment, field and datatype the standard has.

A message follows from its structure, its event and one seed that Hypothesis draws. hl7apy's tables say which
fields a segment has, of which datatype and with which codes; ``messages.Writer`` writes what senders write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple
from zlib import crc32

import hl7apy

from connector.hl7v2 import structure
from connector.hl7v2.delimiters import Delimiters
from connector.hl7v2.events import STRUCTURES
from tests.laws.messages import Writer

VERSIONS: Final = ("2.3.1", "2.5.1", "2.8")
_BUDGET: Final = 14  # segments behind the header, about
_VALUES: Final = ("NM", "ST", "TX", "SN", "CWE", "CE", "DT", "TS", "TM", "DR", "NR", "ED", "", "IS", "FT")
_WRITERS: Final = {
    **dict.fromkeys(("CWE", "CE", "CNE", "CF"), "cwe"),
    **dict.fromkeys(("TS", "DTM", "DT"), "time"),
    **dict.fromkeys(("NM", "SI"), "number"),
    **{name.upper(): name for name in ("cx", "ei", "xpn", "xad", "xtn", "xcn", "pl", "hd", "xon")},
    "CM_PAT_ID": "cx",
    "DLN": "licence",
    "TM": "clock",
}
_SIMPLE: Final[dict[str, Callable[[Writer], str]]] = {
    **dict.fromkeys(("NM", "SI"), Writer.number),
    **dict.fromkeys(("DT", "DTM", "TS"), Writer.time),
    **dict.fromkeys(("ID", "IS"), Writer.code),
}


class Datatype(NamedTuple):
    """A field or component: its datatype, its table's codes, and its own parts."""

    name: str
    codes: tuple[str, ...]
    parts: tuple[Datatype, ...]
    required: bool
    repeats: bool


class Scribe(Writer):
    """A writer whose numbers name one person each; those that name two are tried in ``test_laws``."""

    def xcn(self) -> str:
        number, delimiter, person = super().xcn().partition(self.d.component)
        plain = number.strip(' "')
        return f"{number}{crc32(person.encode()) % 97}{delimiter}{person}" if plain else delimiter + person


@cache
def fields(version: str, segment: str) -> tuple[tuple[int, Datatype], ...]:
    """The fields of a segment by number; none of a segment the version does not have."""
    library = hl7apy.load_library(version)
    known = library.SEGMENTS.get(segment, ("sequence", ()))[1]
    numbered = ((one[0].rpartition("_")[2], one) for one in known)  # "any segment" has segments for fields
    return tuple((int(at), _datatype(one, library.TABLES)) for at, one in numbered if at.isdigit())


def _datatype(one: Any, tables: Any) -> Datatype:
    _, told, (least, most), _ = one
    kind, parts, name, _, table, _ = told
    codes = tuple(tables.get(table, ("", ()))[1]) if table else ()
    inner = tuple(_datatype(part, tables) for part in parts) if kind == "sequence" else ()
    return Datatype(name, codes, inner, least > 0, most != 1)


def events(name: str) -> tuple[tuple[str, str], ...]:
    """The message code and trigger events that have a structure."""
    code, _, event = name.partition("_")
    shared = [other.partition("_")[2] for other, named in STRUCTURES.items() if named == name]
    return tuple((code, one) for one in (event, *shared))


def message(random: Random, name: str) -> str:
    """One message of a structure."""
    d = Delimiters() if random.randrange(6) else Delimiters("$", "*", "!", "/", "%")
    w = Scribe(random, d)
    code, event = w.one(events(name))
    version = w.one(VERSIONS)
    found = structure.of(version, code, event)
    assert found is not None, name
    names = [one for one in _walk(w, found.root) if one != "MSH"]
    lines = [_header(w, code, event, name, version)]
    for at, one in enumerate(names):
        lines.append(_segment(w, version, one).replace("P-1", f"P-{at}"))
        if w.chance(20):
            lines.append(d.field.join(("ZQQ", "1", w.text(), w.cwe())))
    return "\r".join(lines) + "\r"


def _header(w: Writer, code: str, event: str, name: str, version: str) -> str:
    texts = {
        3: w.hd(), 4: w.hd(), 5: w.hd(), 6: w.hd(), 7: w.time(), 9: w.comps(code, event, name),
        10: w.one(("MSG1", "C-00042")), 11: "P", 12: version,
    }  # fmt: skip
    encoding = w.d.component + w.d.repetition + w.d.escape + w.d.subcomponent
    return w.d.field.join(("MSH", encoding, *(texts.get(number, "") for number in range(3, 13))))


def _walk(w: Writer, part: structure.Part, room: list[int] | None = None) -> Iterator[str]:
    """The names of segments that the grammar allows: what is required, and some of the rest."""
    room = [_BUDGET] if room is None else room
    if not part.parts:
        room[0] -= 1
        yield part.name
        return
    for inner in (w.random.choice(part.parts),) if part.choice else part.parts:
        if not inner.required and (room[0] <= 0 or not w.chance(3)):
            continue
        for _ in range(w.random.randrange(1, 3) if inner.repeats and room[0] > 0 else 1):
            yield from _walk(w, inner, room)


def _segment(w: Writer, version: str, name: str) -> str:
    texts: dict[int, str] = {}
    for number, told in fields(version, name):
        if told.required or w.chance(4):
            texts[number] = _field(w, told)
    if name == "OBX":
        kind = w.one(_VALUES)
        texts |= {2: kind, 3: w.cwe(), 5: w.repeated(lambda: w.value(kind))}
    if name == "PID":
        texts[3] = w.patient_identifiers()
    numbers = range(1, max(texts, default=0) + 1)
    return w.d.field.join((name, *(texts.get(number, "") for number in numbers)))


def _field(w: Writer, told: Datatype) -> str:
    if w.chance(25):
        return '""'
    return w.repeated(lambda: _value(w, told)) if told.repeats else _value(w, told)


def _value(w: Writer, told: Datatype, depth: int = 0) -> str:
    if told.name == "TM":
        return w.one(("0930", "093001", "0930+0100", "2561"))
    if not depth and told.name in _WRITERS:
        if told.codes and told.parts and not w.chance(3):
            return w.comps(w.one(told.codes), w.maybe(w.text, 2), w.one(("", "HL70001", "L")))
        return str(getattr(w, _WRITERS[told.name])())
    if told.codes and not told.parts:
        return w.d.escape_text(w.one(told.codes)) if not w.chance(5) else w.code()
    if told.parts and depth < 2:
        texts = (_value(w, one, depth + 1) if one.required or w.chance(3) else "" for one in told.parts)
        delimiter = w.d.subcomponent if depth else w.d.component
        return delimiter.join(texts).rstrip(delimiter)
    simple = {
        "NM": w.number,
        "SI": w.number,
        "DT": w.time,
        "DTM": w.time,
        "TS": w.time,
        "ID": w.code,
        "IS": w.code,
    }
    return simple.get(told.name, w.text)()
