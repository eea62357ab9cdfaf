"""``connector audit review`` and ``disclosures``: what a person is told, and what that leaves in the log."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from audit.directory import shards
from audit.notes import Kind, Note, parse
from audit.primitives import signer
from audit.tip import tip_of
from audit.vocabulary import BY_TAG
from audit.writing import publish_cosigned
from connector.demo.site import Ports, Site, make_site
from tests.audit.site import tamper
from tests.test_cli import DAY, run
from tests.test_cli_backup import audited


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert taken.exit_code == 0, taken.stderr
    return site


def review(site: Site, *more: Any, because: str = "the monthly review") -> Result:
    return run("audit", "review", "--config", site.config, "--as", "mia", "--because", because, *more)


def test_a_review_tells_what_happened_and_leaves_an_entry_before(site: Site) -> None:
    told = review(site, "--since", "2026-01-01")
    assert told.exit_code == 0, told.stderr
    assert "Made by: mia" in told.stdout
    assert "Because: the monthly review" in told.stdout
    (entry,) = audited(site, "audit:reviewed")
    assert entry["actor"]["name"] == "mia"
    assert entry["object"] == {"because": "the monthly review", "since": "2026-01-01T00:00:00.000Z"}
    assert re.search(rf"audit:reviewed +mia \(machine\) +since: {entry['object']['since']}", told.stdout)
    (shard,) = shards(site.store.with_suffix(".audit"))
    assert shard.origin in told.stdout
    assert f"good, by key {shard.keys()[0].id.hex()}" in told.stdout
    assert tip_of(shard).last == entry["seq"]  # and it is sealed


def test_a_page_is_written_for_its_owner_alone(site: Site, tmp_path: Path) -> None:
    out = [tmp_path / "r.html", tmp_path / "r.txt"]
    told = review(site, "--out", out[0], "--out", out[1])
    assert told.exit_code == 0, told.stderr
    assert told.stdout == f"{out[0]} written\n{out[1]} written\n"
    assert out[0].read_text().startswith("<!DOCTYPE html>")
    assert [stat.S_IMODE(one.stat().st_mode) for one in out] == [0o600] * 2


def test_without_a_reason_or_a_form_nothing_is_told_and_nothing_written(site: Site, tmp_path: Path) -> None:
    for given in (
        review(site, because=" "),
        review(site, "--out", tmp_path / "r.pdf"),
        review(site, "--hours", "nine to five"),
        review(site, "--zone", "Mars/Olympus"),
        review(site, "--partner", "nobody"),
    ):
        assert given.exit_code == 2
        assert given.stdout == ""
    assert audited(site, "audit:reviewed") == []


def test_without_its_entry_nothing_is_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry cannot be appended: the log takes no tag that it does not know."""
    known = {tag: row for tag, row in BY_TAG.items() if tag != "audit:reviewed"}
    monkeypatch.setattr("audit.vocabulary.BY_TAG", known)
    told = review(site)
    assert told.exit_code == 1
    assert told.stdout == ""
    assert "audit" in told.stderr
    assert audited(site, "audit:reviewed") == []


def test_a_partner_alone_is_told(site: Site) -> None:
    told = review(site, "--partner", "demo").stdout
    assert "Link: demo. Only entries about this link" in told
    assert "keys:loaded" not in told
    (entry,) = audited(site, "audit:reviewed")
    assert entry["object"]["link"] == "demo"


def test_a_changed_entry_ends_the_review_and_is_named(site: Site) -> None:
    seq = audited(site, "message:v2:received")[0]["seq"]
    tamper(
        site.store, "UPDATE audit_entry SET entry = replace(entry, 'ADT', 'ADX') WHERE seq = ?", values=[seq]
    )
    told = review(site)
    assert told.exit_code == 1
    assert told.stdout == ""
    assert f"entry {seq}" in told.stderr


def test_cosignatures_are_held_against_the_keys_of_the_settings(site: Site) -> None:
    witness = signer("w.example", Kind.COSIGNATURE, bytes(32))
    (shard,) = shards(site.store.with_suffix(".audit"))
    note = parse(shard.checkpoint() or b"")
    cosigned = Note(note.text, (*note.signatures, witness.signature(note.text, 1_795_000_000)))
    publish_cosigned(shard, cosigned.written())
    assert "w.example (its key is not known here)" in review(site).stdout
    with site.config.open("a") as file:
        file.write(f'\n[[audit.witness.ask]]\nurl = "https://localhost:9"\nkeys = ["{witness.key}"]\n')
    assert "w.example (good)" in review(site).stdout
