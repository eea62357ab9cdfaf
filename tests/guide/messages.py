"""The smallest messages in which a segment stands where the guide's message tables have it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from connector.hl7v2 import structure
from connector.hl7v2.structure import Part

from .values import VERSION

Fields = dict[int, str]

# What each segment says at the least: enough to be somebody, or something.
LEAST: Final[Mapping[str, Fields]] = {
    "AIG": {1: "1", 2: "A", 3: "G1^Gear^L", 8: "20240315100000+0000", 10: "min", 12: "min"},
    "AIL": {1: "1", 2: "A", 3: "Ail^1^A", 6: "20240315100000+0000", 8: "min", 10: "min"},
    "AIP": {1: "1", 2: "A", 3: "P9^Aip^Person", 6: "20240315100000+0000", 8: "min", 10: "min"},
    "AIS": {1: "1", 2: "A", 3: "S1^Service^L", 4: "20240315100000+0000", 6: "min", 8: "min"},
    "AL1": {1: "1", 3: "A1^Pollen^L"},
    "DG1": {1: "1", 3: "D1^Illness^L", 6: "W"},
    "EVN": {2: "20240315101112+0000"},
    "FT1": {1: "1", 4: "20240315", 6: "CG", 7: "T1^Thing^L"},
    "IAM": {1: "1", 3: "I1^Dust^L", 6: "A"},
    "IN1": {1: "1", 2: "PLAN1", 3: "C1^^^CO", 4: "Company", 36: "POL1"},
    "IN3": {1: "1", 2: "CERT1"},
    "MRG": {1: "OLD1^^^BASE&1.2.3&ISO^MR"},
    "MSA": {1: "AA", 2: "C0"},
    "NK1": {1: "1", 2: "Kin^Next", 3: "SPO"},
    "NTE": {1: "1", 3: "A note"},
    "OBR": {1: "1", 2: "PL1^PL", 3: "FI1^FI", 4: "B1^Panel^L"},
    "OBX": {1: "1", 2: "ST", 3: "O1^Thing^L", 5: "word", 11: "F"},
    "ORC": {1: "NW", 2: "PL1^PL", 3: "FI1^FI"},
    "PID": {3: "B1^^^BASE&1.2.3&ISO^MR", 5: "Base^Person"},
    "PR1": {1: "1", 3: "P1^Repair^L", 5: "20240101"},
    "PRT": {1: "PT1", 2: "AD", 4: "AT^^HL70912", 5: "R5^Prt^Person"},
    "PV1": {2: "I", 19: "V1^^^VIS&1.2.4&ISO^VN"},
    "RGS": {1: "1", 2: "A"},
    "ROL": {1: "RO1", 2: "AD", 3: "AT^^HL70443", 4: "R4^Rol^Person"},
    "RXA": {1: "0", 2: "1", 3: "20240315", 5: "08^HepB^CVX", 6: "1", 20: "CP"},
    "RXE": {2: "M1^Medicine^L", 3: "1", 5: "TAB"},
    "RXO": {1: "M1^Medicine^L"},
    "RXR": {1: "IM"},
    "SCH": {1: "SP1^PL", 2: "SF1^FI", 25: "Booked", 10: "min", 11: "^^^20240315100000^20240315110000"},
    "SFT": {1: "Vendor", 2: "1.0", 3: "Product", 4: "7"},
    "SPM": {1: "1", 4: "BLD"},
    "TQ1": {1: "1"},
    "TXA": {1: "1", 2: "CN", 12: "DOC1"},
}  # fmt: skip

# Segments that stand in a message wherever its structure has a place for them, before the one looked at.
_AROUND: Final = ("MSH", "EVN", "PID", "PV1", "ORC", "OBR", "RXO", "RXA", "SCH", "RGS", "TXA")
_LEADING: Final = frozenset({"PID", "PV1", "ORC", "OBR"})

# What a message of each kind is about: it follows where it did not come before.
_ABOUT: Final = {
    "ADT": "EVN PID PV1", "MDM": "EVN PID PV1 TXA", "OML": "PID ORC OBR", "OMG": "PID ORC OBR",
    "OMP": "PID ORC RXO", "ORM": "PID ORC OBR", "ORU": "PID OBR", "RAS": "PID ORC RXA", "RDE": "PID ORC RXE",
    "REF": "PID", "SIU": "SCH PID RGS", "VXU": "PID ORC RXA",
}  # fmt: skip
_INSTEAD: Final = {"OBR": {"RXO", "ODS"}}
_FOLLOWS: Final = re.compile(r"^(\w+):follow:(\w+)\.(\w+)$")


@cache
def names_to(path: str) -> tuple[tuple[str, ...], int]:
    """The segments of a message up to the one at ``ORU_R01.PATIENT_RESULT.PATIENT.PID``, and its position."""
    if follows := _FOLLOWS.match(path):
        names, at = names_to(f"{follows[1]}.{follows[2]}")
        return (*names[: at + 1], follows[3], *names[at + 1 :]), at + 1
    name, *groups, segment = path.split(".")
    code, _, event = name.partition("_")
    found = structure.of(VERSION, code, event)
    walked = list(_walk(found.root, groups, segment)) if found else ["MSH"]
    if walked[-1:] != [segment]:
        walked.append(segment)
    if groups[-1:] == ["ORDER_DETAIL"] or "ORDER_DETAIL.OBSERVATION" in path:
        walked.insert(-1, "OBR")
    at = len(walked) - 1
    walked += [one for one in _ABOUT.get(code, "").split() if not {one, *_INSTEAD.get(one, ())} & {*walked}]
    return tuple(walked), at


def _walk(part: Part, groups: list[str], segment: str) -> Iterator[str]:
    """The segments of a group up to the one looked at, which is the last."""
    for one in part.parts:
        if not one.parts:
            if one.name == segment and not groups:
                yield segment
                return
            if part.choice:
                continue
            if (one.required and one.name in LEAST) or one.name in _AROUND:
                yield one.name
        elif groups and one.name == groups[0]:
            yield from _walk(one, groups[1:], segment)
            return
        elif _LEADING & one.holds and not (groups and _later(part, one, groups[0])):
            yield from _whole(one)


def _whole(part: Part) -> Iterator[str]:
    for one in part.parts:
        if one.parts:
            if _LEADING & one.holds:
                yield from _whole(one)
        elif one.name in _AROUND:
            yield one.name


def _later(part: Part, one: Part, name: str) -> bool:
    names = [each.name for each in part.parts]
    return name in names and names.index(name) < names.index(one.name)


def written(path: str, changed: Mapping[str, Fields], segment: Fields | None) -> tuple[str, str]:
    """A message with the segment at a path, and that segment's label; None: without it.

    ``changed``: fields of the others that the condition asks for, by segment.
    """
    names, at = names_to(path)
    label_number = names[: at + 1].count(names[at])
    label = names[at] if label_number == 1 else f"{names[at]}[{label_number}]"
    lines = [header(path, segment if names[at] == "MSH" else changed.get("MSH", {}))]
    for n, name in enumerate(names):
        if name == "MSH" or (n == at and segment is None):
            continue
        fields = (
            segment if n == at and segment is not None else {**LEAST.get(name, {}), **changed.get(name, {})}
        )
        lines.append(line(name, fields))
    return "\r".join(lines) + "\r", label


def line(name: str, fields: Mapping[int, str]) -> str:
    texts = [fields.get(n, "") for n in range(1, max(fields, default=0) + 1)]
    return "|".join([name, *texts]).rstrip("|") or name


def header(path: str, fields: Fields | None) -> str:
    """MSH of a message of a structure, with some of its fields."""
    code, _, event = re.split(r"[.:]", path)[0].partition("_")
    usual: Fields = {
        2: "App", 3: "Fac", 4: "ToApp", 5: "ToFac", 6: "20240315101112+0000", 8: f"{code}^{event}", 9: "C1",
        10: "P", 11: VERSION,
    }  # fmt: skip
    named = {n - 1: text for n, text in (fields or {}).items()}  # MSH-1 is the delimiter itself
    return line("MSH|^~\\&", {n - 1: text for n, text in {**usual, **named}.items()})
