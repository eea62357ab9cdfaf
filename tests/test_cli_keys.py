"""``connector keys`` beside the running service: the key-encryption key changes, and nobody notices."""

from __future__ import annotations

import asyncio
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

MIA = ("--because", "a year is over", "--as", "mia")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose service runs in this process; the FHIR side does not."""
    made = make_site(tmp_path / "site", Ports(*free_ports(4)))
    async with running(made):
        yield made


async def keys(site: Site, verb: str, *options: str) -> tuple[int, str]:
    done = await asyncio.to_thread(run, "keys", verb, "--config", site.config, *options)
    return done.exit_code, done.stdout or done.stderr


async def test_the_key_is_changed_under_the_running_service(site: Site) -> None:
    async with talking(site) as talk:
        assert await talk.ask(adt(identity="BEFORE")) == ("AA", "BEFORE")
        _, before = await keys(site, "status")
        old = before.splitlines()[1].split()[1]
        code, said = await keys(site, "rotate", *MIA)
        assert (code, "is the current key-encryption key and wraps 2 keys" in said) == (0, True)
        assert await talk.ask(adt(identity="BEHIND")) == ("AA", "BEHIND")
        _, after = await keys(site, "status")
        assert [line.split()[-1] for line in after.splitlines()[1:3]] == ["nothing", "current"]
        assert await keys(site, "rewrap", "--forget", *MIA) == (0, f"0 keys wrapped anew\n{old} forgotten\n")
        code, said = await keys(site, "verify", "--records", "--as", "mia")
        assert (code, said.startswith("all ")) == (0, True)
    found = rows(site.folder, "SELECT entry FROM audit_entry WHERE entry LIKE '%\"keys:%'")
    assert len(found) == 4
    assert all('"mia"' in entry for (entry,) in found)
    assert verify(site.store).good


async def test_what_does_not_open_is_named_and_the_exit_code_says_so(site: Site) -> None:
    async with talking(site) as talk:
        await talk.ask(adt(identity="ONE"))
    rows(site.folder, "UPDATE wrapped_key SET wrapped = zeroblob(69) WHERE partner = 'demo'")
    code, said = await keys(site, "verify")
    assert code == 1
    assert "key of demo" in said


async def test_messages_of_a_patient_are_found_for_a_reason_beside_the_service(site: Site) -> None:
    async with talking(site) as talk:
        await talk.ask(adt(identity="ONE"))
        await talk.ask(adt(identity="TWO"))
    find = ("queue", "find", "--config", site.config)
    one = await asyncio.to_thread(run, *find, "--control-id", "TWO", *MIA)
    assert (one.exit_code, "message 2  demo to_fhir" in one.stdout) == (0, True)
    assert "message 1" not in one.stdout
    both = await asyncio.to_thread(run, *find, "--mrn", "-", *MIA, given="h1^^^STV\n")
    assert [f"message {n} " in both.stdout for n in (1, 2)] == [True, True]
    none = await asyncio.to_thread(run, *find, "--mrn", "H1^^^WEST", *MIA)
    assert none.stdout == "nothing found\n"
    refused = await asyncio.to_thread(run, *find, "--mrn", "H1")
    assert (refused.exit_code, "reason" in refused.stderr) == (2, True)
    found = rows(site.folder, "SELECT entry FROM audit_entry WHERE entry LIKE '%content:searched%'")
    assert len(found) == 3
    assert not any("H1" in entry for (entry,) in found)
