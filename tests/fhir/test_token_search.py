"""The parameters that a resource itself can answer are those of FHIR, over elements that it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.edges.http_intake import HANDLED
from connector.errors import UnsupportedInteraction
from connector.fhir import token_search
from connector.fhir.elements import shape
from connector.fhir.token_search import PARAMETERS

ROWS = [(kind, name) for kind, parameters in PARAMETERS.items() for name in parameters]


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_each_parameter_looks_at_an_element_of_its_type(kind: str, name: str) -> None:
    parameter, at = PARAMETERS[kind][name], kind
    for step in parameter.path:
        found = shape(at)
        assert found is not None
        at = found.elements[step].type
    assert at == parameter.type


def test_only_what_can_be_sent_has_parameters() -> None:
    assert set(PARAMETERS) <= HANDLED


@given(st.sampled_from(sorted(PARAMETERS)), st.text())
def test_any_text_is_constraints_or_refused(kind: str, text: str) -> None:
    try:
        constraints = token_search.read(kind, text)
    except UnsupportedInteraction:
        return
    assert constraints
    assert not token_search.holds(kind, constraints, {"resourceType": kind})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "value", "category"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_resource_makes_it_fail(value: object) -> None:
    constraints = token_search.read("Observation", "category=a|b&identifier=c&status=d")
    resource = {"resourceType": "Observation", "category": value, "identifier": value, "status": value}
    assert token_search.holds("Observation", constraints, resource) in (True, False)
