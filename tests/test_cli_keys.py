"""``connector keys`` beside the running service: the key-encryption key changes, and nobody notices."""

from __future__ import annotations

import asyncio
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

_LOGGED = r"\d{4}-\d\d-\d\d \d\d:.*\["
MIA = ("--because", "a year is over", "--as", "mia")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose service runs in this process; the FHIR side does not."""
    made = make_site(tmp_path / "site", Ports(*free_ports(4)))
    async with running(made):
        yield made


async def called(*words: Path | str, given: str = "") -> tuple[int, str]:
    """Exit code and what is said; not what the service in this process has to say meanwhile."""
    done = await asyncio.to_thread(run, *words, given=given)
    lines = (done.stdout + done.stderr).splitlines(keepends=True)
    return done.exit_code, "".join(line for line in lines if not re.match(_LOGGED, line))


async def keys(site: Site, verb: str, *options: str) -> tuple[int, str]:
    return await called("keys", verb, "--config", site.config, *options)


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
    assert [name for (entry,) in found for name in ("connector", "mia") if f'"{name}"' in entry] == [
        "connector",  # what the start loaded
        *["mia"] * 4,
    ]
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
    code, said = await called(*find, "--control-id", "TWO", *MIA)
    assert (code, "message 2  demo to_fhir" in said, "message 1" in said) == (0, True, False)
    _, said = await called(*find, "--mrn", "-", *MIA, given="h1^^^STV\n")
    assert [f"message {n} " in said for n in (1, 2)] == [True, True]
    assert await called(*find, "--mrn", "H1^^^WEST", *MIA) == (0, "nothing found\n")
    code, said = await called(*find, "--mrn", "H1")
    assert (code, "reason" in said) == (2, True)
    found = rows(site.folder, "SELECT entry FROM audit_entry WHERE entry LIKE '%content:searched%'")
    assert len(found) == 3
    assert not any("H1" in entry for (entry,) in found)


async def test_a_patient_is_erased_for_a_reason_and_only_where_nothing_waits(site: Site) -> None:
    async with talking(site) as talk:
        await talk.ask(adt(identity="ONE"))
    erase = ("erase", "--config", site.config, "--reason", "court order 12", "--as", "mia")
    for wrong in ((), ("--patient", "H1"), ("--partner", "demo"), ("--record", "1", "--patient", "H1^^^STV")):
        assert (await called(*erase, *wrong))[0] == 2
    code, said = await called(*erase, "--patient", "H1^^^STV")
    assert (code, "--even-waiting" in said) == (1, True)
    done = await called(*erase, "--patient", "-", "--even-waiting", given="H1^^^STV\n")
    assert done == (0, "1 messages erased\n")
    day = rows(site.folder, "SELECT day FROM wrapped_key WHERE day <> ''")[0][0]
    done = await called(*erase, "--partner", "demo", "--day", day)
    assert done == (0, "0 messages and 1 keys of the day erased\n")
    tags = "('store:erased', 'keys:destroyed')"
    sql = f"SELECT entry FROM audit_entry WHERE entry ->> '$.tag' IN {tags}"  # noqa: S608 - words of ours
    found = rows(site.folder, sql)
    assert ["court order 12" in entry and "H1" not in entry for (entry,) in found] == [True, True]
    assert verify(site.store).good
