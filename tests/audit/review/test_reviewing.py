"""What a review says of a month in which everything happens."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from audit import Draft, Tag
from audit.review import Asked, Report, reviewed
from audit.review.report import Row, Table
from audit.review.tally import Tally
from audit.vocabulary import check
from tests.audit.review import planted
from tests.audit.review.plain_log import BEGIN, PATIENT, Log, operator, peer
from tests.audit.samples import DAY, log


@pytest.fixture(scope="module")
def report() -> Report:
    return planted.report()


def table(report: Report, section: str, caption: str) -> Table:
    return next(one for one in report.section(section).tables if one.caption == caption)


def cells(report: Report, section: str, caption: str) -> list[tuple[str | int, ...]]:
    return [row.cells for row in table(report, section, caption).rows]


def test_the_planted_month_is_one_that_the_log_would_take() -> None:
    for one in planted.month():
        check(Draft(*(one[name] for name in Draft._fields)))


def test_every_entry_of_the_period_stands_under_its_tag(report: Report) -> None:
    told = {row.cells[0]: row.cells[1] for row in table(report, "tags", "Entries of each tag").rows}
    since = planted.SINCE.isoformat()[:19]
    assert told == Counter(one["tag"] for one in planted.month() if one["time"] >= since)


def test_every_line_leads_back_to_entries_that_are_there(report: Report) -> None:
    entries = {one["seq"] for one in planted.month()}
    lines = [
        row
        for section in report.sections
        for table in section.tables
        if table.entries and table.caption != "The clock"
        for row in table.rows
    ]
    assert len(lines) > 30
    for row in lines:
        assert row.refs.entries > 0
        assert {row.refs.first, row.refs.last, *row.refs.some} <= entries


def test_activity_adds_up_by_partner_person_and_day(report: Report) -> None:
    since = planted.SINCE.isoformat()[:19]
    inside = [one for one in planted.month() if one["time"] >= since]
    for name, count in (
        ("partner", sum(one["object"].get("link") == "lab" for one in inside)),
        ("person", sum(one["actor"]["role"] == "operator" for one in inside)),
    ):
        for caption, columns in (
            (f"Each {name}", slice(1, None)),
            (f"Each {name}, day by day", slice(2, None)),
        ):
            rows = table(report, "activity", caption).rows
            assert sum(sum(map(int, row.cells[columns])) for row in rows) == count
            assert sum(row.refs.entries for row in rows) == count
    monday = next(
        row for row in cells(report, "activity", "Each partner, day by day") if row[0] == "2026-11-02"
    )
    assert monday == ("2026-11-02", "lab", 3, 0, 0, 2, 1, 0, 10)


def test_refused_attempts_are_counted_by_who_where_from_and_why(report: Report) -> None:
    rows = cells(report, "refused", "People and machines that were not let in")
    assert rows[0][:6] == ("tls:handshake:refused", "timeout", "mllp", "(not known)", "", 480)
    assert rows[1][:6] == (
        "tls:handshake:refused",
        "certificate revoked",
        "mllp",
        "(not known)",
        "203.0.113.9",
        3,
    )
    assert rows[2][4] == "[2001:db8::1]"
    assert len(rows) == 3
    (message,) = cells(report, "refused", "What was not taken")
    assert message[:6] == (
        "message:v2:refused",
        "UnknownMessage: MSH-9",
        "lab",
        "CN=lab.example",
        "10.0.0.5",
        1,
    )


def test_views_stand_with_the_reasons_that_were_given(report: Report) -> None:
    rows = cells(report, "content", "Content that was seen or looked for")
    assert ("ann (machine)", "saw the content of a message", "lab", "ticket 4711", "no", 2) in [
        row[:6] for row in rows
    ]
    assert sum(int(row[5]) for row in rows) == 27
    acts = cells(report, "content", "What else people did to messages and links")
    assert [row[:4] for row in acts] == [
        ("ann (machine)", "operator:message:replayed", "lab", "fixed"),
        ("hal (login)", "operator:link:paused", "lab", "ward 3"),
    ]


def test_break_glass_lists_all_that_was_done_under_it(report: Report) -> None:
    (use,) = cells(report, "glass", "Uses of break-glass")
    assert use == (
        1, "hal (login)", "ward 3, system down", "2026-11-03 11:30:00", "2026-11-03 12:30:00",
        "2026-11-03 11:32:45", 21,
    )  # fmt: skip
    done = cells(report, "glass", "Done under use 1, by hal (login)")
    assert [(row[0], row[3], row[4]) for row in done] == [
        ("operator:content:viewed", "yes", 20),
        ("operator:link:paused", "no", 1),
    ]


def test_a_use_that_ends_by_itself_holds_nothing_of_what_comes_after() -> None:
    log = Log()
    log.add("access:emergency:granted", operator("ann"), because="x", until="2026-09-07T00:10:00.000Z")
    log.looked("ann", "within", emergency=True)
    log.looked("bea", "somebody else")
    log.at += dt.timedelta(minutes=20)
    log.looked("ann", "after")
    (use,) = cells(reviewed(log.entries, Asked(BEGIN)), "glass", "Uses of break-glass")
    assert use[5:] == ("by itself, or not yet", 1)


def test_a_use_from_before_the_period_is_told_where_it_reaches_into_it() -> None:
    log = Log()
    log.add("access:emergency:granted", operator("ann"), because="x", until="2026-09-08T00:00:00.000Z")
    log.at += dt.timedelta(hours=12)
    log.looked("ann", "within", emergency=True)
    (use,) = cells(
        reviewed(log.entries, Asked(BEGIN + dt.timedelta(hours=6))), "glass", "Uses of break-glass"
    )
    assert use[:3] == (1, "ann (machine)", "x")


def test_readings_of_the_log_and_changes_of_keys_and_profiles_are_told(report: Report) -> None:
    read = cells(report, "audited", "Readings, exports and years")
    assert [row[:4] for row in read] == [
        ("audit:disclosures:listed", "bea (machine)", f"patient: {PATIENT}", "the patient asks"),
        ("audit:reviewed", "bea (machine)", "", "the monthly review"),
    ]
    (profile,) = cells(report, "changes", "Settings and profiles that are others than before")
    assert profile[:3] == ("profile lab", "aa" * 32, "bb" * 32)
    changes = [row[:5] for row in cells(report, "changes", "Changes")]
    assert ("keys:rotated", "", "kim (machine)", "key: kek-2; provider: file", "yearly") in changes


def test_ends_steps_of_the_clock_and_trouble_are_told(report: Report) -> None:
    runs = [row[1] for row in cells(report, "service", "Starts and ends of the service")]
    assert runs == [
        "unclean end; the last entry before it is of 2026-11-03 11:32:45", "start", "stop", "start"
    ]  # fmt: skip
    clock = cells(report, "service", "The clock")
    assert clock[0] == ("times that go back", 1, "by 900 s at most")
    assert clock[2] == ("largest known error of the clock, in milliseconds", 20, "")
    (trouble,) = cells(report, "service", "Trouble, and its end")
    assert trouble[:5] == ("store:refused", "", "failure", "StoreUnavailable", "count: 3")


def test_seals_say_how_far_they_go(report: Report) -> None:
    (row,) = cells(report, "seals", "Shards")
    assert row[:7] == ("hospital.example/audit/2026", 1, 420, 420, "good", 400, "w.example")
    none = reviewed(planted.month(), planted.ASKED).section("seals").tables[0]
    assert none.note.startswith("There is no sealed log here")


def test_what_needs_eyes_is_counted_in_front(report: Report) -> None:
    assert {one.section for one in report.findings} == {"glass", "service", "unusual", "refused", "content"}
    quiet = Log()
    quiet.taken(count=3)
    assert reviewed(quiet.entries, Asked(BEGIN)).findings == ()


def test_a_partner_alone_is_told_with_what_that_leaves_out() -> None:
    log = Log()
    log.taken("lab")
    log.taken("ward")
    log.add("keys:rotated", operator("kim"))
    report = reviewed(log.entries, Asked(BEGIN, partner="ward"))
    assert [row[0] for row in cells(report, "activity", "Each partner")] == ["ward"]
    assert dict(report.facts)["Link"].startswith("ward. Only entries about this link")
    assert cells(report, "changes", "Changes") == []


def test_entries_from_the_end_of_the_period_on_are_left_out() -> None:
    log = Log()
    log.taken(count=3, apart=60)
    until = BEGIN + dt.timedelta(minutes=1)
    report = reviewed(log.entries, Asked(BEGIN, until))
    assert dict(report.facts)["Entries"] == "1, numbers 1 to 1"


def test_a_flood_of_addresses_takes_bounded_memory_and_is_counted_still() -> None:
    tally = Tally(keeps=1, most=100)
    log = Log()
    for number in range(1_000):
        entry = log.refused("tls:handshake:refused", peer(f"10.0.0.{number}:1"), "timeout", listener="mllp")
        tally.add(("timeout", f"10.0.0.{number}"), entry)
    rows: list[Row] = tally.rows(most_first=True)
    assert len(rows) == 101
    assert rows[0].cells[:3] == ("timeout", "(others)", 900)
    assert tally.times == 1_000
    assert "more than 100 different lines" in tally.note


@pytest.mark.parametrize("tag", list(Tag))
def test_every_tag_has_its_place(tag: Tag) -> None:
    """By itself, and refused: nothing that can stand in the log keeps a review from being made."""
    for outcome in ("success", "refused", "failure"):
        log = Log()
        log.add(tag, operator("ann"), outcome=outcome, reason="X", link="lab", because="y", patient=["aa"])
        report = reviewed(log.entries, Asked(BEGIN))
        assert cells(report, "tags", "Entries of each tag")[0][:2] == (tag, 1)
        if outcome == "refused" and tag not in ("tls:file:refused", "profile:refused", "store:refused"):
            told = [*report.section("refused").tables[0].rows, *report.section("refused").tables[1].rows]
            assert [row.cells[0] for row in told] == [tag]


QUIET = (  # only counted: nothing that a reviewer has to look at one by one
    "message:", "delivery:", "conflict:kept", "access:login:succeeded", "access:login:ended",
    "oauth:token:issued", "oauth:token:obtained", "tls:peer:admitted", "access:token:accepted",
    "service:resumed",
)  # fmt: skip


@pytest.mark.parametrize("tag", [tag for tag in Tag if not tag.startswith(QUIET)])
def test_what_is_no_traffic_is_told_beyond_its_count(tag: Tag) -> None:
    """A tag that nobody thought of would be missing from all sections but the last two."""
    log = Log()
    outcome = "refused" if "refused" in tag or tag == "tls:connection:cut" else "success"
    log.add(tag, operator("ann"), outcome=outcome, reason="X", link="lab", because="y")
    report = reviewed(log.entries, Asked(BEGIN))
    told = [
        row
        for section in report.sections
        if section.key not in ("activity", "tags", "unusual")
        for table in section.tables
        for row in table.rows
        if row.refs.entries
    ]
    if tag == "access:emergency:ended":
        return  # the end of a use that is not in the log; told with its use
    assert told


def test_a_plausible_day_is_told_whole() -> None:
    day = log(2_000)
    report = reviewed(day, Asked(DAY))
    rows = table(report, "tags", "Entries of each tag").rows
    assert {row.cells[0]: row.cells[1] for row in rows} == Counter(one["tag"] for one in day)
    assert {finding.section for finding in report.findings} >= {"refused", "glass", "content", "service"}
