"""Years of the audit log that are past their retention are disposed of, each in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from audit import disposing
from audit.directory import Shard
from audit.disposing import Account
from audit.following import Table
from connector.errors import MovedOn
from connector.pipeline.ports import Entry
from connector.profile.audit_feed import AuditFeeds
from connector.settings import Settings
from connector.store import Store
from connector.wiring import now
from connector.wiring.auditing import TROUBLE, Kept, refused


async def dispose(
    chosen: Settings, store: Store, draft: Callable[[str, dict[str, Any]], Entry]
) -> list[Account]:
    """Dispose of what is due; what is gone. ``draft``: makes an entry out of tag and object.

    Raises ``AuditRefused`` (a shard is not as it was signed: it stays), ``MovedOn`` (a repository does not
    have it yet: it stays), ``StoreUnavailable``.
    """
    kept = Kept.of(chosen)
    gone: list[Account] = []
    try:
        await asyncio.to_thread(_finished, kept)
        for shard in disposing.due(kept.directory, now().year, chosen.audit.retention_years):
            said = await asyncio.to_thread(_account, kept, shard)
            await _everybody_has(chosen.audit.feed, store, said.last)
            remove = partial(_removed, said=said)
            await store.dispose(remove, [draft(disposing.DISPOSED, said.said())])
            gone.append(said)
            await asyncio.to_thread(disposing.remove_files, kept.directory, shard)
    except TROUBLE as error:
        raise refused(error) from None
    return gone


async def _everybody_has(feeds: AuditFeeds, store: Store, last: int) -> None:
    """Raises ``MovedOn`` where a repository does not surely have everything up to an entry."""
    for one in feeds.all:
        mark = await store.feed(one.name)
        if mark is not None and mark.seq < last:
            raise MovedOn(
                f"the repository of the feed {one.name} does not have all of it yet",
                fix="wait until it has, or take the feed out of the settings",
            )


def _removed(connection: sqlite3.Connection, said: Account) -> None:
    disposing.remove_rows(connection, said)


def _finished(kept: Kept) -> None:
    """Files that an earlier disposal did not come to."""
    table = Table(kept.store)
    try:
        for shard in disposing.left_over(table.connection, kept.directory):
            disposing.remove_files(kept.directory, shard)
    finally:
        table.close()


def _account(kept: Kept, shard: Shard) -> Account:
    table = Table(kept.store)
    try:
        return disposing.account(table.connection, shard)
    finally:
        table.close()
