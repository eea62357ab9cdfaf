"""How much of the standard's fields the maps say, and what only the prior message keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ..hl7v2 import definitions
from .ledger import BY_PLACE, VERSIONS, Line

_CONTROL: Final = ("ADD", "BHS", "BTS", "DSC", "FHS", "FTS")  # of batches and continuations, not of messages


class Counted(NamedTuple):
    """The fields of a segment by what becomes of them.

    ``mapped``: in FHIR; ``by_place``: what only says where the segment stands, or governs the exchange;
    ``kept``: listed as lost, and kept by the prior message alone; a segment that no map has is not
    ``carried``: all its fields are kept so.
    """

    segment: str
    mapped: tuple[int, ...]
    by_place: tuple[int, ...]
    kept: tuple[int, ...]
    carried: bool


def counted(lines: Iterable[Line], segments: Iterable[str] = ()) -> list[Counted]:
    """Every segment of the standard, or those that are named."""
    mapped: dict[str, set[int]] = {}
    by_place: dict[str, set[int]] = {}
    for line in lines:
        number = int(line.place.partition("-")[2].partition(".")[0] or 0)
        found = by_place if line.by == BY_PLACE and not line.element else mapped
        found.setdefault(line.segment, set()).add(number)
    names = sorted(segments) or sorted({*standard(), *mapped})
    return [_counted(name, mapped, by_place) for name in names]


def _counted(name: str, mapped: Mapping[str, set[int]], by_place: Mapping[str, set[int]]) -> Counted:
    said = mapped.get(name, set()) - {0}
    placed = by_place.get(name, set()) - said
    kept = {number for number in fields(name) if number not in said | placed}
    carried = name in mapped or name in by_place
    return Counted(name, tuple(sorted(said)), tuple(sorted(placed)), tuple(sorted(kept)), carried)


def standard() -> frozenset[str]:
    """The segments that the standard has in any of the versions looked at."""
    known = {name for version in VERSIONS for name in definitions.of(version)["segments"]}
    return frozenset(name for name in known if name not in _CONTROL and not name.startswith("Z"))


def fields(segment: str) -> list[int]:
    """The numbers of a segment's fields, in any of the versions looked at."""
    most = max(len(definitions.of(version)["segments"].get(segment, ())) for version in VERSIONS)
    return [
        number
        for number in range(1, most + 1)
        if any(definitions.field(segment, number, version) for version in VERSIONS)
    ]


def table(found: Iterable[Counted]) -> str:
    """The counts as markdown."""
    rows = [
        "| Segment | Fields | Mapped | By place | Kept only by the prior message |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for one in found:
        total = len(one.mapped) + len(one.by_place) + len(one.kept)
        kept = ranges(one.kept) if one.carried else "all: no map has the segment"
        rows.append(f"| {one.segment} | {total} | {len(one.mapped)} | {len(one.by_place)} | {kept} |")
    return "\n".join(rows) + "\n"


def ranges(numbers: Iterable[int]) -> str:
    """``1-3, 7``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("-".join(map(str, one)) for one in found)
