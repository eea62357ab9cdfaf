"""Messages with and without one field or component, and what of FHIR comes from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

from connector.errors import ConnectorError
from connector.hl7v2 import definitions
from connector.mapping.translator import Translator

from . import paths
from .conditions import Demand, demands
from .messages import LEAST, Fields, names_to, written
from .paths import Leaf, Target
from .rows import Row
from .values import VERSION, full_text, text_of

SAID: Final = "said"  # at the guide's target
ELSEWHERE: Final = "elsewhere"  # in FHIR, but not there
QUIET: Final = "quiet"  # needs no saying: neither in FHIR nor lost
LOST: Final = "lost"  # listed as lost

# Codes that a row is about without saying so in its condition.
_SPECIAL: Final = {
    ("DG1", 21): "D",
    ("SCH", 9): "30",
    ("TQ1", 5): "10^min",
    ("TQ1", 6): "5^d",
    ("TQ1", 13): "30^min",
}

# Fields that say more of whom another field names.
_COMPANIONS: Final[Mapping[tuple[str, int], tuple[int, ...]]] = {
    ("NK1", 30): (13,),
    ("NK1", 31): (13,),
    ("NK1", 32): (13,),
    ("OBX", 24): (23,),
    ("ORC", 22): (21,),
    ("ORC", 23): (21,),
    ("ORC", 24): (12,),
    ("PRT", 7): (8,),
    ("PRT", 14): (8,),
    ("PRT", 15): (8,),
    ("ROL", 10): (14,),
    ("RXA", 28): (27,),
}

# Where somebody is reached by each of the means of table 0185.
_REACHED: Final = {
    "B": "^^BP^^^555^1",
    "C": "^PRS^CP^^^555^2",
    "E": "^^Internet^me@example.org",
    "F": "^^FX^^^555^3",
    "H": "^PRN^PH^^^555^4",
    "O": "^WPN^PH^^^555^5",
}

_BESIDE: Final[Mapping[tuple[str, int], Fields]] = {
    ("MSH", 23): {6: ""},
    ("ORC", 9): {1: "SC"},
    ("PR1", 16): {3: "P1^Repair^C4"},
    ("TQ1", 5): {3: "^^^^^^^AC"},
}

# What tells the segments that a map is about from others of their name.
_OF_MAPS: Final[Mapping[str, Fields]] = {
    "OBR[Specimen]": {15: "BLD"},
    "OBX[Observation-Component]": {2: "NM", 5: "1~2"},
    "ORC[Provenance]": {10: "C10^Enters^Anna"},
    "PRT[Observation-Location]": {5: ""},
    "PRT[RelatedPerson]": {4: "SPO^^HL70063"},
    "ROL[RelatedPerson]": {3: "SPO^^HL70063"},
}

# Texts that a row of a datatype map is about, where its condition does not say enough.
_ABOUT_TEXTS: Final = {
    ("PL[Location]", 46): "Ward^Room^Bed^Hosp^^N^Bldg^Floor^Where^L9^Auth9&1.2.98.9&ISO",
    ("PL[Location]", 47): "Ward^Room^Bed^Hosp^^N^Bldg^Floor^Where^L9^Auth9&1.2.98.9&ISO",
    ("XTN[ContactPoint]", 4): "^^^me@example.org",
    ("XTN[ContactPoint]", 5): "555 12",
}

_FIELD: Final = re.compile(r"([A-Z][A-Z0-9]{2})(?:[-.](\d+))?(?:\.(\d+))?")


class Place(NamedTuple):
    """Where a segment map is used: the segment's path in a message, and what the message row asks for."""

    path: str
    condition: str


class User(NamedTuple):
    """A field in which a datatype stands; ``inside``: as which component of which datatypes."""

    row: Row
    target: Target
    inside: tuple[tuple[str, int], ...]


