"""The guide's conditions, as far as a machine can meet them: what other fields must hold.

They are a spreadsheet dialect (``IF X VALUED AND Y NOT EQUALS "A"``). A condition that only a person can
judge asks for nothing here; of alternatives, the first is met.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

_PLACE: Final = r"[A-Z][A-Z0-9]{1,2}[-.]\d+(?:\.\d+)*"
_QUOTED: Final = re.compile(r"[\"']([^\"']*)[\"']")
_CLAUSE: Final = re.compile(rf"^(?:IF\s+)?\(*\s*({_PLACE})\s*(.*)$", re.IGNORECASE)


class Demand(NamedTuple):
    """What a place must hold: ``text`` (one of ``options``), nothing (``absent``), so many ``times``, or not
    ``others``. An empty place is the row's own field."""

    place: str
    text: str = ""
    absent: bool = False
    times: int = 0
    others: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@cache
def demands(condition: str) -> tuple[Demand, ...]:
    """What a condition asks of the fields around, one demand a clause."""
    clauses = _clauses(condition)
    found: list[Demand] = []
    rest = ""
    for clause in reversed(clauses):  # "X AND Y VALUED": the last predicate is meant for both
        matched = _CLAUSE.match(clause)
        if not matched:
            if re.match(r"IF (IS )?NOT VALUED", clause, re.IGNORECASE):
                found.insert(0, Demand("", absent=True))
            continue
        rest = matched[2].strip(" ()") or rest
        found.insert(0, _demand(matched[1], rest))
    return tuple(found)


def _clauses(condition: str) -> list[str]:
    if condition.startswith("("):
        condition = condition if re.match(rf"\(+{_PLACE}", condition) else ""
    first = re.sub(r"VALUED (?=[A-Z]{3}\.)", "VALUED AND ", re.sub(r"\s+", " ", condition))
    first = re.sub(r"\(\"?(QST)", r"(\1", first)
    clauses = re.split(r"\s+AND\s+(?:IF\s+)?", first, flags=re.IGNORECASE)
    return [_first_alternative(clause) for clause in clauses]


def _first_alternative(clause: str) -> str:
    one, *others = re.split(r"\s+OR\s+(?:IF\s+)?", clause, flags=re.IGNORECASE)
    matched = _CLAUSE.match(one)
    if matched and not matched[2].strip() and others:  # "X OR Y VALUED"
        last = _CLAUSE.match(others[-1])
        return f"{matched[1]} {last[2] if last else ''}"
    return one


def _demand(place: str, said: str) -> Demand:
    place = place.upper().replace("ORC.", "ORC-")  # a slip of the guide
    upper = said.upper()
    quoted = tuple(_QUOTED.findall(said))
    negative = " NOT " in f" {upper} " or "NOT EQUAL" in upper
    if "COUNT" in upper:
        return Demand(place, times=2 if "GREATER" in upper or ">" in upper else 1)
    if quoted:
        return Demand(place, others=quoted) if negative else Demand(place, quoted[0], options=quoted)
    unvalued = negative and "VALUED" in upper and "IS VALUED" not in upper
    return Demand(place, absent=unvalued or "EMPTY" in upper or "NOT EXIST" in upper)
