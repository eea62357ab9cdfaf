"""A million messages wait in the outbox: how fast more are taken, how long the start takes, and the memory.

The store is filled before the service starts, many messages a transaction: each as large as in life (1.2 KB
of v2, 13 KB of FHIR), of one of 200,000 patients who each have a lane, with its audit entries and with what
the journal knows of its patient. The FHIR side is down all the time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from time import perf_counter
from typing import Any, Final

from audit import AuditLog, Draft, Tag
from benchmarks import people
from benchmarks.report import Row, Say
from benchmarks.service import running
from connector.demo.site import Site
from connector.fhir import json as fjson
from connector.profile.load import load
from connector.profile.translator import Translator
from connector.store import (
    Direction,
    FileKeyProvider,
    InboxKey,
    JournalEntry,
    Outgoing,
    Received,
    State,
    Store,
    database,
)
from connector.store.commits import Unit, tally
from connector.store.door import Door
from connector.store.records import NOTHING, Origin

MESSAGES: Final = 1_000_000
PATIENTS: Final = 200_000
SLOWER: Final = 0.8  # of the rate of an empty store
STARTED: Final = 5.0  # seconds
MEMORY: Final = 400.0  # MiB
_AT_ONCE: Final = 1_000  # in one transaction
_NOW: Final = dt.datetime.now(dt.UTC)
_ANSWER: Final = rb"MSH|^~\&|||||20261123||ACK|1|P|2.5.1" + b"\rMSA|AA|1\r"
_LINK: Final = "demo"
_PART: Final = "million"
_FAST: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000")
_PROFILE: Final = '\n[delivery]\nlane = "patient"\n'
_WAITING: Final = "waiting = "


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The three figures; ``quick``: with 20,000 messages."""
    return asyncio.run(_measured(say, 20_000 if quick else MESSAGES, 5.0 if quick else 20.0))


async def _measured(say: Say, count: int, seconds: float) -> list[Row]:
    say("million: the empty store")
    before, _, _, _ = await _accepted(say, 0, seconds)
    say(f"million: {count:,} messages wait")
    rate, took, memory, peak = await _accepted(say, count, seconds)
    say("million: the empty store once more, since machines change their minds")
    after, _, _, _ = await _accepted(say, 0, seconds)
    ratio, target = rate / ((before + after) / 2), f">= {SLOWER} x"
    many = f"{count:,} wait"
    return [
        Row(_PART, "accepted, empty store, before and after", f"{before:,.0f}, {after:,.0f} /s"),
        Row(_PART, f"accepted, {many}", f"{rate:,.0f} /s", f"{ratio:.2f} x", target, ratio >= SLOWER),
        Row(_PART, f"start, {many}", f"{took:.1f} s", "", f"< {STARTED:.0f} s", took < STARTED),
        Row(
            _PART, f"resident, {many}", f"{memory:.0f} MiB", f"peak {peak:.0f} MiB", f"< {MEMORY:.0f} MiB",
            peak < MEMORY,
        ),
    ]  # fmt: skip


async def _accepted(say: Say, count: int, seconds: float) -> tuple[float, float, float, float]:
    """Accepted a second, seconds to start, resident memory after it all and at its most, MiB."""

    async def prepare(site: Site) -> None:
        _widen(site)
        if count:
            await _fill(say, site, count)

    async with running(fhir_side=False, prepare=prepare) as service:
        await service.send(first=10_000_000, count=200)
        sent = await service.send(first=11_000_000, count=int(seconds * 4_000), seconds=seconds)
        memory, peak = service.memory()
        if sent["refused"]:
            raise RuntimeError("not everything was acknowledged")
        return sent["sent"] / sent["seconds"], service.seconds, memory, peak


def _widen(site: Site) -> None:
    """Lanes by patient, and room for so many to wait."""
    lines = site.profile.read_text().splitlines()
    table = next((n for n, line in enumerate(lines) if line.startswith("[limits]")), None)
    lines = [line for line in lines if not line.startswith(_WAITING)]
    if table is None:
        lines += ["[limits]"]
        table = len(lines) - 1
    lines.insert(table + 1, f"{_WAITING}10_000_000")
    site.profile.write_text("\n".join(lines) + "\n" + _PROFILE)


async def _fill(say: Say, site: Site, count: int) -> None:
    """Written past the group commit and without a log of its own, which would take three times as long."""
    store = Store.open(site.store, FileKeyProvider(site.folder / "kek.key"), AuditLog())
    await store.remember([JournalEntry(_LINK, "Patient/first", b"{}", None, "")])  # today's key is there now
    await store.close()  # it alone could use the file otherwise
    await asyncio.to_thread(_written, say, site, count, store)


def _written(say: Say, site: Site, count: int, rows: Door) -> None:
    audit = AuditLog()
    message = people.admission(0)
    bundle = fjson.dumps(Translator.of(load(site.profile)).to_fhir(message).bundle)
    start = perf_counter()
    with database.engine(site.store).connect() as connection:
        for pragma in _FAST:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        for first in range(0, count, _AT_ONCE):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            unit = Unit(connection)
            for number in range(first, min(first + _AT_ONCE, count)):
                _one(rows, unit, number, message.encode(), bundle)
            audit.append(connection, unit.drafts)
            tally(connection, [unit])
            connection.exec_driver_sql("COMMIT")
            if first % 100_000 == 0 and first:
                say(f"million: {first:,} in the store after {perf_counter() - start:.0f} s")


def _one(rows: Door, unit: Unit, number: int, message: bytes, bundle: bytes) -> None:
    """Taken, translated, and waiting in the lane of its patient."""
    patient = f"Patient/{number % PATIENTS}"
    taken = rows._inbox.accept(unit, _received(number, message), _ANSWER, once=False)
    row = rows._inbox.waiting(unit, taken.id)
    rows._outbox.add(unit, row, [Outgoing(bundle, {"kind": "ADT^A01"}, (patient,))])
    rows._inbox.done(unit, row, State.TRANSLATED, [])
    if number < PATIENTS:
        known = JournalEntry(_LINK, patient, bundle[:2_000], None, "")
        rows._journal.write(unit, [known], Origin(row["received_at"], taken.id), NOTHING)
    unit.record(_entries(number))


def _received(number: int, message: bytes) -> Received:
    payload = message.replace(b"|B0|", b"|F%d|" % number)
    key = InboxKey(_LINK, "STVADT", "STV", f"F{number}", hashlib.sha256(payload).hexdigest())
    return Received(_LINK, Direction.TO_FHIR, key, payload, {"kind": "ADT^A01"}, _NOW)


def _entries(number: int) -> list[Draft]:
    where: dict[str, Any] = {"link": _LINK, "direction": "to_fhir"}
    sender = {"role": "partner", "certificate": "sha256:ab"}
    said = (
        (Tag.MESSAGE_V2_RECEIVED, sender, where | {"message": "ADT^A01", "size": 1}),
        (Tag.MESSAGE_V2_TRANSLATED, {"role": "connector"}, where | {"made": 1, "lost": []}),
    )
    return [
        Draft("2026-11-23T10:00:00Z", tag, actor, what, correlation=f"{number:032x}")
        for tag, actor, what in said
    ]
