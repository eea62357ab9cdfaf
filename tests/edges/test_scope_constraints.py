"""Scopes narrowed by search parameters, against a plain truth table: never wider than they say."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.edges import scopes

LAB, VITAL = "http://c.test|laboratory", "http://c.test|vital-signs"
VERBS = ["c", "u", "d", "cu", "cud", "cruds", "rs"]


# every resource of a small world, and which of the queries finds it: written down, not reckoned
def seen(*codes: str, kind: str = "Observation", status: str = "final", system: str = "http://c.test") -> Any:
    named = {"system": system} if system else {}
    category = [{"coding": [{**named, "code": code}]} for code in codes]
    return {"resourceType": kind, "status": status, **({"category": category} if category else {})}


KINDS: dict[str, dict[str, Any]] = {
    "lab": seen("laboratory"),
    "vital draft": seen("vital-signs", status="preliminary"),
    "both": seen("laboratory", "vital-signs"),
    "of no system": seen("laboratory", system=""),
    "of none": seen(),
    "report": seen("laboratory", kind="DiagnosticReport"),
}
FINDS: dict[str, set[str]] = {
    "": {"lab", "vital draft", "both", "of no system", "of none"},
    f"?category={LAB}": {"lab", "both"},
    f"?category={VITAL}": {"vital draft", "both"},
    "?category=laboratory": {"lab", "both", "of no system"},
    "?category=|laboratory": {"of no system"},
    "?category=http://c.test|": {"lab", "vital draft", "both"},
    f"?category={LAB},{VITAL}": {"lab", "vital draft", "both"},
    f"?category={LAB}&category={VITAL}": {"both"},
    f"?category={VITAL}&status=final": {"both"},
    "?status=final,preliminary": {"lab", "vital draft", "both", "of no system", "of none"},
    "?status=FINAL": set(),
    "?category=http%3A%2F%2Fc.test%7Claboratory": {"lab", "both"},
}

one_scope = st.tuples(st.sampled_from(VERBS), st.sampled_from(sorted(FINDS)))
some_scopes = st.lists(one_scope, max_size=4)


def spelled(granted: list[tuple[str, str]]) -> frozenset[scopes.Scope]:
    return scopes.parse(" ".join(f"system/Observation.{verbs}{query}" for verbs, query in granted))


def truth(granted: list[tuple[str, str]], verb: str, name: str) -> bool:
    return any(verb in verbs and name in FINDS[query] for verbs, query in granted)


def test_each_query_alone_finds_exactly_what_the_table_says() -> None:
    for query, (name, resource), verb in product(FINDS, KINDS.items(), "cud"):
        if query or name != "report":
            found = scopes.allows(spelled([("cud", query)]), "Observation", verb, resource)
            assert found is (name in FINDS[query]), (query, name)


@settings(deadline=None, max_examples=300)  # the machine may be busy
@given(some_scopes, st.sampled_from("cruds"), st.sampled_from(sorted(set(KINDS) - {"report"})))
def test_a_resource_is_allowed_exactly_when_the_table_says_so(
    granted: list[tuple[str, str]], verb: str, name: str
) -> None:
    found = scopes.allows(spelled(granted), "Observation", verb, KINDS[name])
    assert found is truth(granted, verb, name)


@settings(deadline=None, max_examples=300)
@given(some_scopes, some_scopes, st.sampled_from("cud"), st.sampled_from(sorted(set(KINDS) - {"report"})))
def test_within_a_ceiling_exactly_what_both_grant_is_allowed(
    asked: list[tuple[str, str]], most: list[tuple[str, str]], verb: str, name: str
) -> None:
    both = truth(asked, verb, name) and truth(most, verb, name)
    granted = scopes.within(spelled(asked), spelled(most))
    assert scopes.allows(granted, "Observation", verb, KINDS[name]) is both


@given(some_scopes, st.sampled_from("cruds"))
def test_of_a_resource_that_is_not_known_only_an_open_scope_is_sure(
    granted: list[tuple[str, str]], verb: str
) -> None:
    said = spelled(granted)
    sure = any(verb in verbs and not query for verbs, query in granted)
    possible = any(verb in verbs for verbs, _ in granted)
    assert scopes.allows(said, "Observation", verb) is sure
    assert scopes.might_allow(said, "Observation", verb) is possible
    assert not scopes.might_allow(said, "Patient", verb)


def test_a_ceiling_for_all_types_keeps_the_constraints_of_the_token() -> None:
    granted = scopes.within(spelled([("cu", f"?category={LAB}")]), scopes.parse("system/*.c"))
    assert granted == {scopes.Scope("Observation", frozenset("c"), *(one.constraints for one in spelled(
        [("c", f"?category={LAB}")])))}  # fmt: skip


def test_a_narrowed_ceiling_narrows_a_token_for_all_types() -> None:
    ceiling = spelled([("cu", f"?category={LAB}")])
    granted = scopes.within(scopes.parse("system/*.cruds"), ceiling)
    assert granted == ceiling
    assert not scopes.might_allow(granted, "Patient", "c")


@pytest.mark.parametrize(
    ("scope", "resource", "found"),
    [
        ("Patient.c?active=true", {"active": True}, True),
        ("Patient.c?active=true", {"active": False}, False),
        ("Patient.c?active=true", {"active": "true"}, False),
        ("Patient.c?active=true", {}, False),
        ("Patient.c?gender=female,other", {"gender": "other"}, True),
        ("Patient.c?identifier=urn:a|7", {"identifier": [{"system": "urn:a", "value": "7"}]}, True),
        ("Patient.c?identifier=urn:a|7", {"identifier": [{"system": "urn:b", "value": "7"}]}, False),
        ("Patient.c?identifier=urn:a|7", {"identifier": [{"value": "7"}, {"system": "urn:a"}]}, False),
        ("Patient.c?identifier=urn:a|", {"identifier": [{"system": "urn:a"}]}, True),
        ("Patient.c?identifier=a\\,b", {"identifier": [{"value": "a,b"}]}, True),
        ("Patient.c?identifier=a\\|b", {"identifier": [{"value": "a|b"}]}, True),
        ("Patient.c?identifier=a%5C%7Cb", {"identifier": [{"value": "a|b"}]}, True),
        ("Patient.c?identifier=7", {"identifier": {"value": "7"}}, True),
        ("Patient.c?identifier=7", {"identifier": ["7", None, 7]}, False),
        ("Patient.c?language=de", {"communication": [{"language": {"coding": [{"code": "de"}]}}]}, True),
        ("Encounter.c?class=IMP", {"class": {"code": "IMP"}}, True),
        ("Encounter.c?class=IMP", {"class": {"code": "AMB"}}, False),
        ("Encounter.c?class=IMP", {"class": {"code": ["IMP"]}}, False),
        ("PractitionerRole.c?role=doctor", {"code": [{"coding": [{"code": "doctor"}]}]}, True),
        ("Condition.c?category=x", {"category": [{"text": "x"}]}, False),
    ],
)
def test_the_kinds_of_elements(scope: str, resource: dict[str, Any], found: bool) -> None:
    # a backslash stands in no scope by itself (RFC 6749, 3.3), only encoded
    granted = scopes.parse("system/" + scope.replace("\\", "%5C"))
    kind = scope.partition(".")[0]
    assert scopes.allows(granted, kind, "c", {"resourceType": kind, **resource}) is found
