"""Which answer belongs to which message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mllp import Acknowledgment, Exchange, Mode, Stray, StrayAnswer, read_msa


def ack(code: str, control_id: str) -> bytes:
    return f"MSH|^~\\&|LAB|X|HIS|WARD|20261123||ACK|9|P|2.5.1\rMSA|{code}|{control_id}\r".encode()


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
def test_in_original_mode_any_answer_is_the_last(code: str) -> None:
    exchange = Exchange()
    exchange.sent("1")
    assert exchange.received(ack(code, "1")) == Acknowledgment(code, "1", ack(code, "1"))
    assert exchange.waiting == ()


@pytest.mark.parametrize(("code", "accepted"), [("AA", True), ("CA", True), ("AE", False), ("CR", False)])
def test_only_aa_and_ca_say_that_the_message_was_taken(code: str, accepted: bool) -> None:
    assert Acknowledgment(code, "1", b"").accepted is accepted


def test_in_enhanced_mode_the_commit_answer_comes_first_and_the_application_answer_is_the_last() -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.APPLICATION)
    assert exchange.received(ack("CA", "1")) == Acknowledgment("CA", "1", ack("CA", "1"), final=False)
    assert list(exchange.waiting) == ["1"]
    assert exchange.received(ack("AE", "1")) == Acknowledgment("AE", "1", ack("AE", "1"))
    assert list(exchange.waiting) == []


@pytest.mark.parametrize("code", ["CE", "CR", "AA", "AR"])
def test_in_enhanced_mode_a_refusal_or_an_early_application_answer_is_the_last(code: str) -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.APPLICATION)
    answer = exchange.received(ack(code, "1"))
    assert isinstance(answer, Acknowledgment)
    assert answer.final


def test_with_commit_answers_only_ca_is_the_last() -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.COMMIT)
    assert exchange.received(ack("CA", "1")) == Acknowledgment("CA", "1", ack("CA", "1"))


def test_a_second_commit_answer_is_a_duplicate_and_the_message_still_waits() -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.APPLICATION)
    exchange.received(ack("CA", "1"))
    assert exchange.received(ack("CA", "1")) == StrayAnswer(Stray.DUPLICATE, "CA", "1", ack("CA", "1"))
    assert exchange.waiting == ("1",)


def test_with_commit_answers_only_the_application_answer_comes_afterwards_and_once() -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.COMMIT)
    exchange.received(ack("CA", "1"))
    reasons = [exchange.received(ack(code, "1")) for code in ("CA", "AE", "AE")]
    assert [one.reason for one in reasons if isinstance(one, StrayAnswer)] == [
        Stray.DUPLICATE,
        Stray.AFTERWARDS,
        Stray.DUPLICATE,
    ]


@pytest.mark.parametrize("code", ["CE", "CR", "AE"])
def test_after_a_commit_answer_that_refuses_nothing_more_is_expected(code: str) -> None:
    exchange = Exchange()
    exchange.sent("1", Mode.COMMIT)
    exchange.received(ack(code, "1"))
    answer = exchange.received(ack("AA", "1"))
    assert isinstance(answer, StrayAnswer)
    assert answer.reason is Stray.DUPLICATE


def test_an_answer_is_not_credited_to_the_message_that_waits_unless_it_names_it() -> None:
    exchange = Exchange()
    exchange.sent("1")
    exchange.give_up("1")
    exchange.sent("2")
    assert exchange.received(ack("AA", "1")) == StrayAnswer(Stray.LATE, "AA", "1", ack("AA", "1"))
    assert exchange.waiting == ("2",)


def test_a_second_answer_is_a_duplicate() -> None:
    exchange = Exchange()
    exchange.sent("1")
    exchange.received(ack("AA", "1"))
    assert exchange.received(ack("AA", "1")) == StrayAnswer(Stray.DUPLICATE, "AA", "1", ack("AA", "1"))


def test_an_answer_after_giving_up_is_late() -> None:
    exchange = Exchange()
    exchange.sent("1")
    exchange.give_up("1")
    assert exchange.received(ack("AA", "1")) == StrayAnswer(Stray.LATE, "AA", "1", ack("AA", "1"))


def test_giving_up_what_does_not_wait_changes_nothing() -> None:
    exchange = Exchange()
    exchange.give_up("1")
    assert exchange.received(ack("AA", "1")) == StrayAnswer(Stray.UNKNOWN, "AA", "1", ack("AA", "1"))


def test_a_message_sent_again_waits_again() -> None:
    exchange = Exchange()
    exchange.sent("1")
    exchange.give_up("1")
    exchange.sent("1")
    assert isinstance(exchange.received(ack("AA", "1")), Acknowledgment)


@pytest.mark.parametrize(
    "payload", [b"", b"MSH|", b"\xff\xfe", b"MSH|^~\\&\rMSA|AA\r", b"MSH|^~\\&\rMSA|ZZ|1\r", b"PID|1\r"]
)
def test_what_is_no_acknowledgment_is_unreadable(payload: bytes) -> None:
    exchange = Exchange()
    exchange.sent("1")
    answer = exchange.received(payload)
    assert isinstance(answer, StrayAnswer)
    assert answer.reason is Stray.UNREADABLE
    assert exchange.waiting == ("1",)


def test_answers_may_come_in_any_order() -> None:
    exchange = Exchange()
    for control_id in "123":
        exchange.sent(control_id)
    for control_id in "312":
        answer = exchange.received(ack("AA", control_id))
        assert isinstance(answer, Acknowledgment)
        assert answer.control_id == control_id


def test_old_control_ids_are_forgotten() -> None:
    exchange = Exchange(memory=2)
    for control_id in "123":
        exchange.sent(control_id)
        exchange.received(ack("AA", control_id))
    reasons = [exchange.received(ack("AA", control_id)) for control_id in "123"]
    assert [answer.reason for answer in reasons if isinstance(answer, StrayAnswer)] == [
        Stray.UNKNOWN,
        Stray.DUPLICATE,
        Stray.DUPLICATE,
    ]


def test_another_reader_may_take_the_answer_apart() -> None:
    exchange = Exchange(lambda payload: ("AA", payload.decode("utf-16")))
    exchange.sent("ä1")
    assert isinstance(exchange.received("ä1".encode("utf-16")), Acknowledgment)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"MSH|^~\\&\rMSA|AA|17|text\r", ("AA", "17")),
        (b"MSH#^~\\&\nMSA#AE#17", ("AE", "17")),
        (b"MSH|^~\\&\r\nMSA| AA | 17 \r\n", ("AA", "17")),
        (b"MSH|^~\\&\rERR|MSA|AA|1\r", ("", "")),
    ],
)
def test_msa_is_read_with_the_senders_separator_and_line_ends(
    payload: bytes, expected: tuple[str, str]
) -> None:
    assert read_msa(payload) == expected


@given(st.binary())
def test_no_answer_crashes_the_reader(payload: bytes) -> None:
    exchange = Exchange()
    exchange.sent("1")
    exchange.received(payload)
    exchange.received(b"MSH|" + payload)
