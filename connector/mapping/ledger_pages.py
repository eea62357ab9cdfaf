"""The ledger for people and programs: markdown, CSV, and FHIR ConceptMaps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from .ledger import BY_PLACE, Arrow, Line, field_of, named
from .ledger_coverage import ranges
from .partner import V2

Json = dict[str, Any]

_COLUMNS: Final = ("place", "name", "datatype", "element", "by", "back", "messages", "change")
_MARKS: Final = {"added": "**added** ", "dropped": "~~dropped~~ "}

# R4 has no word for what goes one way only; a comment says so.
_EQUIVALENCE: Final = {"=": "equivalent", ">": "wider", "<": "narrower"}
_ONE_WAY: Final = {"=": "", ">": "to FHIR only", "<": "to v2 only"}


def segments_of(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines by segment."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.segment, []).append(line)
    return found


# --- markdown ----------------------------------------------------------------------------------------------


def markdown(segment: str, lines: Sequence[Line]) -> str:
    """One segment: for each field, what it becomes, its parts, and what the way back goes by."""
    rows = ["| Field | Name | Type | In FHIR | Parts | The way back | Messages |", "| --- " * 7 + "|"]
    for told in _fields(lines):
        first = told[0]
        name, datatype = named(first.place)
        cells = (
            _MARKS.get(first.change, "") + field_of(first.place), name, datatype, first.home or BY_PLACE,
            _inside(told), first.back, ", ".join(first.messages),
        )  # fmt: skip
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return f"# {segment}\n\n" + "\n".join(rows) + "\n"


def _fields(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of one row of the maps each."""
    found: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        key = (field_of(line.place), line.home, line.back, line.messages, line.change)
        found.setdefault(key, []).append(line)
    return iter(found.values())


def _inside(lines: Sequence[Line]) -> str:
    """``1 family; 2, 3 given; 7 use (table HL70200)``."""
    places: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.by != BY_PLACE:
            element = line.element.removeprefix(line.home).lstrip(".")
            places.setdefault((element, line.by), []).append(line.place.partition(".")[2])
    elements: dict[tuple[str, str], list[str]] = {}
    for (element, by), found in places.items():
        elements.setdefault((_span(found), by), []).append(element)
    told = []
    for (where, by), found in elements.items():
        what = ", ".join(element for element in found if element)
        told.append(" ".join(word for word in (where, what, f"({by})" if by != "text" else "") if word))
    return "; ".join(word for word in told if word)


def _span(places: Iterable[str]) -> str:
    """``1-3, 5.2``."""
    found = [place for place in dict.fromkeys(places) if place]
    whole = ranges(sorted(int(place) for place in found if place.isdigit()))
    return ", ".join(word for word in (whole, *(place for place in found if "." in place)) if word)


def table_markdown(name: str, lines: Iterable[Arrow]) -> str:
    """One code table, with its arrows."""
    rows = ["| v2 | | FHIR | System | Display |", "| --- | --- | --- | --- | --- |"]
    for one in lines:
        cells = (_MARKS.get(one.change, "") + one.v2, f"`{one.arrow}`", one.code, one.system, one.display)
        rows.append("| " + " | ".join(cells) + " |")
    return f"# {name}\n\n" + "\n".join(rows) + "\n"


# --- CSV ---------------------------------------------------------------------------------------------------


def as_csv(lines: Iterable[Line]) -> str:
    """One line of the ledger a record."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        what = line.element or line.by
        by = line.by if line.element else ""
        writer.writerow(
            (line.place, *named(line.place), what, by, line.back, " ".join(line.messages), line.change)
        )
    return out.getvalue()


# --- ConceptMaps -------------------------------------------------------------------------------------------


def concept_map(segment: str, lines: Iterable[Line]) -> Json:
    """A segment as a ConceptMap: from its places to elements."""
    elements: dict[str, list[Json]] = {}
    for line in lines:
        if not line.element or line.change == "dropped":
            continue
        said = [line.by, line.back, f"in {', '.join(line.messages)}" if line.messages else "", line.change]
        target = {"code": line.element, "equivalence": "equivalent"}
        comment = "; ".join(word for word in said if word)
        elements.setdefault(line.place, []).append(target | ({"comment": comment} if comment else {}))
    group = [
        {"code": place, "display": named(place)[0] or place, "target": targets}
        for place, targets in elements.items()
    ]
    title = f"HL7 v2 segment {segment} to FHIR R4"
    return _concept_map(f"segment-{segment.lower()}", f"Segment{segment}", title, [{"element": group}])


def table_concept_map(name: str, lines: Iterable[Arrow]) -> Json:
    """A code table as a ConceptMap; what goes one way only has a comment."""
    groups: dict[str, dict[str, list[Json]]] = {}
    for one in lines:
        if one.change == "dropped":
            continue
        target: Json = {"code": one.code, "equivalence": _EQUIVALENCE[one.arrow]}
        target |= {"display": one.display} if one.display else {}
        target |= {"comment": _ONE_WAY[one.arrow]} if _ONE_WAY[one.arrow] else {}
        groups.setdefault(one.system, {}).setdefault(one.v2, []).append(target)
    number = name[3:7]
    told = [
        {
            "source": V2 + number,
            "target": system,
            "element": [{"code": v2, "target": targets} for v2, targets in codes.items()],
        }
        for system, codes in groups.items()
    ]
    plain = name.replace("-", "")
    return _concept_map(f"table-{name.lower()}", f"Table{plain}", f"HL7 table {name[3:]}", told)


def _concept_map(id: str, name: str, title: str, groups: list[Json]) -> Json:
    kept = [group for group in groups if group["element"]]
    resource: Json = {
        "resourceType": "ConceptMap",
        "id": id,
        "name": name,
        "title": title,
        "status": "active",
    }
    return resource | ({"group": kept} if kept else {})
