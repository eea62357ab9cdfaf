"""A flood of refused handshakes is counted, and hides nobody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, cast

import pytest

from connector.pipeline.ports import Entry
from connector.store import Store
from connector.wiring.refused import MINUTE, MOST, Refused


class Kept:
    """A store that keeps entries in a list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def record(self, entries: Sequence[Entry]) -> None:
        self.entries += entries


@pytest.fixture
def kept() -> Kept:
    return Kept()


def made(kept: Kept, time: list[float]) -> Refused:
    moment = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    return Refused(cast("Store", cast("Any", kept)), "mllp", lambda: moment, lambda: time[0])


async def test_a_flood_is_audited_by_its_number_and_hides_no_other_reason(kept: Kept) -> None:
    time = [0.0]
    refused = made(kept, time)
    for number in range(5_000):
        time[0] += MINUTE / 10_000
        await refused("handshake timeout", f"10.0.0.9:{number}", None)
    await refused("certificate: certificate revoked", "10.0.0.5:1", None)
    assert len(kept.entries) == MOST + 1
    assert kept.entries[-1].actor == {"role": "peer", "address": "10.0.0.5:1"}
    time[0] += MINUTE
    await refused("closed during the handshake", "10.0.0.7:1", None)
    summed, last = kept.entries[MOST + 1 :]
    assert (summed.reason, summed.object["count"]) == ("handshake timeout", 5_000 - MOST)
    assert last.reason == "closed during the handshake"


async def test_a_flood_that_goes_on_stays_small_on_the_disk(kept: Kept) -> None:
    time = [0.0]
    refused = made(kept, time)
    for _ in range(10_000):
        time[0] += 0.06  # ten minutes in all
        await refused("handshake timeout", "10.0.0.9:1", None)
    assert len(kept.entries) <= 11 * (MOST + 1)
    said = sum(one.object.get("count", 1) for one in kept.entries)
    assert said >= 10_000 - 1_001  # those of the last minute are told when the next one comes
