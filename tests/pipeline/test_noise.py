"""One noisy partner beside a quiet one, over real connections: limits hold, and nobody else waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from connector.demo.site import Ports, Site, make_site, peer
from tests.pipeline.partners import Talk, running, said, talking
from tests.pipeline.room import adt
from tests.ports import free_ports
from tests.store.site import rows

SECOND = """
name = "quiet"
[v2]
messages = ["ADT^A31"]
[v2.from]
certificates = ["{certificate}"]
[fhir]
base = "https://localhost:1/fhir"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a second partner, whose certificate is the analyst's."""
    made = make_site(tmp_path / "site", Ports(*free_ports(4)))
    second = made.profile.parent / "quiet.toml"
    second.write_text(SECOND.format(certificate=peer(made, "analyst")))
    text = made.config.read_text()
    made.config.write_text(
        re.sub(r'(profiles = \[)("[^"]+?)profile.toml"', r'\1\2profile.toml", \2quiet.toml"', text)
    )
    return made


def limit(site: Site, text: str) -> None:
    site.profile.write_text(f"{site.profile.read_text()}\n[limits]\n{text}\n")


@asynccontextmanager
async def flood(site: Site, connections: int) -> AsyncIterator[list[Talk]]:
    """So many connections of the noisy partner that never stop talking, and read their answers."""
    async with contextlib.AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(site)) for _ in range(connections)]
        tasks = [asyncio.create_task(_noise(talk, f"N{n}")) for n, talk in enumerate(talks)]
        try:
            yield talks
        finally:
            while going := [task for task in tasks if not task.done()]:
                for task in going:  # a wait that ends in this very moment swallows it (Python 3.11)
                    task.cancel()
                await asyncio.wait(going, timeout=0.2)
            await asyncio.gather(*tasks, return_exceptions=True)


async def _noise(talk: Talk, name: str) -> None:
    number = 0
    while True:
        texts = [adt(identity=f"{name}-{number + at}", patient=f"{name}^^^STV^MR") for at in range(20)]
        number += 20
        talk.say(*texts)
        for _ in texts:
            await talk.hear(60)


async def test_a_flood_of_one_partner_leaves_the_acknowledgments_of_another_prompt(site: Site) -> None:
    limit(site, "in_hand = 4\nmessages_per_second = 100\nburst = 10")
    loop = asyncio.get_running_loop()
    waits = []
    async with running(site), talking(site, "analyst") as quiet, flood(site, 8):
        await asyncio.sleep(0.5)
        for number in range(30):
            began = loop.time()
            assert await quiet.ask(adt(identity=f"Q{number}")) == ("AA", f"Q{number}")
            waits.append(loop.time() - began)
            await asyncio.sleep(0.03)
    assert sorted(waits)[27] < 0.5
    taken = rows(site.folder, "SELECT link, count(*) FROM inbox GROUP BY link ORDER BY link")
    assert taken[1] == ("quiet", 30)
    assert taken[0][1] > 50


async def test_over_its_rate_a_partner_is_read_more_slowly_and_loses_nothing(site: Site) -> None:
    limit(site, "messages_per_second = 50\nburst = 5")
    loop = asyncio.get_running_loop()
    async with running(site), talking(site) as talk:
        began = loop.time()
        talk.say(*(adt(identity=f"R{number}") for number in range(55)))
        heard = [said(await talk.hear()) for _ in range(55)]
        assert 0.9 < loop.time() - began < 5
        assert heard == [("AA", f"R{number}") for number in range(55)]


async def test_a_connection_too_many_is_closed_counted_and_audited(site: Site) -> None:
    limit(site, "connections = 2")
    async with running(site), talking(site) as one, talking(site) as two:
        assert await one.ask(adt(identity="1")) == ("AA", "1")
        assert await two.ask(adt(identity="2")) == ("AA", "2")
        for _ in range(20):
            async with talking(site) as three:
                with contextlib.suppress(OSError):
                    assert await three.reader.read() == b""
        async with talking(site, "analyst") as other:
            assert await other.ask(adt(identity="O")) == ("AA", "O")
        assert await one.ask(adt(identity="3")) == ("AA", "3")
        one.writer.transport.abort()
        await asyncio.sleep(0.1)
        async with talking(site) as three:
            assert await three.ask(adt(identity="4")) == ("AA", "4")
    entries = [json.loads(entry) for (entry,) in rows(site.folder, "SELECT entry FROM audit_entry")]
    refused = [one for one in entries if one["tag"] == "tls:peer:refused"]
    assert 5 <= len(refused) <= 20
    assert {one["reason"] for one in refused} == {"Overloaded"}
    assert {one["object"]["link"] for one in refused} == {"demo"}


async def test_what_is_not_read_is_held_by_the_sender_and_not_in_memory(site: Site) -> None:
    limit(site, "messages_per_second = 0.1\nburst = 1")
    process, padding = psutil.Process(), "x" * 60_000
    async with running(site), talking(site) as talk:
        assert await talk.ask(adt(identity="0")) == ("AA", "0")
        transport, before = talk.writer.transport, process.memory_info().rss
        transport.set_write_buffer_limits(0)
        sent = 0
        with contextlib.suppress(TimeoutError):
            for number in range(1, 2000):
                talk.say(adt(identity=str(number), more=[f"NTE|1||{padding}"]))
                await asyncio.wait_for(talk.writer.drain(), 1)
                sent = number
        assert sent * len(padding) < 16 * 1024 * 1024
        assert process.memory_info().rss - before < 24 * 1024 * 1024
        assert rows(site.folder, "SELECT count(*) FROM inbox") == [(1,)]


async def test_a_batch_counts_by_its_messages(site: Site) -> None:
    limit(site, "messages_per_second = 50\nburst = 5")
    loop = asyncio.get_running_loop()
    async with running(site), talking(site) as talk:
        began = loop.time()
        talk.say("".join(adt(identity=f"B{number}") for number in range(35)))
        assert len((await talk.hear()).all("MSA")) == 35
        assert loop.time() - began > 0.5
