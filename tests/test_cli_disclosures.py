"""``connector audit disclosures``: what a patient may ask for, without the patient in it."""

from __future__ import annotations

import asyncio
import csv
import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from connector import settings, wiring
from connector.demo.site import Ports, Site, make_site
from connector.pipeline.ports import Entry
from tests.test_cli import DAY, run
from tests.test_cli_backup import audited

NUMBER, AUTHORITY = "70012", "STV&2.999.1.1&ISO"  # of the patient of the first message of the day
NAMES = ("70012", "Beispiel", "Clara")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A message about a patient came in, and was delivered."""
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert taken.exit_code == 0, taken.stderr
    (received,) = audited(site, "message:v2:received")
    record(site, [*delivered(received["correlation"], {"patient": received["object"]["patient"]})])
    return site


def delivered(correlation: str, whom: dict[str, Any]) -> Iterator[Entry]:
    place = {"link": "demo", "direction": "to_fhir", "number": 1, "attempt": 1, **whom}
    for second, verb in enumerate(("intended", "acknowledged")):
        at, more = f"2026-11-23T10:00:0{second}.000Z", {"resources": 3} if second else {}
        actor = {"role": "connector"}
        yield Entry(at, f"delivery:fhir:{verb}", actor, {**place, **more}, "success", "", correlation)


def record(site: Site, entries: list[Entry]) -> None:
    async def recorded() -> None:
        store = wiring.open_store(settings.load(site.config).settings)
        await store.record(entries)
        await store.close()

    asyncio.run(recorded())


def listed(site: Site, *more: Any, given: str = f"{NUMBER}\n", because: str = "the patient asks") -> Result:
    command = ("audit", "disclosures", "--config", site.config, "--as", "mia", "--because", because)
    return run(*command, *more, given=given)


def test_a_delivery_is_listed_and_who_asked_is_on_record_before(site: Site) -> None:
    told = listed(site, "--assigner", AUTHORITY)
    assert told.exit_code == 0, told.stderr
    assert "Disclosures: 1" in told.stdout
    assert "demo, FHIR side" in told.stdout
    assert "message ADT^A01, as 3 FHIR resources" in told.stdout
    assert "good, by key" in told.stdout
    (entry,) = audited(site, "audit:disclosures:listed")
    (received,) = audited(site, "message:v2:received")
    assert entry["object"] == {"because": "the patient asks", "patient": received["object"]["patient"]}


def test_the_patient_is_nowhere_in_what_comes_out(site: Site, tmp_path: Path) -> None:
    out = [tmp_path / f"d{end}" for end in (".html", ".csv", ".txt")]
    told = listed(site, "--assigner", AUTHORITY, *(word for path in out for word in ("--out", path)))
    assert told.exit_code == 0, told.stderr
    for path in out:
        text = path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "demo, FHIR side" in text
        assert not [name for name in NAMES if name in text]
    rows = list(csv.DictReader(io.StringIO(out[1].read_text())))
    assert [(row["Kind"], row["Outcome"]) for row in rows] == [("disclosure", "taken by the receiver")]
    assert not [name for name in NAMES if name in told.stdout + told.stderr]


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--patient", f"{NUMBER}^^^{AUTHORITY}"), ""),
        (("--patient", NUMBER, "--assigner", AUTHORITY), ""),
        (("--patient", "-"), f"{NUMBER}^^^{AUTHORITY}\n"),
        (("--assigner", "urn:oid:2.999.1.1"), NUMBER),
    ],
)
def test_the_number_and_its_assigner_are_taken_in_each_form(
    site: Site, options: tuple[str, ...], given: str
) -> None:
    told = listed(site, *options, given=given)
    assert told.exit_code == 0, told.stderr
    assert "Disclosures: 1" in told.stdout


def test_of_another_assigner_or_none_nothing_is_listed(site: Site) -> None:
    for options in (("--assigner", "OTHER"), ("--no-assigner",)):
        told = listed(site, *options)
        assert told.exit_code == 0, told.stderr
        assert "Disclosures: none" in told.stdout


def test_what_was_sent_without_the_assigner_is_counted_and_listed_apart(site: Site) -> None:
    told = listed(site, "--no-assigner")
    (entry,) = audited(site, "audit:disclosures:listed")
    record(site, [*delivered("another", {"patient": entry["object"]["patient"]})])
    assert "Disclosures: 1" in listed(site, "--no-assigner").stdout
    told = listed(site, "--assigner", AUTHORITY)
    assert "Disclosures: 1" in told.stdout
    assert "1 deliveries name the patient's number without who assigned it" in told.stdout


def test_who_looked_for_the_patient_or_at_the_message_stands_beside(site: Site) -> None:
    find = ("queue", "find", "--config", site.config, "--mrn", f"{NUMBER}^^^{AUTHORITY}")
    assert run(*find, "--because", "a call", "--as", "ann").exit_code == 0
    show = ("queue", "show", "--config", site.config, "message", "1", "--content", "ticket 4711")
    assert run(*show, "--as", "ann").exit_code == 0
    told = listed(site, "--assigner", AUTHORITY).stdout
    assert "looked for the patient by mrn" in told
    assert "saw the content of a message; link demo" in told
    assert "ticket 4711" in told


def test_it_is_asked_for_without_being_shown_where_there_is_a_terminal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return NUMBER

    monkeypatch.setattr("connector.commands.audit_disclosures._on_a_terminal", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    assert "Disclosures: 1" in listed(site, "--assigner", AUTHORITY, given="").stdout
    assert asked == [{"hide_input": True, "err": True}]


def test_where_it_is_not_clear_who_is_meant_nothing_is_told(site: Site, tmp_path: Path) -> None:
    for told in (
        listed(site),
        listed(site, "--assigner", AUTHORITY, given="\n"),
        listed(site, "--assigner", AUTHORITY, "--no-assigner"),
        listed(site, "--assigner", AUTHORITY, because=" "),
        listed(site, "--assigner", AUTHORITY, "--out", tmp_path / "d.xlsx"),
    ):
        assert told.exit_code == 2
        assert told.stdout == ""
    assert audited(site, "audit:disclosures:listed") == []


def test_the_purpose_is_what_the_profile_says(site: Site) -> None:
    (profile,) = site.config.parent.rglob("profile.toml")
    profile.write_text(
        profile.read_text().replace('name = "demo"\n', 'name = "demo"\npurpose = "treatment: the ward"\n', 1)
    )
    assert "treatment: the ward" in listed(site, "--assigner", AUTHORITY).stdout
