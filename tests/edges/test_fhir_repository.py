"""A repository that takes AuditEvents: each once, in order, whatever breaks on the way."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.edges.fhir_client import Delivery, FhirClient
from connector.edges.fhir_repository import SYSTEM, FhirRepository, Way
from connector.edges.http_exchange import Waits
from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    EntryNotSendable,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import Feed, FeedRules
from connector.store import Logged
from tests.edges.fhir_server import FhirServer
from tests.edges.partner_site import Asked, Partner, Reply, answer, granted
from tests.faults.proxy import Cut, Faults, Proxy
from tests.store.site import draft, open_store

WAITS = Waits(20, 20, 20, 20, 20)
HASTY = Waits(20, 20, 20, 1, 1)  # for those that never answer
Json = dict[str, Any]


def logged(*numbers: int) -> list[Logged]:
    return [Logged(one, f'{{"seq":{one}}}', bytes([one]) * 32) for one in numbers]


def events(one: Logged) -> list[Json]:
    """One event; of entry 5 two."""
    made = {"resourceType": "AuditEvent", "recorded": "2026-11-23T10:15:00Z", "outcomeDesc": str(one.seq)}
    if one.seq == 5:
        return [{**made, "id": "5-1"}, {**made, "id": "5-2"}]
    return [{**made, "id": str(one.seq)}]


@asynccontextmanager
async def there(
    folder: Path,
    *replies: Reply,
    delivery: Delivery = "each",
    way: Way = "create",
    network: Sequence[Faults] = (),
    tokens: bool = False,
    waits: Waits = WAITS,
    say: Callable[[Logged], Sequence[Json]] = events,
) -> AsyncIterator[tuple[FhirRepository, Partner, FhirServer]]:
    server = FhirServer()
    partner = Partner(folder, replies=list(replies) or [server], tokens=[granted()])
    async with partner.running(), Proxy(partner.port).running() as proxy:
        proxy.plan.extend(network)
        source = partner.source() if tokens else None
        base = partner.base.replace(str(partner.port), str(proxy.port))

        def client(how: Delivery) -> FhirClient:
            return FhirClient(base, partner.context, source, delivery=how, waits=waits)

        single = client("each")
        made = FhirRepository(single if delivery == "each" else client(delivery), single, say, way)
        try:
            yield made, partner, server
        finally:
            await made.close()
            if source is not None:
                await source.close()


def kept(server: FhirServer) -> list[str]:
    return [str(one["outcomeDesc"]) for one in server.of("AuditEvent")]


@pytest.mark.parametrize("way", ["create", "update"])
@pytest.mark.parametrize("delivery", ["each", "batch"])
async def test_every_event_is_there_once_however_often_it_goes(
    tmp_path: Path, delivery: Delivery, way: Way
) -> None:
    async with there(tmp_path, delivery=delivery, way=way) as (made, _, server):
        assert await made.hand(logged(1, 2)) == (2, 2, None)
        assert await made.hand(logged(1, 2, 3)) == (3, 3, None)
        await made.settle()
        assert kept(server) == ["1", "2", "3"]


async def test_an_event_is_created_under_the_condition_that_it_is_new(tmp_path: Path) -> None:
    async with there(tmp_path) as (made, partner, server):
        await made.hand(logged(1))
        assert partner.asked[0].method == "POST"
        assert partner.asked[0].headers["if-none-exist"] == "_tag=urn:x-audit:event%7C1"
        (found,) = server.of("AuditEvent")
        assert found["meta"]["tag"] == [{"system": SYSTEM, "code": "1"}]


async def test_all_events_of_an_entry_are_there_or_it_is_not(tmp_path: Path) -> None:
    async with there(tmp_path) as (made, _, server):
        refused = [[], [], [422]]

        def refuse(path: str) -> None:
            server.refuses["AuditEvent"] = refused.pop(0) if refused else []

        real = server._maybe_refuse

        def maybe(url: str) -> None:
            refuse(url)
            real(url)

        server._maybe_refuse = maybe  # type: ignore[method-assign]
        taken = await made.hand(logged(4, 5, 6))
        assert (taken.known, type(taken.error)) == (4, PartnerRefusedMessage)
        assert kept(server) == ["4", "5"]
        assert await made.hand(logged(5, 6)) == (6, 6, None)
        assert kept(server) == ["4", "5", "5", "6"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PartnerRefusedMessage),
        (401, PartnerRefusedUs),
        (403, PartnerRefusedUs),
        (422, PartnerRefusedMessage),
        (429, PartnerBusy),
        (503, PartnerBusy),
        (302, AnswerNotUnderstood),
    ],
)
async def test_an_answer_means_what_it_means_for_partners(
    tmp_path: Path, status: int, kind: type[DeliveryError]
) -> None:
    async with there(tmp_path, answer(201), answer(status)) as (made, _, _):
        taken = await made.hand(logged(1, 2, 3))
        assert (taken.handed, taken.known) == (1, 1)
        assert isinstance(taken.error, kind)


async def test_several_that_are_there_already_are_there(tmp_path: Path) -> None:
    async with there(tmp_path, answer(412)) as (made, _, _):
        assert await made.hand(logged(1)) == (1, 1, None)


async def test_of_a_batch_that_is_refused_each_is_sent_alone(tmp_path: Path) -> None:
    refuse = [answer(400)]

    def reply(asked: Asked) -> bytes:
        return refuse[0] if b'"outcomeDesc":"3"' in asked.body else server(asked)

    async with there(tmp_path, reply, delivery="batch") as (made, _, server):
        taken = await made.hand(logged(1, 2, 3, 4))
        assert (taken.known, type(taken.error)) == (2, PartnerRefusedMessage)
        assert kept(server) == ["1", "2"]


async def test_what_failed_within_a_batch_stops_there_and_the_rest_goes_again(tmp_path: Path) -> None:
    async with there(tmp_path, delivery="batch") as (made, _, server):
        server.refuses["AuditEvent"] = [503]
        taken = await made.hand(logged(1, 2))
        assert (taken.known, type(taken.error)) == (0, PartnerBusy)
        assert kept(server) == ["2"]
        assert await made.hand(logged(1, 2)) == (2, 2, None)
        assert kept(server) == ["2", "1"]


async def test_an_entry_that_cannot_be_said_stands_behind_those_that_can(tmp_path: Path) -> None:
    def say(one: Logged) -> list[Json]:
        if one.seq == 3:
            raise LookupError(one.entry)
        return events(one)

    async with there(tmp_path, say=say) as (made, _, _):
        taken = await made.hand(logged(1, 2, 3, 4))
        assert (taken.known, type(taken.error)) == (2, EntryNotSendable)
        assert (await made.hand(logged(3))).handed == 0


async def test_a_token_is_shown_where_there_is_one(tmp_path: Path) -> None:
    async with there(tmp_path, tokens=True) as (made, partner, _):
        await made.hand(logged(1))
        assert partner.asked[0].token == "token-1"


CUTS = [
    Faults(refuse=True),
    *(Faults(up=Cut(after, "reset")) for after in (0, 700, 2_200, 3_000)),
    *(Faults(down=Cut(after, how)) for after in (0, 1_500, 2_500) for how in ("reset", "close")),  # type: ignore[arg-type]
    Faults(down=Cut(2_500, "silence")),
]


@pytest.mark.parametrize("delivery", ["each", "batch"])
async def test_a_connection_that_is_cut_anywhere_loses_and_doubles_nothing(
    tmp_path: Path, delivery: Delivery
) -> None:
    async with there(tmp_path, delivery=delivery, network=CUTS, waits=HASTY) as (made, _, server):
        known, failures = 0, 0
        while known < 40:
            try:
                taken = await made.hand(logged(*range(known + 1, min(known + 5, 40) + 1)))
            except PartnerUnreachable:
                failures += 1
                continue
            failures += taken.error is not None
            known = taken.known
        assert failures >= 5
        said = [str(one) for one in range(1, 41)]
        assert sorted(kept(server), key=int) == sorted([*said, "5"], key=int)


QUICK = FeedRules(whole=True, batch=5, rate=1e6, alarm=0.3, pauses=Pauses(0.01, 1.0, 0.01))


@pytest.mark.parametrize("delivery", ["each", "batch"])
async def test_a_repository_that_was_away_gets_everything_once_and_in_order(
    tmp_path: Path, delivery: Delivery
) -> None:
    """It refuses, is busy, breaks off, and loses an answer after it has written; then it is well."""
    store = open_store(tmp_path)
    await store.record([draft() for _ in range(23)])
    script = iter(["busy", "lost", "well", "busy", "lost", "lost", "refused"])

    def reply(asked: Asked) -> bytes:
        what = next(script, "well")
        if what in ("busy", "refused"):
            return answer(503 if what == "busy" else 403)
        done = server(asked)
        return done if what == "well" else done[:20]  # the connection ends within its head

    def tell(one: Logged) -> list[Json]:
        return [{"resourceType": "AuditEvent", "id": one.hash.hex()[:40], "outcomeDesc": str(one.seq)}]

    async with there(tmp_path, reply, delivery=delivery, say=tell) as (made, _, server):
        feed = Feed("arr", store, made, QUICK, lambda: dt.datetime.now(dt.UTC), lambda: 1.0)
        await feed.begin()
        task = asyncio.create_task(feed.run())
        async with asyncio.timeout(20):
            while feed.mark < 25:  # noqa: ASYNC110 - with what was told of it: refused at once, resumed
                await asyncio.sleep(0.01)
        feed.end()
        await task
        assert kept(server) == [str(one) for one in range(1, 26)]
        entries = await store.logged(23, 5)
    said = [json.loads(one.entry) for one in entries]
    assert [(one["tag"], one["reason"]) for one in said] == [
        ("audit:feed:stopped", "PartnerRefusedUs"),
        ("audit:feed:resumed", ""),
    ]
    assert said[0]["object"]["status"] == 403
    await store.close()
