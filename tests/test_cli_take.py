"""``connector take``: a file of messages goes into the store beside the running service, once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit import verify
from connector.demo.site import Ports, Site, make_site
from tests.pipeline.partners import running, talking
from tests.pipeline.room import adt
from tests.ports import free_ports
from tests.store.site import rows
from tests.test_cli import run

BHS = "BHS|^~\\&|STVADT|STV|CONNECTOR|DEMO|20261123||night||B1\r"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose service runs in this process; the FHIR side does not."""
    made = make_site(tmp_path / "site", Ports(*free_ports(4)))
    async with running(made):
        yield made


async def take(site: Site, content: str, *options: str) -> tuple[int, list[str]]:
    """The exit code, and what is printed."""
    command = ("take", "-", "--config", site.config, "--link", "demo", "--as", "mia", *options)
    done = await asyncio.to_thread(run, *command, given=content)
    lines = (done.stdout + done.stderr).splitlines()
    # not what the service in this process has to say meanwhile
    return done.exit_code, [line for line in lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:.*\[", line)]


def messages(count: int) -> str:
    return "".join(adt(identity=f"T{number}") for number in range(count))


async def test_a_file_of_messages_is_taken_once_however_often_it_is_given(site: Site) -> None:
    file = f"{BHS}{messages(3)}BTS|3\r"
    assert await take(site, file) == (0, ["1  T0  taken", "2  T1  taken", "3  T2  taken"])
    assert await take(site, file) == (0, ["1  T0  duplicate", "2  T1  duplicate", "3  T2  duplicate"])
    assert rows(site.folder, "SELECT count(*) FROM inbox") == [(3,)]
    assert verify(site.store).good


async def test_the_running_service_takes_it_up_in_order(site: Site) -> None:
    async with talking(site) as talk:
        assert await talk.ask(adt(identity="BEFORE")) == ("AA", "BEFORE")
        assert (await take(site, messages(5)))[0] == 0
        assert await talk.ask(adt(identity="BEHIND")) == ("AA", "BEHIND")
    for _ in range(200):
        if rows(site.folder, "SELECT count(*) FROM outbox") == [(7,)]:
            break
        await asyncio.sleep(0.05)
    order = rows(site.folder, "SELECT inbox_id FROM outbox ORDER BY id")
    assert order == [(number,) for number in range(1, 8)]


async def test_what_came_over_the_wire_is_a_duplicate_in_a_file(site: Site) -> None:
    async with talking(site) as talk:
        assert await talk.ask(adt(identity="T0")) == ("AA", "T0")
    assert await take(site, adt(identity="T0")) == (0, ["1  T0  duplicate"])


async def test_the_trail_says_who_took_it(site: Site) -> None:
    await take(site, messages(2))
    entries = [json.loads(entry) for (entry,) in rows(site.folder, "SELECT entry FROM audit_entry")]
    actors = [one["actor"] for one in entries if one["tag"] in ("message:v2:received", "message:v2:batched")]
    assert actors == [{"role": "operator", "name": "mia", "realm": "machine"}] * 3


async def test_what_is_refused_is_told_with_its_place_and_without_its_words(site: Site) -> None:
    bad = adt(identity="T1", patient="").replace("|||", "|||", 1)
    code, said = await take(site, adt(identity="T0") + bad + "stray line\r")
    assert code == 1
    assert said[0] == "1  T0  taken"
    assert said[1].startswith("2  T1  refused  RequiredFieldMissing at PID-3: ")
    code, said = await take(site, f"{messages(1)}{BHS}BTS|0\rnobody can read this\r")
    assert said[-1].startswith("2  -  refused  UnreadableMessage: ")
    assert "nobody" not in said[-1]


async def test_a_batch_that_was_cut_off_leaves_nothing(site: Site) -> None:
    code, said = await take(site, f"{BHS}{messages(2)}")
    assert code == 1
    assert [line.split("  ")[2] for line in said] == ["refused", "refused"]
    assert "BatchIncomplete at BHS" in said[0]
    assert rows(site.folder, "SELECT count(*) FROM inbox") == [(0,)]


async def test_a_link_or_a_file_without_messages_is_told(site: Site) -> None:
    code, said = await take(site, "")
    assert (code, said) == (2, ["connector: there is no message in the file (a message begins with MSH)"])
    code, said = await take(site, messages(1), "--link", "dmeo")
    assert code == 2
    assert "one of demo" in said[0]
