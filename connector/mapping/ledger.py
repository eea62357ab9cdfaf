"""The ledger: what each field of each segment becomes in FHIR, and by what the way back knows it.

Read off the very rows that translate, so it says nothing else than they do: of a profile, the rows as its
verbs left them, each marked where it differs from the shipped ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, NamedTuple

from ..hl7v2 import definitions
from .added import Listed
from .codes import CodeTable
from .datatypes.kept import Kept
from .datatypes.references import Refer
from .fields import Across, Field, One
from .lens import At, Item, Joint, Nested, OneOf, Row, Spread
from .messages.message_map import MessageMap
from .partner import Partner
from .units import ResourceMap, Segments, Unit

Units = tuple[Unit, ...]

VERSIONS: Final = ("2.8.2", "2.5.1", "2.3.1")  # a field is named as the first of these does that knows it
BY_PLACE: Final = "said by its place"

_WHOLE: Final = 14  # a row that reads more components than these reads the whole field


class Line(NamedTuple):
    """One place of a segment and one element.

    ``place``: ``PID-5.1``; ``home``: what the whole field becomes, ``Patient.name``, and ``element``, this
    part of it, ``Patient.name.family``; ``by``: the codec or code table between them; ``back``: by what the
    way back knows the element; ``messages``: the message maps that have the line, empty for all that have the
    segment; ``change``: what a profile did, ``added`` or ``dropped``.
    """

    segment: str
    place: str
    home: str
    element: str
    by: str
    back: str = ""
    messages: tuple[str, ...] = ()
    change: str = ""

    @property
    def order(self) -> tuple[Any, ...]:
        """By segment, field and component."""
        numbers = self.place.partition("-")[2].split(".")
        return self.segment, *(int(number) if number.isdigit() else 0 for number in numbers)


def lines(
    maps: Iterable[MessageMap], partner: Partner, change: Callable[[Units], Units] = lambda units: units
) -> list[Line]:
    """The ledger of message maps for a partner. ``change``: what its profile makes of their units."""
    found: dict[Line, dict[str, None]] = {}
    having: dict[str, dict[str, None]] = {}
    read: dict[int, tuple[Unit, list[Line]]] = {}
    for each in maps:
        units = change(each.units)
        kinds = {unit.name: getattr(unit.maps[0], "kind", unit.name) for unit in units if unit.maps}
        for unit in units:
            if id(unit) not in read:
                read[id(unit)] = unit, list(dict.fromkeys(_of_unit(unit, kinds, partner)))
            for name in unit.segments:
                having.setdefault(name, {})[each.name] = None
            for line in read[id(unit)][1]:
                found.setdefault(line, {})[each.name] = None
    told = [
        line._replace(messages=() if names == having[line.segment] else tuple(names))
        for line, names in found.items()
    ]
    return sorted(told, key=lambda line: line.order)


def compared(now: Sequence[Line], before: Sequence[Line]) -> list[Line]:
    """A profile's ledger over the shipped one: what it added, and what it dropped."""
    known, kept = frozenset(before), frozenset(now)
    told = [line if line in known else line._replace(change="added") for line in now]
    told += [line._replace(change="dropped") for line in before if line not in kept]
    return sorted(told, key=lambda line: line.order)


def field_of(place: str) -> str:
    """``PID-5.1`` is of ``PID-5``."""
    return place.partition(".")[0]


def named(place: str) -> tuple[str, str]:
    """The name and the datatype of the field of a place, as the standard has them."""
    segment, _, number = field_of(place).partition("-")
    for version in VERSIONS:
        found = definitions.field(segment, int(number or 0), version)
        if found is not None:
            return found.name, found.datatype
    return "", ""


# --- rows --------------------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """What a row says: of which component (empty: all of it), at which path, by what."""

    at: str
    path: str
    by: str


def _of_unit(unit: Unit, kinds: Mapping[str, str], partner: Partner) -> Iterator[Line]:
    for declared in unit.maps:
        for row in declared.rows:
            yield from _of_row(row, _kind(declared, kinds), partner)
    for place in sorted(unit.structural):
        yield Line(place.partition("-")[0], place, "", "", BY_PLACE)


def _kind(declared: Any, kinds: Mapping[str, str]) -> str:
    """What a map speaks of: a resource, or an element of a list of the resource of another unit."""
    if isinstance(declared, ResourceMap):
        return declared.kind
    parent = getattr(declared, "unit", "") or getattr(declared, "parent", "")
    return f"{kinds.get(parent, parent)}.{declared.path}"


def _of_row(row: Field | One | Segments | Across, kind: str, partner: Partner) -> Iterator[Line]:
    if isinstance(row, (Field, One)):
        yield from _of_field(row, kind, partner)
    elif isinstance(row, Segments):
        for part in _parts(row.rows, partner):
            home = _joined(kind, row.path)
            if part.at.isdigit() and int(part.at) in row.unsaid:
                continue
            yield Line(row.name, f"{row.name}-{part.at or 0}", home, _joined(home, part.path), part.by)
    else:
        bound = row.compile(partner)
        others = ", ".join(f"{bound.segment}-{n}" for n in bound.numbers)
        back = f"together with {others}" if len(bound.numbers) > 1 else ""
        for number in bound.numbers:
            for path in _tops(bound.elements) or [""]:
                place = f"{bound.segment}-{number}"
                yield Line(bound.segment, place, kind, _joined(kind, path), _name(row), back)


def _of_field(row: Field | One, kind: str, partner: Partner) -> Iterator[Line]:
    if isinstance(row, Field):
        back, mark = _back_of_list(row), _mark(row.tag)
    else:
        back, mark = "where no other field says it" if row.secondary else "", ""
    home = _joined(kind, row.path) + mark
    for part in _parts(row.rows, partner):
        place = f"{row.at}.{part.at}" if part.at else row.at
        yield Line(row.at.partition("-")[0], place, home, _joined(home, part.path), part.by, back)


