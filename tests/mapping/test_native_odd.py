"""Odd FHIR: mangled at any place, it is refused with the place, or translated; it never brings us down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import InvalidResource, NotTranslatable
from connector.hl7v2.tree import Message
from tests.mapping import native

Json = dict[str, Any]

EVERYBODY: list[Json] = [
    one for one in vars(native).values() if isinstance(one, dict) and isinstance(one.get("resourceType"), str)
]
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 7.5, 10**30, "", " ", "x", "\r", "a\rPID|1||evil", "|^~\\&", "\\X0D\\", "\x00",
    "\ud800", [], {}, [[]], [None], [{}], ["x"], [7], {"x": 1}, {"coding": []}, {"coding": [{}]},
    {"coding": "x"}, "Patient/amy", "#x", "urn:uuid:x", "http://[", "2026-13-45", "2026", "not-a-date",
    "Patient/", {"reference": "#"}, {"reference": "Patient/amy"}, {"reference": 7}, {"display": "x"},
    {"identifier": {"value": "x"}}, {"value": "x"}, {"resourceType": "Patient"}, {"resourceType": 7},
    [{"resourceType": "Practitioner", "id": "x"}],
)  # fmt: skip


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a tree: the object or list around it, and its name or number there."""
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _mangled(random: Random) -> Json:
    some = random.sample(EVERYBODY, random.randint(1, 4))
    bundle = native.bundle(*([native.PATIENT] if random.random() < 0.8 else []), *some)
    entries = {
        entry["resource"]["resourceType"] + entry["resource"]["id"]: entry for entry in bundle["entry"]
    }
    bundle["entry"] = list(entries.values())
    for _ in range(random.randint(1, 4)):
        around, key = random.choice(list(_places(bundle)))
        way = random.randint(0, 5)
        if way == 0:
            del around[key]
        elif way == 1:
            around[key] = [around[key]]
        elif way == 2 and isinstance(around, list):
            around.append(deepcopy(around[key]))
        elif way == 3:
            other, name = random.choice(list(_places(bundle)))
            around[key] = deepcopy(other[name])
        else:
            around[key] = deepcopy(random.choice(ODD))
        if not list(_places(bundle)):
            break
    return bundle


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_what_is_mangled_is_refused_or_said(random: Random) -> None:
    bundle = _mangled(random)
    before = deepcopy(bundle)
    try:
        made = native.MADE.to_v2(bundle)
    except (InvalidResource, NotTranslatable) as error:
        place = error.location
    else:
        place = "MSH"
        said = Message.parse(made.message)
        assert all(re.fullmatch("[A-Z][A-Z0-9]{2}", segment.name) for segment in said.segments)
        assert "evil" not in [segment.field(3) for segment in said.segments]
        native.MADE.to_fhir(made.message)
    assert place
    assert bundle == before


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], [7], [[]], {}, {"resourceType": 7}, {"resourceType": "Bundle"}]
)
def test_what_is_no_resource_is_refused_by_its_place(odd: Any) -> None:
    for given_ in (odd, {"resourceType": "Bundle", "entry": odd}, {"resourceType": "Bundle", "entry": [odd]}):
        with pytest.raises(InvalidResource) as refused:
            native.MADE.to_v2(given_)
        assert refused.value.location


def test_what_is_nested_without_end_is_refused() -> None:
    node: Json = {"url": "x"}
    for _ in range(2000):
        node = {"url": "x", "extension": [node]}
    with pytest.raises(InvalidResource, match="too deeply"):
        native.MADE.to_v2({**native.PATIENT, "extension": [node]})


def test_a_line_break_in_a_text_makes_no_segment() -> None:
    said, _ = native.written({**native.PATIENT, "name": [{"family": "a\rPID|1||evil"}]})
    assert [segment.name for segment in said.segments].count("PID") == 1


def test_the_same_resource_twice_is_once_and_two_of_one_id_are_refused() -> None:
    said, _ = native.written(native.PATIENT, native.PATIENT)
    assert [segment.name for segment in said.segments].count("PID") == 1
    with pytest.raises(InvalidResource) as refused:
        native.written(native.PATIENT, {**native.PATIENT, "gender": "male"})
    assert refused.value.location == "Bundle.entry[1].resource.id"
