"""``--explain``: for each element of a translation, the place it comes from and the row that says so."""

from __future__ import annotations

from collections.abc import Iterator

from connector.commands.origins import Origin, origins
from connector.hl7v2.tree import Message, Segment
from connector.mapping.places import Json
from connector.mapping.translator import Translator


def to_fhir(translator: Translator, text: str) -> list[str]:
    """A line for each element of the bundle: ``Patient/abc.gender  <-  PID-8  (PID-8 <-> Patient)``.

    Raises what translating raises.
    """
    return [_line(one) for one in origins(translator, text)]


def _line(one: Origin) -> str:
    source = f"{one.location}  ({one.row})" if one.location else one.row
    return f"{_named(one.reference)}.{one.element}  <-  {source}"


def _named(reference: str) -> str:
    """The bundle itself has no id."""
    return "Bundle" if reference.startswith("Bundle/") else reference


def to_v2(translator: Translator, bundle: Json, prior: str | None) -> list[str]:
    """A line for each place of the message: ``PID-8  <-  Patient.gender  (PID-8 <-> Patient)``.

    Raises what translating raises.
    """
    text = str(translator.to_v2(bundle, prior).message)
    message, before = Message.parse(text), Message.parse(prior) if prior else None
    kinds = _kinds(bundle)
    said: dict[tuple[int, int], list[str]] = {}
    for one in origins(translator, text):
        kind = one.reference.partition("/")[0]
        if one.location and kind in kinds:
            line = f"{one.location}  <-  {kind}.{one.element}  ({one.row})"
            said.setdefault((one.segment, one.field), []).append(line)
    return [
        line
        for at, label, segment in _labelled(message)
        for number in range(1, len(segment.texts))
        if segment.field(number)
        for line in _of_field(f"{label}-{number}", segment, number, before, said.get((at, number), []))
    ]


def _kinds(bundle: Json) -> set[str]:
    """The types of resources that the bundle speaks of; of itself, if it says when or which it is."""
    found = {str(entry.get("resource", {}).get("resourceType")) for entry in bundle.get("entry", ())}
    return found | ({"Bundle"} if {"timestamp", "identifier"} & bundle.keys() else set())


def _labelled(message: Message) -> Iterator[tuple[int, str, Segment]]:
    count: dict[str, int] = {}
    for at, segment in enumerate(message.segments):
        count[segment.name] = count.get(segment.name, 0) + 1
        yield at, segment.name + (f"[{count[segment.name]}]" if count[segment.name] > 1 else ""), segment


def _of_field(
    location: str, segment: Segment, number: int, before: Message | None, said: list[str]
) -> list[str]:
    if before is not None and before.get(location) and segment.field(number) == _raw(before, location):
        return [f"{location}  <-  the prior message"]
    return said or [f"{location}  <-  the profile, or what every message has"]


def _raw(message: Message, location: str) -> str:
    name, _, number = location.rpartition("-")
    found = [segment for _, label, segment in _labelled(message) if label == name]
    return found[0].field(int(number)) if found else ""
