"""``connector audit``: what the commands say of the sealed log, and what they leave in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import audit
from audit.directory import shards
from audit.tip import tip_of
from connector import wiring
from connector.demo.site import Ports, Site, make_site
from connector.wiring import disposal
from tests.test_cli import DAY, run
from tests.test_cli_backup import audited


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert taken.exit_code == 0, taken.stderr
    return site


def asked(site: Site, *what: str) -> Any:
    return run("audit", *what, "--config", site.config, "--as", "mia")


def test_status_shows_the_shards_and_leaves_an_entry(site: Site) -> None:
    (shard,) = shards(site.store.with_suffix(".audit"))
    before = tip_of(shard)
    found = json.loads(asked(site, "status", "--because", "every Monday", "--json").stdout)
    (told,) = found["shards"]
    assert (told["origin"], told["first"], told["entries"]) == (shard.origin, 1, before.head.size)
    assert (found["unsealed"], found["trouble"]) == (1, "")
    (entry,) = audited(site, "audit:viewed")
    assert entry["actor"]["name"] == "mia"
    assert entry["object"] == {"what": "status", "because": "every Monday"}
    assert tip_of(shard).head.size == before.head.size + 1
    assert shard.origin in asked(site, "status").stdout


def test_status_says_what_is_wrong(site: Site) -> None:
    (shard,) = shards(site.store.with_suffix(".audit"))
    raw = bytearray((shard.root / "checkpoint").read_bytes())
    raw[-9] ^= 1
    result = asked(site, "status")
    assert result.exit_code == 0
    (shard.root / "checkpoint").write_bytes(raw)
    result = asked(site, "status")
    assert result.exit_code == 1
    assert "not as it was signed" in result.stderr


def test_fsck_derives_everything_again_and_names_what_is_bad(site: Site) -> None:
    good = asked(site, "fsck", "--because", "the yearly audit")
    assert (good.exit_code, "everything is as it was signed" in good.stdout) == (0, True)
    (shard,) = shards(site.store.with_suffix(".audit"))
    (bundle,) = (shard.root / "tile/entries/000.p").glob("2")
    bundle.write_bytes(bytes(bundle.stat().st_size))
    bad = asked(site, "fsck", "--because", "again")
    assert bad.exit_code == 1
    assert str(bundle) in bad.stdout
    said = [entry["object"]["because"] for entry in audited(site, "audit:viewed")]
    assert said == ["the yearly audit", "again"]
    assert [entry["outcome"] for entry in audited(site, "audit:verified")] == ["success", "failure"]


def test_what_is_past_its_retention_is_disposed_of_and_the_rest_verifies(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing" in asked(site, "dispose", "--because", "every January").stdout
    year = wiring.now().year
    before = tip_of(shards(site.store.with_suffix(".audit"))[0])
    later = wiring.now().replace(year=year + 7, month=3, day=1)
    for module in (wiring, disposal):
        monkeypatch.setattr(module, "now", lambda: later)
    assert asked(site, "status").exit_code == 0
    said = asked(site, "dispose", "--because", "every January").stdout
    assert f"{before.head.origin}  entries 1 to {before.last}  root {before.head.root.hex()}" in said
    assert [shard.year for shard in shards(site.store.with_suffix(".audit"))] == [year + 7]
    (entry,) = audited(site, "audit:shard:disposed")
    assert entry["object"]["checkpoint"].encode() == before.signed
    assert (entry["object"]["because"], entry["actor"]["name"]) == ("every January", "mia")
    assert asked(site, "fsck", "--because", "whether it holds").exit_code == 0
    assert audit.verify(site.store).good
