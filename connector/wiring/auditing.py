"""The sealed audit log of a service: where it lies, who seals it when, and what becomes of trouble."""

from __future__ import annotations

import socket
import sqlite3
import sys
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection

from audit import AuditLog
from audit.directory import DirectoryRefused
from audit.keyfile import SigningKey
from audit.refusals import DirectoryLost, Forked, KeyRefused, OtherSite, SealingRefused
from audit.restoring import OPENED, put_back
from audit.sealing import Began, Sealer
from audit.tip import sealed
from audit.writing import Busy
from connector.errors import (
    AuditRefused,
    ConfigurationError,
    ConnectorError,
    KeyUnavailable,
    StoreUnavailable,
    UnableToWork,
)
from connector.pipeline.entries import instant
from connector.pipeline.ports import Clock, Entry
from connector.settings import Settings
from connector.store import Store
from connector.store.statement import driver

_log: Final = structlog.get_logger(__name__)
TROUBLE: Final = (SealingRefused, DirectoryRefused, OSError, sqlite3.Error, Busy)


class Kept(NamedTuple):
    """Where the sealed log of a store lies. ``site``: "" where the directory says it, or does not yet."""

    store: Path
    directory: Path
    key: SigningKey
    site: str

    @classmethod
    def of(cls, chosen: Settings) -> Kept:
        """As the settings say it."""
        said = chosen.audit
        directory = (said.directory or chosen.store.with_suffix(".audit")).absolute()
        path = said.key or directory.with_name(f"{directory.name}.key")
        return cls(chosen.store, directory, SigningKey(path, said.ml_dsa), said.site)

    def named(self) -> str:
        """Whose log it is. Raises ``DirectoryRefused``, ``OSError``."""
        found = sealed(self.directory)
        return self.site or (found[-1].site if found else _machine())

    @property
    def from_where(self) -> tuple[Path, str, SigningKey]:
        """Out of what, and under whose name and key, entries are put back."""
        return self.directory, self.site, self.key

    def sealer(self) -> Sealer:
        """The one sealer. Raises what is in ``TROUBLE``."""
        return Sealer(self.store, self.directory, self.named(), self.key)


def _machine() -> str:
    """The name of this machine, as far as a name of a log can hold it."""
    name = "".join(one for one in socket.gethostname() if one.isascii() and (one.isalnum() or one in ".-"))
    return name.strip(".-")[:80] or "connector"


class SealedLog(AuditLog):
    """The log of a store that is sealed: what was signed is in the table before anything is appended."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept

    def install(self, connection: Connection, *, new: bool = True) -> None:
        """As ``AuditLog``; and put back what the table lacks. Raises ``AuditRefused``, and as ``refused``."""
        super().install(connection, new=new)
        try:
            count = put_back(driver(connection), *self._kept.from_where)
        except (SealingRefused, OSError) as error:
            raise refused(error) from None
        if count:
            _tell_put_back(count)


def refused(error: Exception) -> ConnectorError:
    """Trouble of the sealed log in our words: what is wrong, and what to do."""
    if isinstance(error, Busy):
        return UnableToWork("another connector seals the audit log", fix="end it first")
    if not isinstance(error, SealingRefused | DirectoryRefused):
        return StoreUnavailable(f"the audit log cannot be sealed ({type(error).__name__})")
    what = str(error)
    if isinstance(error, OtherSite):
        fix = "write this site under [audit], or name another directory"
        return ConfigurationError(f"the audit directory is that of another log: {what}", fix=fix)
    if isinstance(error, KeyRefused):
        fix = "put the key back, readable by its owner alone"
        return KeyUnavailable(f"the audit log cannot be signed: {what}", fix=fix)
    if isinstance(error, DirectoryLost):
        fix = "put the audit directory back; where it is lost, begin a new log: another [audit] site"
        return AuditRefused(f"the sealed audit log is not there: {what}", fix=fix)
    if isinstance(error, Forked):
        fix = "move this store away and restore the last backup: what was signed since is put back into it"
        return AuditRefused(f"the store is not the one whose audit log was signed: {what}", fix=fix)
    fix = 'see "connector audit fsck" for the first bad place, and put the file back from a copy'
    return AuditRefused(f"the audit log is not as it was signed: {what}", fix=fix)


def _tell_put_back(count: int) -> None:
    if structlog.is_configured():
        _log.warning("audit entries that had been signed were put back", count=count)
    else:
        sys.stderr.write(f"connector: {count} audit entries that had been signed were put back\n")


def opened(began: Began, clock: Clock) -> Entry:
    """What the log says of a shard that was opened."""
    shard = began.shard
    keys = shard.keys()
    what = {"origin": shard.origin, "first": began.first, "keys": [str(key) for key in keys]}
    return Entry(instant(clock()), OPENED, {"role": "connector"}, what, "success", "", "")


async def announce(sealer: Sealer, store: Store, clock: Clock) -> bool:
    """Tell the log of shards that were opened, and seal that too; whether there were any.

    Raises what is in ``TROUBLE``, and what the store raises.
    """
    began = None
    for began in sealer.unannounced():
        await store.record([opened(began, clock)])
        sealer.announced(began.shard)
        sealer.seal()
    return began is not None


async def seal_rest(kept: Kept, store: Store, clock: Clock) -> None:
    """Seal what a command appended, unless a service does. Trouble is only told: what the command did is
    done, and the next one that seals seals it too."""
    try:
        sealer = kept.sealer()
        try:
            sealer.seal()
            await announce(sealer, store, clock)
        finally:
            sealer.close()
    except Busy:
        return
    except (*TROUBLE, ConnectorError) as error:
        told = error if isinstance(error, ConnectorError) else refused(error)
        if structlog.is_configured():
            _log.error("the audit log could not be sealed", exc=told)
        else:  # a command, which has no log
            sys.stderr.write(f"connector: {told}\n")
