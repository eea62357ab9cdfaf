"""How much of a message comes back from FHIR without the prior message: ``python -m tests.laws.returning``.

A leaf has come back where the segment that says the most of its own says the same at the same field,
component and sub-component. The same means: the same text, the same moment, the same number, or another
name of the same coding system.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from connector.errors import ConnectorError
from connector.hl7v2.tree import Message
from connector.mapping import Translator, systems
from tests.laws import corpus, oracles
from tests.laws.lost_leaves import STRUCTURAL

GUIDE = frozenset((
    "AIG", "AIL", "AIP", "AIS", "AL1", "DG1", "EVN", "IAM", "IN1", "IN3", "MRG", "MSA", "MSH", "NK1", "NTE",
    "OBR", "OBX", "ORC", "PD1", "PID", "PR1", "PRT", "PV1", "PV2", "ROL", "RXA", "RXO", "RXR", "SCH", "SFT",
    "SPM", "TQ1", "TXA",
))  # fmt: skip
"""The segments that the implementation guide maps."""

EXCHANGE = frozenset({12, 13, 15, 16, 18, 21})
"""Fields of MSH that are about the exchange of this one message: who writes a new one decides them."""

_MOMENT = re.compile(r"(\d{4,14})(?:\.\d+)?(?:[+-]\d{4})?\Z")
_Place = tuple[int, int, int]


def share(texts: Iterable[str], translator: Translator) -> tuple[int, int]:
    """(leaves of the guide's segments, those of them that come back) of messages that translate."""
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
    """Every leaf of the guide's segments, and whether it came back."""
    told, others = _by_segment(message), _by_segment(again)
    free = list(others)
    for at, leaves in told.items():
        name = message.segments[at].name
        if name not in GUIDE:
            continue
        rivals = [n for n in free if again.segments[n].name == name]
        best = max(rivals, key=lambda n: _common(message, leaves, again, others[n]), default=None)
        if best is not None:
            free.remove(best)
        said = _said(again, others[best] if best is not None else [])
        for leaf in leaves:
            place = f"{name}-{leaf.field}"
            if place in STRUCTURAL or (name == "MSH" and leaf.field in EXCHANGE):
                continue
            texts = said[leaf.field, leaf.component, leaf.sub]
            mine = message.delimiters.unescape(leaf.text)
            yield leaf, any(_same(mine, text) for text in texts)


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
    if one == other or one.strip() == other.strip():
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
