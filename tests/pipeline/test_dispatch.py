"""Many lanes at once: each in its order, none held up by another, all of them by the partner's breaker."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.errors import (
    ConfigurationError,
    ConnectorError,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerUnreachable,
    Retry,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.deliver import Told
from connector.pipeline.dispatch import Delivering, Rules
from connector.store import Delivery, OutboxItem, Outgoing, Paused, Store
from tests.pipeline.room import Clock
from tests.store.site import LINK, TO_FHIR, open_store, rows, take

PATIENT = Rules("patient", 4)
AWAY = PartnerUnreachable("silence")
NO = PartnerRefusedMessage("no")


class Partner:
    """Notes what it gets; what is named in ``errors`` fails once each, what is in ``slow`` waits."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.errors: dict[str, list[ConnectorError]] = {}
        self.slow: dict[str, asyncio.Event] = {}
        self.at_once = self.most = 0
        self.away = False

    async def send(self, item: OutboxItem) -> Told:
        name = item.payload.decode()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if name in self.slow:
                await self.slow[name].wait()
            await asyncio.sleep(0)
            if self.away:
                raise AWAY
            if self.errors.get(name):
                raise self.errors[name].pop(0)
            self.got.append(name)
            return Told({}, {})
        finally:
            self.at_once -= 1


