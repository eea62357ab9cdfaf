"""``connector serve`` with feeds: repositories get the whole log, and hold up nothing when they do not."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import syslog
from connector.demo.site import Site
from tests.demo.conftest import site
from tests.edges.fhir_server import FhirServer
from tests.edges.partner_site import Partner
from tests.edges.syslog_site import Receiver, in_order
from tests.faults.storm import admission
from tests.forked import Nursery
from tests.ports import free_ports
from tests.store.site import rows
from tests.test_app import Connector, ready, send

__all__ = ["site"]  # a fixture

FEEDS = """
[[audit.feed.syslog]]
name = "arr"
begin = "beginning"
host = "localhost"
port = {port}
confirm_seconds = 0.3
first_seconds = 0.05
most_seconds = 0.2
alarm_seconds = 0.5
window = 50
[audit.feed.syslog.tls]
{tls}

[[audit.feed.fhir]]
name = "fhir-arr"
begin = "beginning"
base = "{base}"
delivery = "batch"
[audit.feed.fhir.tls]
{fhir_tls}
"""


def tls(folder: Path) -> str:
    named = {"trust": "ca.pem", "crl": "crl.pem", "certificate": "connector.pem", "key": "connector.key"}
    return "\n".join(f'{key} = "{folder / name}"' for key, name in named.items())


class Arr(Receiver):
    """Takes ATNA messages: the number of an entry is one of its details."""

    def took(self, message: bytes) -> None:
        found = syslog.read(message)
        self.messages.append(found)
        self.seen.append(number_of(found))
        self.came.set()


def number_of(message: syslog.Message) -> int:
    """The entry's number, which the audit message says as a detail of its object."""
    found = re.findall(rb'<ParticipantObjectDetail type="sequence" value="([^"]+)"/>', message.content)
    return int(b64decode(found[-1]))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("connector.app", "connector.commands.serve") as made:
        yield made


@pytest.fixture
def connector(site: Site, nursery: Nursery) -> Iterator[Connector]:
    made = Connector(site, nursery)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)


def length(site: Site) -> int:
    return int(rows(site.store.parent, "SELECT max(seq) FROM audit_entry")[0][0])


async def until(good: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(good):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)


async def test_repositories_get_everything_across_outages_and_kills(
    tmp_path: Path, connector: Connector
) -> None:
    site, server = connector.site, FhirServer()
    for name in ("arr", "fhir"):
        (tmp_path / name).mkdir()
    arr, partner = Arr(tmp_path / "arr", port=free_ports(1)[0]), Partner(tmp_path / "fhir", replies=[server])
    async with partner.running():
        _feed(site, arr, partner)
        await asyncio.to_thread(connector.up)  # the syslog repository is down
        assert (await _send(site, "A01", "1")).code == "AA"
        await until(lambda: _warned(site))
        waiting = _figures(site)["audit_feed_arr_lag_entries"]
        assert waiting >= 1
        assert (await _send(site, "A08", "2")).code == "AA"  # nobody waits for it
        _status(site, 1, "STOPPED since")
        async with arr.running():
            await until(lambda: _tag(site, "audit:feed:resumed"))
            await _send(site, "A08", "3")
            assert connector.process is not None
            connector.process.kill()
            connector.process.wait(10)
            await asyncio.to_thread(connector.up)
            await _send(site, "A08", "4")
            await until(lambda: len(set(arr.seen)) >= length(site) and not _warned(site))
            assert await asyncio.to_thread(connector.end, signal.SIGTERM) == 0
        said = list(range(1, length(site) + 1))
        assert in_order(arr.seen, 50) == said
    assert sorted(_numbers(server)) == said
    last = arr.messages[-1]
    assert (last.priority, last.kind, last.app) == (85, syslog.IHE, "connector")
    assert b"service:stopped" in last.content


def _feed(site: Site, arr: Receiver, partner: Partner) -> None:
    with site.config.open("a") as file:
        fhir = tls(partner.folder)
        file.write(FEEDS.format(port=arr.port, tls=tls(arr.folder), base=partner.base, fhir_tls=fhir))


async def _send(site: Site, event: str, number: str) -> Any:
    return await asyncio.to_thread(send, site, admission(event, "H1", number, int(number)))


def _warned(site: Site) -> bool:
    answer = ready(site)
    return answer is not None and "audit feed arr" in answer.json()["warnings"]


def _figures(site: Site) -> Any:
    answer = ready(site)
    assert answer is not None
    assert answer.status_code == 200, answer.text  # a repository that is away keeps nobody from working
    return answer.json()["figures"]


def _status(site: Site, code: int, said: str) -> None:
    command = [sys.executable, "-m", "connector.cli", "audit", "status", "--config", str(site.config)]
    found = subprocess.run([*command, "--because", "a test"], capture_output=True, text=True, check=False)
    assert (found.returncode, said in found.stdout) == (code, True), found.stdout + found.stderr
    assert "feed fhir-arr" in found.stdout


def _tag(site: Site, tag: str) -> bool:
    return bool(rows(site.store.parent, "SELECT 1 FROM audit_entry WHERE entry LIKE ?", (f'%"{tag}"%',)))


def _numbers(server: FhirServer) -> list[int]:
    return [int(one["entity"][-1]["what"]["identifier"]["value"]) for one in server.of("AuditEvent")]
