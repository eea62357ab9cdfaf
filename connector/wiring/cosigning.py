"""Has the checkpoints of the audit log cosigned by witnesses, beside the service, and tells where they stop.

Sealing waits for nobody here: what is published is asked about, and what enough witnesses have cosigned is
put beside it. A log on which nothing happens is cosigned anew now and then, so that silence is never taken
for idleness.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from audit import cosigning, directory, writing
from audit.cosigning import Disagreed, Standing
from audit.directory import Shard
from connector.errors import AuditUnwitnessed
from connector.pipeline.ports import Clock
from connector.profile.audit_witness import AuditWitness
from connector.wiring.alarms import Record, Silence, Telling, told
from connector.wiring.cosigners import Cosigner, Round

LOOK: Final = 0.5  # seconds between two looks at what was published
TROUBLED: Final = 5.0  # seconds more, after one that failed
ANEW: Final = 3  # times that an idle log is cosigned before its witnesses would count as silent
PART: Final = "audit witnesses"

_log: Final = structlog.get_logger(__name__)


class Cosigning:
    """The witnesses of a log. ``record``: appends entries to it; ``seconds``: a monotonic clock."""

    def __init__(
        self,
        folder: Path,
        chosen: AuditWitness,
        witnesses: Sequence[Cosigner],
        record: Record,
        clock: Clock,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._chosen, self._witnesses = folder, chosen, witnesses
        self._telling, self._clock, self._seconds = Telling(record, clock), clock, seconds
        self._silence = Silence(PART, "audit:witness", chosen.silent_after_seconds, seconds)
        self._trusted = {one.name: one.keys for one in witnesses}
        self._rounds: dict[str, Round] = {}
        self._publishing = asyncio.Lock()
        self._taken_up = False
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """What is asked just now."""
        return [one.under_way[1] for one in self._witnesses if one.under_way]

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._watch(), name="audit witnesses")

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for one in self._witnesses:
            await one.close()

    def withheld(self) -> AuditUnwitnessed | None:
        """Why nothing new is taken in; None where that does not hang on witnesses, or they have cosigned."""
        if not self._chosen.fail_closed or (self._silence.heard is not None and not self._silence.long):
            return None
        what = "too few witnesses have cosigned the audit log"
        return AuditUnwitnessed(what, fix="see that they run and can be reached, and send it again")

    def ready(self) -> Mapping[str, bool | str]:
        """True, or why nothing new is taken in."""
        return {PART: "silent" if self.withheld() else True}

    def warnings(self) -> Mapping[str, str]:
        """Which witness does not cosign, and why; and whether they have fallen silent."""
        found = {PART: "silent"} if self._silence.lasts else {}
        for one in self._witnesses:
            if told := [trouble.why for trouble in one.troubles.values()]:
                found[f"audit witness {one.name}"] = told[0]
        return found

    def figures(self) -> Mapping[str, float]:
        """How many seconds ago enough witnesses had cosigned."""
        return {"audit_cosigned_seconds": round(self._silence.ago, 1)}

    async def _watch(self) -> None:
        while True:
            try:
                await self.turn()
            except Exception as error:
                _log.error("the audit log cannot be shown to its witnesses", exc=error)
                await asyncio.sleep(TROUBLED)
            await asyncio.sleep(LOOK)

    async def finish(self, seconds: float) -> None:
        """Watch no more; show what was published last, and wait so long for who is asked."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(seconds):
                await self._show()
                while self.under_way:
                    await asyncio.wait(self.under_way)
                    await self._show()
        except Exception as error:
            _log.warning("not all witnesses have seen the end of the audit log", task=PART, exc=error)

    async def turn(self) -> None:
        """Look at what was published, ask who is to be asked, and tell what is to be told."""
        await self._show()
        what = {"required": self._chosen.required, "witnesses": [one.name for one in self._witnesses]}
        self._silence.judge(self._telling, what)
        await self._telling.tell()

    async def _show(self) -> None:
        standings = await asyncio.to_thread(self._published)
        if not self._taken_up and standings:
            await asyncio.to_thread(self._take_up, *standings[0])
        known = {standing.head.origin for _, standing in standings}
        for one in self._witnesses:
            one.forget_all_but(known)
        for number, (shard, standing) in enumerate(standings):
            self._advance(shard, standing, newest=number == 0)

    def _published(self) -> list[tuple[Shard, Standing]]:
        """The checkpoints of all shards, the newest shard first."""
        shards = reversed(directory.shards(self._folder))
        return [(shard, Standing.of(signed)) for shard in shards if (signed := shard.checkpoint())]

    def _take_up(self, shard: Shard, standing: Standing) -> None:
        """What was cosigned before this start."""
        self._taken_up = True
        signed = shard.cosigned()
        if not signed:
            return
        origin = standing.head.origin
        times = cosigning.heard(signed, origin, shard.keys(), self._trusted)
        size = Standing.of(signed).head.size
        for one in self._witnesses:
            if one.name in times:
                one.knew(origin, size)
        enough = sorted(times.values(), reverse=True)[: self._chosen.required]
        if len(enough) == self._chosen.required:
            self._silence.hear(ago=max(self._clock().timestamp() - enough[-1], 0.0))

    def _advance(self, shard: Shard, standing: Standing, *, newest: bool) -> None:
        """Begin a round where the one before is over, and ask who has not answered in it."""
        origin = standing.head.origin
        now = self._seconds()
        current = self._rounds.get(origin)
        asked = any(one.under_way and one.under_way[0] is current for one in self._witnesses)
        if current is None or (not asked and self._is_over(current, standing, newest, now)):
            current = self._rounds[origin] = Round(shard, standing)
        for one in self._witnesses:
            if one.wants(current, now):
                one.under_way = current, asyncio.create_task(self._ask(one, current, newest))

    def _is_over(self, current: Round, standing: Standing, newest: bool, now: float) -> bool:
        if current.standing.head != standing.head:
            return True
        again = now - self._chosen.silent_after_seconds / ANEW
        return newest and current.gathered and (self._silence.heard or 0.0) < again

    async def _ask(self, one: Cosigner, current: Round, newest: bool) -> None:
        try:
            current.lines[one.name] = await one.cosigned(current)
            await self._gather(current, newest)
            one.well(current.origin)
        except Disagreed as error:
            self._disagreed(one, current, error)
        except Exception as error:
            self._failed(one, current, error)
        finally:
            one.under_way = None

    async def _gather(self, current: Round, newest: bool) -> None:
        """Publish a checkpoint that enough have cosigned; once more where one more has."""
        async with self._publishing:
            if len(current.lines) < self._chosen.required or self._rounds.get(current.origin) is not current:
                return
            await asyncio.to_thread(self._publish, current)
            current.gathered = True
            if newest:
                self._silence.hear()

    def _publish(self, current: Round) -> None:
        lines = [line for of_one in current.lines.values() for line in of_one]
        keys, required = current.shard.keys(), self._chosen.required
        signed = cosigning.gathered(current.standing, lines, keys, self._trusted, required)
        writing.publish_cosigned(current.shard, signed)

    def _disagreed(self, one: Cosigner, current: Round, error: Disagreed) -> None:
        """An alarm of its own, once until it agrees again."""
        head = current.standing.head
        one.ill(head.origin, f"it disagrees: {error}", self._seconds())
        if head.origin in one.disagrees:
            return
        one.disagrees.add(head.origin)
        _log.critical("a witness has seen another version of the audit log", task=one.name, size=head.size)
        what = {"witness": one.name, "origin": head.origin, "entries": head.size}
        seen = {} if error.size is None else {"seen": error.size}
        self._telling.note("audit:witness:disagreed", {**what, **seen}, "failure")

    def _failed(self, one: Cosigner, current: Round, error: Exception) -> None:
        why = told(error)
        current.lines.pop(one.name, None)  # where it was ours that failed
        trouble = one.ill(current.origin, why, self._seconds())
        if trouble.times == 1:
            _log.warning("a witness does not cosign", task=one.name, code=why)
