"""What has to be heard of again and again: the alarm where it falls silent, and its end, told for sure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from audit.cosigning import AnswerRefused
from audit.stamps import StampRefused
from connector.errors import ConnectorError
from connector.pipeline.entries import instant
from connector.pipeline.ports import Clock, Entry

Record = Callable[[list[Entry]], Awaitable[None]]
_log: Final = structlog.get_logger(__name__)


def told(error: Exception) -> str:
    """An error for people: in words where they are ours, else by its name."""
    if isinstance(error, ConnectorError):
        return error.what
    return str(error) if type(error) in (AnswerRefused, StampRefused) else type(error).__name__


class Telling:
    """Puts entries into the audit log; what does not get there is told again the next time."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._untold: list[Entry] = []

    def note(self, tag: str, what: Mapping[str, Any], outcome: str) -> None:
        """To be told."""
        self._untold.append(Entry(instant(self._clock()), tag, {"role": "connector"}, what, outcome, "", ""))

    async def tell(self) -> None:
        """Tell what there is. Raises what ``record`` raises."""
        while self._untold:
            telling = self._untold[:]
            await self._record(telling)
            del self._untold[: len(telling)]


class Silence:
    """``name``: for people; ``tag``: ``audit:witness``, of which ``silent`` and ``returned`` are told;
    ``seconds``: a monotonic clock; ``after``: of how many seconds silence is one.

    ``heard``: when it was heard of last, by that clock; None: never. ``lasts``: whether it was told of.
    """

    def __init__(self, name: str, tag: str, after: float, seconds: Callable[[], float]) -> None:
        self._name, self._tag, self._after, self._seconds = name, tag, after, seconds
        self._since = seconds()
        self.heard: float | None = None
        self.lasts = False

    @property
    def long(self) -> bool:
        """Whether it has been silent for too long."""
        return self.ago > self._after

    @property
    def ago(self) -> float:
        """Seconds since it was heard of, or since the start."""
        return self._seconds() - (self._since if self.heard is None else self.heard)

    def hear(self, ago: float = 0.0) -> None:
        """It was heard of so many seconds ago."""
        self.heard = self._seconds() - ago

    def judge(self, telling: Telling, what: Mapping[str, Any]) -> None:
        """Have it told where it has fallen silent, or is back."""
        if self.long == self.lasts:
            return
        self.lasts = not self.lasts
        if self.lasts:
            _log.critical("something fell silent that the audit log needs", task=self._name)
            telling.note(f"{self._tag}:silent", what, "failure")
        else:
            _log.info("what the audit log needs is back", task=self._name)
            telling.note(f"{self._tag}:returned", what, "success")
