"""Feeding: a repository gets every entry of the audit log, in order and at least once.

The log is what waits; nothing is copied. A mark in the store says up to which entry the repository surely has
everything, and it is written after that is known: a crash in between sends again and never leaves anything
out. What was handed over and is not known to have come is at most a window of entries, and all of it is
handed over again when a connection is lost.

What a feed tells of itself goes into the same log, and so to the repository. That ends, because nothing is
told of what is handed over or known, but only of an outage: once for each kind of error, and once when it is
over. And where nothing waits but what feeds have told of themselves, an outage is not told of, nor is such an
entry that is left out: so entries of feeds never are the reason for another one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

import structlog

from connector.errors import ConnectorError, DeliveryError, LogIncomplete, Retry
from connector.pipeline.breaker import Pauses
from connector.pipeline.dispatch import woken
from connector.pipeline.entries import instant, reason
from connector.pipeline.ports import Clock, Entry
from connector.store import Logged, Store

USUAL: Final = Pauses(most=60.0)
OWN: Final = "audit:feed:"
IN_A_ROW: Final = 10  # entries that are left out one after the other; then the repository takes none at all
SOON: Final = 1.0  # seconds after which it is made sure of that an outage is over
_LOOK: Final = 0.25  # seconds between two looks for new entries

_log: Final = structlog.get_logger(__name__)


class Taken(NamedTuple):
    """How far a repository came: the last entry that it was handed, the last that it surely has (0: it does
    not say), and what was wrong with the next one."""

    handed: int
    known: int = 0
    error: DeliveryError | None = None


class Repository(Protocol):
    """Where the entries go."""

    async def hand(self, entries: Sequence[Logged]) -> Taken:
        """Hand entries over, in order. Raises DeliveryError where it is not known what became of them."""
        ...

    async def settle(self) -> None:
        """Whatever was handed over is surely there when this returns. Raises DeliveryError."""
        ...

    def check(self) -> None:
        """Raises DeliveryError where something that was handed over may be lost already."""
        ...

    async def drop(self) -> None:
        """Forget the connection."""
        ...


@dataclass(frozen=True, slots=True)
class FeedRules:
    """How a feed goes.

    ``whole``: a new one begins at the beginning of the log; ``window``: entries that may be handed over
    without being known to have come; ``confirm``: seconds after which they are made sure of; ``batch``:
    entries at once; ``again``: how many that are known to have come go again after an outage; ``rate``:
    entries a second at most; ``alarm``: seconds after which an outage is told of; ``skips``: whether an
    entry that the repository never takes is left out, or stops the feed.
    """

    whole: bool = False
    window: int = 1000
    confirm: float = 30.0
    batch: int = 100
    again: int = 0
    rate: float = 2000.0
    alarm: float = 300.0
    skips: bool = False
    pauses: Pauses = USUAL


class Feed:
    """Follows the log for one repository. ``share``: by chance, 0 to 1, of the longest pause."""

    def __init__(
        self,
        name: str,
        store: Store,
        repository: Repository,
        rules: FeedRules,
        clock: Clock,
        share: Callable[[], float],
    ) -> None:
        self.name, self._store, self._repository = name, store, repository
        self._rules, self._clock, self._share = rules, clock, share
        self._mark = self._sent = 0  # what is surely there, and what was handed over
        self._first = 0  # before this the repository is owed nothing
        self._unsettled = False
        self._due = 0.0  # when what was handed over is made sure of
        self._woken, self._ending = asyncio.Event(), False
        self._attempts = self._skipped = 0  # in a row
        self._since: dt.datetime | None = None  # nothing moves
        self._stood = 0.0  # the same, by the clock of the loop
        self._waits_since: dt.datetime | None = None  # what was there at the start, and nobody has yet
        self._reason, self._told = "", set[str]()

    async def begin(self) -> None:
        """Find the place. Raises ``StoreUnavailable``."""
        mark = await self._store.begin_feed(self.name, self._clock(), whole=self._rules.whole)
        self._mark = self._sent = self._first = mark.seq
        oldest = (await self._store.lag(mark.seq)).oldest
        self._waits_since = None if oldest is None else max(oldest, mark.at)
        if mark.reason:
            self._since, self._reason, self._told = mark.since, mark.reason, {mark.reason}

    async def run(self) -> None:
        """Feed until ``end``, whatever happens; then hand over what is there, if that goes well."""
        try:
            while not self._ending:
                await self._tried()
            if self._since is None:
                await self._last()
        except ConnectorError as error:  # the next start sends it
            _log.warning("feed not finished", task=self.name, exc=error)
        finally:
            await self._repository.drop()

    def end(self) -> None:
        """Take up nothing that comes later."""
        self._ending = True
        self._woken.set()

    def wake(self) -> None:
        """Somebody mended something: do not wait."""
        self._woken.set()

    @property
    def mark(self) -> int:
        """The last entry that the repository surely has."""
        return self._mark

    def state(self) -> str:
        """Why nothing moves, "" where it does or has not stood for long."""
        if not self._told or self._since is None:
            return ""
        return f"stopped since {instant(self._since)}: {self._reason}; entries wait in the log"

    # --- going ----------------------------------------------------------------------------------------

    async def _tried(self) -> None:
        try:
            await self._turn()
        except ConnectorError as error:
            await self._failed(error)
        except Exception as error:
            _log.error("feed failed", task=self.name, exc=error)
            await self._failed(ConnectorError("a fault of the connector"))

    async def _turn(self) -> None:
        if self._unsettled and (self._now() >= self._due or self._room() <= 0):
            await self._settle()
        if await self._step():
            return
        self._repository.check()
        left = max(self._due - self._now(), 0.001) if self._unsettled else _LOOK
        await woken(self._woken, min(_LOOK, left))
        self._woken.clear()

    async def _last(self) -> None:
        while await self._step() or self._room() <= 0:
            if self._room() <= 0:
                await self._settle()
        await self._settle()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _room(self) -> int:
        return self._rules.window - (self._sent - self._mark)

    async def _step(self) -> bool:
        """Hand over some of what waits; whether there was anything."""
        most = min(self._rules.batch, self._room())
        if most <= 0 or await self._store.log_length() <= self._sent:
            return False
        entries = await self._store.logged(self._sent, most)
        if not entries:
            return False
        if [one.seq for one in entries] != list(range(self._sent + 1, self._sent + 1 + len(entries))):
            fix = "restore them, or give the feed another name, under which it begins anew"
            raise LogIncomplete("entries of the audit log are gone", fix=fix)
        begun = self._now()
        taken = await self._repository.hand(entries)
        if taken.handed > taken.known and not self._unsettled:
            patience = self._rules.confirm if self._since is None else min(self._rules.confirm, SOON)
            self._unsettled, self._due = True, begun + patience
        await self._taken(entries, taken)
        if not self._ending:
            await asyncio.sleep(max(begun + len(entries) / self._rules.rate - self._now(), 0))
        return True

    async def _taken(self, entries: Sequence[Logged], taken: Taken) -> None:
        self._sent = max(self._sent, taken.handed)
        await self._known(taken.known)
        if taken.error is None:
            return
        if taken.error.answer.retry is not Retry.NEVER:
            raise taken.error
        await self._settle()
        if not self._rules.skips or self._skipped >= IN_A_ROW:
            raise taken.error
        await self._leave_out(next(one for one in entries if one.seq > self._sent), taken.error)

    async def _settle(self) -> None:
        if self._unsettled:
            await self._repository.settle()
            self._unsettled = False
            await self._known(self._sent)

    async def _known(self, seq: int) -> None:
        """The repository surely has everything up to here."""
        if seq >= self._sent:
            self._unsettled = False
        if seq <= self._mark:
            return
        await self._store.advance_feed(self.name, seq, self._clock())
        self._mark, self._sent = seq, max(self._sent, seq)
        self._attempts = self._skipped = 0
        self._waits_since = None
        await self._resumed()

    async def _leave_out(self, wrong: Logged, error: DeliveryError) -> None:
        """Go on behind an entry that the repository never takes, which the log tells of."""
        self._sent = wrong.seq
        if wrong.seq <= self._mark:  # it was left out before
            return
        said = [] if _tag(wrong).startswith(OWN) else [self._entry("skipped", error, seq=wrong.seq)]
        _log.error("feed left an entry out", task=self.name, count=wrong.seq, exc=error)
        await self._store.advance_feed(self.name, wrong.seq, self._clock(), said)
        self._mark = wrong.seq
        self._skipped += 1

    # --- standing -------------------------------------------------------------------------------------

    async def _failed(self, error: ConnectorError) -> None:
        """Go back to what is surely there, and wait."""
        await self._repository.drop()
        self._sent, self._unsettled = max(self._mark - self._rules.again, self._first), False
        self._attempts += 1
        if self._since is None:
            now = self._clock()
            self._since = min(self._waits_since or now, now)
            self._stood = self._now() - (now - self._since).total_seconds()
        pause = self._rules.pauses.after(self._attempts, error, self._share())
        _log.warning("feed waits", task=self.name, exc=error, seconds=round(pause, 1))
        until = self._now() + pause
        self._woken.clear()
        while not (self._woken.is_set() or self._ending):
            await self._stopped(error)
            if (left := until - self._now()) <= 0:
                return
            await woken(self._woken, min(left, max(self._until_alarm(), _LOOK)))

    def _until_alarm(self) -> float:
        return self._stood + self._rules.alarm - self._now()

    async def _stopped(self, error: ConnectorError) -> None:
        """Tell of an outage that has lasted, or that a person must end; once for each kind of error."""
        why = reason(error)
        passing = error.answer.retry is Retry.LATER
        if why in self._told or (passing and self._until_alarm() > 0):
            return
        try:
            if not await self._store.waits(self._mark, OWN):
                return
            waiting = (await self._store.lag(self._mark)).entries
            said = {name: getattr(error, name, "") for name in ("status", "issue")}
            entry = self._entry("stopped", error, seq=self._mark, waiting=waiting, **said)
            await self._store.mark_feed(self.name, why, self._since, [entry])
        except ConnectorError as fault:  # it is tried again, as long as the outage lasts
            _log.error("what happened to a feed could not be recorded", task=self.name, exc=fault)
            return
        _log.error("feed stopped", task=self.name, exc=error)
        self._reason = why
        self._told.add(why)

    async def _resumed(self) -> None:
        """It moves again."""
        if self._told and self._since is not None:
            entry = self._entry("resumed", None, seq=self._mark, since=instant(self._since))
            await self._store.mark_feed(self.name, "", None, [entry])
            _log.info("feed resumed", task=self.name)
        self._since, self._reason, self._told = None, "", set()

    def _entry(
        self, verb: Literal["stopped", "resumed", "skipped"], error: ConnectorError | None, **what: Any
    ) -> Entry:
        target = {"feed": self.name, **{name: value for name, value in what.items() if value}}
        outcome, why = ("success", "") if error is None else ("failure", reason(error))
        actor = {"role": "connector"}
        return Entry(instant(self._clock()), f"{OWN}{verb}", actor, target, outcome, why, "")


def _tag(logged: Logged) -> str:
    return str(json.loads(logged.entry)["tag"])
