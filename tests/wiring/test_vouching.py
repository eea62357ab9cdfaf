"""A whole service whose audit log is witnessed and time-stamped, as its settings say."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import stamps, verify_export
from audit.directory import Shard, shards
from audit.keyfile import SigningKey
from audit.notes import parse_key
from audit.primitives import check
from audit.signing import Trust, opened
from audit.witness import Log
from connector import settings
from connector.app import Service
from connector.errors import ConfigurationError
from connector.profile.audit import Audit
from connector.profile.audit_witness import AskedWitness, AuditWitness
from connector.wiring import now, open_store
from connector.wiring.beliefs import Beliefs
from connector.wiring.vouched import standing
from connector.wiring.vouching import keys_of
from tests.audit.signers import FIRST, LOG
from tests.audit.tsa import Stamps, StampServer
from tests.audit.witness_site import LIMITS, Running
from tests.pki import Authority
from tests.test_cli import run

from .cosigning_site import Sealed
from .tls_site import Home, at_home

SETTINGS = """
[audit]
site = "ward.example"

[audit.witness]
fail_closed = true

[[audit.witness.ask]]
url = "https://localhost:{port}"
keys = ["{key}"]
"""
STAMP = """
[audit.stamp]
url = "{url}"
trust = "{trust}"
"""


MINIMAL = """
store = "store.db"
kek = "kek.key"
profiles = ["profile.toml"]
[tls]
certificate = "own.pem"
key = "own.key"
trust = "ca.pem"
"""


class Outside:
    """The witness of a site, and its authority for time-stamps."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._running = folder, list[Any]()
        self.witness: Running
        self.stamps: StampServer

    def at(self, site: Path, authority: Authority) -> str:
        """For a site whose log has no entry yet: the settings that name both."""
        key = SigningKey(site / "store.audit.key")
        key.make()
        (log,) = key.signers("ward.example/2026")
        self._logs = (Log("ward.example/*", (log.key,)),)
        self._files = authority.write(self._folder, "witness")
        self.begin()
        self.stamps = StampServer(Stamps(self._folder / "tsa"), self._files)
        self._running.append(self.stamps)
        said = SETTINGS.format(port=self.witness.port, key=self.witness.vkey)
        return said + STAMP.format(url=self.stamps.url, trust=self.stamps.made.trust)

    def begin(self, port: int = 0) -> None:
        self.witness = Running(self._folder, self._files, LIMITS, logs=self._logs, port=port)
        self._running.append(self.witness)

    def end(self) -> int:
        """The witness ends; where it was."""
        self._running.remove(self.witness)
        self.witness.close()
        return self.witness.port

    def close(self) -> None:
        for one in self._running:
            one.close()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    made = Outside(tmp_path / "outside")
    yield made
    made.close()


async def asked(home: Home) -> tuple[int, dict[str, Any]]:
    async with home.client() as client:
        answer = await client.get("/health/ready")
    return answer.status_code, answer.json()


def shard(home: Home) -> Shard | None:
    found = shards(home.folder / "store.audit")
    return found[-1] if found else None


def cosigned(home: Home, outside: Outside) -> int:
    """The size of the newest checkpoint that is believed with a witness; 0 for none."""
    raw = (found := shard(home)) and found.cosigned()
    if found is None or not raw:
        return 0
    trust = Trust(found.origin, found.keys(), (parse_key(outside.witness.vkey),), 1)
    return opened(raw, trust, check).checkpoint.size


@pytest.mark.skipif(not shutil.which("openssl"), reason="OpenSSL makes the time-stamps")
async def test_the_log_of_a_service_is_cosigned_and_stamped(tmp_path: Path, outside: Outside) -> None:
    async with at_home(tmp_path, more=outside.at) as home:
        await home.eventually(lambda: cosigned(home, outside) >= 2)
        at = shard(home)
        assert at is not None
        (stamp,) = await home.eventually(lambda: list((at.root / stamps.FOLDER).glob("*.tsr")))
        assert stamp.stat().st_size > 500
        status, said = await asked(home)
        assert said["parts"]["audit witnesses"] is True
        assert status == (200 if all(part is True for part in said["parts"].values()) else 503)
        assert said["warnings"] == {}
        assert said["figures"]["audit_cosigned_seconds"] < 60
        assert said["figures"]["audit_stamped_seconds"] < 60
        assert not home.audited("audit:witness:disagreed")


async def test_beside_the_service_the_status_says_how_far_it_is_vouched_for(
    tmp_path: Path, outside: Outside
) -> None:
    async with at_home(tmp_path, more=outside.at) as home:
        await home.eventually(lambda: cosigned(home, outside) >= 2)
    status = ["audit", "status", "--config", str(home.site.config), "--as", "mia"]
    found = json.loads((await asyncio.to_thread(run, *status, "--json")).stdout)["witnesses"]
    assert found["entries"] >= 2
    assert found["by"].keys() == {"third.example/w"}
    assert (found["late"], found["behind"]) == (False, 0)  # the end of the service was shown too
    chosen = settings.load(home.site.config).settings.audit
    later = now() + dt.timedelta(seconds=301)
    found = standing(chosen, home.folder / "store.audit", later)["witnesses"]
    assert (found["late"], found["behind"]) == (True, 1)  # that somebody looked
    assert "cosigned" in (await asyncio.to_thread(run, *status)).stdout
    checked = await asyncio.to_thread(run, "audit", "fsck", *status[2:], "--because", "stamps are no fault")
    assert checked.exit_code == 0, checked.stdout


