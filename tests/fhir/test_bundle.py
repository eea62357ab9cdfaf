"""Bundles and outcomes: what entries ask for, and how errors are said."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import Forbidden, InvalidResource, RequiredFieldMissing, VersionConflict
from connector.fhir import bundle, outcome, validate


def asked(
    method: str, url: str, resource: dict[str, Any] | None = None, **request: str
) -> bundle.Interaction:
    entry: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        entry["resource"] = resource
    [found] = bundle.interactions({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    return found


@pytest.mark.parametrize(
    ("method", "url", "verb", "kind", "identity"),
    [
        ("POST", "Patient", "c", "Patient", ""),
        ("PUT", "Patient/p1", "u", "Patient", "p1"),
        ("PATCH", "Patient/p1", "", "Patient", "p1"),
        ("DELETE", "Patient/p1", "d", "Patient", "p1"),
        ("GET", "Patient/p1", "r", "Patient", "p1"),
        ("GET", "Patient?name=x", "s", "Patient", ""),
        ("GET", "Patient", "s", "Patient", ""),
        ("PUT", "Patient?identifier=x", "u", "Patient", ""),
        ("POST", "Patient/$match", "", "Patient", "$match"),
        ("POST", "$process-message", "", "$process-message", ""),
        ("GET", "Patient/p1/_history/1", "", "Patient", "p1/_history/1"),
        ("BREW", "Patient", "", "Patient", ""),
    ],
)
def test_what_an_entry_asks_for(method: str, url: str, verb: str, kind: str, identity: str) -> None:
    found = asked(method, url)
    assert (found.verb, found.type, found.id) == (verb, kind, identity)


def test_a_conditional_interaction_is_marked() -> None:
    assert asked("POST", "Patient", ifNoneExist="identifier=x").conditional
    assert asked("PUT", "Patient?identifier=x").conditional
    assert not asked("PUT", "Patient/p1", ifMatch='W/"2"').conditional
    assert asked("PUT", "Patient/p1", ifMatch='W/"2"').if_match == 'W/"2"'


def test_a_message_creates_everything_it_carries() -> None:
    message = {
        "type": "message",
        "entry": [{"resource": {"resourceType": "MessageHeader"}}, {"resource": {"resourceType": "Patient"}}],
    }
    assert [(one.verb, one.type) for one in bundle.interactions(message)] == [
        ("c", "MessageHeader"),
        ("c", "Patient"),
    ]


@pytest.mark.parametrize(
    "odd", [{}, {"entry": None}, {"entry": "x"}, {"entry": [None, 5, "x"]}, {"entry": {}}]
)
def test_a_bundle_with_odd_entries_has_none(odd: dict[str, Any]) -> None:
    assert bundle.entries(odd) == []
    assert bundle.resources(odd) == []
    assert list(bundle.interactions(odd)) == []


def test_an_entry_without_a_request_asks_for_nothing_known() -> None:
    [found] = bundle.interactions({"type": "batch", "entry": [{"resource": {"resourceType": "Patient"}}]})
    assert found.verb == ""


def test_a_transaction_that_we_build_is_valid() -> None:
    patient = {"resourceType": "Patient", "id": "p1"}
    built = bundle.transaction("https://x.test/fhir", [("PUT", patient)])
    assert validate.fast(built) == []
    assert built["entry"][0]["fullUrl"] == "https://x.test/fhir/Patient/p1"


def test_the_answer_to_a_transaction_is_valid() -> None:
    answer = bundle.response("transaction", ["202 Accepted"] * 2)
    assert answer["type"] == "transaction-response"
    assert validate.fast(answer) == []
    assert validate.models(answer) == []


def test_an_outcome_says_the_code_the_place_and_what_to_do() -> None:
    said = outcome.of(InvalidResource("no", fix="do that", location="Patient.birthDate"))
    assert said["issue"] == [
        {
            "severity": "error",
            "code": "invalid",
            "diagnostics": "no; do that",
            "expression": ["Patient.birthDate"],
        }
    ]


def test_a_v2_location_is_said_in_words() -> None:
    [issue] = outcome.of(RequiredFieldMissing("empty", location="PID-3(2).4.1"))["issue"]
    assert issue["diagnostics"] == "PID-3(2).4.1: empty"
    assert "expression" not in issue


@pytest.mark.parametrize(
    "said",
    [
        outcome.of(
            InvalidResource("a", location="Patient.id"), VersionConflict("b", location="http.if-match")
        ),
        outcome.of(Forbidden("c", fix="d")),
        outcome.informed("stored"),
    ],
)
def test_an_outcome_is_valid_fhir(said: dict[str, Any]) -> None:
    assert validate.fast(said) == []
    assert validate.models(said) == []
