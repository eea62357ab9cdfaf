"""What the service is built from, part by part: each is a function of the settings and profiles."""

from __future__ import annotations

import datetime as dt
import uuid

from connector.settings import Settings
from connector.store import Store
from connector.wiring.auditing import Kept, SealedLog, seal_rest
from connector.wiring.keys import key_provider


def now() -> dt.datetime:
    """The clock of the service."""
    return dt.datetime.now(dt.UTC)


def fresh() -> str:
    """A correlation id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def open_store(chosen: Settings, *, read_only: bool = False) -> Store:
    """The store of the settings, whose audit log is sealed when it closes.

    Raises ``KeyUnavailable``, ``StoreUnavailable``, ``AuditRefused``, ``ConfigurationError``.
    """
    kept = Kept.of(chosen)
    store = Store.open(chosen.store, key_provider(chosen), SealedLog(kept), read_only=read_only)
    if not read_only:
        store.at_end(lambda: seal_rest(kept, store, now))
    return store
