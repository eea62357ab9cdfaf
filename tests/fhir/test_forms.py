from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.errors import InvalidResource
from connector.fhir.forms import DEPTH, check

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("said", "location"),
    [
        ({"name": 7}, "Patient.name"),
        ({"name": [{}, 7]}, "Patient.name[1]"),
        ({"name": [{"given": "Amy"}]}, "Patient.name[0].given"),
        ({"name": [{"given": ["Amy", 7]}]}, "Patient.name[0].given[1]"),
        ({"contact": [{"name": {"family": {}}}]}, "Patient.contact[0].name.family"),
        ({"active": "true"}, "Patient.active"),
        ({"multipleBirthInteger": True}, "Patient.multipleBirthInteger"),
        ({"birthDate": 1987}, "Patient.birthDate"),
        ({"_birthDate": []}, "Patient._birthDate"),
        ({"maritalStatus": [{}]}, "Patient.maritalStatus"),
        ({"extension": [{"valuePeriod": {"start": 1}}]}, "Patient.extension[0].valuePeriod.start"),
        ({"contained": [{"resourceType": "Organization", "name": 1}]}, "Patient.contained[0].name"),
        ({"contained": [{}]}, "Patient.contained[0]"),
    ],
)
def test_what_has_another_form_is_told_by_its_place(said: Json, location: str) -> None:
    with pytest.raises(InvalidResource) as refused:
        check({"resourceType": "Patient", **said})
    assert refused.value.location == location


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"gender": "banana", "birthDate": "yesterday", "unheard": {"of": 1}},
        {"name": [{"given": [None, "Amy"], "_given": [{"id": "x"}, None]}]},
        {"multipleBirthInteger": 2, "active": False},
    ],
)
def test_what_is_only_wrong_or_unknown_has_the_form(said: Json) -> None:
    check({"resourceType": "Patient", **said})


def test_numbers_may_be_decimals() -> None:
    check({"resourceType": "Observation", "valueQuantity": {"value": Decimal("0.40")}})


def test_a_resource_nobody_knows_is_left_alone() -> None:
    check({"resourceType": "Elephant", "name": 7})


def test_what_is_nested_without_end_is_refused() -> None:
    node: Json = {"url": "x"}
    for _ in range(DEPTH + 1):
        node = {"url": "x", "extension": [node]}
    with pytest.raises(InvalidResource, match="too deeply"):
        check({"resourceType": "Patient", "extension": [node]})


def test_the_place_may_begin_elsewhere() -> None:
    with pytest.raises(InvalidResource) as refused:
        check({"resourceType": "Patient", "name": 7}, "Bundle.entry[2].resource")
    assert refused.value.location == "Bundle.entry[2].resource.name"
