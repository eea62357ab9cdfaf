"""Whatever stands in entries that have the form of one, a page comes of it that is well-formed and prints."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final
from xml.etree import ElementTree

from audit.review import Asked, Report, html, reviewed, text
from audit.review.disclosures import Accounting, Patient, spreadsheet
from audit.review.period import BEGINNING
from audit.review.reading import Unreadable, read

WORDS: Final = (
    b'"actor":{', b'"object":{', b'"role":"operator"', b'"emergency":true', b'"link":', b'"patient":[',
    b'"pseudonym":', b'"because":', b'"until":"', b'"count":', b'"attempt":', b'"sha256":', b'"before":',
    b'"tag":"operator:content:viewed"', b'"tag":"access:emergency:granted"', b'"tag":"service:started"',
    b'"tag":"delivery:fhir:intended"', b'"outcome":"refused"', b'"time":"2026-11-23T10:15:00Z"',
    b"\\u202e", b"\\u0000", b"\\ud800", b"<script>", b"]]>", b"-->", b"&lt;", b"null", b"1e400", b"-0.5",
    b"=1+1", b"\n",
)  # fmt: skip
LINES: Final = 12


def check(data: bytes) -> None:
    """A line is an entry, or none; of those that are, both pages."""
    entries: list[dict[str, Any]] = []
    for line in data.split(b"\n", LINES)[:LINES]:
        with suppress(Unreadable):
            entries.append(read(line, "line"))
    accounting = Accounting(Patient(frozenset({"aa", ""})))
    for entry in entries:
        accounting.see(entry)
    for report in (reviewed(entries, Asked(BEGINNING)), accounting.report()):
        _shown(report)
    _computes_nothing(spreadsheet(accounting.report()))


def _shown(report: Report) -> None:
    root = ElementTree.fromstring(html(report).partition("\n")[2])  # noqa: S314 - our own page
    assert not root.findall(".//script")
    assert all(line.isprintable() for line in text(report).split("\n"))


def _computes_nothing(table: str) -> None:
    assert not any(line[:1] in "=+-@" for line in table.split("\r\n") if line)
