"""The log is sealed beside the service; what keeps it from that is told, and at last nothing is taken in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from audit import AuditLog, Tag
from audit.directory import Shard, shards
from audit.keyfile import SigningKey
from audit.tip import tip_of
from connector.errors import AuditRefused, ConfigurationError, ConnectorError, KeyUnavailable, UnableToWork
from connector.profile.audit import Audit
from connector.store import Store
from connector.wiring import now, sealing
from connector.wiring.auditing import Kept, SealedLog, seal_rest
from connector.wiring.sealing import Sealing
from tests.store.site import draft, number, open_store, rows

SITE = "site.example"


class Time:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(folder: Path) -> Kept:
    return Kept(folder / "store.db", folder / "store.audit", SigningKey(folder / "store.audit.key"), SITE)


def tags(folder: Path) -> list[str]:
    return [json.loads(row[0])["tag"] for row in rows(folder, "SELECT entry FROM audit_entry ORDER BY seq")]


def sealed(folder: Path) -> int:
    found = shards(folder / "store.audit")
    return tip_of(found[-1]).last if found and found[-1].checkpoint() else 0


@asynccontextmanager
async def running(folder: Path, patience: float = 60.0) -> AsyncIterator[tuple[Store, Sealing, Time]]:
    store, time = open_store(folder, SealedLog(kept(folder))), Time()
    made = Sealing(kept(folder), store, now, Audit(refuse_unsealed_seconds=patience), time)
    time.now += 1.0
    await made.begin()
    made.start()
    await until(lambda: made.figures()["audit_sealed_seconds"] == 0)  # it has looked once
    try:
        yield store, made, time
    finally:
        await made.stop()
        await store.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it lies on the disk
            await asyncio.sleep(0.01)


async def test_what_is_recorded_is_under_a_checkpoint_within_a_second(tmp_path: Path) -> None:
    async with running(tmp_path) as (store, made, _):
        await store.record([draft()])
        await until(lambda: sealed(tmp_path) == 2)  # and the entry that a shard was opened
        assert tags(tmp_path)[1] == "audit:shard:opened"
        await store.record([draft()])
        await until(lambda: sealed(tmp_path) == 3)
        await until(lambda: made.figures()["audit_unsealed"] == 0)
        assert made.ready() == {"audit": True}


async def test_much_is_sealed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "EVERY", 600.0)
    async with running(tmp_path) as (store, made, _):
        await store.record([draft()] * 99)
        await asyncio.sleep(0.05)
        assert (sealed(tmp_path), made.figures()["audit_unsealed"]) == (0, 99)
        await store.record([draft()])
        await until(lambda: sealed(tmp_path) >= 100)


async def test_the_rest_is_sealed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "EVERY", 600.0)
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()] * 3)
    assert sealed(tmp_path) == number(tmp_path, "audit_entry") == 4


def _broken(shard: Shard) -> Path:
    return shard.root / ".checkpoint.new"


async def test_nothing_is_taken_in_while_the_log_cannot_be_sealed_for_too_long(tmp_path: Path) -> None:
    async with running(tmp_path, patience=30.0) as (store, made, time):
        await store.record([draft()])
        await until(lambda: sealed(tmp_path) == 2)
        (shard,) = shards(tmp_path / "store.audit")
        _broken(shard).mkdir()
        await store.record([draft()])
        await until(lambda: made.ready() == {"audit": "StoreUnavailable"})
        assert made.barred() is None
        time.now += 31.0
        assert isinstance(made.barred(), AuditRefused)
        assert made.figures()["audit_unsealed"] >= 1
        _broken(shard).rmdir()
        await until(lambda: made.ready() == {"audit": True})
        assert made.barred() is None
        await until(lambda: sealed(tmp_path) == number(tmp_path, "audit_entry"))
    told = [tag for tag in tags(tmp_path) if tag.startswith("audit:sealing")]
    assert told == ["audit:sealing:failed", "audit:sealing:resumed"]


async def test_two_do_not_seal_one_log_and_a_command_leaves_it_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "HELD", 0.0)
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()])
        other = Sealing(kept(tmp_path), store, now, Audit())
        with pytest.raises(UnableToWork, match="seals"):
            await other.begin()
        beside = open_store(tmp_path, SealedLog(kept(tmp_path)))
        beside.at_end(lambda: seal_rest(kept(tmp_path), beside, now))
        await beside.record([draft()])
        await beside.close()
        await until(lambda: sealed(tmp_path) == 3)


async def test_a_command_seals_what_it_appended_where_no_service_runs(tmp_path: Path) -> None:
    for count in (2, 3):  # the first tells of the shard too
        store = open_store(tmp_path, SealedLog(kept(tmp_path)))
        store.at_end(lambda: seal_rest(kept(tmp_path), store, now))  # noqa: B023
        await store.record([draft()])
        await store.close()
        assert sealed(tmp_path) == count


async def test_a_store_that_went_another_way_does_not_open(tmp_path: Path) -> None:
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()] * 5)
    (tmp_path / "store.db").unlink()
    forked = open_store(tmp_path, AuditLog())
    await forked.record([draft(Tag.MESSAGE_V2_DUPLICATE)] * 9)
    await forked.close()
    with pytest.raises(AuditRefused, match="entry 6") as caught:
        open_store(tmp_path, SealedLog(kept(tmp_path)))
    assert "backup" in caught.value.fix


async def test_a_store_that_is_shorter_gets_back_what_was_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structlog, "is_configured", lambda: False)  # as in a command
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()] * 5)
    before = rows(tmp_path, "SELECT * FROM audit_entry")
    (tmp_path / "store.db").unlink()
    store = open_store(tmp_path, SealedLog(kept(tmp_path)))
    assert rows(tmp_path, "SELECT * FROM audit_entry") == before
    assert "6 audit entries that had been signed were put back" in "".join(capsys.readouterr())
    await store.close()


def _others_may_read(folder: Path) -> None:
    (folder / "store.audit.key").chmod(0o644)


def _no_key(folder: Path) -> None:
    (folder / "store.audit.key").unlink()


def _changed(folder: Path) -> None:
    (shard,) = shards(folder / "store.audit")
    (shard.root / "tile/0/000.p/2").write_bytes(bytes(64))


@pytest.mark.parametrize(
    ("change", "error"),
    [(_others_may_read, KeyUnavailable), (_no_key, KeyUnavailable), (_changed, AuditRefused)],
)
async def test_what_is_not_as_it_was_keeps_the_service_from_starting(
    tmp_path: Path, change: Callable[[Path], None], error: type[ConnectorError]
) -> None:
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()])
    change(tmp_path)
    store = open_store(tmp_path)
    with pytest.raises(error):
        await Sealing(kept(tmp_path), store, now, Audit()).begin()
    await store.close()


async def test_another_site_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    async with running(tmp_path) as (store, _, _):
        await store.record([draft()])
    with pytest.raises(ConfigurationError, match=SITE):
        open_store(tmp_path, SealedLog(kept(tmp_path)._replace(site="other.example")))
    await open_store(tmp_path, SealedLog(kept(tmp_path)._replace(site=""))).close()
