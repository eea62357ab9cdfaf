"""The pages: the same as they were, well-formed, harmless whatever an entry says, and open in a browser."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyhtml5.parser import HTMLParser as StrictParser

from audit.review import Asked, Report, html, reviewed, text
from audit.review.disclosures import Accounting, Patient, spreadsheet
from audit.review.plain import LONGEST, shown
from tests.audit.review import planted
from tests.audit.review.golden import FOLDER, pages
from tests.audit.review.plain_log import BEGIN, Log

NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            planted.HOSTILE, "</td></tr></table><img src=x onerror=alert(1)>", "]]>", "<!--", "--!>",
            "</style>", "\x00\x1b]0;x\x07", "\ud800", "\ufffe", "&lt;b&gt;", "=cmd|' /C calc'!A0", "-1+1",
            "@SUM(A1)", "a" * 999,
        ]
    ),
)  # fmt: skip


def parsed(page: str) -> ElementTree.Element:
    """As XML, which forgives nothing. Raises where it is not well-formed."""
    return ElementTree.fromstring(page.partition("\n")[2])  # noqa: S314 - our own page


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "dl", "dt", "dd", "ul", "ol", "li",
    "a", "nav", "section", "p", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "strong",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "scope", "tabindex", "role",
    "aria-label", "aria-labelledby",
}  # fmt: skip


class Elements(HTMLParser):
    """How often each element begins, as a browser would see it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = Counter[str]()
        self.attributes = set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] += 1
        self.attributes |= {name for name, _ in attrs}


def hostile(name: str, why: str, link: str) -> list[dict[str, object]]:
    """Every text of an entry that others can choose."""
    log = Log()
    actor = {"role": "operator", "name": name, "realm": why, "address": f"{name}:1"}
    log.add("operator:content:viewed", actor, link=link, kind=why, because=why, patient=[name])
    log.add("access:emergency:granted", actor, because=why, until=why)
    log.add("audit:reviewed", actor, because=why, what=name)
    log.add("keys:rotated", actor, because=why, key=name, keys=[name, why])
    log.refused("access:token:refused", {"role": "peer", "subject": name}, why, operation=name)
    log.add("store:refused", outcome="failure", reason=why, count=1)
    correlation = name
    log.add("message:v2:received", actor, correlation=correlation, link=link, message=why, patient=["aa"])
    sent = {"link": link, "attempt": 1, "patient": ["aa"]}
    log.add("delivery:fhir:acknowledged", correlation=correlation, **sent)
    return log.entries


def both(name: str, why: str, link: str) -> tuple[Report, Report]:
    entries = hostile(name, why, link)
    patient = Patient(frozenset({"aa", name}), purposes={link: why}, places={(shown(link), "fhir"): name})
    accounting = Accounting(patient)
    for entry in entries:
        accounting.see(entry)
    return reviewed(entries, Asked(BEGIN, facts=((name, why),))), accounting.report()


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_pages_of_the_planted_month_are_as_they_were(name: str) -> None:
    """Look at the difference, then ``python -m tests.audit.review.golden``."""
    assert pages()[name].encode() == (FOLDER / name).read_bytes()


@given(NASTY, NASTY, NASTY)
@settings(max_examples=60)
def test_nothing_that_an_entry_says_becomes_a_part_of_the_page(name: str, why: str, link: str) -> None:
    for report in both(name, why, link):
        page = html(report)
        parsed(page)
        found = Elements(page)
        assert found.found.keys() <= ELEMENTS
        assert found.attributes <= ATTRIBUTES
        assert set(re.findall(r'href="([^"]*)"', page)) <= {f"#{one.key}" for one in report.sections}


@given(NASTY, NASTY, NASTY)
@settings(max_examples=60)
def test_a_terminal_is_told_nothing_but_what_prints(name: str, why: str, link: str) -> None:
    for report in both(name, why, link):
        assert all(one.isprintable() for one in text(report).split("\n"))


@given(NASTY, NASTY, NASTY)
@settings(max_examples=60)
def test_a_spreadsheet_computes_nothing(name: str, why: str, link: str) -> None:
    written = spreadsheet(both(name, why, link)[1])
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert not [one for row in rows for one in row if one[:1] in ("=", "+", "-", "@", "\t", "\r")]


@given(st.text())
def test_what_is_shown_is_one_line_that_prints_and_is_not_long(value: str) -> None:
    found = shown(value)
    assert found.isprintable()
    assert len(found) <= LONGEST * 6
    assert found == value or len(value) > LONGEST or not value.isprintable()


@pytest.mark.parametrize("report", [planted.report(), planted.accounting(), *both(*[planted.HOSTILE] * 3)])
def test_the_page_is_html_without_a_single_error(report: Report) -> None:
    parser = StrictParser()
    parser.parse(html(report))
    assert parser.errors == []


def test_tables_can_be_read_by_who_cannot_see_them() -> None:
    root = parsed(html(planted.report()))
    assert root.get("lang") == "en"
    assert len(root.findall(".//h1")) == 1
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    tables = root.findall(".//table")
    assert len(tables) > 15
    for table in tables:
        caption = table.find("caption")
        assert caption is not None
        assert (caption.text or "").strip()
        width = len(table.findall("thead/tr/th[@scope='col']"))
        for row in table.findall("tbody/tr"):
            assert row[0].tag == "th"
            assert row[0].get("scope") == "row"
            assert len(row) == width


def test_a_browser_may_load_nothing() -> None:
    page = html(planted.report())
    root = parsed(page)
    policy = root.find(".//meta[@http-equiv='Content-Security-Policy']")
    assert policy is not None
    assert policy.get("content", "").startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"https?:|url\(|@import|style=", page.partition("</head>")[0])


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADLESS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: Debian's chromium")
def test_a_browser_shows_it_styled_and_prints_a_section_a_page(tmp_path: Path) -> None:
    page, out = tmp_path / "review.html", tmp_path / "review.pdf"
    page.write_text(html(planted.report()))
    given = [str(BROWSER), *HEADLESS, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={out}"]
    done = subprocess.run(
        [*given, "--enable-logging=stderr", page.as_uri()], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr  # the policy refused nothing, so the style is in force
    sheets = len(re.findall(rb"/Type\s*/Page\b", out.read_bytes()))
    assert sheets > len(planted.report().sections)
