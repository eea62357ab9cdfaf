"""backup and restore against the store of a site: what comes back is what was there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit.directory import Shard, shards
from audit.fsck import fsck
from connector.demo.site import Ports, Site, make_site
from tests.audit.sealed import consistent
from tests.test_cli import DAY, run


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert taken.exit_code == 0, taken.stderr
    return site


def backup(site: Site, out: Path) -> Any:
    return run("backup", "--config", site.config, out, "--as", "mia")


def restore(site: Site, file: Path, *options: str) -> Any:
    return run("restore", "--config", site.config, file, "--as", "mia", *options)


def audited(site: Site, prefix: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(site.store)) as connection:
        entries = [json.loads(row[0]) for row in connection.execute("SELECT entry FROM audit_entry")]
    return [one for one in entries if one["tag"].startswith(prefix)]


def lose(site: Site) -> None:
    for path in site.store.parent.glob(f"{site.store.name}*"):
        path.unlink()


def test_what_is_restored_is_what_was_backed_up(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    assert "under key" in backup(site, out).stdout
    lose(site)
    assert restore(site, out).stdout.startswith("restored as it was at 20")
    known = json.loads(run("status", "--config", site.config, "--json").stdout)["links"]
    assert [one["received"] for one in known if one["direction"] == "to_fhir"] == [1]
    assert all(one["reconciled"] for one in known)
    (told,) = audited(site, "store:backup:restored")
    assert (told["actor"]["name"], len(told["object"]["sha256"])) == ("mia", 64)


def test_what_was_done_is_on_record(site: Site, tmp_path: Path) -> None:
    backup(site, tmp_path / "night.backup")
    restore(site, tmp_path / "night.backup", "--drill")
    verbs = [one["tag"].rpartition(":")[2] for one in audited(site, "store:backup:")]
    assert verbs == ["intended", "made", "tried"]


def test_a_drill_says_what_would_come_back_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    before = sorted(site.store.parent.iterdir())
    said = restore(site, out, "--drill")
    assert said.exit_code == 0
    assert "1 received, 1 waiting; 1 opened and readable" in said.stdout
    assert sorted(site.store.parent.iterdir()) == before


def test_what_was_erased_is_no_fault_of_a_backup(site: Site, tmp_path: Path) -> None:
    erased = run("erase", "--config", site.config, "--record", "1", "--even-waiting", "--reason", "asked for")
    assert erased.stdout == "1 messages erased\n"
    out = tmp_path / "night.backup"
    backup(site, out)
    said = restore(site, out, "--drill")
    assert said.exit_code == 0
    assert "1 received, 0 waiting; 0 opened and readable" in said.stdout


def test_nothing_is_restored_over_a_store(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    before = site.store.read_bytes()
    refused = restore(site, out)
    assert (refused.exit_code, site.store.read_bytes() == before) == (2, True)
    assert "move it away" in refused.stderr


def test_a_damaged_backup_restores_nothing(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    lose(site)
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    refused = restore(site, out)
    assert refused.exit_code == 1
    assert not site.store.exists()


def test_a_store_whose_audit_log_was_altered_is_not_backed_up(site: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(site.store)) as connection:
        triggers = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ]
        for name in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.commit()
    out = tmp_path / "night.backup"
    assert backup(site, out).exit_code == 1
    assert not out.exists()


def _shard(site: Site) -> Shard:
    (found,) = shards(site.store.with_suffix(".audit"))
    return found


def test_the_audit_log_goes_on_where_it_was_signed(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    before = _shard(site).checkpoint() or b""
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "02-register.hl7")
    assert taken.exit_code == 0, taken.stderr
    signed = _shard(site).checkpoint() or b""
    with closing(sqlite3.connect(site.store)) as connection:
        entries = connection.execute("SELECT * FROM audit_entry").fetchall()
    lose(site)
    said = restore(site, out).stdout
    assert "audit entries that had been signed since were put back" in said
    with closing(sqlite3.connect(site.store)) as connection:
        restored = connection.execute("SELECT * FROM audit_entry").fetchall()
    assert restored[: len(entries)] == entries
    assert json.loads(restored[len(entries)][1])["tag"] == "store:backup:restored"
    assert consistent(_shard(site), [before, signed, _shard(site).checkpoint() or b""]) == 3
    assert fsck(site.store, site.store.with_suffix(".audit")).good
    assert "signed since put back" in restore(site, out, "--drill").stdout


def test_a_fresh_machine_is_told_what_is_missing(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    origin = _shard(site).origin
    lose(site)
    site.store.with_suffix(".audit").rename(tmp_path / "away")
    result = restore(site, out)
    assert result.exit_code == 1
    assert not site.store.exists()
    assert "another [audit] site" in result.stderr
    assert f"a checkpoint of {origin} over" in result.stderr
    text = site.config.read_text()
    site.config.write_text(f'{text}\n[audit]\nsite = "new.example"\n')
    assert restore(site, out).exit_code == 0
    assert _shard(site).site == "new.example"


def test_a_store_that_went_another_way_takes_nothing_back(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "night.backup"
    backup(site, out)
    kept = site.store.with_suffix(".audit")
    kept.rename(tmp_path / "away")
    lose(site)
    text = site.config.read_text()
    site.config.write_text(f'{text}\n[audit]\nsite = "new.example"\n')
    assert restore(site, out).exit_code == 0  # goes on otherwise than the log that was signed
    shutil.rmtree(kept)
    (tmp_path / "away").rename(kept)
    site.config.write_text(text)
    result = run("take", "--config", site.config, "--link", "demo", DAY / "02-register.hl7")
    assert result.exit_code == 1
    assert "not the one whose audit log was signed" in result.stderr
