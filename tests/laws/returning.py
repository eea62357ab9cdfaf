"""How much of a message comes back from FHIR without the prior message: ``python -m tests.laws.returning``.

A leaf has come back where the segment that says the most of its own says the same at the same field,
component and sub-component, or where the standard has moved it to. The same means: the same text, the same
moment, the same number, or another name of the same coding system. Counted are the fields for which the
implementation guide has a row, but for those of MSH that are about the exchange of one message.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from connector.errors import ConnectorError
from connector.hl7v2.tree import Message
from connector.mapping import Translator, systems
from tests.laws import corpus, oracles
from tests.laws.lost_leaves import STRUCTURAL

ROWS = Path(__file__).parents[2] / "compliance" / "ig-rows.csv"
EXCHANGE = frozenset({12, 13, 15, 16, 18, 21})
"""Fields of MSH that are about the exchange of this one message: who writes a new one decides them."""

# Where the standard says the same twice, or has moved it: withdrawn numbers and aliases to PID-3 and PID-5
# (HL7 v2.7 ch. 3.4.2), a telephone by its use, the timing of an order to TQ1 (v2.5 ch. 4.5.4), numbers and
# persons of ORC and OBR.
_MOVED = {
    "PID-2": "PID-3", "PID-4": "PID-3", "PID-9": "PID-5", "PID-13": "PID-14", "PID-14": "PID-13",
    "ORC-2": "OBR-2", "ORC-3": "OBR-3", "ORC-12": "OBR-16", "OBR-2": "ORC-2", "OBR-3": "ORC-3",
    "OBR-16": "ORC-12", "ORC-7.1": "TQ1-2", "ORC-7.2": "TQ1-3", "ORC-7.3": "TQ1-6", "ORC-7.4": "TQ1-7",
    "ORC-7.5": "TQ1-8", "ORC-7.6": "TQ1-9", "OBR-27.1": "TQ1-2", "OBR-27.2": "TQ1-3", "OBR-27.3": "TQ1-6",
    "OBR-27.4": "TQ1-7", "OBR-27.5": "TQ1-8", "OBR-27.6": "TQ1-9",
}  # fmt: skip
_RENAMED = {"TS": "DTM", "CE": "CWE"}
_MOMENT = re.compile(r"(\d{4,14})(?:\.\d+)?(?:[+-]\d{4})?\Z")
_Place = tuple[int, int, int]


@cache
def guide() -> frozenset[str]:
    """The fields for which the guide has a row: ``PID-3``."""
    with ROWS.open(encoding="utf-8", newline="") as lines:
        named = [row["identifier"] for row in csv.DictReader(lines) if row["kind"] == "segment"]
    found = (re.match(r"([A-Z][A-Z0-9]{2})-(\d+)", name) for name in named)
    return frozenset(f"{match[1]}-{int(match[2])}" for match in found if match)


def share(texts: Iterable[str], translator: Translator) -> tuple[int, int]:
    """(leaves of the guide's fields, those of them that come back) of messages that translate."""
    there = back = 0
    for text in texts:
        try:
            message = Message.parse(text)
            again = Message.parse(translator.to_v2(translator.to_fhir(message).bundle).message)
        except ConnectorError:
            continue
        for _, returned in compared(message, again):
            there, back = there + 1, back + returned
    return there, back


def compared(message: Message, again: Message) -> Iterator[tuple[oracles.Leaf, bool]]:
    """Every leaf of the guide's fields, and whether it came back."""
    told, others = _by_segment(message), _by_segment(again)
    moved = _everywhere(again)
    free = list(others)
    for at, leaves in told.items():
        name = message.segments[at].name
        rivals = [n for n in free if again.segments[n].name == name]
        best = max(rivals, key=lambda n: _common(message, leaves, again, others[n]), default=None)
        if best is not None:
            free.remove(best)
        said = _said(again, others[best] if best is not None else [])
        for leaf in leaves:
            place = f"{name}-{leaf.field}"
            if place not in guide() or place in STRUCTURAL or (name == "MSH" and leaf.field in EXCHANGE):
                continue
            mine = message.delimiters.unescape(leaf.text)
            texts = said[leaf.field, leaf.component, leaf.sub] + _elsewhere(place, leaf, moved)
            yield leaf, any(_same(mine, text) for text in texts)


def _everywhere(message: Message) -> dict[tuple[str, int, int], list[str]]:
    """What a message says at each field, component and sub-component, in whatever segment of that name."""
    found: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for leaf in oracles.leaves(message):
        place = f"{message.segments[leaf.at].name}-{leaf.field}"
        found[place, leaf.component, leaf.sub].append(message.delimiters.unescape(leaf.text))
    return found


def _elsewhere(place: str, leaf: oracles.Leaf, moved: dict[tuple[str, int, int], list[str]]) -> list[str]:
    if (part := f"{place}.{leaf.component}") in _MOVED:
        return moved[_MOVED[part], leaf.sub, 1]
    return moved[_MOVED[place], leaf.component, leaf.sub] if place in _MOVED else []


def _by_segment(message: Message) -> dict[int, list[oracles.Leaf]]:
    found: dict[int, list[oracles.Leaf]] = defaultdict(list)
    for leaf in oracles.leaves(message):
        found[leaf.at].append(leaf)
    return found


def _said(message: Message, leaves: list[oracles.Leaf]) -> dict[_Place, list[str]]:
    found: dict[_Place, list[str]] = defaultdict(list)
    for leaf in leaves:
        found[leaf.field, leaf.component, leaf.sub].append(message.delimiters.unescape(leaf.text))
    return found


def _common(message: Message, leaves: list[oracles.Leaf], again: Message, others: list[oracles.Leaf]) -> int:
    said, unescape = _said(again, others), message.delimiters.unescape
    return sum(unescape(leaf.text) in said[leaf.field, leaf.component, leaf.sub] for leaf in leaves)


def _same(one: str, other: str) -> bool:
    if one.strip() == other.strip() or _RENAMED.get(one) == other:
        return True
    moments = _MOMENT.match(one), _MOMENT.match(other)
    if all(moments):
        return moments[0][1].rstrip("0") == moments[1][1].rstrip("0")  # type: ignore[index]
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        known = systems.to_uri(one)
        return known is not None and known == systems.to_uri(other)


def main() -> None:
    """Print the share by message type."""
    translator = Translator.default()
    total = [0, 0]
    for code in filter(None, corpus.codes()):
        there, back = share((text for _, text in corpus.messages(code)), translator)
        total = [total[0] + there, total[1] + back]
        if there:
            print(f"{code}  {back:6,} of {there:6,} leaves come back: {back / there:.1%}")
    print(f"all  {total[1]:6,} of {total[0]:6,} leaves come back: {total[1] / max(total[0], 1):.1%}")


if __name__ == "__main__":
    main()
