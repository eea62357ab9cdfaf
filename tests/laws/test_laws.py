"""The laws, over messages as senders write them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings

from connector.errors import ConnectorError
from connector.fhir import json, validate
from connector.hl7v2.tree import Message, Segment
from connector.mapping import Translator
from tests.laws import oracles
from tests.laws.lost_leaves import unlisted
from tests.laws.messages import messages
from tests.shipped import TRANSLATOR

ANOTHER = Translator.default()
law = settings(max_examples=150, deadline=None)


def bundle_of(text: str) -> oracles.Json:
    """The bundle of a message; what has no patient to speak of is another test's."""
    try:
        return TRANSLATOR.to_fhir(text).bundle
    except ConnectorError:
        assume(False)
        raise


@law
@given(messages())
def test_unchanged_fhir_gives_the_very_same_message(text: str) -> None:
    back = TRANSLATOR.to_v2(bundle_of(text), text)
    assert back.message == text
    assert back.lost == []


@law
@given(messages())
def test_the_way_through_json_changes_nothing(text: str) -> None:
    bundle = json.loads(json.dumps(bundle_of(text)))
    back = TRANSLATOR.to_v2(bundle, text)
    assert back.message == text
    assert back.lost == []


@law
@given(messages())
def test_what_came_from_v2_goes_back_without_a_prior_and_means_the_same(text: str) -> None:
    bundle = bundle_of(text)
    back = TRANSLATOR.to_v2(bundle)
    again = TRANSLATOR.to_fhir(back.message)
    assert list(oracles.differences(oracles.resources(bundle), oracles.resources(again.bundle))) == []
    assert back.lost == []


@settings(law, max_examples=40)
@given(messages())
def test_what_is_not_said_in_fhir_is_listed(text: str) -> None:
    bundle_of(text)
    assert unlisted(TRANSLATOR, text) == []


@law
@given(messages(), messages())
def test_it_goes_back_over_any_prior(text: str, prior: str) -> None:
    """What FHIR says is said or listed, and nothing of another patient stays."""
    bundle = bundle_of(text)
    assume(Message.parse(prior).message_code == Message.parse(text).message_code and bundle_of(prior))
    back = TRANSLATOR.to_v2(bundle, prior)
    again = oracles.resources(TRANSLATOR.to_fhir(back.message).bundle)
    wanted = oracles.resources(bundle)
    assert _told_by(again) == _told_by(wanted)
    if not back.lost:
        assert len(again) >= len(wanted)
    known = oracles.resources(bundle_of(prior))
    if not any(name.startswith("Patient/") for name in wanted.keys() & known.keys()):
        assert "ZQQ" not in [segment.name for segment in _behind_pid(back.message)]


def _told_by(resources: dict[str, oracles.Json]) -> list[object]:
    """What tells a patient from others; where several do, FHIR gives their order no meaning."""
    patients = [one for name, one in resources.items() if name.startswith("Patient/")]
    told = [
        (one.get("system", ""), one.get("value", "")) for p in patients for one in p.get("identifier", ())
    ]
    return [*sorted(told)] or [patients[0]["id"]]


def _behind_pid(text: str) -> list[Segment]:
    segments = Message.parse(text).segments
    return segments[next(at for at, segment in enumerate(segments) if segment.name == "PID") :]


@law
@given(messages())
def test_the_same_message_twice_is_the_same_bundle(text: str) -> None:
    bundle = bundle_of(text)
    assert ANOTHER.to_fhir(text).bundle == bundle
    assert TRANSLATOR.to_fhir(text, prior=bundle).bundle["entry"] == bundle["entry"]


@law
@given(messages())
def test_the_bundle_is_valid_and_whole(text: str) -> None:
    bundle = bundle_of(text)
    assert [str(error) for error in validate.fast(bundle)] == []
    known = oracles.resources(bundle)
    assert set(oracles.references(bundle["entry"])) <= set(known)
    contents = [{**entry["resource"], "id": ""} for entry in bundle["entry"]]
    assert [one for at, one in enumerate(contents) if one in contents[:at]] == []


@settings(law, max_examples=30)
@given(messages())
def test_the_models_of_r4b_accept_every_resource(text: str) -> None:
    bundle = bundle_of(text)
    for entry in bundle["entry"]:
        assert [str(error) for error in validate.models(entry["resource"])] == []


@law
@given(messages())
def test_a_message_without_its_patient_is_refused_by_a_typed_error(text: str) -> None:
    message = Message.parse(text)
    message.segments = [segment for segment in message.segments if segment.name not in ("PID", "PD1")]
    about_somebody = any(segment.name not in ("MSH", "EVN", "ZQQ", "NTE") for segment in message.segments)
    if about_somebody:
        with pytest.raises(ConnectorError) as refused:
            TRANSLATOR.to_fhir(message)
        assert refused.value.location == "PID"