class Trial(NamedTuple):
    """What a field changes: the leaves that are there because of it, and whether it is lost.

    ``told``: all leaves there are; ``of_segment``: those that are there because of the segment.
    """

    added: Counter[Leaf]
    lost: bool
    told: Counter[Leaf]
    of_segment: Counter[Leaf]

    def outcome(self, target: Target) -> str:
        if any(target.meets(leaf) for leaf in self.added) or self._refers(target) or self._always(target):
            return SAID
        return LOST if self.lost else ELSEWHERE if self.added else QUIET

    def _refers(self, target: Target) -> bool:
        """Whether the field says something of a resource to which the target refers anyhow."""
        mine = any(leaf.kind in target.refers for leaf in self.added)
        return mine and any(target.meets(leaf) for leaf in self.told)

    def _always(self, target: Target) -> bool:
        """Whether the segment says a constant of a resource whatever the field holds."""
        constant = bool(target.text) and "." not in target.path and not self.lost
        return constant and any(target.meets(leaf) for leaf in self.of_segment)


class Form(NamedTuple):
    """A way to write the value of a field: which code, and whether no more than is needed."""

    choice: int = 0
    sparse: bool = False


_PLAIN: Final = Form()
_FORMS: Final = (_PLAIN, Form(sparse=True), Form(1), Form(2), Form(3))


def of_field(row: Row, place: Place) -> Iterator[Trial]:
    """Messages with and without the field (or component) of a segment row; or with the segment as a whole."""
    segment, number, component = at(row)
    if not number:
        yield from _of_segment(row, place, segment)
        return
    several = row.vocabulary or any(demand.options[1:] for demand in demands(row.condition))
    for form in _FORMS if several else _FORMS[:2]:
        fields, asked = _surroundings(row, place, segment, form.choice)
        own = fields.pop(segment)
        value = _value(row, number, component, asked, own, form)
        without: Fields | None = {**own, number: ""} if value else None  # about its absence
        where = f"{number}.{component}" if component else str(number)
        if trial := _tried(place, segment, fields, {**own, number: value}, without, where):
            yield trial


def _of_segment(row: Row, place: Place, segment: str) -> Iterator[Trial]:
    fields, _ = _surroundings(row, place, segment)
    own = fields.pop(segment)
    count = len(definitions.of(VERSION)["segments"].get(segment, ()))
    full = {n: _usual(segment, n) for n in range(1, count + 1)} if segment != "MSH" else {}
    for told in ({**full, **own}, own):
        if trial := _tried(place, segment, fields, told, None, ""):
            yield trial


def of_component(row: Row, user: User, place: Place) -> Iterator[Trial]:
    """A field with all components of its datatype, and without the one of the row (or without any)."""
    segment, number, _ = at(user.row)
    datatype = row.map.partition("[")[0]
    for form in _FORMS[:3]:
        fields, _ = _surroundings(user.row, place, segment)
        own = fields.pop(segment)
        if (segment, number) == ("OBX", 5):
            own[2] = datatype
        text, less, component = _with_and_without(row, user, datatype, form)
        for outer, inner in reversed(user.inside):
            whole = full_text(outer, number, "", "")
            text = _with(whole, inner, text.replace("^", "&"))
            less = less and _with(whole, inner, less.replace("^", "&"))
        where = f"{number}.{component}" if component and not user.inside else str(number)
        without = None if less is None else {**own, number: less}
        if trial := _tried(place, segment, fields, {**own, number: text}, without, where):
            yield trial


def _with_and_without(row: Row, user: User, datatype: str, form: Form) -> tuple[str, str | None, int]:
    """The text of a field, the same without the row's component (None: the row is about its absence)."""
    segment, number, _ = at(user.row)
    known = user.row.vocabulary or row.vocabulary
    text = full_text(datatype, number, _table(segment, number), known, form.sparse)
    component = int(found[1]) if (found := re.search(r"[.-](\d+)$", row.identifier)) else 0
    told = component == 1 and user.row.vocabulary
    if component and not told and (form.choice or not _first(text, component)):
        text = _with(text, component, _of_component(row, component, number, form))
    asked = [
        (int(match[1]), demand)
        for demand in demands(row.condition)
        if (match := re.match(r"[A-Z]{2,3}[.-](\d+)$", demand.place))
    ]
    asked += [(component, Demand("", absent=True)) for _ in range(1) if row.condition == "IF NOT VALUED"]
    for at_component, demand in [*_of_user(user), *asked]:
        text = _met(text, at_component, demand)
    absent = any(demand.absent and at_component == component for at_component, demand in asked)
    text = _ABOUT_TEXTS.get((row.map, row.number), text)
    if absent:
        return text, None, component
    return text, "" if row.assignment or not component else _with(text, component, ""), component


