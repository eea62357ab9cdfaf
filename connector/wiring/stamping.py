"""Has time-stamps put on the checkpoints of the audit log, beside the service, and tells where they stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog
from cryptography import x509

from audit import directory, stamps, writing
from audit.cosigning import Standing
from audit.directory import Shard
from audit.stamps import StampRefused
from connector.edges.http_reading import Answer
from connector.errors import ConfigurationError
from connector.pipeline.ports import Clock
from connector.profile.audit_stamp import AuditStamp
from connector.wiring.alarms import Record, Silence, Telling, told

LOOK: Final = 1.0  # seconds between two looks at what was published
AGAIN: Final = (
    60.0  # seconds after which an authority that failed is asked again, or the usual time if shorter
)
PART: Final = "audit time-stamps"

_log: Final = structlog.get_logger(__name__)


class AsksForStamps(Protocol):
    """The connection to an authority."""

    async def ask(self, query: bytes, kind: str, wanted: str) -> Answer:
        """Its answer. Raises ``DeliveryError``."""
        ...

    async def close(self) -> None:
        """Ask no more."""
        ...


def trusted(chosen: AuditStamp) -> list[x509.Certificate]:
    """Who may vouch for time-stamps. Raises ``ConfigurationError``, also where the extra is missing."""
    try:
        import rfc3161_client  # noqa: F401

        return stamps.authorities(chosen.trust.read_bytes())
    except ImportError:
        fix = 'install it: pip install "connector[stamps]"'
        raise ConfigurationError("time-stamps need the package rfc3161-client", fix=fix) from None
    except (OSError, StampRefused):
        what = "the authorities of the time-stamps cannot be read"
        raise ConfigurationError(what, fix="give them in PEM", location=str(chosen.trust)) from None


class Stamping:
    """The time-stamps of a log. ``record``: appends entries to it; ``seconds``: a monotonic clock.

    Raises ``ConfigurationError`` as ``trusted`` does.
    """

    def __init__(
        self,
        folder: Path,
        chosen: AuditStamp,
        site: AsksForStamps,
        record: Record,
        clock: Clock,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._chosen, self._site, self._seconds = folder, chosen, site, seconds
        self._trusted = trusted(chosen)
        self._telling = Telling(record, clock)
        self._silence = Silence(PART, "audit:stamp", chosen.silent_after_seconds, seconds)
        self._next = seconds()
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._watch(), name=PART)

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._site.close()

    def warnings(self) -> Mapping[str, str]:
        """Why there is no time-stamp, and whether that has lasted."""
        said = ["silent"] if self._silence.lasts else []
        said += [self._trouble] if self._trouble else []
        return {PART: ": ".join(said)} if said else {}

    def figures(self) -> Mapping[str, float]:
        """How many seconds ago there was a time-stamp, or nothing to be stamped."""
        return {"audit_stamped_seconds": round(self._silence.ago, 1)}

    async def turn(self) -> None:
        """Have the newest checkpoint stamped if it is time, and tell what is to be told."""
        due = await asyncio.to_thread(self._due)
        if due is None:
            self._silence.hear()  # there is nothing to be stamped
        elif self._seconds() >= self._next:
            await self._stamped(*due)
        self._silence.judge(self._telling, {"authority": self._chosen.url})
        await self._telling.tell()

    async def _watch(self) -> None:
        while True:
            try:
                await self.turn()
            except Exception as error:
                _log.error("the audit log cannot be time-stamped", exc=error)
                await asyncio.sleep(AGAIN)
            await asyncio.sleep(LOOK)

    def _due(self) -> tuple[Shard, Standing] | None:
        """The newest checkpoint of the oldest shard that lacks one: a year that is over gets its own."""
        for shard in directory.shards(self._folder):
            signed = shard.checkpoint()
            if (
                signed
                and not (shard.root / stamps.path_of((found := Standing.of(signed)).head.size)).exists()
            ):
                return shard, found
        return None

    async def _stamped(self, shard: Shard, standing: Standing) -> None:
        try:
            await self._ask(shard, standing)
        except Exception as error:
            why = told(error)
            if why != self._trouble:
                _log.warning("no time-stamp", task=PART, code=why)
            self._trouble = why
            self._next = self._seconds() + min(AGAIN, self._chosen.every_seconds)
        else:
            self._trouble = ""
            self._silence.hear()
            self._next = self._seconds() + self._chosen.every_seconds

    async def _ask(self, shard: Shard, standing: Standing) -> None:
        asked = stamps.ask(standing.note.text)
        answer = await self._site.ask(asked.query, stamps.QUERY, stamps.REPLY)
        if answer.status != 200:
            raise StampRefused(f"the authority answers {answer.status}")
        stamps.accept(asked, answer.content, self._trusted)
        path = shard.root / stamps.path_of(standing.head.size)
        await asyncio.to_thread(writing.put, path, answer.content)
