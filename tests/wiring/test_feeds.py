"""A feed within the service: who may be fed is decided as for everybody else, and refusals are on record."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from audit import syslog
from connector import settings
from connector.demo.site import Ports, Site, make_site
from connector.store import Store
from connector.wiring import now, open_store
from connector.wiring.feeds import Feeds
from connector.wiring.secured import Secured
from tests.edges.syslog_site import Receiver
from tests.pki import Authority, serial_of
from tests.store.site import draft, rows

FEED = """
[[audit.feed.syslog]]
name = "arr"
begin = "beginning"
host = "localhost"
port = {port}
{more}
first_seconds = 0.02
most_seconds = 0.05
[audit.feed.syslog.tls]
trust = "{folder}/ca.pem"
crl = "{folder}/crl.pem"
certificate = "{folder}/connector.pem"
key = "{folder}/connector.key"
"""


class Fed:
    """A service without anything but its feeds."""

    def __init__(self, site: Site) -> None:
        self.site, configuration = site, settings.load(site.config)
        self.secured, self.store = Secured(configuration), open_store(configuration.settings)
        self.feeds = Feeds(
            configuration.settings.audit.feed, self.store, self.secured, now, lambda: "stv.example"
        )

    def told(self) -> list[tuple[str, str]]:
        asked = "SELECT entry FROM audit_entry WHERE entry LIKE '%audit:feed%'"
        found = [json.loads(entry) for (entry,) in rows(self.site.store.parent, asked)]
        return [(one["tag"], one["reason"]) for one in found]


@asynccontextmanager
async def feeding(folder: Path, arr: Receiver, more: str = "confirm_seconds = 0.1") -> AsyncIterator[Fed]:
    site = make_site(folder / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    with site.config.open("a") as file:
        file.write(FEED.format(port=arr.port, folder=arr.folder, more=more))
    fed = Fed(site)
    await fed.store.record([draft()])
    await fed.feeds.begin()
    fed.feeds.start()
    try:
        yield fed
    finally:
        await fed.feeds.stop(2)
        await fed.store.close()


class Arr(Receiver):
    """Counts what comes."""

    def took(self, message: bytes) -> None:
        self.messages.append(syslog.read(message))
        self.seen.append(len(self.seen))
        self.came.set()


def arr_in(folder: Path) -> Arr:
    (folder / "arr").mkdir()
    return Arr(folder / "arr")


async def until(good: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not good():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_an_entry_arrives_as_an_audit_message(tmp_path: Path) -> None:
    async with arr_in(tmp_path).running() as arr, feeding(tmp_path, arr) as fed:
        await arr.until(1)
        (first, *_) = arr.messages
        assert (first.priority, first.kind, first.time) == (85, syslog.IHE, "2026-11-23T10:15:00.123Z")
        assert first.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?><AuditMessage>')
        assert b"message:v2:received" in first.content
        await until(lambda: fed.feeds.figures().get("audit_feed_arr_lag_entries") == 0)
        assert fed.feeds.figures()["audit_feed_arr_lag_seconds"] == 0
        assert fed.feeds.warnings() == {}


async def test_a_repository_with_a_wrong_certificate_is_refused_and_that_is_on_record(tmp_path: Path) -> None:
    async with arr_in(tmp_path).running() as arr:
        arr.theirs.trust.write_bytes(Authority("Other").pem)
        arr.theirs.crl.write_bytes(Authority("Other").crl())
        stranger = Authority("Somebody")
        arr.theirs.trust.write_bytes(stranger.pem)
        arr.theirs.crl.write_bytes(stranger.crl())
        async with feeding(tmp_path, arr) as fed:
            await until(fed.feeds.warnings)
            assert "PartnerRefusedUs" in fed.feeds.warnings()["audit feed arr"]
            await asyncio.sleep(0.2)
            assert fed.told() == [("audit:feed:stopped", "PartnerRefusedUs")]
            assert arr.seen == []


async def test_one_that_is_revoked_meanwhile_is_cut_and_gets_nothing_more(tmp_path: Path) -> None:
    async with arr_in(tmp_path).running() as arr:
        async with feeding(tmp_path, arr, "confirm_seconds = 600.0") as fed:
            await arr.until(1)
            serial = serial_of(arr.own.certificate.read_bytes())
            arr.theirs.crl.write_bytes(arr.authority.crl([serial]))
            cut = fed.secured.apply(fed.secured.look())
            assert [one.end for one in cut] == ["audit feed arr"]
            await _record(fed.store)
            await until(fed.feeds.warnings)
            assert fed.told() == [("audit:feed:stopped", "PartnerRefusedUs")]
            assert len(arr.messages) == 1
            arr.theirs.crl.write_bytes(arr.authority.crl())
            fed.secured.apply(fed.secured.look())
            fed.feeds.wake()
            await until(lambda: not fed.feeds.warnings())
        assert len(arr.messages) >= 5  # the first once more, for nobody knew; and what was told of it all


async def _record(store: Store) -> None:
    await store.record([draft()])


async def test_an_entry_that_is_too_long_stops_the_feed_and_is_left_out_where_that_is_said(
    tmp_path: Path,
) -> None:
    async with arr_in(tmp_path).running() as arr:
        async with feeding(tmp_path, arr, "message_bytes = 1024") as fed:
            await until(fed.feeds.warnings)
            assert fed.told() == [("audit:feed:stopped", "EntryNotSendable")]
            assert arr.seen == []
        text = fed.site.config.read_text()
        fed.site.config.write_text(
            text.replace("message_bytes = 1024", 'message_bytes = 3000\non_refusal = "leave out"')
        )
        again = Fed(fed.site)
        await again.feeds.begin()
        again.feeds.start()
        await until(lambda: len(again.told()) >= 3 and not again.feeds.warnings())
        await again.feeds.stop(3)
        await again.store.close()
        assert sorted(again.told()) == [
            ("audit:feed:resumed", ""),
            ("audit:feed:skipped", "EntryNotSendable"),
            ("audit:feed:stopped", "EntryNotSendable"),
        ]
        length = rows(fed.site.store.parent, "SELECT count(*) FROM audit_entry")[0][0]
        assert len(arr.seen) == length - 1
        assert all(b"message:v2:received" not in one.content for one in arr.messages)


async def test_what_stands_is_known_after_a_restart(tmp_path: Path) -> None:
    arr = arr_in(tmp_path)
    arr.port = 1
    async with feeding(tmp_path, arr, "alarm_seconds = 0.05") as fed:
        await until(fed.feeds.warnings)
    again = Fed(fed.site)
    await again.feeds.begin()
    assert "PartnerUnreachable" in again.feeds.warnings()["audit feed arr"]
    await again.store.close()
    assert dt.datetime.fromisoformat(again.feeds.warnings()["audit feed arr"].split()[2].rstrip(":"))
