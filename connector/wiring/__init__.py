"""What the service is built from, part by part: each is a function of the settings and profiles."""

from __future__ import annotations

import datetime as dt
import uuid

from audit import AuditLog
from connector.settings import Settings
from connector.store import Store
from connector.wiring.keys import key_provider


def now() -> dt.datetime:
    """The clock of the service."""
    return dt.datetime.now(dt.UTC)


def fresh() -> str:
    """A correlation id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def open_store(chosen: Settings, *, read_only: bool = False) -> Store:
    """The store of the settings. Raises ``KeyUnavailable``, ``StoreUnavailable``, ``AuditRefused``."""
    return Store.open(chosen.store, key_provider(chosen), AuditLog(), read_only=read_only)