def _mark(tag: Mapping[str, Any]) -> str:
    """The name of the extension that a tag marks."""
    url = str(tag.get("url", ""))
    return f"({url.rpartition('/')[2]})" if url else ""


def _joined(*steps: str) -> str:
    """A path without the numbers of lists."""
    whole = ".".join(step for step in steps if step).replace(".(", "(")
    return ".".join(step for step in whole.split(".") if not step.isdigit())


def _tops(paths: Iterable[str]) -> list[str]:
    """Paths without those that stand within another of them."""
    known = sorted(paths)
    return [path for path in known if not any(path.startswith(f"{other}.") for other in known)]


def _parts(rows: Iterable[Row], partner: Partner) -> Iterator[_Part]:
    for row in rows:
        yield from _part(row, partner)


def _part(row: Row, partner: Partner) -> Iterator[_Part]:
    if isinstance(row, Item):
        yield _Part(row.at, row.path, codec_name(row.codec))
    elif isinstance(row, Spread):
        yield from (_Part(at, row.path, "text") for at in row.at)
    elif isinstance(row, Joint):
        yield from (_Part(row.at, path, f"table {table}") for path, table in row.ways)
    elif isinstance(row, At):
        yield from (part._replace(path=_joined(row.path, part.path)) for part in _parts(row.rows, partner))
    elif isinstance(row, Nested):
        inside = _parts(row.rows, partner)
        yield from (part._replace(at=f"{row.at}.{part.at}".strip(".")) for part in inside)
    elif isinstance(row, OneOf):
        yield from dict.fromkeys(part for case in row.cases for part in _parts(case.rows, partner))
    elif isinstance(row, Kept):
        yield from (part._replace(by=f"{part.by}, original kept") for part in _part(row.row, partner))
    elif isinstance(row, Listed):
        mark = _mark(row.tag)
        inside = _part(row.row, partner)
        yield from (part._replace(path=_joined(row.path + mark, part.path)) for part in inside)
    elif isinstance(row, Refer):
        inside = _parts(row.rows, partner)
        yield from (part._replace(path=_joined(f"{row.path}({row.kind})", part.path)) for part in inside)
    else:
        yield from _opaque(row, partner)


def _opaque(row: Row, partner: Partner) -> Iterator[_Part]:
    """A row of its own making: the components it reads, and the elements it owns."""
    bound = row.compile(partner)
    read = sorted({*bound.leaves, *bound.inner, *bound.reads})
    components = [""] if len(read) > _WHOLE or not read else [str(n + 1) for n in read]
    for component in components:
        for path in _tops(bound.elements) or [""]:
            yield _Part(component, path, _name(row))


def codec_name(codec: Any) -> str:
    """A codec as people call it: ``date time``, ``table HL70001``."""
    if table := getattr(codec, "table", ""):
        return f"table {table}"
    name = getattr(codec, "__qualname__", type(codec).__name__).partition(".")[0]
    return str(name).strip("_").replace("_", " ")


def _name(row: Any) -> str:
    """A row as people call it, with its table: ``Concept, table HL70002``."""
    name = type(row).__name__.strip("_")
    tables = [
        value
        for one in (fields(row) if is_dataclass(row) else ())
        if isinstance(value := getattr(row, one.name), str) and value.startswith("HL7")
    ]
    return ", table ".join((name, *tables))


# --- the way back ------------------------------------------------------------------------------------------


def _back_of_list(row: Field) -> str:
    """By what the way back shares the elements of a list out among its fields."""
    told = [f"known by {said}" for said in _constants(row.tag)]
    told += [f"{said} unless said" for said in _constants(row.default)]
    told += ["known by what it is" for _ in range(1) if row.only]
    told += ["preferred for some" for _ in range(1) if row.prefers]
    told += ["takes the rest" for _ in range(1) if row.rest]
    told += [f"at most {row.most}" for _ in range(1) if row.most]
    return "; ".join(told)


def _constants(node: Mapping[str, Any]) -> Iterator[str]:
    """``use=home``, ``type.coding.code=SS``; of a coding, the code is enough."""
    for name, value in node.items():
        if name == "system" and "code" in node:
            continue
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, Mapping):
            yield from (f"{name}.{said}" for said in _constants(inner))
        else:
            yield f"{name}={inner}"


# --- tables ------------------------------------------------------------------------------------------------


class Arrow(NamedTuple):
    """One line of a code table: ``arrow`` is ``=``, ``>`` (to FHIR only) or ``<`` (to v2 only)."""

    v2: str
    arrow: str
    code: str
    system: str
    display: str
    change: str = ""


def compared_table(now: CodeTable, before: CodeTable) -> list[Arrow]:
    """A partner's code table over the shipped one: its own lines marked, and those it dropped."""
    known, kept = list(arrows(before)), list(arrows(now))
    told = [one if one in known else one._replace(change="added") for one in kept]
    return told + [one._replace(change="dropped") for one in known if one not in kept]


def arrows(table: CodeTable) -> Iterator[Arrow]:
    """A code table, line by line."""
    for v2, coded in table.to_fhir.items():
        both = table.to_v2.get((coded.system, coded.code)) == v2
        yield Arrow(v2, "=" if both else ">", *coded[:2], coded.display)
    for (system, code), v2 in table.to_v2.items():
        image = table.to_fhir.get(v2)
        if image is None or (image.system, image.code) != (system, code):
            yield Arrow(v2, "<", code, system, "")
