"""What counts as unusual: by a rule that can be computed by hand, and here is."""

from __future__ import annotations

import datetime as dt
from statistics import median
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.review import Asked, Hours, hours_of, reviewed
from audit.review.report import Row
from tests.audit.review.plain_log import BEGIN, Entry, Log, hours

COUNTS = st.lists(st.integers(0, 90), min_size=1, max_size=8)


def found(entries: list[Entry], caption: str, since: dt.datetime = BEGIN, **asked: Hours) -> list[Row]:
    section = reviewed(entries, Asked(since, **asked)).section("unusual")
    return list(next(one for one in section.tables if one.caption == caption).rows)


def most(entries: list[Entry], since: dt.datetime = BEGIN) -> list[Row]:
    return found(entries, "More than usual", since)


def none(entries: list[Entry], since: dt.datetime = BEGIN) -> list[Row]:
    return found(entries, "Nothing where there is always something", since)


@given(st.integers(1, 60), st.lists(st.floats(1, 2), min_size=1, max_size=9))
@settings(max_examples=40)
def test_of_a_quiet_log_nothing_is_told(usual: int, noise: list[float]) -> None:
    entries = hours([int(usual * one) for one in noise])
    assert most(entries) == []
    assert none(entries) == []


@given(COUNTS, st.integers(0, 400), st.booleans())
@settings(max_examples=60)
def test_what_is_told_is_what_the_rule_says(before: list[int], count: int, refused: bool) -> None:
    entries = hours([*before, count], refused=refused)
    since = BEGIN + dt.timedelta(weeks=len(before))
    known = before[next((at for at, one in enumerate(before) if one), len(before)) :]  # since it was known
    least = 20 if refused else 50
    told = len(known) >= 3 and count > 3 * median(known) and count >= median(known) + least
    rows = most(entries, since)
    assert bool(rows) == told
    if told:
        assert rows[0].cells[:2] == ("lab", "messages refused" if refused else "messages received")
        assert rows[0].cells[4:] == (
            count, f"{since + dt.timedelta(hours=10):%a %Y-%m-%d %H:00}", count,
            " ".join(map(str, reversed(known))), f"{median(known):g}",
        )  # fmt: skip
        assert rows[0].refs.entries == count


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
@settings(max_examples=30)
def test_silence_is_told_where_no_week_before_was_silent(before: list[int]) -> None:
    rows = none(hours([*before, 0]), BEGIN + dt.timedelta(weeks=len(before)))
    known = before[next((at for at, one in enumerate(before) if one), len(before)) :]
    assert bool(rows) == (len(known) >= 3 and min(known) >= 10)
    assert not rows or rows[0].cells[3] == 1


def test_hours_that_follow_each_other_are_one_line_with_the_numbers_of_the_worst() -> None:
    log = Log()
    for week in range(5):
        for hour, count in ((9, 100), (10, 300), (11, 90)):
            log.at = BEGIN + dt.timedelta(weeks=week, hours=hour)
            log.taken(count=count if week == 4 else 5)
    (row,) = most(log.entries, BEGIN + dt.timedelta(weeks=4))
    assert row.cells[2:7] == (
        "Mon 2026-10-05 09:00", "Mon 2026-10-05 11:00", 490, "Mon 2026-10-05 10:00", 300,
    )  # fmt: skip
    assert row.refs.entries == 490
    assert (row.refs.first, row.refs.last) == (61, 550)


def test_a_clock_that_was_years_off_costs_no_time() -> None:
    entries = hours([12, 12, 12, 12])
    for at in (dt.datetime(1970, 1, 2, tzinfo=dt.UTC), dt.datetime(9998, 12, 31, 23, tzinfo=dt.UTC)):
        log = Log(at)
        log.entries = entries
        log.taken(count=12)
    began = perf_counter()
    assert none(entries, BEGIN) != []
    assert perf_counter() - began < 2


def test_hours_that_are_not_over_are_not_silent() -> None:
    entries = hours([12, 12, 12, 12])
    log = Log(BEGIN + dt.timedelta(weeks=4, hours=10, minutes=5))
    log.entries = entries
    log.add("service:started")
    assert none(log.entries, BEGIN + dt.timedelta(weeks=4)) == []