def _of_user(user: User) -> list[tuple[int, Demand]]:
    """What the field's own row asks of the components, where the datatype stands in the field itself."""
    place = re.compile(re.escape(f"{user.row.identifier}.") + r"(\d+)$")
    asked = [] if user.inside else demands(user.row.condition)
    return [(int(match[1]), demand) for demand in asked if (match := place.match(demand.place))]


def _tried(
    place: Place, segment: str, fields: Mapping[str, Fields], own: Fields, without: Fields | None, where: str
) -> Trial | None:
    """What is in FHIR with the segment's own fields and not without; None where that cannot be tried."""
    names, position = names_to(place.path)
    if names[position] != segment:
        return None
    message, label = written(place.path, fields, own)
    told = translated(message)
    if told is None:
        return None
    alone = translated(written(place.path, fields, None)[0]) if segment != "MSH" else None
    bare = alone
    if without is not None:
        bare = translated(written(place.path, fields, without)[0])
    elif where:
        bare = None
    location = f"{label}-{where}"
    lost = bool({location, location.partition(".")[0]} & told[1])
    nothing: Counter[Leaf] = Counter()
    added = told[0] - (bare[0] if bare else nothing)
    return Trial(added, lost, told[0], told[0] - (alone[0] if alone else nothing))


# --- values ------------------------------------------------------------------------------------------------


def at(row: Row) -> tuple[str, int, int]:
    """The segment, field and component of a segment row; 0 for the whole."""
    match = _FIELD.match(row.identifier)
    if not match:
        return row.map.partition("[")[0], 0, 0
    return row.map.partition("[")[0], int(match[2] or 0), int(match[3] or 0)


def _surroundings(
    row: Row, place: Place, segment: str, choice: int = 0
) -> tuple[dict[str, Fields], list[Demand]]:
    """The fields that stand around the one looked at, as the conditions ask for them."""
    asked = [_chosen(demand, choice) for demand in (*demands(place.condition), *demands(row.condition))]
    asked.sort(key=lambda demand: demand.times)
    fields: dict[str, Fields] = {segment: dict(LEAST.get(segment, {}))}
    fields[segment] |= _OF_MAPS.get(row.map, {})
    fields[segment] |= _BESIDE.get(at(row)[:2], {})
    if (row.map, row.number) == ("ORC[ServiceRequest]", 32):
        fields[segment][21] = _usual("ORC", 21)  # a person in an organization is in a role
    if '"SC"' in place.condition:
        fields["OBR"] = {15: "BLD"}  # what was collected
    for number in _COMPANIONS.get(at(row)[:2], ()):
        fields[segment][number] = _usual(segment, number)
    preferred = re.search(r'PRT-23(?:\.1)? IS "(\w)"', row.condition)
    if preferred and at(row)[1] == 23:
        fields[segment][15] = _REACHED[preferred[1]]
    if row.fhir_attribute.startswith("dataAbsentReason"):
        fields[segment][5] = ""
    for demand in asked:
        _meet(fields, demand)
    return fields, asked


def _chosen(demand: Demand, choice: int) -> Demand:
    """A demand for one of several texts."""
    options = demand.options
    return demand._replace(text=options[min(choice, len(options) - 1)]) if options else demand


