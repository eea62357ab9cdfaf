"""The unrolled functions say what rows and declarations say one by one."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.hl7v2.tree import Message, Segment
from connector.mapping import Translator, forward
from connector.mapping.assembly import Assembly
from connector.mapping.compiled import BoundUnit
from connector.mapping.messages.registry import MESSAGE_MAPS
from connector.mapping.places import Json
from connector.mapping.scope import Scope
from connector.mapping.unrolled import both
from tests.laws import corpus, structured

TRANSLATOR = Translator.default()  # not the shared one: its maps are called here under names of no partner
STRUCTURES = sorted({name for each in MESSAGE_MAPS for name in each.structures})
Said = tuple[list[Json], list[str], dict[str, Json]]


def surroundings(segment: Segment) -> tuple[Assembly, Scope]:
    assembly = Assembly("x")
    scope = Scope(segment.delimiters, assembly, assembly, assembly)
    scope.owner = "Patient/x"
    return assembly, scope


def unrolled(unit: BoundUnit, segment: Segment) -> Said:
    assembly, scope = surroundings(segment)
    nodes: list[Json] = [{} for _ in unit.slots]
    lost: list[str] = []
    unit.says[segment.name](segment, nodes, scope, lost, "S")
    return nodes, lost, deepcopy(assembly.resources)


def one_by_one(unit: BoundUnit, segment: Segment) -> Said:
    """The same by the rows themselves, none of them alone."""
    assembly, scope = surroundings(segment)
    nodes: list[Json] = [{} for _ in unit.slots]
    lost: list[str] = []
    row = unit.takes[segment.name]
    for number, text in enumerate(segment.texts):
        entry = row[number] if number < len(row) else (number, ())
        if not number or not text or text == '""' or entry is None:
            continue
        unsaid: list[str] | None = None if entry[1] else [""]
        for n, (slot, take) in enumerate(entry[1]):
            said = take(text, nodes[slot], scope)
            unsaid = said if not n else both(unsaid, said)
        lost += [f"S-{number}{at}" for at in unsaid or ()]
    for slot, across in unit.looks.get(segment.name, ()):
        lost += [f"S-{at}" for at in across.get(segment, nodes[slot], scope) or ()]
    return nodes, lost, deepcopy(assembly.resources)


def differing(text: str) -> list[str]:
    """The segments of a message that the two say differently."""
    message = Message.parse(text)
    maps = TRANSLATOR.atlas.of(message.message_code, message.trigger_event)
    return [
        segment.name
        for segment in message.segments
        for unit in maps.units
        if segment.name in unit.says and unrolled(unit, segment) != one_by_one(unit, segment)
    ]


def outcome(text: str) -> tuple[dict[str, Json], list[str]]:
    message = Message.parse(text)
    said = forward.to_fhir(message, TRANSLATOR.atlas.of_message(message))
    return said.assembly.resources, said.lost


def made_otherwise(text: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the resources of a message differ where they are made whole step by step."""
    unrolled = outcome(text)
    message = Message.parse(text)
    with monkeypatch.context() as patch:
        for unit in TRANSLATOR.atlas.of_message(message).units:

            def step_by_step(
                said: Any, spoken: Any, around: Any, join: Any, unit: BoundUnit = unit
            ) -> set[int]:
                return forward.made_whole(said, unit, spoken, around)

            patch.setattr(unit, "whole", step_by_step)
        return outcome(text) != unrolled


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_resources_of_a_structure_are_made_whole_alike(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(6):
        assert not made_otherwise(structured.message(Random(seed), name), monkeypatch)


@pytest.mark.corpus
def test_the_resources_of_the_corpus_are_made_whole_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in corpus.messages():
        try:
            assert not made_otherwise(text, monkeypatch), name
        except ConnectorError:
            continue


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_segment_of_a_structure_is_said_alike(name: str) -> None:
    for seed in range(6):
        assert differing(structured.message(Random(seed), name)) == []


@pytest.mark.corpus
def test_every_segment_of_the_corpus_is_said_alike() -> None:
    for name, text in corpus.messages():
        try:
            assert differing(text) == [], name
        except ConnectorError:
            continue
