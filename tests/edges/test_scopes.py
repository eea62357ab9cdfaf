"""SMART system scopes against a plain truth table."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.edges import scopes
from connector.errors import Forbidden

TYPES = ["Patient", "Observation", "Encounter"]
V2 = ["".join(letters) for count in range(1, 6) for letters in combinations("cruds", count)]

# what each suffix grants, spelled out once more by hand and by another rule than the code's
TRUTH = {suffix: {verb: verb in suffix for verb in "cruds"} for suffix in V2} | {
    "read": {"c": False, "r": True, "u": False, "d": False, "s": True},
    "write": {"c": True, "r": False, "u": True, "d": True, "s": False},
    "*": {"c": True, "r": True, "u": True, "d": True, "s": True},
}

one_scope = st.tuples(st.sampled_from([*TYPES, "*"]), st.sampled_from(sorted(TRUTH)))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(one_scope, max_size=5), st.sampled_from(TYPES), st.sampled_from("cruds"))
def test_a_verb_is_allowed_exactly_when_the_table_says_so(
    granted: list[tuple[str, str]], type_name: str, verb: str
) -> None:
    text = " ".join(f"system/{kind}.{suffix}" for kind, suffix in granted)
    expected = any(kind in ("*", type_name) and TRUTH[suffix][verb] for kind, suffix in granted)
    assert scopes.allows(scopes.parse(text), type_name, verb) is expected


def spelled(granted: list[tuple[str, str]]) -> frozenset[scopes.Scope]:
    return scopes.parse(" ".join(f"system/{kind}.{suffix}" for kind, suffix in granted))


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(one_scope, max_size=4),
    st.lists(one_scope, max_size=4),
    st.sampled_from(TYPES),
    st.sampled_from("cruds"),
)
def test_within_a_ceiling_exactly_what_both_grant_is_allowed(
    asked: list[tuple[str, str]], most: list[tuple[str, str]], type_name: str, verb: str
) -> None:
    both = scopes.allows(spelled(asked), type_name, verb) and scopes.allows(spelled(most), type_name, verb)
    assert scopes.allows(scopes.within(spelled(asked), spelled(most)), type_name, verb) is both


def test_there_are_thirty_one_v2_suffixes() -> None:
    assert len(V2) == 31


@pytest.mark.parametrize(
    "text",
    [
        "system/Patient.",
        "system/Patient",
        "system/.rs",
        "system/Patient.sr",  # out of order
        "system/Patient.rr",
        "system/Patient.x",
        "system/Patient.RS",
        "system/patient.rs",
        "system/Banana.rs",
        "system/Resource.rs",
        "system/Pat*.rs",
        "system/**.rs",
        "system/Patient.reads",
        "system/Patient.read?",
        "system/Patient.rs?name=x",
        "system/*.cruds?_security=R",
        "system/*.cruds?category=lab",
        "system/Observation.read?category=lab",
        "system/Observation.*?category=lab",
        "system/Observation.cu?",
        "system/Observation.cu?category",
        "system/Observation.cu?category=",
        "system/Observation.cu?category=|",
        "system/Observation.cu?category=a|b|c",
        "system/Observation.cu?category=a,",
        "system/Observation.cu?category=lab&",
        "system/Observation.cu?category=lab&date=gt2020",
        "system/Observation.cu?category:not=lab",
        "system/Observation.cu?category:in=http://a.test/valueset",
        "system/Observation.cu?subject.gender=male",
        "system/Observation.cu?_has:Group:member:_id=1",
        "system/Observation.cu?category=lab+work",
        "system/Observation.cu?category=%zz",
        "system/Observation.cu?category=%ff",
        "system/Observation.cu?category=%00",
        "system/Observation.cu?category=a$b",
        "system/Observation.cu?status=http://hl7.org/fhir/observation-status|final",
        "system/Patient.cu?active=yes",
        "system/Patient.cu?category=lab",
        "system/Provenance.c?agent=x",
        "system/Patient.rs system/Observation.rs?date=2020",
        "system/Patient.rs\n",
        "system/Patient.rs\tsystem/*.cruds",
        "system/Patient.rs  system/Observation.rs",
        " system/Patient.rs",
        "system/Patient.rs,system/Observation.rs",
        "system/Pätient.rs",
    ],
)
def test_what_does_not_follow_the_grammar_is_refused_and_not_ignored(text: str) -> None:
    with pytest.raises(Forbidden) as caught:
        scopes.parse(text)
    assert "Patient" not in caught.value.what


@pytest.mark.parametrize(
    "text", ["", "openid", "patient/*.cruds", "user/*.*", "launch offline_access", "systems/*.rs"]
)
def test_other_scopes_grant_a_system_nothing(text: str) -> None:
    assert scopes.parse(text) == frozenset()


@pytest.mark.parametrize("verb", ["", "cr", "x", "C", "cruds"])
def test_what_is_no_verb_is_never_allowed(verb: str) -> None:
    assert not scopes.allows(scopes.parse("system/*.cruds"), "Patient", verb)


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_scopes_or_forbidden(text: str) -> None:
    try:
        granted = scopes.parse(text)
    except Forbidden:
        return
    assert all(scope.verbs <= set("cruds") for scope in granted)