async def test_a_log_begun_anew_with_its_real_key_is_found_out_and_nothing_is_taken(
    tmp_path: Path, outside: Outside
) -> None:
    """Its operator takes away store and tiles, keeps the key, and starts again, as if nothing had been."""
    async with at_home(tmp_path, more=outside.at) as home:
        await home.eventually(lambda: cosigned(home, outside) >= 2)
    seen = cosigned(home, outside)
    shutil.rmtree(home.folder / "store.audit")
    for path in home.folder.glob("store.db*"):
        path.unlink()
    configuration = settings.load(home.site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        (entry,) = await home.eventually(lambda: home.audited("audit:witness:disagreed"))
        assert entry["object"]["witness"] == "third.example/w"
        assert entry["object"]["origin"].startswith("ward.example/")
        assert entry["object"]["seen"] == seen
        assert service._barred() is not None
        assert cosigned(home, outside) == 0
    finally:
        await service.stop()
    assert cosigned(home, outside) == 0


async def test_an_export_without_a_service_is_of_what_witnesses_have_seen(
    tmp_path: Path, outside: Outside
) -> None:
    async with at_home(tmp_path, more=outside.at) as home:
        await home.eventually(lambda: cosigned(home, outside))
    out = tmp_path / "export.zip"
    asked = ["--config", str(home.site.config), "--as", "mia", "--because", "the yearly audit"]
    made = await asyncio.to_thread(run, "audit", "export", *asked, "--out", str(out))
    assert made.exit_code == 0, made.stderr
    report, code, _ = verify_export.check(
        str(out), None, verify_export.Trust([], [verify_export.key(outside.witness.vkey)])
    )
    assert code == 0, report
    assert "third.example/w" in report


def test_a_log_that_nobody_has_cosigned_is_late(tmp_path: Path) -> None:
    log = Sealed(tmp_path)
    log.publish(3)
    ask = {"url": "https://w.example", "keys": (str(FIRST.key),)}
    stamp = {"url": "https://s.example/tsa", "trust": "ca.pem"}
    chosen = Audit.model_validate({"witness": {"ask": (ask,)}, "stamp": stamp})
    for cosigned_ in (None, b"nothing", (log.shard.root / "checkpoint").read_bytes()):
        if cosigned_ is not None:
            (log.shard.root / "cosigned").write_bytes(cosigned_)
        found = standing(chosen, tmp_path, now())
        never = {"entries": 0, "at": "", "seconds": None, "behind": 3, "late": True}
        assert found == {"witnesses": {**never, "by": {FIRST.key.name: ""}}, "stamps": never}


async def test_nothing_is_taken_before_a_witness_has_cosigned_and_all_after(
    tmp_path: Path, outside: Outside
) -> None:
    port = 0

    def without(site: Path, authority: Authority) -> str:
        nonlocal port
        said = outside.at(site, authority)
        port = outside.end()
        return said

    async with at_home(tmp_path, more=without) as home:
        status, said = await asked(home)
        assert (status, said["parts"]["audit witnesses"]) == (503, "silent")
        error = home.service._barred()
        assert type(error).__name__ == "AuditUnwitnessed"
        await home.eventually(lambda: "audit witness third.example/w" in _warnings(home))
        outside.begin(port)
        await home.eventually(lambda: home.service._barred() is None, 10)
        assert cosigned(home, outside) >= 1


def _warnings(home: Home) -> dict[str, str]:
    return dict(home.service._vouching.warnings())


def test_the_examples_of_the_page_are_settings(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "compliance" / "witness.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```toml\n")[2:]]
    text = re.sub(r'keys = \[".*"\]', f'keys = ["{FIRST.key}"]', "\n".join([MINIMAL, *blocks]))
    (tmp_path / "connector.toml").write_text(text)
    chosen = settings.read(tmp_path / "connector.toml").audit
    assert chosen.witness is not None
    assert chosen.witness == AuditWitness(ask=chosen.witness.ask)  # all else is as where it is left out
    assert chosen.stamp is not None
    assert chosen.stamp.every_seconds == 3600


def test_a_key_that_is_none_or_no_witness_s_is_refused_at_the_start() -> None:
    for key in ("w.example/1+00000000+BA==", str(LOG.key)):
        asked = AskedWitness.model_validate({"url": "https://w.example", "keys": (key,)})
        with pytest.raises(ConfigurationError, match=r"is none|is one of a log"):
            keys_of(asked)


async def test_each_outsider_has_an_end_of_its_own_with_its_own_authorities(
    tmp_path: Path, outside: Outside
) -> None:
    async with at_home(tmp_path, more=outside.at) as home:
        other = Authority("Another CA")
        (home.folder / "other.pem").write_bytes(other.pem)
        text = home.site.config.read_text()
        home.site.config.write_text(text + '\n[audit.stamp.tls]\ntrust = "other.pem"\n')
        ends = Beliefs().ends(settings.load(home.site.config))
        assert {"audit witness third.example/w", "audit stamps"} <= ends.keys()
        (named,) = ends["audit stamps"].trust.anchors
        assert [one.subject for one in named.authorities] == [other.certificate.subject]
