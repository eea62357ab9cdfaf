"""The reply table: what an answer or a failure does to a message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import (
    AnswerForAnother,
    AnswerNotUnderstood,
    ConnectorError,
    NoAnswer,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
    Retry,
)
from connector.hl7v2.ack import CODES, CONDITIONS, Ack, Fault
from connector.pipeline.replies import FAILURES, REFUSED, USUAL, WAYS, Replies, decide, read

LATER, NEVER, HOLD, STOP = Retry.LATER, Retry.NEVER, Retry.HOLD, Retry.STOP


def negative(code: str, *conditions: str, place: str = "") -> Ack:
    return Ack(code, "1", tuple(Fault(one, place, "E") for one in conditions))


def way(answer: Ack | ConnectorError, **rows: str) -> Retry | None:
    """What becomes of the message; None: it is delivered. ``AE__103`` is ``AE.103``."""
    table = Replies({key.replace("__", ".").replace("_", "-"): word for key, word in rows.items()})
    error = decide(answer, table)
    return error.answer.retry if error else None


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_what_was_taken_is_delivered(code: str) -> None:
    assert decide(negative(code, "207"), USUAL) is None


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_a_refusal_goes_by_its_class_and_has_no_way_of_its_own(code: str) -> None:
    error = decide(negative(code), USUAL)
    assert isinstance(error, PartnerRefusedMessage)
    assert error.way is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (negative("AE", "206"), LATER),
        (negative("AE", "207"), LATER),
        (negative("CE", "101", "207"), LATER),
        (negative("AR", "207"), NEVER),
        (negative("CR", "206"), NEVER),
        (negative("AE", "101"), NEVER),
    ],
)
def test_locked_records_and_internal_errors_pass_by_default(answer: Ack, expected: Retry) -> None:
    assert way(answer) is expected


@pytest.mark.parametrize("word", sorted(WAYS))
@pytest.mark.parametrize("code", sorted(REFUSED))
def test_every_code_may_do_anything(code: str, word: str) -> None:
    error = decide(negative(code), Replies({code: word}))
    assert error is not None
    assert error.answer.retry is error.way is WAYS[word]
    assert isinstance(error, PartnerBusy if word == "retry" else PartnerRefusedMessage)


def test_the_row_of_a_condition_goes_before_that_of_its_code() -> None:
    rows = {"AE": "dead", "AE__103": "stop", "AE__207": "hold"}
    assert way(negative("AE", "103"), **rows) is STOP
    assert way(negative("AE", "207"), **rows) is HOLD
    assert way(negative("AE", "102"), **rows) is NEVER
    assert way(negative("CE", "103"), **rows) is NEVER
    assert way(negative("AE", "206"), AE="stop") is LATER


def test_of_several_conditions_the_strictest_row_counts() -> None:
    rows = {"AE__101": "dead", "AE__102": "retry", "AE__103": "stop", "AE__200": "hold"}
    for conditions, expected in [
        ("101 102", LATER),
        ("102 103 101", STOP),
        ("103 200", HOLD),
        ("101", NEVER),
    ]:
        assert way(negative("AE", *conditions.split()), **rows) is expected


@pytest.mark.parametrize(
    ("error", "row"),
    [(NoAnswer("x"), "timeout"), (AnswerForAnother("x"), "wrong_id"), (AnswerNotUnderstood("x"), "garbage")],
)
def test_a_failure_is_tried_again_unless_its_row_says_otherwise(error: ConnectorError, row: str) -> None:
    assert way(error) is LATER
    for word, expected in WAYS.items():
        assert way(error, **{row: word}) is expected
    others = {other.replace("-", "_"): "dead" for other in FAILURES.values()} | {row: "retry"}
    assert way(error, **others) is LATER


def test_failures_without_a_row_keep_their_class() -> None:
    rows = {row.replace("-", "_"): "dead" for row in FAILURES.values()}
    assert way(PartnerUnreachable("x"), **rows) is LATER
    assert way(PartnerRefusedUs("x"), **rows) is HOLD


def test_a_code_that_is_none_is_garbage() -> None:
    assert way(negative("OK")) is LATER
    assert way(negative("OK"), garbage="hold") is HOLD


@pytest.mark.parametrize(
    ("place", "again", "delivered"),
    [
        ("MSH-10", False, True),
        ("MSH-10.1", False, True),
        ("", True, True),
        ("", False, False),
        ("PID-3", True, False),
        ("MSH-1", True, False),
    ],
)
def test_a_duplicate_counts_as_delivered_where_it_can_only_be_ours(
    place: str, again: bool, delivered: bool
) -> None:
    answer = negative("AE", "205", place=place)
    assert (decide(answer, USUAL, again=again) is None) is delivered
    assert decide(answer, Replies(duplicates=False), again=again) is not None


WORDS = [
    "Duplicate control id",
    "DUPLICATE MESSAGE CONTROL ID",
    "duplicate message",
    "Rejected: duplicate MSH-10",
    "Message control ID already received",
    "control id 17 was already processed",
    "control number is a duplicate",
    "Message ID: duplicate",
]
OTHERS = [
    "",
    "Duplicate patient",
    "duplicate key",
    "duplicate message for patient",
    "control id missing",
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "text",
    ["MSA|AR|1|{}\r", "MSA|AE|1||||205^{}\r", "MSA|AE|1\rERR||||E|||x|{}\r", "MSA|AE|1\rERR|||^{}|E\r"],
)
def test_partners_say_in_many_words_that_the_control_id_was_there(text: str, words: str) -> None:
    assert decide(read(f"MSH|^~\\&\r{text.format(words)}"), USUAL) is None


@pytest.mark.parametrize("words", OTHERS)
def test_other_words_say_nothing_of_the_control_id(words: str) -> None:
    assert decide(read(f"MSH|^~\\&\rMSA|AR|1|{words}\r"), USUAL) is not None


def test_what_is_read_keeps_no_words() -> None:
    found = read("MSH|^~\\&\rMSA|AR|1|Duplicate control id of Smith\rERR||PID^1^5|103|E|||Smith\r")
    assert "Smith" not in repr(found)
    assert read("MSH|^~\\&\rMSA|AA|1|duplicate message\r") == Ack("AA", "1")


@given(
    st.sampled_from(sorted(CODES | {"", "ZZ"})),
    st.lists(st.sampled_from(sorted(CONDITIONS))),
    st.dictionaries(
        st.sampled_from([*REFUSED, *FAILURES.values(), "AE.103", "CR.205"]), st.sampled_from(sorted(WAYS))
    ),
    st.booleans(),
)
def test_no_refusal_is_ever_taken_for_a_delivery(
    code: str, conditions: list[str], rows: dict[str, Any], again: bool
) -> None:
    error = decide(negative(code, *conditions), Replies(rows), again=again)
    taken = code in ("AA", "CA")
    duplicate = code in REFUSED and again and "205" in conditions
    assert (error is None) is (taken or duplicate)
