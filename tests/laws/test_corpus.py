"""The laws, over every message of the sample corpus."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import ConnectorError
from connector.fhir import validate
from connector.hl7v2.tree import Message
from tests.laws import corpus, oracles, returning
from tests.laws.lost_leaves import unlisted
from tests.shipped import TRANSLATOR

pytestmark = pytest.mark.corpus

Json = oracles.Json


@pytest.fixture(params=corpus.codes())
def code(request: pytest.FixtureRequest) -> str:
    """A message code of the corpus."""
    return str(request.param)


def over_all(code: str, judge: Callable[[str, Json, list[str]], list[str]]) -> None:
    """Every message of a code that translates, through a judge that returns what it finds wrong."""
    faults: list[str] = []
    for name, text in corpus.messages(code):
        try:
            said = TRANSLATOR.to_fhir(text)
        except ConnectorError:
            continue
        faults += [f"{name}: {fault}" for fault in judge(text, said.bundle, said.lost)]
    assert not faults, "\n".join(faults[:20])


def test_every_message_becomes_a_bundle_or_a_typed_error() -> None:
    outcomes: dict[str, int] = {}
    for _, text in corpus.messages():
        try:
            TRANSLATOR.to_fhir(text)
            outcome = "translated"
        except ConnectorError as error:
            outcome = type(error).__name__
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.pop("translated") > 100
    assert set(outcomes) <= {"SegmentSequence", "UnreadableMessage"}, outcomes


def test_unchanged_fhir_gives_the_very_same_message(code: str) -> None:
    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        back = TRANSLATOR.to_v2(bundle, text)
        return [*(["another text"] if back.message != text else []), *back.lost]

    over_all(code, judge)


def test_what_came_from_v2_goes_back_without_a_prior_and_means_the_same(code: str) -> None:
    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        back = TRANSLATOR.to_v2(bundle)
        again = TRANSLATOR.to_fhir(back.message)
        return [*oracles.differences(oracles.resources(bundle), oracles.resources(again.bundle)), *back.lost]

    over_all(code, judge)


def test_it_goes_back_over_the_message_of_somebody_else(code: str) -> None:
    texts = [text for _, text in corpus.messages(code)]

    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        for prior in texts[texts.index(text) + 1 :][:2]:
            try:
                Message.parse(prior)
            except ConnectorError:
                continue
            back = TRANSLATOR.to_v2(bundle, prior)
            Message.parse(back.message)
        return []

    over_all(code, judge)


def test_the_same_message_twice_is_the_same_bundle(code: str) -> None:
    over_all(
        code, lambda text, bundle, lost: [] if TRANSLATOR.to_fhir(text).bundle == bundle else ["differs"]
    )


def test_what_is_not_said_in_fhir_is_listed(code: str) -> None:
    over_all(code, lambda text, bundle, lost: unlisted(TRANSLATOR, text))


def test_bundles_are_what_the_models_of_r4b_accept(code: str) -> None:
    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        each = [error for entry in bundle["entry"] for error in validate.models(entry["resource"])]
        return [str(error.location) + " " + str(error) for error in [*each, *validate.models(bundle)]]

    over_all(code, judge)


def test_bundles_are_what_the_tables_of_r4_accept(code: str) -> None:
    over_all(
        code, lambda text, bundle, lost: [f"{error.location} {error}" for error in validate.fast(bundle)]
    )


def test_every_reference_resolves_in_its_bundle(code: str) -> None:
    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        known = oracles.resources(bundle)
        return [reference for reference in oracles.references(bundle["entry"]) if reference not in known]

    over_all(code, judge)


def test_nothing_in_a_bundle_is_empty(code: str) -> None:
    over_all(code, lambda text, bundle, lost: list(oracles.empties(bundle)))


def test_no_two_resources_of_a_bundle_are_equal(code: str) -> None:
    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        contents = [{**entry["resource"], "id": ""} for entry in bundle["entry"]]
        return [str(one["resourceType"]) for at, one in enumerate(contents) if one in contents[:at]]

    over_all(code, judge)


def test_every_resource_but_the_header_is_referred_to_or_belongs_to_the_patient(code: str) -> None:
    """Nothing is left over in a bundle that nobody speaks of."""
    about = {"MessageHeader", "Provenance", "Patient"}

    def judge(text: str, bundle: Json, lost: list[str]) -> list[str]:
        referred = set(oracles.references(bundle["entry"]))
        return [
            name
            for name, resource in oracles.resources(bundle).items()
            if name not in referred
            and resource.get("resourceType", "MessageHeader") not in about
            and not any(link in resource for link in ("subject", "patient", "beneficiary"))
        ]

    over_all(code, judge)


def test_more_than_nine_tenths_of_what_the_guide_maps_come_back_without_the_prior() -> None:
    there, back = returning.share((text for _, text in corpus.messages()), TRANSLATOR)
    assert back / there > 0.9, f"{back} of {there}"
