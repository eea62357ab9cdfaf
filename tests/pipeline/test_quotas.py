"""What one partner may take of the listener: connections, frames in hand, messages a second."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connector.pipeline.links import Quota
from connector.pipeline.quotas import Bucket, Share
from connector.store import Store
from tests.pipeline.site import Cycle, peer


class Time:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_a_burst_comes_at_once_and_then_the_rate_holds() -> None:
    time = Time()
    share = Share(Quota(rate=10.0, burst=5), time, time.sleep)
    for _ in range(5):
        await share.pace()
    assert time.now == 0
    for _ in range(20):
        await share.pace()
    assert round(time.now, 6) == 2.0
    time.now += 100
    before = time.now
    for _ in range(5):
        await share.pace()
    assert time.now == before


async def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    share = Share(Quota(), time, time.sleep)
    for _ in range(10_000):
        await share.pace()
    assert time.now == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.5, 50), st.integers(1, 20))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float], rate: float, burst: int) -> None:
    bucket, now, due = Bucket(rate, burst, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        due.append(now + bucket.take(now))
    assert due == sorted(due)
    for first, begin in enumerate(due):
        within = sum(begin <= at <= begin + 1 for at in due[first:])
        assert within <= burst + rate + 1 + 1e-6


async def test_frames_over_the_limit_wait_for_their_turn() -> None:
    share = Share(Quota(in_hand=2), Time())
    most = in_hand = 0

    async def one() -> None:
        nonlocal most, in_hand
        async with share.turn():
            in_hand += 1
            most = max(most, in_hand)
            await asyncio.sleep(0)
            in_hand -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == 2


async def test_a_connection_over_the_limit_is_not_let_in_and_audited(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, quota=Quota(connections=2))
    leave = await cycle.v2.admit(peer())
    assert leave is not None
    assert await cycle.v2.admit(peer()) is not None
    assert await cycle.v2.admit(peer()) is None
    (entry,) = cycle.entries()
    assert (entry["tag"], entry["reason"]) == ("tls:peer:refused", "Overloaded")
    assert entry["actor"]["address"] == peer().address
    leave()
    assert await cycle.v2.admit(peer()) is not None


async def test_who_keeps_knocking_is_audited_only_a_few_times_a_second(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, quota=Quota(connections=1))
    await cycle.v2.admit(peer())
    for _ in range(50):
        assert await cycle.v2.admit(peer()) is None
    assert len(cycle.entries()) == 5


def test_what_was_not_told_is_counted_in_the_next_second() -> None:
    time = Time()
    share = Share(Quota(connections=1), time)
    assert [share.refused() for _ in range(8)] == [1, 1, 1, 1, 1, None, None, None]
    time.now = 1.5
    assert share.refused() == 4


async def test_an_unknown_certificate_counts_for_nobody(cycle: Cycle) -> None:
    leave = await cycle.v2.admit(peer("sha256:" + "f" * 64))
    assert leave is not None
    leave()
