"""Feeds of the audit log in the commands: how far repositories are, and that nothing goes that they lack."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from audit.directory import shards
from connector import settings, wiring
from connector.demo.site import Ports, Site, make_site
from connector.store import Store
from connector.wiring import disposal, open_store
from tests.test_cli import DAY, run

FEED = '\n[[audit.feed.syslog]]\nname = "arr"\nhost = "arr.example"\n'
NOW = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    with site.config.open("a") as file:
        file.write(FEED)
    assert run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7").exit_code == 0
    return site


def asked(site: Site, *what: str) -> Any:
    return run("audit", *what, "--config", site.config, "--as", "mia", "--because", "a test")


def within(site: Site, work: Callable[[Store], Awaitable[Any]]) -> None:
    async def opened() -> None:
        store = open_store(settings.read(site.config))
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(opened())


def test_status_says_how_far_each_repository_is(site: Site) -> None:
    said = asked(site, "status")
    assert (said.exit_code, "feed arr  begins with the next start" in said.stdout) == (0, True)
    within(site, lambda store: store.begin_feed("arr", NOW, whole=True))
    (told,) = json.loads(asked(site, "status", "--json").stdout)["feeds"]
    assert (told["feed"], told["delivered"], told["stopped"]) == ("arr", 0, "")
    assert told["waiting"] >= 3
    within(site, lambda store: store.mark_feed("arr", "PartnerUnreachable", NOW))
    said = asked(site, "status")
    assert said.exit_code == 1
    assert "entries wait" in said.stdout
    assert "STOPPED since 2026-11-23T10:15:00.000Z: PartnerUnreachable" in said.stdout


def test_nothing_is_disposed_of_that_a_repository_lacks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    within(site, lambda store: store.begin_feed("arr", NOW, whole=True))
    (before,) = shards(site.store.with_suffix(".audit"))
    later = wiring.now().replace(year=wiring.now().year + 7, month=3, day=1)
    for module in (wiring, disposal):
        monkeypatch.setattr(module, "now", lambda: later)
    asked(site, "status")
    said = asked(site, "dispose")
    assert (said.exit_code, "the feed arr does not have all of it" in said.stderr) == (1, True)
    assert before in shards(site.store.with_suffix(".audit"))
    within(site, lambda store: store.advance_feed("arr", 10_000, NOW))
    assert asked(site, "dispose").exit_code == 0
    assert before not in shards(site.store.with_suffix(".audit"))
