"""The accounting of disclosures for one patient."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from audit.review import Report, html, text
from audit.review.disclosures import COLUMNS, Accounting, Patient, spreadsheet
from tests.audit.review import planted
from tests.audit.review.plain_log import BEGIN, PARTNER, PATIENT, Entry, Log, operator

OUT = {"link": "lab", "direction": "to_fhir", "attempt": 1}


def accounted(entries: list[Entry], **asked: object) -> Report:
    accounting = Accounting(Patient(frozenset({PATIENT}), **asked))  # type: ignore[arg-type]
    for entry in entries:
        accounting.see(entry)
    return accounting.report()


def disclosed(entries: list[Entry], **asked: object) -> list[dict[str, object]]:
    (table,) = accounted(entries, **asked).section("disclosures").tables
    return [dict(zip(COLUMNS, row.cells)) for row in table.rows]


def looked(entries: list[Entry], **asked: object) -> list[tuple[object, ...]]:
    (table,) = accounted(entries, **asked).section("inside").tables
    return [row.cells[2:] for row in table.rows]


def test_a_delivery_is_told_with_when_to_whom_what_and_why() -> None:
    log = Log()
    log.message()
    (line,) = disclosed(
        log.entries, purposes={"lab": "treatment"}, places={("lab", "fhir"): "https://fhir.example"}
    )
    assert line == {
        "First sent": "2026-09-07 00:00:00",
        "Last sent": "2026-09-07 00:00:00",
        "To whom": "lab, FHIR side",
        "Where to": "https://fhir.example",
        "What": "message ORU^R01, as 2 FHIR resources",
        "Purpose": "treatment",
        "Outcome": "taken by the receiver",
        "Attempts": 1,
    }


def test_what_is_not_known_is_said_not_to_be() -> None:
    log = Log()
    log.message()
    (line,) = disclosed(log.entries)
    assert line["Purpose"] == "not stated in the profile of the link"
    assert line["Where to"] == "not configured now"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("acknowledged", "taken by the receiver"),
        ("refused", "refused by the receiver, who may have seen it"),
        ("deferred", "tried; it is not known how much of it arrived"),
        ("", "sent; what became of it is not known"),
    ],
)
def test_whatever_may_have_been_seen_counts(end: str, said: str) -> None:
    log = Log()
    log.message(end=end)
    assert [line["Outcome"] for line in disclosed(log.entries)] == [said]


def test_of_others_and_of_acknowledgments_nothing_is_told() -> None:
    log = Log()
    log.message(patient="8899aabbccddeeff")
    answer = {**OUT, "direction": "answer", "patient": [PATIENT]}
    log.add("delivery:v2:intended", correlation="x", **answer)
    log.add("delivery:v2:acknowledged", correlation="x", acknowledgment="AA", **answer)
    assert disclosed(log.entries) == []


def test_what_came_is_told_also_where_its_patient_is_known_only_when_it_is_delivered() -> None:
    log = Log()
    place = {"link": "lab", "direction": "to_v2"}
    asked = {"interaction": "create", "resource": "Observation", "size": 300}
    log.add("message:fhir:received", {"role": "client", "client": "x"}, correlation="c", **place, **asked)
    for verb in ("intended", "acknowledged"):
        log.add(f"delivery:v2:{verb}", correlation="c", **place, number=1, attempt=1, patient=[PATIENT])
    (line,) = disclosed(log.entries)
    assert line["What"] == "FHIR create of Observation"
    assert line["To whom"] == "lab, v2 side"


def test_of_messages_that_are_never_delivered_only_the_last_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("audit.review.disclosures.RECENT", 10)
    accounting, log = Accounting(Patient(frozenset({PATIENT}))), Log()
    for number in range(100):
        what = {"link": "lab", "direction": "to_fhir", "message": "ADT^A01", "size": 9}
        accounting.see(log.add("message:v2:received", PARTNER, correlation=f"c{number}", **what))
    assert len(accounting._recent) == 10


def test_attempts_are_one_line_and_what_was_taken_once_stays_so() -> None:
    log = Log()
    correlation = log.message(end="deferred")
    more = {"link": "lab", "direction": "to_fhir", "number": 2, "patient": [PATIENT]}
    for attempt, verb in ((2, "intended"), (2, "acknowledged"), (3, "intended"), (3, "deferred")):
        log.add(f"delivery:fhir:{verb}", correlation=correlation, attempt=attempt, **more)
    (line,) = disclosed(log.entries)
    assert line["Outcome"] == "taken by the receiver"
    assert line["Attempts"] == 3


def test_each_delivery_that_is_made_of_one_message_is_a_line() -> None:
    log = Log()
    for number in (1, 2):
        log.add("delivery:fhir:intended", correlation="c", **OUT, number=number, patient=[PATIENT])
    assert len(disclosed(log.entries)) == 2


def test_a_delivery_that_names_nobody_is_found_by_its_message_also_one_from_before_the_period() -> None:
    log = Log()
    what = {"link": "lab", "direction": "to_fhir", "message": "ADT^A01", "size": 9}
    log.add("message:v2:received", PARTNER, correlation="c", patient=[PATIENT], **what)
    log.at += dt.timedelta(days=2)
    log.add("delivery:fhir:intended", correlation="c", **OUT)
    log.add("delivery:fhir:acknowledged", correlation="c", **OUT)
    log.add("delivery:fhir:acknowledged", correlation="another", **OUT)
    (line,) = disclosed(log.entries, since=BEGIN + dt.timedelta(days=1))
    assert line["What"] == "message ADT^A01"
    assert disclosed(log.entries, until=BEGIN + dt.timedelta(days=1)) == []


def test_deliveries_of_more_patients_than_are_named_are_counted() -> None:
    log = Log()
    log.add("delivery:fhir:acknowledged", correlation="c", **OUT, patient=["aa"], patients=900)
    (table,) = accounted(log.entries).section("disclosures").tables
    assert table.rows == ()
    assert table.note.startswith("1 deliveries were of so many patients")


def test_deliveries_of_the_number_without_its_assigner_are_counted_and_not_listed() -> None:
    log = Log()
    log.add("delivery:fhir:acknowledged", correlation="c", **OUT, patient=["number-alone"])
    (table,) = accounted(log.entries, bare=frozenset({"number-alone"})).section("disclosures").tables
    assert table.rows == ()
    assert table.note.startswith("1 deliveries name the patient's number without who assigned it")


def test_who_looked_is_told_with_the_reason_and_whether_the_glass_was_broken() -> None:
    log = Log()
    log.looked("ann", "ticket 1")
    log.looked("ann", "ticket 1", emergency=True)
    log.looked("bea", "of another", patient="8899aabbccddeeff")
    found = {"link": "(all)", "direction": "both", "kind": "mrn", "because": "a call"}
    log.add("operator:content:searched", operator("cho"), pseudonym="feed", **found)
    log.add("operator:content:searched", operator("cho"), pseudonym="beef", **found)
    log.add("operator:content:searched", operator("dan"), pseudonym="feed", patient=["another"], **found)
    assert looked(log.entries, searched=frozenset({"feed"})) == [
        ("ann (machine)", "", "saw the content of a message; link lab", "ticket 1", "by role", 1),
        ("ann (machine)", "", "saw the content of a message; link lab", "ticket 1", "by broken glass", 1),
        ("cho (machine)", "", "looked for the patient by mrn", "a call", "by role", 1),
    ]


def test_work_on_a_message_of_the_patient_is_told_by_its_correlation() -> None:
    log = Log()
    correlation = log.message()
    acted = {"link": "lab", "direction": "to_fhir", "number": 1, "kind": "delivery", "because": "again"}
    log.add("operator:message:replayed", operator("ann"), correlation=correlation, **acted)
    log.add("operator:message:replayed", operator("ann"), correlation="another", **acted)
    assert looked(log.entries) == [
        ("ann (machine)", "", "operator:message:replayed; link lab", "again", "by role", 1)
    ]


def test_nothing_is_left_out_of_an_accounting() -> None:
    log = Log()
    for number in range(6_000):
        log.add("delivery:fhir:intended", correlation=f"c{number}", **OUT, patient=[PATIENT])
    report = accounted(log.entries)
    assert len(report.section("disclosures").tables[0].rows) == 6_000
    assert report.section("disclosures").tables[0].left_out == 0


def test_what_is_counted_and_what_is_not_stands_on_the_page_and_in_the_text() -> None:
    report = planted.accounting()
    for page in (html(report), text(report).replace("\n", " ")):
        assert "Counted is every delivery about this patient" in page
        assert "treatment, payment and operations" in page


def test_the_spreadsheet_has_a_line_for_each_line_of_both_tables() -> None:
    report = planted.accounting()
    rows = list(csv.DictReader(io.StringIO(spreadsheet(report), newline="")))
    assert [row["Kind"] for row in rows].count("disclosure") == len(report.sections[0].tables[0].rows)
    assert [row["Kind"] for row in rows].count("inside") == len(report.sections[1].tables[0].rows)
