"""End to end: MLLP over TLS in, translated, delivered over mutual TLS, acknowledged; all on two cores."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.accepting import drained, wrong
from benchmarks.report import Row, Say, percentile
from benchmarks.service import Running, running
from connector.demo.processes import Processes
from connector.demo.site import Site

TARGET: Final = 250.0  # messages a second, from the hospital to the FHIR side
LATE: Final = 250.0  # milliseconds from the acknowledgment to the delivery, 95th percentile at half of that
DOWN: Final = 800.0  # accepted a second while the FHIR side is down
GROWN: Final = 1.2  # memory at the end of the run, against that after a fifth of it
_PATIENCE: Final = 600.0
_PATIENTS: Final = 500
_PART: Final = "deliver"
_TOOK: Final = """
SELECT outbox.delivered_at - inbox.received_at
FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id WHERE inbox.id > 200
"""


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """Two minutes at the target, half a minute at half of it, and a partner that comes back."""
    seconds = 5.0 if quick else 120.0
    say(f"deliver: {TARGET:.0f} a second for {seconds:.0f} s")
    rows = asyncio.run(_sustained(seconds))
    say("deliver: from the acknowledgment to the delivery")
    rows += asyncio.run(_calm(min(seconds, 30.0)))
    say("deliver: the FHIR side is down, and comes back")
    return rows + asyncio.run(_down(min(seconds, 10.0)))


async def _by_patient(site: Site) -> None:
    """Every patient's messages in order, those of others beside them."""
    with site.profile.open("a") as profile:
        profile.write('\n[delivery]\nlane = "patient"\nparallel = 16\n')


async def _sustained(seconds: float) -> list[Row]:
    async with running(fhir_side=True, together=True, prepare=_by_patient) as service:
        await service.send(first=0, count=200, patients=_PATIENTS)
        first, rest = seconds / 5, seconds * 4 / 5
        one = await _at(service, TARGET, first, 1_000)
        early, _ = service.memory()
        two = await _at(service, TARGET, rest, 1_000_000)
        behind = await service.counts()
        took, counts = await drained(service, _PATIENCE)
        late, _ = service.memory()
    sent = one["sent"] + two["sent"]
    rate = sent / (one["seconds"] + two["seconds"] + took)
    waited = behind.waiting
    grown, most, flat = f"{late / early:.2f} x", f"<= {GROWN} x", late <= early * GROWN
    return [
        _rate(f"{TARGET:.0f} /s for {seconds:.0f} s: delivered", rate, TARGET * 0.99),
        Row(_PART, "waiting at the end, and until all were delivered", f"{waited:,}, {took:.1f} s"),
        Row(_PART, "memory after a fifth, at the end", f"{early:.0f}, {late:.0f} MiB", grown, most, flat),
        *wrong(_PART, one["refused"] + two["refused"], counts.dead),
    ]


async def _calm(seconds: float) -> list[Row]:
    async with running(fhir_side=True, together=True, prepare=_by_patient) as service:
        await service.send(first=0, count=200, patients=_PATIENTS)
        await drained(service, _PATIENCE)
        seen = await _at(service, TARGET / 2, seconds, 1_000)
        _, counts = await drained(service, _PATIENCE)
        took = _between(service.site.store)
    late = percentile(took, 0.95)
    figure = f"p50 {percentile(took, 0.5):.0f}, p95 {late:.0f} ms"
    what = f"{TARGET / 2:.0f} /s: from the acknowledgment to the delivery"
    row = Row(_PART, what, figure, "", f"p95 < {LATE:.0f} ms", late < LATE)
    return [row, *wrong(_PART, seen["refused"], counts.dead)]


async def _down(seconds: float) -> list[Row]:
    async with running(fhir_side=False, together=True, prepare=_by_patient) as service:
        most = int(seconds * 4_000)
        seen = await service.send(first=1_000, count=most, seconds=seconds, patients=_PATIENTS)
        with Processes(service.site) as processes:
            await processes.sandbox()
            took, counts = await drained(service, _PATIENCE)
        wrongly = sum(1 for one in _revisions(service.site.resources) if one != sorted(one))
    rate = seen["sent"] / seen["seconds"]
    return [
        _rate("accepted while the FHIR side is down", rate, DOWN),
        Row(_PART, f"{counts.delivered:,} drained when it is back", f"{counts.delivered / took:,.0f} /s"),
        Row(_PART, "patients whose messages came out of order", f"{wrongly}", "", "0", not wrongly),
        *wrong(_PART, seen["refused"], counts.dead),
    ]


def _rate(what: str, rate: float, target: float) -> Row:
    return Row(_PART, what, f"{rate:,.0f} /s", "", f">= {target:.0f} /s", rate >= target)


async def _at(service: Running, rate: float, seconds: float, first: int) -> dict[str, float]:
    return await service.send(first=first, count=int(rate * seconds), rate=rate, patients=_PATIENTS)


def _between(store: Path) -> list[float]:
    """Milliseconds from taking each message, which is before the answer to it, to its delivery."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return [micros / 1e3 for (micros,) in connection.execute(_TOOK)]
    finally:
        connection.close()


def _revisions(resources: Path) -> Iterator[list[int]]:
    """The numbers of the messages in the order in which they changed each patient."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    with resources.open(encoding="utf-8") as lines:
        for line in lines:
            for change in json.loads(line).get("changes", ()):
                said = re.search(r"Lindenweg (\d+)", json.dumps(change["resource"]))
                if change["key"].startswith("Patient/") and said:
                    found[change["key"]].append(int(said[1]))
    return iter(found.values())
