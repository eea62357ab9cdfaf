"""What each HTTP status means: the table, the profile's word over it, how long a partner may make us wait."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import format_datetime
from pathlib import Path

import pytest

from connector.edges.http_replies import LONGEST_WAIT, STATUSES, Reply, refusal, retry_after
from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    PartnerBusy,
    PartnerChangedIt,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    Retry,
)

_HELD = {401, 403, 407, 511}
_READ_AGAIN = {409, 412}
_RETRIED = {408, 421, 423, 424, 425, 429}
_DEAD_OF_500 = {501, 505}


def _class_of(status: int) -> type[ConnectorError]:
    if status < 400:
        return AnswerNotUnderstood
    if status in _HELD:
        return PartnerRefusedUs
    if status in _READ_AGAIN:
        return PartnerChangedIt
    later = status in _RETRIED or (status >= 500 and status not in _DEAD_OF_500)
    return PartnerBusy if later else PartnerRefusedMessage


def test_every_status_that_is_no_success_has_a_class() -> None:
    for status in range(100, 600):
        error = refusal(status, issue="processing", location="Bundle.entry[1]")
        assert type(error) is _class_of(status)
        assert (error.status, error.issue, error.location) == (status, "processing", "Bundle.entry[1]")
        assert f"{status} (processing)" in str(error)
        assert error.way is None  # a refusal goes the way of on_refusal


WORDS: list[tuple[Reply, type[ConnectorError], Retry]] = [
    ("retry", PartnerBusy, Retry.LATER),
    ("dead", PartnerRefusedMessage, Retry.NEVER),
    ("stop", PartnerRefusedMessage, Retry.STOP),
    ("hold", PartnerRefusedUs, Retry.HOLD),
    ("read again", PartnerChangedIt, Retry.LATER),
]


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_profile_has_its_word_on_single_ones(status: int) -> None:
    for word, kind, way in WORDS:
        error = refusal(status, replies={status: word})
        assert type(error) is kind
        assert error.answer.retry is way
        assert type(refusal(418, replies={status: word})) is PartnerRefusedMessage


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize("issue", ["multiple-matches", "duplicate"])
def test_what_reading_again_cannot_mend_is_refused(status: int, issue: str) -> None:
    assert type(refusal(status, issue=issue)) is PartnerRefusedMessage


def test_a_redirect_says_what_to_change() -> None:
    assert "base" in refusal(308).fix


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("after", "seconds"), [("", None), ("7", 7.0), ("soon", None)])
def test_how_long_to_wait_is_kept_with_the_error(status: int, after: str, seconds: float | None) -> None:
    error = refusal(status, after=after)
    assert isinstance(error, PartnerBusy)
    assert error.after == seconds


@pytest.mark.parametrize(
    ("ahead", "seconds"), [(-60, 0.0), (90, 90.0), (86_400, LONGEST_WAIT), (10_000_000, LONGEST_WAIT)]
)
def test_a_date_to_come_back_at_becomes_seconds(ahead: int, seconds: float) -> None:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(seconds, abs=2)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000])
def test_a_wait_of_any_length_is_bounded(text: str) -> None:
    assert retry_after(text) == LONGEST_WAIT


def test_the_table_of_the_profiles_page_is_that_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "profiles" / "README.md").read_text()
    rows = re.findall(r"^\| `(retry|read again|dead|hold)` \| ([0-9, ]+) \|", text, re.MULTILINE)
    said = {int(status): word for word, statuses in rows for status in statuses.split(", ")}
    assert said == dict(STATUSES)