class Site:
    """One direction of a link whose outbox is filled by name: ``a1`` is the first of patient a."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store, self.partner, self.clock, self.rules = store, Partner(), Clock(), rules
        self.delivering = self.another()
        self.numbers: dict[str, int] = {}

    def another(self, rules: Rules | None = None) -> Delivering:
        """As after a restart."""
        pauses = Pauses(1.0, 2.0, 60.0)
        return Delivering(LINK, TO_FHIR, self.store, self.clock, self.partner, pauses, rules or self.rules)

    async def queue(self, *names: str, lanes: Sequence[str] | None = None) -> None:
        """``lanes``: the letters of the name, where none are given."""
        for name in names:
            row = (await take(self.store, name, name.encode())).id
            stands = tuple(filter(str.isalpha, name)) if lanes is None else tuple(lanes)
            await self.store.translated(row, [Outgoing(name.encode(), {}, stands)], [], [], [])
            self.numbers[name] = row

    async def work(self, most: int = 100) -> None:
        for _ in range(most):
            if not await self.delivering.step():
                return
        raise AssertionError("there is no end to it")


@asynccontextmanager
async def site(folder: Path, rules: Rules = PATIENT) -> AsyncIterator[Site]:
    store = open_store(folder)
    try:
        yield Site(store, rules)
    finally:
        await store.close()


async def until(condition: object, *, turns: int = 400) -> None:
    for _ in range(turns):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")


async def test_each_patient_keeps_the_order_and_many_go_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        names = [f"{patient}{n}" for n in range(5) for patient in "abcdef"]
        await here.queue(*names)
        await here.work()
        for patient in "abcdef":
            assert [one for one in here.partner.got if one[0] == patient] == [
                f"{patient}{n}" for n in range(5)
            ]
        assert here.partner.most == 4


async def test_with_one_lane_only_one_message_is_out(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("link", 8)) as here:
        await here.queue(*(f"x{n}" for n in range(20)), lanes=())
        await here.work()
        assert here.partner.got == [f"x{n}" for n in range(20)]
        assert here.partner.most == 1


async def test_one_at_a_time_is_one_at_a_time_whatever_the_lanes(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("patient", 1)) as here:
        await here.queue("a1", "b1", "a2", "c1")
        await here.work()
        assert (here.partner.got, here.partner.most) == (["a1", "b1", "a2", "c1"], 1)


async def test_a_merge_waits_for_both_patients_and_both_wait_for_it(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1", "b1", "ab1", "a2", "b2", "c1")
        here.partner.slow["a1"] = asyncio.Event()
        working = asyncio.create_task(here.work())
        await until(lambda: {"b1", "c1"} <= set(here.partner.got))
        await asyncio.sleep(0.05)
        assert set(here.partner.got) == {"b1", "c1"}
        here.partner.slow["a1"].set()
        await working
        order = here.partner.got
        assert order.index("a1") < order.index("ab1") < min(order.index("a2"), order.index("b2"))


async def test_a_patient_whose_message_takes_long_holds_up_nobody_else(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1", "a2", *(f"b{n}" for n in range(9)))
        here.partner.slow["a1"] = asyncio.Event()
        working = asyncio.create_task(here.work())
        await until(lambda: len(here.partner.got) == 9)
        here.partner.slow["a1"].set()
        await working
        assert here.partner.got[-2:] == ["a1", "a2"]


async def test_only_the_lane_of_what_failed_waits(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.partner.errors["a1"] = [PartnerBusy("AE with 206")] * 2
        await here.queue("a1", "a2", "b1", "b2")
        await here.work()
        assert here.partner.got == ["b1", "b2"]
        for pause in (1.0, 2.0):
            here.clock.pass_by(pause - 0.1)
            await here.work()
            assert here.partner.got == ["b1", "b2"]
            here.clock.pass_by(0.1)
            await here.work()
        assert here.partner.got == ["b1", "b2", "a1", "a2"]


async def test_what_is_refused_is_stepped_over(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.partner.errors["a1"] = [NO]
        await here.queue("a1", "a2", "b1")
        await here.work()
        assert sorted(here.partner.got) == ["a2", "b1"]
        assert rows(tmp_path, "SELECT delivery FROM outbox ORDER BY id LIMIT 1") == [(Delivery.DEAD,)]


async def test_or_stops_its_lane_until_a_person_skips_it(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("patient", 4, stop=True)) as here:
        here.partner.errors["a1"] = [NO]
        await here.queue("a1", "a2", "b1", "ab1", "b2")
        await here.work()
        assert here.partner.got == ["b1"]
        (stopped, behind) = await here.store.lanes(LINK)
        assert (stopped.blocked, stopped.reason, stopped.depth) == ("stopped", "PartnerRefusedMessage", 3)
        assert (behind.blocked, behind.depth) == ("behind", 2)
        here.clock.pass_by(3600)
        await here.another().step()
        assert here.partner.got == ["b1"]
        await here.store.skip(stopped.head, [])
        await here.work()
        assert here.partner.got == ["b1", "a2", "ab1", "b2"]


@pytest.mark.parametrize(("way", "delivery"), [(Retry.NEVER, Delivery.DEAD), (Retry.STOP, Delivery.REFUSED)])
async def test_what_the_reply_table_says_goes_before_the_profile(
    tmp_path: Path, way: Retry, delivery: Delivery
) -> None:
    async with site(tmp_path, Rules("patient", 4, stop=way is Retry.NEVER)) as here:
        refused = PartnerRefusedMessage("no")
        refused.way = way
        here.partner.errors["a1"] = [refused]
        await here.queue("a1")
        await here.work()
        assert rows(tmp_path, "SELECT delivery FROM outbox") == [(delivery,)]


async def test_a_partner_that_is_away_gets_one_probe_at_a_time(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("patient", 4, breaker_failures=4)) as here:
        await here.queue(*(f"{patient}1" for patient in "abcdefgh"))
        here.partner.away = True
        await here.work()
        assert sum(row[0] for row in rows(tmp_path, "SELECT attempts FROM outbox")) == 4
        assert here.delivering.condition() == "open"
        assert here.delivering.again_at == here.clock() + dt.timedelta(seconds=1)
        here.clock.pass_by(1)
        here.partner.most = 0
        await here.work()
        assert (sum(row[0] for row in rows(tmp_path, "SELECT attempts FROM outbox")), here.partner.most) == (
            5,
            1,
        )
        here.partner.away = False
        here.clock.pass_by(2)
        await here.work()
        assert sorted(here.partner.got) == [f"{patient}1" for patient in "abcdefgh"]
        assert here.delivering.condition() == ""


async def test_after_a_time_that_the_partner_named_all_lanes_wait(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("patient", 1)) as here:
        here.partner.errors["a1"] = [PartnerBusy("429", after=30)]
        await here.queue("a1", "b1", "c1")
        await here.work()
        here.clock.pass_by(29)
        await here.work()
        assert here.partner.got == []
        here.clock.pass_by(1)
        await here.work()
        assert sorted(here.partner.got) == ["a1", "b1", "c1"]


async def test_what_a_person_must_mend_holds_every_lane(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("patient", 1)) as here:
        here.partner.errors["a1"] = [ConfigurationError("no key")]
        await here.queue("a1", "b1")
        await here.work()
        here.clock.pass_by(3600)
        await here.work()
        assert (here.partner.got, here.delivering.condition()) == ([], "held")
        here.delivering.resume()
        await here.work()
        assert here.partner.got == ["a1", "b1"]


@pytest.mark.parametrize("direction", [TO_FHIR, None])
async def test_what_is_paused_waits_and_still_does_after_a_restart(tmp_path: Path, direction: None) -> None:
    async with site(tmp_path) as here:
        await here.store.pause(Paused(LINK, direction, "ada", "upgrade", here.clock()), [])
        await here.queue("a1", "b1")
        await here.work()
        assert (here.partner.got, here.delivering.condition()) == ([], "paused")
        here.delivering = here.another()
        await here.work()
        assert here.partner.got == []
        assert here.delivering.again_at == here.clock() + dt.timedelta(seconds=0.5)
        assert await here.store.resume(LINK, direction, [])
        await asyncio.sleep(0.55)
        await here.work()
        assert sorted(here.partner.got) == ["a1", "b1"]


async def test_a_pause_takes_effect_within_a_second_however_much_waits(tmp_path: Path) -> None:
    async with site(tmp_path, Rules("link")) as here:
        await here.queue(*(f"x{n}" for n in range(50)), lanes=())
        gates = {f"x{n}": asyncio.Event() for n in range(50)}
        here.partner.slow = gates
        working = asyncio.create_task(here.work())
        gates["x0"].set()
        await until(lambda: here.partner.got == ["x0"])
        await here.store.pause(Paused(LINK, None, "ada", "upgrade", here.clock()), [])
        await asyncio.sleep(0.6)
        for gate in gates.values():
            gate.set()
        await working
        assert here.partner.got == ["x0", "x1"]  # what was on its way


async def test_outside_its_window_a_link_sends_nothing(tmp_path: Path) -> None:
    night = Rules("patient", 4, open=lambda now: now.hour >= 22)
    async with site(tmp_path, night) as here:
        await here.queue("a1")
        await here.work()
        assert (here.partner.got, here.delivering.condition()) == ([], "window")
        here.clock.pass_by(12 * 3600)
        await here.work()
        assert (here.partner.got, here.delivering.condition()) == (["a1"], "")


async def test_what_stood_in_the_link_s_lane_goes_before_the_patients(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("x1", "x2", lanes=())
        await here.queue("a1", "b1")
        here.partner.errors["x1"] = [PartnerBusy("AE with 206")]
        await here.work()
        assert here.partner.got == []
        here.clock.pass_by(1)
        await here.work()
        assert here.partner.got[:2] == ["x1", "x2"]
        assert sorted(here.partner.got) == ["a1", "b1", "x1", "x2"]


async def test_and_of_a_link_whose_patients_had_lanes_all_stand_in_one_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1", "b1", "ab1", "c1", "a2")
        await here.queue("x1", lanes=())
        here.delivering = here.another(Rules("link"))
        await here.work()
        assert here.partner.got == ["a1", "b1", "ab1", "c1", "a2", "x1"]


async def test_what_is_in_hand_is_given_up_at_the_end_and_sent_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1")
        here.partner.slow["a1"] = asyncio.Event()
        working = asyncio.create_task(here.delivering.step())
        await until(lambda: here.partner.at_once)
        here.delivering.cancel()
        await working
        here.partner.slow.clear()
        (item,) = await here.store.heads(LINK, TO_FHIR, here.clock(), 9)
        assert item.unsure
        await here.work()
        assert here.partner.got == ["a1"]


async def test_a_fault_in_one_lane_leaves_the_others_at_work(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1", "b1")
        here.partner.slow["b1"] = asyncio.Event()
        here.partner.errors["a1"] = [RuntimeError("a fault of ours")]  # type: ignore[list-item]
        with pytest.raises(RuntimeError):
            await here.work()
        assert here.partner.at_once == 1
        here.partner.slow["b1"].set()
        await here.work()
        assert sorted(here.partner.got) == ["a1", "b1"]


async def test_at_the_end_every_lane_in_hand_is_seen_through_and_none_is_begun(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.queue("a1", "b1", "c1", "a2", "b2", "c2")
        here.partner.slow = {name: asyncio.Event() for name in ("a1", "b1", "c1")}
        working = asyncio.create_task(here.work())
        await until(lambda: here.partner.at_once == 3)
        here.delivering.ending = True
        for gate in here.partner.slow.values():
            gate.set()
        await working
        await here.delivering.finish()
        assert sorted(here.partner.got) == ["a1", "b1", "c1"]
        assert [one.unsure for one in await here.store.heads(LINK, TO_FHIR, here.clock(), 9)] == [False] * 3