def test_who_is_too_new_is_said_to_be() -> None:
    rows = found(hours([500, 500]), "Too new to be judged")
    assert [row.cells for row in rows] == [("lab", "messages received", "2026-09-07 10:00")]
    assert most(hours([500, 500])) == []


@given(st.lists(st.integers(0, 30), min_size=1, max_size=9))
@settings(max_examples=30)
def test_people_are_judged_by_the_same_weekday_from_the_first_day_on(days: list[int]) -> None:
    log = Log()
    log.add("service:started")
    for week, count in enumerate(days):
        log.at = BEGIN + dt.timedelta(weeks=week, hours=9)
        for _ in range(count):
            log.looked("ann", "ticket", patient="")
    *before, last = days
    usual = median(before[-8:] or [0])
    rows = most(log.entries, BEGIN + dt.timedelta(weeks=len(before)))
    assert bool(rows) == (last > 3 * usual and last >= usual + 10)


def test_a_burst_of_views_is_told_once_with_all_that_belongs_to_it() -> None:
    log = Log(BEGIN + dt.timedelta(hours=9))
    for _ in range(19):
        log.looked("ann", "ticket")
    log.at += dt.timedelta(hours=1)
    assert found(log.entries, "Many views in a short time") == []
    for _ in range(30):
        log.looked("ann", "ticket")
    (row,) = found(log.entries, "Many views in a short time")
    assert row.cells[:2] == ("ann (machine)", 30)
    assert (row.refs.first, row.refs.last) == (20, 49)


def test_a_patient_seen_by_four_people_or_twenty_times_a_day_is_told() -> None:
    log = Log(BEGIN + dt.timedelta(hours=9))
    for name in ("ann", "bea", "cho"):
        log.looked(name, "ticket", patient="aa")
    for _ in range(19):
        log.looked("ann", "ticket", patient="bb")
    assert found(log.entries, "One patient seen by many, or often") == []
    log.looked("dan", "ticket", patient="aa")
    log.looked("ann", "ticket", patient="bb")
    many, often = found(log.entries, "One patient seen by many, or often")
    assert many.cells[:4] == (
        "aa",
        4,
        "ann (machine): 1, bea (machine): 1, cho (machine): 1, dan (machine): 1",
        4,
    )
    assert often.cells[:5] == ("bb", 1, "ann (machine): 20", 20, 20)


@pytest.mark.parametrize(
    ("hours", "zone", "at", "late"),
    [
        ("07:00-19:00", "UTC", "2026-09-07T07:00:00+00:00", False),
        ("07:00-19:00", "UTC", "2026-09-07T19:00:00+00:00", True),
        ("07:00-19:00", "UTC", "2026-09-12T12:00:00+00:00", True),  # a Saturday
        ("07:00-19:00", "Europe/Vienna", "2026-09-07T18:00:00+00:00", True),
        ("07:00-19:00", "Europe/Vienna", "2026-09-07T05:00:00+00:00", False),
        ("22:00-06:00", "UTC", "2026-09-08T03:00:00+00:00", False),
        ("22:00-06:00", "UTC", "2026-09-12T03:00:00+00:00", False),  # of the night of Friday
        ("22:00-06:00", "UTC", "2026-09-07T03:00:00+00:00", True),  # of the night of Sunday
    ],
)
def test_views_out_of_hours_are_told_by_the_hours_that_are_given(
    hours: str, zone: str, at: str, late: bool
) -> None:
    log = Log(dt.datetime.fromisoformat(at) - dt.timedelta(seconds=5))
    log.looked("ann", "ticket")
    rows = found(log.entries, "Views and searches out of hours", hours=hours_of(hours, zone))
    assert bool(rows) == late


@pytest.mark.parametrize(
    ("hours", "zone"), [("7-19", "UTC"), ("25:00-26:00", "UTC"), ("07:00-19:00", "../x")]
)
def test_hours_that_are_none_are_refused(hours: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r"hours are written|no such time zone"):
        hours_of(hours, zone)
