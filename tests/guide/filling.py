"""What the fields of a message hold, so that a row of the guide can be tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from connector.hl7v2 import definitions

from .conditions import Demand, demands
from .messages import LEAST, Fields
from .rows import Row
from .values import VERSION, full_text, text_of

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
ABOUT_TEXTS: Final = {
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


class Form(NamedTuple):
    """A way to write the value of a field: which code, and whether no more than is needed."""

    choice: int = 0
    sparse: bool = False


def at(row: Row) -> tuple[str, int, int]:
    """The segment, field and component of a segment row; 0 for the whole."""
    match = _FIELD.match(row.identifier)
    if not match:
        return row.map.partition("[")[0], 0, 0
    return row.map.partition("[")[0], int(match[2] or 0), int(match[3] or 0)


def surroundings(
    row: Row, place: Place, segment: str, choice: int = 0
) -> tuple[dict[str, Fields], list[Demand]]:
    """The fields that stand around the one looked at, as the conditions ask for them."""
    asked = [_chosen(demand, choice) for demand in (*demands(place.condition), *demands(row.condition))]
    asked.sort(key=lambda demand: demand.times)
    fields: dict[str, Fields] = {segment: dict(LEAST.get(segment, {}))}
    fields[segment] |= _OF_MAPS.get(row.map, {})
    fields[segment] |= _BESIDE.get(at(row)[:2], {})
    if (row.map, row.number) == ("ORC[ServiceRequest]", 32):
        fields[segment][21] = usual("ORC", 21)  # a person in an organization is in a role
    if '"SC"' in place.condition:
        fields["OBR"] = {15: "BLD"}  # what was collected
    for number in _COMPANIONS.get(at(row)[:2], ()):
        fields[segment][number] = usual(segment, number)
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
        both = standing or usual(name, number), second or usual(name, number + 1)
        mine[number] = "~".join(both[: demand.times])
    elif component or demand.text or demand.others:
        mine[number] = met(standing, component or 1, demand)
    elif not standing:
        mine[number] = usual(name, number)
    if (name, number) == ("OBX", 2) and demand.text:
        mine[5] = full_text(demand.text, 5, "", "", sparse=True)


def met(text: str, component: int, demand: Demand) -> str:
    """A field's text that meets a demand on one of its components."""
    if demand.absent:
        return with_component(text, component, "")
    if demand.text:
        return with_component(text, component, demand.text)
    if demand.others:
        if demand.place == "OBX-5.3":  # a number alone
            return "^".join(text.split("^")[:2])
        return with_component(text, component, "ZZ") if first(text, component) in demand.others else text
    return text if first(text, component) else with_component(text, component, f"V{component}")


def first(text: str, component: int) -> str:
    parts = text.partition("~")[0].split("^")
    return parts[component - 1] if len(parts) >= component else ""


def with_component(text: str, component: int, said: str) -> str:
    parts = text.split("^")
    parts += [""] * (component - len(parts))
    parts[component - 1] = said
    return "^".join(parts).rstrip("^")


def table_of(segment: str, number: int) -> str:
    element = definitions.field(segment, number, VERSION)
    return element.table if element else ""


def component_text(row: Row, component: int, number: int, form: Form) -> str:
    element = definitions.component(row.map.partition("[")[0], component, VERSION)
    datatype = row.v2_datatype if row.v2_datatype.isupper() else element.datatype if element else "ST"
    table = element.table if element else ""
    return text_of(datatype, number, table, row.vocabulary, form.choice).replace("^", "&")


@cache
def usual(segment: str, number: int) -> str:
    element = definitions.field(segment, number, VERSION)
    return text_of(element.datatype, number, element.table) if element else ""


def value_of(row: Row, number: int, component: int, asked: list[Demand], own: Fields, form: Form) -> str:
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
        said = first(value, component)
        value = with_component(value if said else "", component, said or f"V{component}")
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
            value = met(value, int(match[3] or 1), demand)
    return value
