"""Pauses grow and are spread; a partner that is away as a whole gets one probe at a time."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import (
    AnswerNotUnderstood,
    NoAnswer,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerUnreachable,
)
from connector.pipeline.breaker import Breaker, Going, Pauses, of_the_partner

NOW = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)
AWAY = PartnerUnreachable("silence")
PAUSES = Pauses(1.0, 2.0, 60.0)


def later(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def opened(limit: int = 3) -> Breaker:
    breaker = Breaker(limit)
    for _ in range(limit):
        breaker = breaker.failed(NOW, AWAY, PAUSES)
    return breaker


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_a_share_of_what_the_attempt_allows(attempt: int, share: float) -> None:
    assert 0 <= Pauses().after(attempt, AWAY, share) <= Pauses().longest(attempt) <= 300
    assert Pauses().longest(attempt) <= Pauses().longest(attempt + 1)


def test_what_the_partner_asks_for_is_not_spread() -> None:
    assert Pauses().after(1, PartnerBusy("later", after=17.5), 0.1) == 17.5
    assert Pauses().after(1, PartnerBusy("later", after=0.0), 0.1) == 0.0


def _busy(status: int) -> PartnerBusy:
    error = PartnerBusy("later")
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "whole"),
    [
        (AWAY, True),
        (NoAnswer("no acknowledgment"), True),
        (_busy(429), True),
        (_busy(503), True),
        (_busy(423), False),
        (PartnerBusy("AE with 206"), False),
        (PartnerBusy("later", after=1), True),
        (AnswerNotUnderstood("noise"), False),
        (PartnerRefusedMessage("no"), False),
    ],
)
def test_which_failures_are_of_the_whole_partner(error: PartnerBusy, whole: bool) -> None:
    assert of_the_partner(error) is whole


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(3).failed(NOW, AWAY, PAUSES).failed(NOW, AWAY, PAUSES)
    assert (breaker.going(NOW), breaker.places(NOW)) == (Going.CLOSED, None)
    assert breaker.answered().failed(NOW, AWAY, PAUSES).going(NOW) is Going.CLOSED
    breaker = breaker.failed(NOW, AWAY, PAUSES)
    assert (breaker.going(NOW), breaker.places(NOW)) == (Going.OPEN, 0)


def test_half_open_it_lets_one_probe_out() -> None:
    breaker = opened()
    assert breaker.places(later(0.9)) == 0
    assert breaker.places(later(1)) == 1
    probing = breaker.begun(later(1))
    assert (probing.going(later(1)), probing.places(later(99))) == (Going.HALF_OPEN, 0)


def test_a_probe_that_gets_through_closes_it() -> None:
    assert opened().begun(later(1)).answered() == Breaker(3)


def test_a_probe_that_fails_keeps_it_open_for_longer_each_time() -> None:
    breaker, at, waits = opened(), NOW, []
    for _ in range(8):
        assert breaker.until is not None
        waits.append((breaker.until - at).total_seconds())
        at = breaker.until
        breaker = breaker.begun(at).failed(at, AWAY, PAUSES)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_probe_of_which_nothing_is_known_makes_room_for_another() -> None:
    assert opened().begun(later(1)).given_up().places(later(1)) == 1


def test_a_partner_that_names_a_time_is_left_alone_at_once() -> None:
    breaker = Breaker(5).failed(NOW, PartnerBusy("later", after=30), PAUSES)
    assert (breaker.places(later(29)), breaker.places(later(30))) == (0, 1)


def test_what_was_sent_before_it_opened_does_not_shorten_the_wait() -> None:
    breaker = Breaker(5).failed(NOW, PartnerBusy("later", after=30), PAUSES)
    assert breaker.failed(NOW, PartnerBusy("later", after=5), PAUSES).until == later(30)


@given(
    st.lists(st.sampled_from(["begin", "fail", "answer", "give up", "wait"]), max_size=60), st.integers(1, 5)
)
def test_whatever_happens_at_most_one_probe_is_out_while_it_is_not_closed(
    steps: list[str], limit: int
) -> None:
    breaker, now, out = Breaker(limit), NOW, 0
    for step in steps:
        places = breaker.places(now)
        if step == "begin" and (places is None or places > 0):
            assert breaker.until is None or out == 0
            breaker, out = breaker.begun(now), out + (breaker.until is not None)
        elif step == "wait":
            now += dt.timedelta(seconds=1)
        elif step != "begin" and (out or breaker.until is None):
            match step:
                case "fail":
                    breaker = breaker.failed(now, AWAY, PAUSES)
                case "answer":
                    breaker = breaker.answered()
                case _:
                    breaker = breaker.given_up()
            out = 0
