"""What the audit log hears when the service starts: what is in force from now on, and what it was before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from connector import settings
from connector.errors import ConfigurationError, ConnectorError
from connector.pipeline.entries import instant, placed, reason
from connector.pipeline.ports import Entry
from connector.settings import Configuration
from connector.store import Store
from connector.wiring import now, open_store

SETTINGS: Final = "settings"
PROFILE: Final = "profile "  # and the link
_US: Final = {"role": "connector"}


async def put_in_force(configuration: Configuration, store: Store) -> None:
    """Record the start, the key that wraps, and settings and profiles with their hashes before and now.

    One transaction: where it cannot be recorded, nothing starts. Raises ``StoreUnavailable``,
    ``AuditRefused``.
    """
    files = {SETTINGS: configuration.settings.sha256}
    files |= {f"{PROFILE}{one.name}": one.sha256 for one in configuration.profiles}
    provider, key = await store.key_in_use()
    besides = [_entry("service:started")]
    besides += [_entry("keys:loaded", provider=provider, key=key)] if key else []
    await store.take_effect(files, _told, besides)


def _told(name: str, before: str, now: str) -> Entry:
    """``loaded`` where it is as it was or nothing was known of it, ``changed`` otherwise, also when it is
    gone."""
    kind = SETTINGS if name == SETTINGS else "profile"
    link = {} if name == SETTINGS else {"link": name.removeprefix(PROFILE)}
    if before in ("", now):
        return _entry(f"{kind}:loaded", **link, sha256=now)
    return _entry(f"{kind}:changed", **link, before=before, sha256=now)


async def tell_obtained(store: Store, end: str, seconds: int) -> None:
    """Put on record that a partner's token endpoint gave us a token. Raises ``StoreUnavailable``,
    ``AuditRefused``: then it is not used."""
    entry = Entry(
        instant(now()), "oauth:token:obtained", _US, {"end": end, "seconds": seconds}, "success", "", ""
    )
    await store.record([entry])


async def tell_refused(config: Path, error: ConfigurationError) -> None:
    """A configuration with which the service cannot start, told to its audit log where that can be found."""
    with suppress(ConnectorError):
        chosen = settings.read(config)
        if chosen.store.is_file():
            entry = _entry("profile:refused", **placed(error.location.rpartition("/")[2]))
            await _recorded(chosen, entry._replace(outcome="refused", reason=reason(error)))


async def _recorded(chosen: settings.Settings, entry: Entry) -> None:
    store = open_store(chosen)
    try:
        await store.record([entry])
    finally:
        await store.close()


def _entry(tag: str, **what: str) -> Entry:
    return Entry(instant(now()), tag, _US, what, "success", "", "")
