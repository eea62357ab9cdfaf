"""The lanes as tasks: woken at once, started again after a fault, drained at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from connector.errors import PartnerRefusedUs, PartnerUnreachable, StoreUnavailable
from connector.pipeline.supervise import LOOK, Supervisor
from connector.store import Store
from tests.pipeline.site import TO_FHIR, TO_V2, Cycle, Sent, message, patient


@asynccontextmanager
async def supervised(cycle: Cycle) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(list(cycle.lanes.values()))
    supervisor.start()
    yield supervisor
    assert await supervisor.drain(5)


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in time")


async def test_what_arrives_is_delivered_at_once_and_not_at_the_next_look(cycle: Cycle) -> None:
    async with supervised(cycle) as supervisor:
        await asyncio.sleep(0.1)  # both tasks have nothing to do
        await cycle.receive(message())
        supervisor.arrived("demo", TO_FHIR)
        await until(lambda: cycle.fhir.got, LOOK / 2)


async def test_what_waited_before_the_start_is_taken_up(cycle: Cycle) -> None:
    await cycle.receive(message())
    await cycle.submit(Sent.update(patient()))
    async with supervised(cycle):
        await until(lambda: cycle.fhir.got and cycle.hospital.got)


async def test_what_was_put_in_beside_the_service_is_found_at_the_next_look(cycle: Cycle) -> None:
    async with supervised(cycle):
        await cycle.receive(message())
        await until(lambda: cycle.fhir.got, 2 * LOOK)


async def test_a_lane_whose_partner_is_away_is_tried_again_and_delays_no_other(cycle: Cycle) -> None:
    cycle.fhir.errors = [PartnerUnreachable("nobody listens")] * 2
    await cycle.receive(message())
    await cycle.submit(Sent.update(patient()))
    async with supervised(cycle) as supervisor:
        await until(lambda: cycle.hospital.got)
        assert not cycle.fhir.resources
        for _ in range(2):
            await until(lambda: cycle.lanes[TO_FHIR].delivering.again_at is not None)
            cycle.clock.move(600)
            supervisor.lanes["demo", TO_FHIR].translated.set()
            await asyncio.sleep(0.05)
        await until(lambda: cycle.fhir.resources)


async def test_a_lane_that_waits_for_a_person_shows_it_and_goes_on_when_told(cycle: Cycle) -> None:
    cycle.fhir.errors = [PartnerRefusedUs("the certificate is not known there")]
    await cycle.receive(message())
    async with supervised(cycle) as supervisor:
        await until(lambda: supervisor.ready()["demo to_fhir"] == "PartnerRefusedUs")
        assert supervisor.ready()["demo to_v2"] is True
        await asyncio.sleep(0.05)
        assert len(cycle.fhir.got) == 1
        supervisor.resume()
        await until(lambda: cycle.fhir.resources)
        assert supervisor.ready()["demo to_fhir"] is True


async def test_a_lane_that_fails_is_shown_and_started_again(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path)
    pending, failures = store.pending, [StoreUnavailable("the disk is full")] * 3

    async def unwell(*which: object) -> object:
        if failures and which[1] is TO_FHIR:
            raise failures.pop()
        return await pending(*which)  # type: ignore[arg-type]

    store.pending = unwell  # type: ignore[method-assign, assignment]
    await cycle.receive(message())
    async with supervised(cycle) as supervisor:
        await until(lambda: supervisor.ready()["demo to_fhir"] == "StoreUnavailable")
        await until(lambda: cycle.fhir.got)
        assert supervisor.ready() == {"demo to_fhir": True, "demo to_v2": True}


async def test_at_the_end_what_is_in_hand_is_finished_and_nothing_new_is_begun(cycle: Cycle) -> None:
    for number in range(20):
        await cycle.receive(message(str(number), phone=f"{number:07}"))
    await cycle.lanes[TO_FHIR].translating.step()
    sent, release = cycle.fhir.send, asyncio.Event()

    async def slowly(bundle: dict[str, object]) -> object:
        await release.wait()
        return await sent(bundle)

    cycle.fhir.send = slowly  # type: ignore[method-assign, assignment]
    supervisor = Supervisor(list(cycle.lanes.values()))
    supervisor.start()
    await until(lambda: "delivery:fhir:intended" in cycle.tags())
    draining = asyncio.create_task(supervisor.drain(5))
    await asyncio.sleep(0.05)
    assert not draining.done()
    release.set()
    assert await draining
    counts = await cycle.counts(TO_FHIR)
    assert (counts.sent, counts.queued) == (1, 19)


async def test_what_does_not_end_in_time_is_cut_and_said(cycle: Cycle) -> None:
    async def never(bundle: dict[str, object]) -> object:
        await asyncio.sleep(60)
        raise AssertionError

    cycle.fhir.send = never  # type: ignore[method-assign, assignment]
    await cycle.receive(message())
    supervisor = Supervisor(list(cycle.lanes.values()))
    supervisor.start()
    await until(lambda: "delivery:fhir:intended" in cycle.tags())
    assert not await supervisor.drain(0.1)
    (item,) = await cycle.store.queue("demo", TO_FHIR, cycle.clock(), 8)
    assert item.unsure


async def test_a_supervisor_that_never_started_is_drained_at_once(cycle: Cycle) -> None:
    assert await Supervisor([cycle.lanes[TO_V2]]).drain(1)
