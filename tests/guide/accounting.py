"""The fate of every row of the guide: found by translating, else said by a person with a reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from connector.mapping import codes

from .judge import Judge
from .rows import DONE, FATES, NOT_DONE, OTHERWISE, Row
from .tables import TABLES
from .trials import ELSEWHERE, LOST, SAID

_TABLES: Final = Path(codes.__file__).with_name("tables")


class Decision(NamedTuple):
    """A fate that a person gave to rows which are not plainly done. ``*`` at an end stands for anything.

    ``map``: of a message row also the segment map it names; ``fhir_attribute``: as the guide writes it.
    """

    map: str
    identifier: str
    fhir_attribute: str
    fate: str
    why: str

    def fits(self, row: Row) -> bool:
        of_map = _fits(self.map, row.map) or (row.kind == "message" and _fits(self.map, row.datatype_map))
        at, where = _fits(self.identifier, row.identifier), _fits(self.fhir_attribute, row.fhir_attribute)
        return of_map and at and where


def _fits(said: str, of: str) -> bool:
    if said.startswith("*") and said.endswith("*"):
        return said.strip("*") in of
    return of.startswith(said[:-1]) if said.endswith("*") else said == of


def decisions(path: Path = FATES) -> list[Decision]:
    """What was decided about rows, the more special before the more general."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Decision(**cells) for cells in csv.DictReader(file)]


def judged(rows: Iterable[Row], decided: list[Decision]) -> Iterator[tuple[Row, str]]:
    """Every row with its fate, and what the trials found; a row without either has no fate."""
    rows = list(rows)
    judge = Judge(rows)
    for row in rows:
        outcome = judge.outcome(row)
        if outcome == SAID:
            yield row._replace(fate=DONE, why=""), outcome
            continue
        found = next((one for one in decided if one.fits(row)), None) or _of_code(row, outcome)
        yield row._replace(fate=found.fate if found else "", why=found.why if found else ""), outcome


def contradicts(fate: str, outcome: str) -> bool:
    """Whether a fate claims what the trials did not find, or denies what they did."""
    if fate == OTHERWISE:
        return outcome in (SAID, LOST)
    return (fate == DONE) != (outcome == SAID)


def _of_code(row: Row, outcome: str) -> Decision | None:
    """The reason that the code table itself gives for not saying what the guide says."""
    if row.kind != "code":
        return None
    code = row.identifier.split()[0]
    text = (_TABLES / f"{TABLES[row.map]}.codes").read_text(encoding="utf-8")
    notes = re.findall(r"^# not mapped: (.+?): (.+)$", text, re.MULTILINE)
    for named, why in notes if outcome == LOST else ():
        if code in named.split():
            return Decision(row.map, code, "", NOT_DONE, why)
    mine = re.search(rf"^{re.escape(code)}\s+[=>].*?#\s*(.+)$", text, re.MULTILINE)
    heads = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#") and "guide" in line]
    if outcome == ELSEWHERE and (mine or heads):
        return Decision(row.map, code, "", OTHERWISE, mine[1] if mine else heads[0])
    return None
