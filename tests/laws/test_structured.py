"""The laws for every message map, over messages built from the structure tables."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connector.errors import ConnectorError
from connector.fhir import validate
from connector.mapping.messages.registry import MESSAGE_MAPS
from tests.laws import oracles, structured
from tests.laws.lost_leaves import unlisted
from tests.shipped import TRANSLATOR

STRUCTURES = sorted({name for each in MESSAGE_MAPS for name in each.structures})

_MORE = 1 if settings.get_current_profile_name() == "steady" else 6  # ``make fuzz`` looks further
quiet = [HealthCheck.filter_too_much, HealthCheck.too_slow]
law = settings(max_examples=8 * _MORE, deadline=None, suppress_health_check=quiet)
seeds = given(st.integers(0, 2**32 - 1))
every_structure = pytest.mark.parametrize("name", STRUCTURES)


def written(name: str, seed: int) -> tuple[str, oracles.Json]:
    """A message of a structure and its bundle; what has no patient to speak of is another test's."""
    text = structured.message(Random(seed), name)
    try:
        return text, TRANSLATOR.to_fhir(text).bundle
    except ConnectorError:
        assume(False)
        raise


@every_structure
@law
@seeds
def test_unchanged_fhir_gives_the_very_same_message(name: str, seed: int) -> None:
    text, bundle = written(name, seed)
    back = TRANSLATOR.to_v2(bundle, text)
    assert (back.message, back.lost) == (text, [])


@every_structure
@law
@seeds
def test_what_came_from_v2_goes_back_without_a_prior_and_means_the_same(name: str, seed: int) -> None:
    _, bundle = written(name, seed)
    back = TRANSLATOR.to_v2(bundle)
    again = TRANSLATOR.to_fhir(back.message)
    assert back.lost == []
    assert not list(oracles.differences(oracles.resources(bundle), oracles.resources(again.bundle)))


@every_structure
@settings(law, max_examples=2 * _MORE)
@seeds
def test_what_is_not_said_in_fhir_is_listed(name: str, seed: int) -> None:
    text, _ = written(name, seed)
    assert unlisted(TRANSLATOR, text) == []


@every_structure
@law
@seeds
def test_the_bundle_is_valid_and_whole(name: str, seed: int) -> None:
    _, bundle = written(name, seed)
    assert [str(error) + " " + error.location for error in validate.fast(bundle)] == []
    known = oracles.resources(bundle)
    assert set(oracles.references(bundle["entry"])) <= set(known)
    assert not list(oracles.empties(bundle))
    contents = [{**entry["resource"], "id": ""} for entry in bundle["entry"]]
    assert [one for at, one in enumerate(contents) if one in contents[:at]] == []


@every_structure
@settings(law, max_examples=3 * _MORE)
@seeds
def test_the_models_of_r4b_accept_every_resource(name: str, seed: int) -> None:
    _, bundle = written(name, seed)
    for entry in bundle["entry"]:
        assert [str(error) for error in validate.models(entry["resource"])] == []


@every_structure
@law
@seeds
def test_a_message_over_its_own_bundle_changes_nothing(name: str, seed: int) -> None:
    text, bundle = written(name, seed)
    assert TRANSLATOR.to_fhir(text, prior=bundle).bundle["entry"] == bundle["entry"]
