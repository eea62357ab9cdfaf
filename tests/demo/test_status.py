"""The demo reads the connector's store beside the running connector."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.demo.site import Site
from connector.demo.status import Counted, Listed, StoreStatus
from connector.errors import StoreUnavailable
from connector.store import Direction, FileKeyProvider, InboxKey, Outgoing, Received, Store

NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)


class NoAudit:
    def install(self, connection: Any, *, new: bool) -> None:
        """Nothing to make."""

    def append(self, connection: Any, drafts: Any) -> None:
        """Nothing to keep."""


def message(identity: str, direction: Direction = Direction.TO_FHIR) -> Received:
    key = InboxKey("demo", "STVADT", "STV", identity, identity.encode().hex().ljust(64, "0"))
    return Received("demo", direction, key, b"MSH|", {"kind": "ADT^A01"}, NOW)


async def test_counts_and_listing_follow_the_store_while_another_holds_it_open(site: Site) -> None:
    store = Store.open(site.store, FileKeyProvider(site.folder / "kek.key"), NoAudit())
    status = StoreStatus(site)
    try:
        first = await store.accept(message("1"), b"AA", [])
        await store.accept(message("1"), b"AA", [])
        await store.accept(message("2"), b"AA", [])
        await store.accept(message("3", Direction.TO_V2), b"AA", [])
        await store.refuse("demo", Direction.TO_FHIR, "SegmentSequence", NOW, [])
        await store.translated(first.id, [Outgoing(b"{}")], ["PID-2", "PV2-3"], [], [])
        item = await store.due("demo", Direction.TO_FHIR, NOW)
        assert item is not None
        await store.intent(item.id, 1, NOW, [])
        await store.delivered(item.id, NOW, [], [])
        assert await status.counts() == {
            "to_fhir": Counted(received=2, duplicates=1, refused=1, waiting=1, delivered=1, sent=1),
            "to_v2": Counted(received=1, waiting=1),
        }
        assert await status.recent(10) == [
            Listed("to_fhir", "delivered", 2),
            Listed("to_fhir", "waiting", 0),
            Listed("to_v2", "waiting", 0),
        ]
    finally:
        await status.close()
        await store.close()


def test_without_a_store_there_is_nothing_to_read(site: Site) -> None:
    with pytest.raises(StoreUnavailable):
        StoreStatus(site)
