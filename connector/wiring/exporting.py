"""Exports of the sealed audit log: audited before a byte is made and at their end, by whom and why."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from audit import export, verify_export
from audit.directory import DirectoryRefused, shards
from audit.export import ExportRefused, Made, Plan
from audit.following import Table
from audit.handed import hand_out, handed
from audit.parties import Source
from audit.refusals import SealingRefused
from audit.saving import Saved, save
from audit.selection import Selection, SelectionRefused
from audit.tiles import TilesRefused
from connector.errors import AuditRefused, ConfigurationError, Overloaded, StoreUnavailable, UnableToWork
from connector.pipeline.entries import instant
from connector.pipeline.exporting import Wanted
from connector.pipeline.ports import Clock, Entry
from connector.store import Store
from connector.wiring.auditing import Kept, seal_rest

PATIENCE: Final = 15.0  # seconds in which what is asked for must be sealed
COSIGNED: Final = 3.0  # seconds in which a witness that signed before may sign this
CHUNK: Final = 1 << 16
_EVERY: Final = 0.05
_TROUBLE: Final = (SealingRefused, DirectoryRefused, TilesRefused, OSError, sqlite3.Error)


def selection_of(wanted: Wanted) -> Selection:
    """What is asked of the log. Raises ``ConfigurationError``."""
    since, until = (_instant(one) if one else None for one in (wanted.since, wanted.until))
    try:
        return Selection(since, until, wanted.partner, wanted.patients, wanted.tag).checked()
    except SelectionRefused as error:
        fix = "say it as the command's help does"
        raise ConfigurationError(f"this cannot be asked for: {error}", fix=fix) from None


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _what(wanted: Wanted, one: Selection) -> dict[str, Any]:
    """The fields of ``audit:exported``."""
    said = {
        "because": wanted.because,
        "since": one.since,
        "until": one.until,
        "link": one.partner,
        "patient": list(one.patients),
        "what": one.tag and f"tag {one.tag}",
    }
    return {name: value for name, value in said.items() if value}


class ExportsOf:
    """The exports of one store: one at a time. ``shown``: has what was sealed cosigned, where no service
    does."""

    def __init__(
        self, store: Store, kept: Kept, clock: Clock, shown: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._store, self._kept, self._clock, self._shown = store, kept, clock, shown
        self._busy = False

    async def save(self, wanted: Wanted, out: Path) -> Saved:
        """Into a new file, which stands under its name only when it is whole and was checked.

        Raises ``ConfigurationError``, ``StoreUnavailable``, ``AuditRefused``, ``UnableToWork``,
        ``Overloaded``.
        """
        if await asyncio.to_thread(out.exists):
            raise ConfigurationError("there is such a file already", fix="name a new one", location=str(out))
        async with self._begun(wanted) as (plan, parts):
            try:
                saved = await asyncio.to_thread(save, parts, out, _checked)
            except FileExistsError:
                fix = "name a new one"
                raise ConfigurationError("there is such a file already", fix=fix, location=str(out)) from None
            await self._ended(wanted, plan, saved)
        return saved

    async def stream(self, wanted: Wanted) -> AsyncIterator[bytes]:
        """In pieces, each made when the one before is gone. Raises as ``save`` does, before the first."""
        begun = contextlib.AsyncExitStack()
        plan, parts = await begun.enter_async_context(self._begun(wanted))
        return self._pieces(wanted, plan, parts, begun)

    async def _pieces(
        self, wanted: Wanted, plan: Plan, parts: Iterator[bytes], begun: contextlib.AsyncExitStack
    ) -> AsyncIterator[bytes]:
        async with begun:
            digest, size, pieces = hashlib.sha256(), 0, _gathered(parts)
            while piece := await asyncio.to_thread(next, pieces, b""):
                digest.update(piece)
                size += len(piece)
                yield piece
            await self._ended(wanted, plan, Saved(size, digest.hexdigest()))

    @contextlib.asynccontextmanager
    async def _begun(self, wanted: Wanted) -> AsyncIterator[tuple[Plan, Iterator[bytes]]]:
        """The log knows of it, and what is asked for is sealed."""
        selection = selection_of(wanted)
        if self._busy:
            raise Overloaded("an export is being made", fix="wait until it is there")
        self._busy = True
        try:
            made = instant(self._clock())
            await self._record(wanted, "audit:exported", _what(wanted, selection))
            try:
                with _told():
                    yield await self._planned(wanted, selection, made)
            except BaseException as error:
                await asyncio.shield(asyncio.ensure_future(self._failed(wanted, error)))
                raise
        finally:
            self._busy = False

    async def _planned(self, wanted: Wanted, selection: Selection, made: str) -> tuple[Plan, Iterator[bytes]]:
        plan = await self._sealed(selection)
        directory, host = self._kept.directory, socket.gethostname()
        earlier = await asyncio.to_thread(handed, directory)
        await asyncio.to_thread(hand_out, directory, plan.heads)
        source = Source(plan.sealed[-1].shard.site, host)
        said = Made(made, wanted.actor, wanted.because)
        signer = self._kept.key.signers
        return plan, export.stream(plan, said, lambda origin: signer(origin)[0], source, earlier)

    async def _sealed(self, selection: Selection) -> Plan:
        """What is asked for, when all is sealed that the log has now: by the service, or else by us."""
        least = await asyncio.to_thread(self._last)
        await seal_rest(self._kept, self._store, self._clock)
        if self._shown is not None:
            await self._shown()
        until = asyncio.get_running_loop().time() + PATIENCE
        cosigned = asyncio.get_running_loop().time() + COSIGNED
        while True:
            now = asyncio.get_running_loop().time()
            try:
                plan = await asyncio.to_thread(export.plan, shards(self._kept.directory), selection, least)
            except ExportRefused:
                if now > until:
                    fix = 'see "connector audit status"'
                    raise UnableToWork("the audit log is not sealed up to now", fix=fix) from None
            else:
                if not plan.cosigned or now > cosigned:
                    return plan
            await asyncio.sleep(_EVERY)

    def _last(self) -> int:
        table = Table(self._kept.store)
        try:
            return table.last()
        finally:
            table.close()

    async def _ended(self, wanted: Wanted, plan: Plan, saved: Saved) -> None:
        what = {"entries": len(plan.numbers), "size": saved.size, "sha256": saved.sha256}
        await self._record(wanted, "audit:export:ended", what)
        await seal_rest(self._kept, self._store, self._clock)

    async def _failed(self, wanted: Wanted, error: BaseException) -> None:
        why = type(error).__name__
        await self._record(wanted, "audit:export:ended", {"entries": 0}, "failure", why)

    async def _record(
        self, wanted: Wanted, tag: str, what: dict[str, Any], outcome: str = "success", why: str = ""
    ) -> None:
        at = instant(self._clock())
        await self._store.record([Entry(at, tag, dict(wanted.actor), what, outcome, why, "")])


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Trouble of the sealed log in our words."""
    try:
        yield
    except (SealingRefused, DirectoryRefused, TilesRefused) as error:
        fix = 'see "connector audit fsck"'
        raise AuditRefused(f"the sealed audit log cannot be read: {error}", fix=fix) from None
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the export cannot be written ({type(error).__name__})") from None


def _checked(path: Path) -> None:
    """What cannot be verified here is not given out."""
    report, code, _ = verify_export.check(str(path), None, verify_export.Trust([], []))
    if code:
        fix = 'see "connector audit fsck"'
        raise AuditRefused(f"the export does not verify: {report.splitlines()[-1]}", fix=fix)


def _gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces together, so that each is worth a change of threads."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
