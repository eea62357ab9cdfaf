from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.hl7v2 import times

EASTERN = ZoneInfo("America/New_York")
MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("sent", "zone", "fhir"),
    [
        ("2024", None, "2024"),
        ("202408", None, "2024-08"),
        ("20240818", None, "2024-08-18"),
        ("20240818+0200", None, "2024-08-18"),
        ("20240229", None, "2024-02-29"),
        ("2024081811", EASTERN, "2024-08-18T11:00:00-04:00"),
        ("202408181126", EASTERN, "2024-08-18T11:26:00-04:00"),
        ("20240118112600", EASTERN, "2024-01-18T11:26:00-05:00"),
        ("20240818112600-0500", EASTERN, "2024-08-18T11:26:00-05:00"),
        ("20240818112600.1200+0545", None, "2024-08-18T11:26:00.1200+05:45"),
        ("20240818112600.123456Z", UTC, None),
        ("20240818112600.123456+0000", None, "2024-08-18T11:26:00.1234+00:00"),
        ("202408181126", UTC, "2024-08-18T11:26:00+00:00"),
        ("20240818112600+1400", None, "2024-08-18T11:26:00+14:00"),
        ("20241103013000", EASTERN, "2024-11-03T01:30:00-04:00"),  # comes twice: the first
        ("202408181126", None, None),  # no zone: nobody knows when
        ("20240818112600+1401", None, None),
        ("20240818112600+2500", None, None),
        ("20240818112600+0160", None, None),
        ("20241301", None, None),
        ("20240230", None, None),
        ("20230229", None, None),
        ("0000", None, None),
        ("202408182400", UTC, None),
        ("20240818112660", UTC, None),
        ("2024081", None, None),
        ("24", None, None),
        ("2024-08-18", None, None),
        ("20240818 1126", UTC, None),
        ("٢٠٢٤", None, None),
        ("20240818\n", None, None),
        ('""', None, None),
        ("", None, None),
    ],
)
def test_a_v2_time_becomes_a_fhir_time_at_its_precision(
    sent: str, zone: tzinfo | None, fhir: str | None
) -> None:
    assert times.dtm_to_fhir(sent, zone) == fhir


@pytest.mark.parametrize(
    ("fhir", "v2"),
    [
        ("2024", "2024"),
        ("2024-08", "202408"),
        ("2024-08-18", "20240818"),
        ("2024-08-18T11:26:00-05:00", "20240818112600-0500"),
        ("2024-08-18T11:26:00Z", "20240818112600+0000"),
        ("2024-08-18T11:26:00.120+05:45", "20240818112600.120+0545"),
        ("2024-08-18T11:26:00.123456789Z", "20240818112600.1234+0000"),
        ("2024-08-18T11:26:00", None),
        ("2024-08-18T11:26Z", None),
        ("2024-02-30", None),
        ("2024-08-18T24:00:00Z", None),
        ("2024-8-1", None),
        ("", None),
    ],
)
def test_a_fhir_time_becomes_a_v2_time(fhir: str, v2: str | None) -> None:
    assert times.dtm_to_v2(fhir) == v2


@pytest.mark.parametrize(
    ("sent", "fhir"),
    [
        ("1961", "1961"),
        ("19610615", "1961-06-15"),
        ("196106151230", "1961-06-15"),
        ("19611506", None),
        ("1", None),
    ],
)
def test_a_date_is_the_day_that_was_sent(sent: str, fhir: str | None) -> None:
    assert times.date_to_fhir(sent) == fhir


@pytest.mark.parametrize(
    ("fhir", "v2"), [("1961-06", "196106"), ("1961-06-31", None), ("1961-06-15T00:00:00Z", None)]
)
def test_a_fhir_date_becomes_a_v2_date(fhir: str, v2: str | None) -> None:
    assert times.date_to_v2(fhir) == v2


@pytest.mark.parametrize(
    ("sent", "fhir", "back"),
    [
        ("11", "11:00:00", "110000"),
        ("1126", "11:26:00", "112600"),
        ("112633.25", "11:26:33.25", "112633.25"),
    ],
)
def test_a_time_of_day_goes_both_ways(sent: str, fhir: str, back: str) -> None:
    assert times.tm_to_fhir(sent) == fhir
    assert times.tm_to_v2(fhir) == back


@pytest.mark.parametrize("sent", ["", "1", "24", "1160", "1126-0500", "112", "11:26"])
def test_what_is_no_time_of_day_is_none(sent: str) -> None:
    assert times.tm_to_fhir(sent) is None
    assert times.tm_to_v2(sent) is None


@given(MOMENTS, OFFSETS)
def test_every_moment_goes_to_fhir_and_back(moment: datetime, zone: timezone) -> None:
    sent = moment.replace(tzinfo=zone).strftime("%Y%m%d%H%M%S.%f")[:19] + moment.replace(
        tzinfo=zone
    ).strftime("%z")
    fhir = times.dtm_to_fhir(sent, None)
    assert fhir is not None
    assert times.dtm_to_v2(fhir) == sent
    assert times.dtm_to_fhir(sent, EASTERN) == fhir
    assert abs(datetime.fromisoformat(fhir) - moment.replace(tzinfo=zone)) < timedelta(milliseconds=1)


@given(MOMENTS)
def test_the_zone_gives_the_offset_of_that_day(moment: datetime) -> None:
    local = moment.replace(microsecond=0, tzinfo=EASTERN)
    fhir = times.dtm_to_fhir(local.strftime("%Y%m%d%H%M%S"), EASTERN)
    assert fhir is not None
    assert datetime.fromisoformat(fhir).utcoffset() == local.utcoffset()


@given(st.text(alphabet="0123456789-+:.TZ", max_size=30))
def test_no_text_is_misread(text: str) -> None:
    for read in (times.dtm_to_v2, times.date_to_v2, times.date_to_fhir, times.tm_to_fhir, times.tm_to_v2):
        assert read(text) is None or text
    fhir = times.dtm_to_fhir(text, UTC)
    assert fhir is None or times.dtm_to_fhir(times.dtm_to_v2(fhir) or "", UTC) == fhir


def test_a_zone_without_a_whole_offset_of_our_days_is_not_guessed() -> None:
    assert times.dtm_to_fhir("184012311200", ZoneInfo("Asia/Manila")) is None
