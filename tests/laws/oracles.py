"""What the laws are judged by; nothing here knows the maps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from connector.hl7v2.tree import Message

Json = dict[str, Any]

FRESH = "Zq7"


# --- resources -------------------------------------------------------------------------------------------


def resources(bundle: Json) -> dict[str, Json]:
    """The resources of a bundle by reference, and what the bundle itself says of the message."""
    found = {
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}": entry["resource"]
        for entry in bundle["entry"]
    }
    head = {name: value for name, value in bundle.items() if name not in ("entry", "resourceType", "type")}
    return {**found, "Bundle": head}


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two values differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from differences(one.get(name), other.get(name), f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, pair in enumerate(zip(one, other)):
            yield from differences(*pair, f"{path}[{at}]")
    elif type(one) is not type(other) or str(one) != str(other):
        yield f"{path}: {one!r} != {other!r}"


def apart_from_ids(bundle: Json) -> list[str]:
    """The content of the resources, whatever they are called, in an order of their own."""
    return sorted(
        json.dumps(nameless(resource), sort_keys=True, default=str)
        for resource in resources(bundle).values()
        if resource.get("resourceType") not in ("MessageHeader",)
    )


def nameless(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict):
        if "reference" in value:
            return str(value["reference"]).partition("/")[0]
        return {name: nameless(inner, 1) for name, inner in value.items() if depth or name != "id"}
    if isinstance(value, list):
        inside = [nameless(inner, 1) for inner in value]
        return sorted(inside, key=_text) if any(isinstance(one, (dict, str)) for one in inside) else inside
    return f"{value}" if isinstance(value, Decimal) else value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def empties(value: Any, path: str = "") -> Iterator[str]:
    """The paths of empty elements, which FHIR does not allow."""
    if value in ("", None) or value == {} or value == []:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from empties(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from empties(inner, f"{path}[{at}]")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def scalars(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every primitive of a value with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from scalars(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from scalars(inner, (*path, at))
    else:
        yield path, value


# --- leaves of a message -----------------------------------------------------------------------------------


class Leaf(NamedTuple):
    """One populated sub-component; ``at``: segment position; counted from 1 but for ``at``."""

    at: int
    label: str
    field: int
    repetition: int
    component: int
    sub: int
    text: str

    @property
    def location(self) -> str:
        return f"{self.label}-{self.field}({self.repetition}).{self.component}.{self.sub}"


def leaves(message: Message) -> Iterator[Leaf]:
    """Every populated leaf but MSH-1 and MSH-2."""
    d = message.delimiters
    counts: dict[str, int] = {}
    for at, segment in enumerate(message.segments):
        if not segment.name:
            continue
        count = counts[segment.name] = counts.get(segment.name, 0) + 1
        label = segment.name if count == 1 else f"{segment.name}[{count}]"
        for number, field in enumerate(segment.texts):
            if not number or (segment.name == "MSH" and number < 3) or not field:
                continue
            for rep, repetition in enumerate(field.split(d.repetition), 1):
                for comp, component in enumerate(repetition.split(d.component), 1):
                    for sub, text in enumerate(component.split(d.subcomponent), 1):
                        if text and text != '""':
                            yield Leaf(at, label, number, rep, comp, sub, text)


def mutated(message: Message, leaf: Leaf, fresh: str) -> Message:
    """The message with another text in one leaf."""
    d, changed = message.delimiters, message.copy()
    segment = changed.segments[leaf.at]
    reps = segment.texts[leaf.field].split(d.repetition)
    comps = reps[leaf.repetition - 1].split(d.component)
    subs = comps[leaf.component - 1].split(d.subcomponent)
    subs[leaf.sub - 1] = fresh
    comps[leaf.component - 1] = d.subcomponent.join(subs)
    reps[leaf.repetition - 1] = d.component.join(comps)
    segment.texts[leaf.field] = d.repetition.join(reps)
    return Message.parse(str(changed))


def others(text: str) -> list[str]:
    """Other texts to stand in a leaf's place: one that means nothing, and one of the same shape.

    Not for short words: they may be codes, of which several mean the same in FHIR.
    """
    return [FRESH, *([_like(text)] if len(text) > 4 or any(map(str.isdigit, text)) else [])]


def _like(text: str) -> str:
    """Another text of the same shape: digits for digits, letters for letters."""
    turned = "".join(
        str((int(c) + 1) % 10)
        if c.isdecimal() and c.isascii()
        else chr(ord(c) + 1)
        if c in "ABCDEFGabcdefg"
        else c
        for c in text
    )
    return turned if turned != text else FRESH


_LOCATION = re.compile(r"([A-Z0-9]{3}(?:\[\d+\])?)-(\d+)(?:\((\d+)\))?(?:\.(\d+))?(?:\.(\d+))?\Z")


def covers(lost: list[str], leaf: Leaf) -> bool:
    """Whether one of the lost locations is the leaf, or something that holds it."""
    return any(_holds(entry, leaf) for entry in lost)


def _holds(entry: str, leaf: Leaf) -> bool:
    found = _LOCATION.match(entry)
    if not found:
        return False
    label, number, rep, comp, sub = found.groups()
    if (label, int(number)) != (leaf.label, leaf.field):
        return False
    if comp is None:
        return rep is None or int(rep) == leaf.repetition
    return (
        int(rep or 1) == leaf.repetition and int(comp) == leaf.component and int(sub or leaf.sub) == leaf.sub
    )


def changed_fields(before: Message, after: Message) -> set[tuple[int, int]]:
    """(segment position, field) of what differs between messages of the same segments."""
    return {
        (at, number)
        for at, (one, other) in enumerate(zip(before.segments, after.segments))
        for number in range(max(len(one.texts), len(other.texts)))
        if one.field(number) != other.field(number)
    }
