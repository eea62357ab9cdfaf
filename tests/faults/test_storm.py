"""The service is killed again and again while both partners keep talking: nothing is lost or done twice.

Eight hospital systems admit, move and report on fifty patients; people at the FHIR side change some of them,
and patients of their own. Each subject's revisions must arrive at the other side once and in order. Every
party keeps a ledger of its own, and these are reconciled: received = delivered + refused + dead + waiting.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import pytest

from audit.directory import shards
from audit.fsck import fsck
from connector.demo import tls
from connector.demo.site import Site
from connector.demo.status import Counted, StoreStatus
from connector.errors import ConnectorError
from tests.audit.sealed import consistent
from tests.demo.conftest import site, start
from tests.forked import ROOT

from .full import FULL
from .killed import Killed
from .storm import ADMITTED, MOVING, FhirSide, Revisions, Storm, heard, lines, patient_of

__all__ = ["site", "start"]  # fixtures

KILLS: Final = 100 if FULL else 12
SEED: Final = 20261123
_PATIENCE: Final = 90.0  # seconds until everything must have arrived


@dataclass
class Outcome:
    """What each party says afterwards."""

    received: list[dict[str, Any]]
    fhir: FhirSide
    statistics: dict[str, Any]
    counts: dict[str, Counted]


@pytest.mark.slow
@pytest.mark.timeout(900 if FULL else 280)
@pytest.mark.parametrize("lane", ["link", "patient"])
def test_nothing_acknowledged_is_lost_or_done_twice_however_often_the_service_is_killed(
    site: Site, start: Callable[..., subprocess.Popen[bytes]], lane: str
) -> None:
    with site.profile.open("a") as profile:
        profile.write(f'\n[delivery]\nlane = "{lane}"\n')
    start("sandbox", site.ports.sandbox)
    start("hospital", site.ports.hospital, "--pace", "0.02")
    chance = random.Random(SEED)
    moments = [(chance.choice((0, 1, 5, 15, 40)), chance.uniform(0.0, 0.3)) for _ in range(KILLS)]
    storm, signed = Storm(site, chance), set[bytes]()
    with Killed(site, storm.acknowledged) as service:
        with storm.blowing():
            for messages, seconds in moments:
                service.kill_after(messages, seconds)
                signed.update(_published(site))
            service.serve()
            storm.until_people_changed(KILLS)
        outcome = asyncio.run(_settled(site))
        assert service.stop() == 0, service.log()
    assert service.kills == KILLS
    _report(storm, outcome)
    _everything_was_taken(storm, outcome)
    _the_fhir_side_saw_each_revision_once_and_in_order(storm, outcome)
    _the_hospital_saw_each_change_once_and_in_order(storm, outcome)
    _the_counts_agree(storm, outcome)
    _the_audit_log_is_whole(site)
    _every_checkpoint_is_of_one_log(site, signed)


def _everything_was_taken(storm: Storm, outcome: Outcome) -> None:
    assert not [one for sender in storm.senders for one in sender.wrong], "an answer to another message"
    assert {one.said.subject.partition(" ")[0] for one in storm.taken} == {*ADMITTED, *MOVING}
    notices = outcome.statistics["notices"]
    assert notices == {"waiting": 0, "accepted": sum(map(len, storm.changed.values()))}
    assert len(storm.taken) >= 5 * KILLS, "too little was flowing"
    assert notices["accepted"] >= KILLS, "too little was flowing"
    assert sum(one.tries > 1 for one in storm.taken) >= KILLS // 5, "the kills hit nothing"


def _the_fhir_side_saw_each_revision_once_and_in_order(storm: Storm, outcome: Outcome) -> None:
    acknowledged: Revisions = defaultdict(list)
    for _, subject, revision, _ in (one.said for one in storm.taken):
        acknowledged[subject].append(revision)
    assert outcome.fhir.revisions() == acknowledged
    for key, versions in outcome.fhir.versions.items():
        contents = [content for _, content in versions]
        assert all(a != b for a, b in itertools.pairwise(contents)), f"{key}: a version without a change"
        assert len(contents) == 1 or not key.startswith("MessageHeader/"), "delivered twice in effect"


def _the_hospital_saw_each_change_once_and_in_order(storm: Storm, outcome: Outcome) -> None:
    assert not any(line["conflict"] for line in outcome.received)
    last: dict[str, str] = {}
    for line in outcome.received:
        patient = patient_of(line["message"])
        if line["repeat"]:
            assert line["control_id"] == last[patient], "repeated after what came behind it"
        last[patient] = line["control_id"]
    changed = {outcome.fhir.number(key): revisions for key, revisions in storm.changed.items()}
    assert heard(outcome.received) == changed


def _the_counts_agree(storm: Storm, outcome: Outcome) -> None:
    to_fhir, to_v2 = outcome.counts["to_fhir"], outcome.counts["to_v2"]
    changes = sum(map(len, storm.changed.values()))
    assert to_fhir.received == to_fhir.delivered == to_fhir.sent == len(storm.taken)
    assert to_v2.received == to_v2.delivered == to_v2.sent == changes
    for counted in (to_fhir, to_v2):
        assert (counted.waiting, counted.dead, counted.refused) == (0, 0, 0)
    assert to_fhir.duplicates <= sum(one.tries - 1 for one in storm.taken)


def _the_audit_log_is_whole(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "audit", "verify", str(site.store)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stdout.decode()


def _published(site: Site) -> list[bytes]:
    """What a reader finds now."""
    return [signed for one in shards(site.store.with_suffix(".audit")) if (signed := one.checkpoint())]


def _every_checkpoint_is_of_one_log(site: Site, signed: set[bytes]) -> None:
    found = fsck(site.store, site.store.with_suffix(".audit"))
    assert found.good, found
    assert found.unsealed == 0, "the end was not sealed"
    (shard,) = shards(site.store.with_suffix(".audit"))
    assert consistent(shard, signed.union(_published(site))) >= 2


async def _settled(site: Site) -> Outcome:
    """Wait until nothing is under way any more."""
    status = await _opened(site)
    context = tls.client_context(site.folder, "analyst")
    deadline = time.monotonic() + _PATIENCE
    async with httpx2.AsyncClient(verify=context, base_url=site.sandbox_url, timeout=20) as client:
        while True:
            statistics = (await client.get("/admin/stats")).json()
            counts = await status.counts()
            if _quiet(statistics, counts) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
    await status.close()
    return Outcome(lines(site.received), FhirSide.read(site.resources), statistics, counts)


def _quiet(statistics: dict[str, Any], counts: dict[str, Counted]) -> bool:
    return statistics["notices"]["waiting"] == 0 and all(one.waiting == 0 for one in counts.values())


async def _opened(site: Site) -> StoreStatus:
    for _ in range(100):
        try:
            return StoreStatus(site)
        except ConnectorError:
            await asyncio.sleep(0.1)  # the service may be opening it just now
    return StoreStatus(site)


def _report(storm: Storm, outcome: Outcome) -> None:
    """For ``pytest -rP`` and ``make faults``: how hard the storm blew."""
    tries = Counter(one.tries for one in storm.taken)
    repeats = sum(line["repeat"] for line in outcome.received)
    print(f"{KILLS} kills; {len(storm.taken)} messages, by number of tries {dict(sorted(tries.items()))}")
    print(f"{len(outcome.received) - repeats} messages back, {repeats} repeated")
    print(f"FHIR writes {outcome.statistics['writes']}, without effect {outcome.statistics['unchanged']}")
    print(f"counts {outcome.counts}")
