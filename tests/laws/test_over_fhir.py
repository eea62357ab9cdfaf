"""To FHIR over what stands there: absent is unchanged, "" is removed, what is not v2's survives."""

from __future__ import annotations

from copy import deepcopy
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.errors import ConnectorError
from connector.hl7v2.tree import Message
from connector.mapping import merge
from tests.laws import oracles
from tests.laws.messages import messages
from tests.laws.oracles import Json
from tests.shipped import TRANSLATOR

STEADY = settings(max_examples=120, deadline=None)
FOREIGN = {"url": "https://other.example/note", "valueString": "not from v2"}


def bundle_of(text: str) -> Json:
    try:
        return TRANSLATOR.to_fhir(text).bundle
    except ConnectorError:
        assume(False)
        raise


def patient_of(bundle: Json) -> Json:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


@STEADY
@given(messages())
def test_the_same_message_over_its_own_bundle_changes_nothing(text: str) -> None:
    bundle = bundle_of(text)
    assert TRANSLATOR.to_fhir(text, prior=deepcopy(bundle)).bundle["entry"] == bundle["entry"]


@STEADY
@given(messages(), messages())
def test_a_message_that_is_heard_once_is_said_over_anything_as_if_it_were_read_again(
    text: str, other: str
) -> None:
    there = [entry["resource"] for entry in (*bundle_of(other)["entry"], *bundle_of(text)["entry"])]
    heard = TRANSLATOR.heard(text)
    alone = deepcopy(TRANSLATOR.to_fhir(heard))
    merged = TRANSLATOR.to_fhir(heard, prior=deepcopy(there))
    assert alone == TRANSLATOR.to_fhir(text)
    assert merged == TRANSLATOR.to_fhir(text, prior=deepcopy(there))


@STEADY
@given(messages(), st.randoms(use_true_random=False))
def test_what_says_nothing_new_is_what_stands_there_as_if_it_were_said_over_it(
    text: str, random: Random
) -> None:
    there = [entry["resource"] for entry in bundle_of(text)["entry"]]
    for one in there:
        if random.random() < 0.3:
            one.pop(random.choice([name for name in one if name not in ("resourceType", "id")] or [""]), None)
    merged = TRANSLATOR.to_fhir(text, prior=deepcopy(there))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(merge, "_says_nothing_new", lambda now, before, spoken: False)
        assert merged == TRANSLATOR.to_fhir(text, prior=deepcopy(there))


@STEADY
@given(messages())
def test_what_is_not_of_v2_survives_in_every_resource(text: str) -> None:
    there = deepcopy(bundle_of(text))
    for entry in there["entry"]:
        entry["resource"].setdefault("extension", []).append(dict(FOREIGN))
        entry["resource"]["meta"] = {**entry["resource"].get("meta", {}), "security": [{"code": "R"}]}
    merged = TRANSLATOR.to_fhir(text, prior=there).bundle
    for entry in merged["entry"]:
        assert FOREIGN in entry["resource"]["extension"]
        assert entry["resource"]["meta"]["security"] == [{"code": "R"}]


def _absent(random: Random) -> list[int]:
    """Some fields of PID; those that make one list together, or one element, go together."""
    together = [[5, 9], [13, 14, 40], [24, 25], [29, 30], [26, 39]]
    alone = [[number] for number in range(6, 40) if not any(number in group for group in together)]
    return [number for group in together + alone if random.randrange(2) for number in group]


@STEADY
@given(messages(), st.integers(0, 2**32 - 1))
def test_a_field_that_is_absent_leaves_the_patient_as_he_stands(text: str, seed: int) -> None:
    there = bundle_of(text)
    message = Message.parse(text)
    pid = message.first("PID")
    assert pid is not None
    for number in _absent(Random(seed)):
        if number < len(pid.texts):
            pid.texts[number] = ""
    assume(patient_of(bundle_of(str(message)))["id"] == patient_of(there)["id"])
    merged = TRANSLATOR.to_fhir(str(message), prior=deepcopy(there)).bundle
    assert oracles.nameless(patient_of(merged)) == oracles.nameless(patient_of(there))


@STEADY
@given(messages())
def test_a_field_that_is_deleted_goes_and_no_other(text: str) -> None:
    message = Message.parse(text)
    pid = message.first("PID")
    assert pid is not None
    pid.set(7, "19800101")
    there = bundle_of(str(message))
    pid.set(7, '""')
    merged = patient_of(TRANSLATOR.to_fhir(str(message), prior=deepcopy(there)).bundle)
    wanted = {n: v for n, v in patient_of(there).items() if n not in ("birthDate", "_birthDate")}
    assume(merged["id"] == wanted["id"])
    assert list(oracles.differences(wanted, merged)) == []
