"""Application acknowledgments after processing, over real connections: the same one, another, a listener."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from connector.demo.site import Site
from connector.store import Direction, Store
from connector.wiring import now
from tests.demo.conftest import site, start
from tests.pipeline.partners import Listener, commit, running, said, talking
from tests.pipeline.room import adt
from tests.store.site import rows

__all__ = ["site", "start"]  # fixtures

Start = Callable[..., subprocess.Popen[bytes]]


def asking(control_id: str, application: str = "AL", accept: str = "AL") -> str:
    """A message in enhanced mode."""
    return adt(identity=control_id, header=f"|P|2.5.1|||{accept}|{application}")


def answers(site: Site, text: str) -> None:
    """Put keys into ``[v2.from.answers]`` of the site's profile."""
    site.profile.write_text(f"{site.profile.read_text()}\n[v2.from.answers]\n{text}\n")


async def handed_over(site: Site, count: int = 1) -> list[str]:
    """What the outbox says of the answers, once so many are delivered."""
    query = "SELECT acknowledgment FROM outbox WHERE direction = 'answer' AND delivery = 'delivered'"
    for _ in range(400):
        if len(found := rows(site.folder, query)) >= count:
            return [one for (one,) in found]
        await asyncio.sleep(0.05)
    raise AssertionError("the answers are not handed over")


def trail(site: Site) -> list[dict[str, Any]]:
    return [json.loads(entry) for (entry,) in rows(site.folder, "SELECT entry FROM audit_entry")]


async def test_each_answer_comes_over_the_connection_of_its_message(site: Site, start: Start) -> None:
    start("sandbox", site.ports.sandbox)
    async with running(site), talking(site) as one, talking(site) as two:
        for number in range(3):
            assert await one.ask(asking(f"A{number}")) == ("CA", f"A{number}")
            assert await two.ask(asking(f"B{number}")) == ("CA", f"B{number}")
            heard = [said(await one.hear()), said(await two.hear())]
            assert heard == [("AA", f"A{number}"), ("AA", f"B{number}")]
        assert await handed_over(site, 6) == ["positive"] * 6


async def test_without_a_commit_acknowledgment_the_answer_is_the_one_after_delivery(
    site: Site, start: Start
) -> None:
    start("sandbox", site.ports.sandbox)
    async with running(site), talking(site) as talk:
        assert await talk.ask(asking("M1", accept="NE")) == ("AA", "M1")
        assert rows(site.folder, "SELECT state FROM inbox") == [("delivered",)]


async def test_an_answer_that_asks_for_it_is_settled_by_the_senders_commit(site: Site, start: Start) -> None:
    answers(site, 'accept = "AL"')
    start("sandbox", site.ports.sandbox)
    async with running(site), talking(site) as talk:
        assert await talk.ask(asking("M1")) == ("CA", "M1")
        answer = await talk.hear()
        assert (said(answer), answer.get("MSH-15"), answer.get("MSH-16")) == (("AA", "M1"), "AL", "NE")
        assert rows(site.folder, "SELECT acknowledgment FROM outbox WHERE direction = 'answer'") == [
            ("pending",)
        ]
        talk.say(commit(answer))
        assert await handed_over(site) == ["positive"]
        assert await talk.silent()
        talk.say(commit(answer))
        assert await talk.silent()
    assert sum(one["tag"] == "message:v2:refused" for one in trail(site)) == 1


async def test_the_answer_waits_for_a_sender_that_is_away_and_for_the_next_start(
    site: Site, start: Start
) -> None:
    async with running(site), talking(site) as talk:
        assert await talk.ask(asking("M1")) == ("CA", "M1")
    start("sandbox", site.ports.sandbox)
    async with running(site):
        await until(site, "SELECT count(*) FROM outbox WHERE direction = 'answer'", 1)
    async with running(site):
        async with talking(site) as talk:
            assert said(await talk.hear()) == ("AA", "M1")
        assert await handed_over(site) == ["positive"]


async def test_an_answer_that_is_not_confirmed_does_not_hold_up_the_end_and_goes_out_again(
    site: Site, start: Start
) -> None:
    answers(site, 'accept = "AL"')
    start("sandbox", site.ports.sandbox)
    control_ids = []
    async with running(site), talking(site) as talk:
        assert await talk.ask(asking("M1")) == ("CA", "M1")
        control_ids.append((await talk.hear()).control_id)
    (stopped,) = [one for one in trail(site) if one["tag"] == "service:stopped"]
    assert stopped["object"]["drained"] is True
    async with running(site), talking(site) as talk:
        answer = await talk.hear()
        talk.say(commit(answer))
        assert await handed_over(site) == ["positive"]
    assert control_ids == [answer.control_id]


async def until(site: Site, query: str, count: int) -> None:
    for _ in range(400):
        if rows(site.folder, query) == [(count,)]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(query)


@pytest.mark.parametrize(("accept", "code"), [("NE", ""), ("AL", "CA")])
async def test_the_answer_may_go_to_a_listener_of_the_sender(
    site: Site, start: Start, accept: str, code: str
) -> None:
    start("sandbox", site.ports.sandbox)
    async with Listener(site.folder, code).running() as listener:
        to = f'via = "separate"\nhost = "127.0.0.1"\nport = {listener.port}\nserver_name = "localhost"'
        answers(site, f'{to}\naccept = "{accept}"')
        async with running(site), talking(site) as talk:
            assert await talk.ask(asking("M1")) == ("CA", "M1")
            answer = await asyncio.wait_for(listener.got.get(), 20)
            assert (said(answer), answer.get("MSH-15")) == (("AA", "M1"), accept)
            assert await handed_over(site) == ["positive"]
            assert await talk.silent()


async def test_a_message_that_becomes_a_dead_letter_is_answered_with_its_error(site: Site) -> None:
    async with running(site) as service, talking(site) as talk:
        assert await talk.ask(asking("M1")) == ("CA", "M1")
        await bury(service._store)
        answer = await talk.hear()
        assert (said(answer), answer.get("ERR-5")) == (("AE", "M1"), "PartnerRefusedMessage")


async def bury(store: Store) -> None:
    """What becomes of a message that the FHIR side refuses for good."""
    later = now().replace(year=2999)
    for _ in range(400):
        if found := await store.queue("demo", Direction.TO_FHIR, later, 1):
            await store.dead(found[0].id, "PartnerRefusedMessage", [])
            return
        await asyncio.sleep(0.05)
