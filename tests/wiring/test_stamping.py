"""Time-stamps on a log's checkpoints, of a real authority over TLS; alarms where they stop."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import stamps, vocabulary
from audit.notes import Kind
from audit.primitives import signer
from connector.edges.stamp_site import StampSite
from connector.edges.tls import TlsFiles, client_context
from connector.errors import ConfigurationError
from connector.pipeline.ports import Entry
from connector.profile.audit_stamp import AuditStamp
from connector.wiring.stamping import Stamping
from tests.audit.tsa import Stamps, StampServer
from tests.audit.witness_site import site
from tests.pki import SiteFiles

from .cosigning_site import Sealed

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="OpenSSL makes the time-stamps")


class Asking:
    def __init__(
        self, log: Sealed, server: StampServer, files: SiteFiles, url: str = "", seconds: float = 5.0
    ) -> None:
        self.at, self.entries = 1000.0, list[Entry]()
        said = {
            "url": server.url,
            "trust": str(server.made.trust),
            "every_seconds": 100.0,
            "silent_after_seconds": 250.0,
        }
        chosen = AuditStamp.model_validate(said)
        context = client_context(TlsFiles(files.certificate, files.key, files.trust))
        self.stamping = Stamping(
            log.shard.root.parent,
            chosen,
            StampSite(url or server.url, context, seconds),
            self._record,
            lambda: dt.datetime.now(dt.UTC),
            lambda: self.at,
        )

    async def _record(self, entries: list[Entry]) -> None:
        for one in entries:
            vocabulary.check(one)
        self.entries += entries


@pytest.fixture
def files(tmp_path: Path) -> SiteFiles:
    return site(tmp_path)


@pytest.fixture
def server(tmp_path: Path, files: SiteFiles) -> Iterator[StampServer]:
    running = StampServer(Stamps(tmp_path / "tsa"), files)
    yield running
    running.close()


@pytest.fixture
def log(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path / "log")


def found(log: Sealed, server: StampServer) -> list[int]:
    """The sizes that have a stamp; each is checked."""
    sizes = []
    trust = stamps.authorities(server.made.trust.read_bytes())
    for path in (log.shard.root / stamps.FOLDER).glob("*"):
        sizes.append(int(path.name.removesuffix(stamps.SUFFIX)))
        text = log.publish(sizes[-1]).decode().partition("\n\n")[0] + "\n"
        stamps.verify(path.read_bytes(), text, trust)
    return sorted(sizes)


async def test_a_log_that_grows_is_stamped_now_and_then(
    log: Sealed, server: StampServer, files: SiteFiles
) -> None:
    us = Asking(log, server, files)
    await us.stamping.turn()
    for size, later in ((3, 0), (3, 200), (5, 0), (9, 50), (9, 60)):
        log.publish(size)
        us.at += later
        await us.stamping.turn()
    await us.stamping.close()
    assert len(server.queries) == 3
    assert found(log, server) == [3, 5, 9]
    assert us.entries == []


async def test_a_year_that_is_over_gets_a_stamp_of_its_own(
    log: Sealed, server: StampServer, files: SiteFiles
) -> None:
    young = signer("ward.example/2027", Kind.ED25519, bytes([1] * 32))
    later = Sealed(log.shard.root.parent, 2027, young)
    log.publish(3)
    later.publish(4)
    us = Asking(log, server, files)
    for _ in range(2):
        await us.stamping.turn()
        us.at += 100
    await us.stamping.close()
    assert (log.shard.root / stamps.path_of(3)).exists()
    assert (later.shard.root / stamps.path_of(4)).exists()


@pytest.mark.parametrize("why", ["status", "another's", "spoilt"])
async def test_where_there_is_none_it_is_told_and_asked_for_again(
    why: str, log: Sealed, server: StampServer, files: SiteFiles
) -> None:
    us = Asking(log, server, files)
    log.publish(3)
    if why == "status":
        server.status = 503
    elif why == "another's":
        answer = server.made.answer(stamps.ask("another").query)
        server.spoil = lambda mine: answer
    else:
        server.spoil = lambda mine: mine[:-1]
    for _ in range(6):
        await us.stamping.turn()
        us.at += 60
    assert not (log.shard.root / stamps.FOLDER).exists()
    assert [one.tag for one in us.entries] == ["audit:stamp:silent"]
    assert us.stamping.warnings()["audit time-stamps"].startswith("silent: ")
    server.status, server.spoil = 200, lambda mine: mine
    await us.stamping.turn()
    assert [one.tag for one in us.entries] == ["audit:stamp:silent", "audit:stamp:returned"]
    assert us.stamping.warnings() == {}
    await us.stamping.close()
    assert found(log, server) == [3]


async def test_an_authority_that_says_nothing_is_given_up(
    log: Sealed, server: StampServer, files: SiteFiles
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        us = Asking(log, server, files, f"https://localhost:{silent.getsockname()[1]}", 0.1)
        log.publish(3)
        await us.stamping.turn()
        said = us.stamping.warnings()["audit time-stamps"]
        assert said.startswith("the partner did not answer in time (")
        await us.stamping.close()


def test_an_authority_that_nobody_vouches_for_is_refused_at_the_start(
    log: Sealed, server: StampServer, files: SiteFiles
) -> None:
    server.made.trust.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Asking(log, server, files)


def test_without_the_extra_it_is_said_how_to_get_it(
    log: Sealed, server: StampServer, files: SiteFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigurationError) as raised:
        Asking(log, server, files)
    assert raised.value.fix == 'install it: pip install "connector[stamps]"'


@pytest.mark.parametrize(
    "wrong", [{"url": "http://stamps.example"}, {"silent_after_seconds": 3600.0}, {"every_seconds": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    good = {"url": "https://stamps.example/tsa", "trust": "ca.pem"}
    AuditStamp.model_validate(good)
    with pytest.raises(ValueError, match="validation error"):
        AuditStamp.model_validate({**good, **wrong})