def _meet(fields: dict[str, Fields], demand: Demand) -> None:
    """Make a field hold what a condition asks for."""
    match = re.match(r"([A-Z][A-Z0-9]{2})-(\d+)(?:\.(\d+))?$", demand.place)
    if not match:
        return
    name, number, component = match[1], int(match[2]), int(match[3] or 0)
    mine = fields.setdefault(name, {})
    standing = mine.get(number, LEAST.get(name, {}).get(number, ""))
    if demand.absent and not component:
        mine[number] = ""
    elif demand.times:
        second = standing.replace("5", "6") if name == "OBX" else ""  # of the same form
        both = standing or _usual(name, number), second or _usual(name, number + 1)
        mine[number] = "~".join(both[: demand.times])
    elif component or demand.text or demand.others:
        mine[number] = _met(standing, component or 1, demand)
    elif not standing:
        mine[number] = _usual(name, number)
    if (name, number) == ("OBX", 2) and demand.text:
        mine[5] = full_text(demand.text, 5, "", "", sparse=True)


def _met(text: str, component: int, demand: Demand) -> str:
    """A field's text that meets a demand on one of its components."""
    if demand.absent:
        return _with(text, component, "")
    if demand.text:
        return _with(text, component, demand.text)
    if demand.others:
        if demand.place == "OBX-5.3":  # a number alone
            return "^".join(text.split("^")[:2])
        return _with(text, component, "ZZ") if _first(text, component) in demand.others else text
    return text if _first(text, component) else _with(text, component, f"V{component}")


def _first(text: str, component: int) -> str:
    parts = text.partition("~")[0].split("^")
    return parts[component - 1] if len(parts) >= component else ""


def _with(text: str, component: int, said: str) -> str:
    parts = text.split("^")
    parts += [""] * (component - len(parts))
    parts[component - 1] = said
    return "^".join(parts).rstrip("^")


def _table(segment: str, number: int) -> str:
    element = definitions.field(segment, number, VERSION)
    return element.table if element else ""


def _of_component(row: Row, component: int, number: int, form: Form) -> str:
    element = definitions.component(row.map.partition("[")[0], component, VERSION)
    datatype = row.v2_datatype if row.v2_datatype.isupper() else element.datatype if element else "ST"
    table = element.table if element else ""
    return text_of(datatype, number, table, row.vocabulary, form.choice).replace("^", "&")


@cache
def _usual(segment: str, number: int) -> str:
    element = definitions.field(segment, number, VERSION)
    return text_of(element.datatype, number, element.table) if element else ""


def _value(row: Row, number: int, component: int, asked: list[Demand], own: Fields, form: Form) -> str:
    """What the field holds, as the conditions ask for it; empty where they ask for its absence."""
    segment = row.map.partition("[")[0]
    element = definitions.field(segment, number, VERSION)
    datatype = row.v2_datatype.partition(" ")[0]
    if (segment, number) == ("OBX", 5):
        datatype = own.get(2) or "ST"
    elif not datatype or datatype == "varies":
        datatype = element.datatype if element else "ST"
    table = element.table if element else ""
    value = text_of(datatype, number, table, row.vocabulary, form.choice, form.sparse)
    value = _SPECIAL.get((segment, number), value)
    if (segment, number) == ("OBX", 5):
        value = full_text(datatype, number, table, row.vocabulary, form.sparse)
    if component:
        said = _first(value, component)
        value = _with(value if said else "", component, said or f"V{component}")
    for demand in asked:
        if not demand.place:
            return ""
        match = re.match(r"(?:([A-Z][A-Z0-9]{2})-(\d+)|[A-Z]{2,3})(?:\.(\d+))?$", demand.place)
        if not match or (match[1] and (match[1], int(match[2])) != (segment, number)):
            continue
        if demand.absent and not match[3]:
            return ""
        if demand.times == 2:
            second = value.replace("5", "6") if segment == "OBX" else ""
            value = f"{value}~{second or text_of(datatype, number + 1, table, row.vocabulary, 1)}"
        elif match[3] or demand.text or demand.others:
            value = _met(value, int(match[3] or 1), demand)
    return value


# --- translations ------------------------------------------------------------------------------------------


@cache
def _translator() -> Translator:
    return Translator.default()


@cache
def translated(message: str) -> tuple[Counter[Leaf], frozenset[str]] | None:
    """The leaves of a message in FHIR and what is lost of it; None where it is refused."""
    try:
        made = _translator().to_fhir(message)
    except ConnectorError:
        return None
    return paths.leaves(made.bundle), frozenset(made.lost)
