"""When a partner may be delivered to: days and times of its own zone, over midnight too."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ProfileError
from connector.profile import parse
from connector.profile.windows import open_at, read

SMALL = 'name = "x"\n'
VIENNA = ZoneInfo("Europe/Vienna")
MONDAY = dt.date(2026, 11, 23)


def at(days: int, clock: str) -> dt.datetime:
    return dt.datetime.combine(MONDAY + dt.timedelta(days=days), dt.time.fromisoformat(clock), tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("08:00-16:00", [(0, "08:00"), (6, "15:59")], [(0, "07:59"), (0, "16:00")]),
        ("22:00-05:00", [(0, "22:00"), (0, "04:59"), (6, "23:59")], [(0, "05:00"), (0, "21:59")]),
        ("Mon-Fri 18:00-06:00", [(0, "18:00"), (5, "05:59")], [(0, "05:59"), (5, "18:00"), (6, "03:00")]),
        ("Sat-Mon 00:00-24:00", [(5, "00:00"), (6, "12:00"), (0, "23:59")], [(1, "00:00"), (4, "23:59")]),
        ("Sun 20:00-02:00", [(6, "20:00"), (0, "01:59")], [(6, "01:59"), (0, "02:00")]),
        ("Wed 00:00-24:00", [(2, "00:00"), (2, "23:59")], [(1, "23:59"), (3, "00:00")]),
    ],
)
def test_a_window_is_open_on_its_days_from_its_start_to_its_end(
    window: str, inside: list[tuple[int, str]], outside: list[tuple[int, str]]
) -> None:
    assert all(open_at([window], at(*one), None) for one in inside)
    assert not any(open_at([window], at(*one), None) for one in outside)


def test_the_times_are_those_of_the_partners_zone() -> None:
    assert not open_at(["08:00-09:00"], at(0, "06:30"), VIENNA)
    assert open_at(["08:00-09:00"], at(0, "07:30"), VIENNA)


def test_without_a_window_it_is_open_at_any_time_and_with_several_in_each_of_them() -> None:
    assert open_at([], at(0, "12:00"), None)
    both = ["06:00-07:00", "20:00-21:00"]
    assert [open_at(both, at(0, clock), None) for clock in ("06:30", "12:00", "20:30")] == [True, False, True]


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.integers(0, 525_599),
)
def test_what_is_not_in_a_window_is_in_the_one_from_its_end_to_its_start(
    start: int, end: int, minute: int
) -> None:
    if start == end:
        return
    clocks = [f"{one // 60:02}:{one % 60:02}" for one in (start, end)]
    now = at(0, "00:00") + dt.timedelta(minutes=minute)
    here, other = ("-".join(clocks), "-".join(clocks[::-1]))
    assert open_at([here], now, None) != open_at([other], now, None)


@pytest.mark.parametrize(
    "text", ["", "22-05", "24:00-05:00", "Foo 10:00-11:00", "10:00-25:00", "mon 1:00-2:00"]
)
def test_what_is_no_window_does_not_load(text: str) -> None:
    assert read(text) is None
    with pytest.raises(ProfileError, match="no window"):
        parse(f'{SMALL}[delivery.windows]\nto_fhir = ["{text}"]\n', "p.toml")
