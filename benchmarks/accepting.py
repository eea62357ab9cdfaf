"""The service under load: acknowledgments a second, how long they take, and what it holds in memory."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from benchmarks.report import Row, Say
from benchmarks.service import Running, running
from connector.store import Counts

TARGET: Final = 800.0  # acknowledged messages a second
LATE: Final = 20.0  # milliseconds; the 99th percentile at half of that
MEMORY: Final = 250.0  # MiB


def accept(say: Say, *, quick: bool = False) -> list[Row]:
    """Acknowledged after the fsync, over mutual TLS: with the FHIR side up, and with it down."""
    seconds = 2.0 if quick else 15.0
    rows: list[Row] = []
    for fhir_side in (True, False):
        say(f"accept: the FHIR side is {'up' if fhir_side else 'down'}")
        rows += asyncio.run(_accepted(seconds, fhir_side))
    return rows


async def _accepted(seconds: float, fhir_side: bool) -> list[Row]:
    where = f"FHIR side {'up' if fhir_side else 'down'}"
    most = int(seconds * 4_000)
    async with running(fhir_side=fhir_side) as service:
        await service.send(first=0, count=200)  # to warm up
        calm = await service.send(first=1_000, count=int(seconds * TARGET / 2), rate=TARGET / 2)
        before = (await service.counts()).delivered
        full = await service.send(first=1_000_000, count=most, seconds=seconds)
        counts = await service.counts()
    rate = full["sent"] / full["seconds"]
    late = calm["p99"]
    took = f"p50 {calm['p50']:.1f}, p99 {late:.1f} ms"
    rows = [
        Row("accept", f"{TARGET / 2:.0f} /s: ACK, {where}", took, "", f"p99 < {LATE:.0f} ms", late < LATE),
        Row(
            "accept", f"16 connections, {where}", f"{rate:,.0f} /s", "", f">= {TARGET:.0f} /s", rate >= TARGET
        ),
        Row("accept", f"16 connections: ACK, {where}", f"p50 {full['p50']:.1f}, p99 {full['p99']:.1f} ms"),
    ]
    if fhir_side:
        gone = (counts.delivered - before) / full["seconds"]
        rows.append(Row("accept", f"delivered meanwhile, {where}", f"{gone:,.0f} /s"))
    return rows + wrong("accept", calm["refused"] + full["refused"], counts.dead)


def wrong(part: str, refused: int, dead: int) -> list[Row]:
    """What should never be there: with it the other figures say little."""
    found = {"not acknowledged": refused, "dead letters": dead}
    return [Row(part, what, f"{number:,}", "", "0", False) for what, number in found.items() if number]


def memory(say: Say, *, quick: bool = False, full: bool = False) -> list[Row]:
    """Resident memory of the service after many messages, each of another patient."""
    count = 100_000 if full else 500 if quick else 20_000
    say(f"memory: {count:,} messages")
    return asyncio.run(_held(count, patience=1_800.0 if full else 120.0))


async def _held(count: int, patience: float) -> list[Row]:
    async with running(fhir_side=True) as service:
        start, _ = service.memory()
        sent = await service.send(first=0, count=count)
        now, _ = service.memory()
        seconds, counts = await drained(service, patience)
        after, peak = service.memory()
    waits = counts.waiting
    gone = f"{waits:,} still wait" if waits else f"all done {seconds:.0f} s later"
    most = f"< {MEMORY:.0f} MiB"
    return [
        Row("memory", "resident, just started", f"{start:.0f} MiB"),
        Row("memory", f"resident, {count:,} messages acknowledged", f"{now:.0f} MiB", "", most, now < MEMORY),
        Row("memory", f"resident, {gone}", f"{after:.0f} MiB", f"peak {peak:.0f} MiB", most, peak < MEMORY),
        *wrong("memory", sent["refused"], counts.dead),
    ]


async def drained(service: Running, patience: float) -> tuple[float, Counts]:
    """Wait until everything is delivered, at most so long; how long it took and what the store says."""
    start = perf_counter()
    while True:
        counts = await service.counts()
        spent = perf_counter() - start
        if spent > patience or not (counts.waiting):
            return max(spent, 1e-9), counts
        await asyncio.sleep(1.0)
