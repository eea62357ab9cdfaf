"""Who vouches for the audit log from outside, as the settings say: witnesses, and time-stamps."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from audit import notes, writing
from audit.notes import Key, Kind, NoteRefused
from audit.writing import Busy
from connector.edges.stamp_site import StampSite
from connector.edges.tls import Context
from connector.edges.witness_site import WitnessSite
from connector.errors import ConfigurationError, ConnectorError
from connector.pipeline.ports import Clock
from connector.profile.audit import Audit
from connector.profile.audit_stamp import STAMPS, AuditStamp
from connector.profile.audit_witness import AskedWitness, AuditWitness
from connector.settings import Configuration
from connector.store import Store
from connector.wiring.alarms import Record
from connector.wiring.auditing import Kept
from connector.wiring.cosigners import Cosigner
from connector.wiring.cosigning import Cosigning
from connector.wiring.secured import Calling, Secured
from connector.wiring.stamping import Stamping

LAST: Final = 2.0  # seconds for the witnesses of the end of a log


class Secures(Protocol):
    """``Secured``, as far as it is needed here."""

    def context(self, name: str) -> Context:
        """The context of an end."""
        ...

    def calls(self, name: str, caller: Calling) -> None:
        """This one makes the connections of an end."""
        ...


class Vouching:
    """Both of them; nothing where the settings name none. ``folder``: where the log is sealed.

    Raises ``ConfigurationError`` where a key or a file cannot be used; nobody is asked before ``start``.
    """

    def __init__(self, chosen: Audit, folder: Path, secured: Secures, record: Record, clock: Clock) -> None:
        self._witnesses = _cosigning(chosen.witness, folder, secured, record, clock)
        self._stamps = _stamping(chosen.stamp, folder, secured, record, clock)

    def start(self) -> None:
        """Begin to ask."""
        for one in (self._witnesses, self._stamps):
            if one is not None:
                one.start()

    async def finish(self) -> None:
        """Have the end of the log cosigned, as far as witnesses answer at once."""
        if self._witnesses is not None:
            await self._witnesses.finish(LAST)

    async def close(self) -> None:
        """Ask no more."""
        for one in (self._witnesses, self._stamps):
            if one is not None:
                await one.close()

    def withheld(self) -> ConnectorError | None:
        """Why nothing new is taken in; None: it is."""
        return self._witnesses.withheld() if self._witnesses else None

    def ready(self) -> Mapping[str, bool | str]:
        """Parts by their names: True, or why nothing new is taken in."""
        return self._witnesses.ready() if self._witnesses else {}

    def warnings(self) -> Mapping[str, str]:
        """Who does not vouch, and why."""
        found = dict(self._witnesses.warnings()) if self._witnesses else {}
        return found | dict(self._stamps.warnings()) if self._stamps else found

    def figures(self) -> Mapping[str, float]:
        """How many seconds ago enough witnesses had cosigned, and there was a time-stamp where one is due."""
        found = dict(self._witnesses.figures()) if self._witnesses else {}
        return found | dict(self._stamps.figures()) if self._stamps else found


async def shown(configuration: Configuration, store: Store, clock: Clock) -> None:
    """Have what a command sealed cosigned, where no service is running that does. Trouble is only told."""
    chosen = configuration.settings
    if chosen.audit.witness is None:
        return
    folder = Kept.of(chosen).directory
    try:
        held = writing.lock(folder)
    except (Busy, OSError):
        return
    try:
        vouching = Vouching(chosen.audit, folder, Secured(configuration), store.record, clock)
        await vouching.finish()
        await vouching.close()
    except ConnectorError as error:
        sys.stderr.write(f"connector: {error}\n")
    finally:
        os.close(held)


def _cosigning(
    chosen: AuditWitness | None, folder: Path, secured: Secures, record: Record, clock: Clock
) -> Cosigning | None:
    if chosen is None:
        return None
    witnesses = []
    for one in chosen.ask:
        site = WitnessSite(one.url, secured.context(one.end), chosen.answer_seconds)
        secured.calls(one.end, site)
        witnesses.append(Cosigner(one.name, keys_of(one), site))
    return Cosigning(folder, chosen, witnesses, record, clock)


def _stamping(
    chosen: AuditStamp | None, folder: Path, secured: Secures, record: Record, clock: Clock
) -> Stamping | None:
    if chosen is None:
        return None
    site = StampSite(chosen.url, secured.context(STAMPS), chosen.answer_seconds)
    secured.calls(STAMPS, site)
    return Stamping(folder, chosen, site, record, clock)


def keys_of(witness: AskedWitness) -> tuple[Key, ...]:
    """The public keys of a witness. Raises ``ConfigurationError``."""
    try:
        keys = tuple(map(notes.parse_key, witness.keys))
    except NoteRefused as error:
        what = f"a key of the witness {witness.name} is none: {error}"
        raise ConfigurationError(what, fix='write it as "python -m audit witness key" prints it') from None
    if any(key.kind is Kind.ED25519 for key in keys):
        what = f"a key of {witness.name} is one of a log, not of a witness"
        raise ConfigurationError(what, fix='write it as "python -m audit witness key" prints it')
    return keys
