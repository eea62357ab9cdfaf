"""Whatever is sent becomes one of the forms or is refused in our words, which repeat nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.edges import operator_asks as asks
from connector.edges.operator_api import ROUTES
from connector.errors import InvalidJson, OperatorError
from connector.fhir import json as fjson

FORMS = sorted({one.takes for one in ROUTES}, key=lambda form: form.__name__)
NAMES = sorted({field.name for form in FORMS for field in msgspec.structs.fields(form)})
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["fhir", "dead", "held", "1", "-1", "0", "9" * 40, "1e400"])
)
TIMES = st.sampled_from(
    ["2026-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "0000-00-00", "9999-12-31T23:59:59-23:59"]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), TEXTS, TIMES
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
KEYS = st.one_of(st.sampled_from(NAMES), TEXTS)


def refusal(work: Callable[[], msgspec.Struct], form: type[msgspec.Struct]) -> OperatorError | None:
    """Of what is not of the form."""
    try:
        made = work()
    except OperatorError as error:
        return error
    assert type(made) is form
    return None


def is_ours(error: OperatorError | None, where: str) -> bool:
    """Its place is made of our names, and it carries nothing that was sent."""
    if error is None:
        return True
    place = error.location.partition("[")[0].removeprefix(where).removeprefix(".")
    return place in {"", *NAMES} and error.__context__ is None


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.dictionaries(KEYS, VALUES, max_size=6) | VALUES)
def test_any_json_is_taken_or_refused_at_a_place_of_ours(form: type[msgspec.Struct], value: Any) -> None:
    error = refusal(lambda: asks.body(form, fjson.dumps(value)), form)
    assert is_ours(error, "http.body")


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.binary(max_size=60))
def test_bytes_that_are_no_json_are_refused(form: type[msgspec.Struct], content: bytes) -> None:
    with pytest.raises(InvalidJson):
        asks.body(form, b"\x00" + content)


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.lists(st.tuples(KEYS, TEXTS | TIMES), max_size=5))
def test_any_query_is_taken_or_refused_at_a_place_of_ours(
    form: type[msgspec.Struct], sent: list[tuple[str, str]]
) -> None:
    error = refusal(lambda: asks.query(form, sent), form)
    assert is_ours(error, "http.url")
