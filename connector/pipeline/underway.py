"""Translations on their way to the disk, in their order, while what comes behind them is translated.

One that is not committed yet is not in the journal, so what speaks of the same resources waits for it. The
store takes each only behind the one before: where that failed, it fails too, and both are translated again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine


class UnderWay:
    """At most ``most`` commits, each with the keys of the journal that it writes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._steps: deque[tuple[asyncio.Task[None], frozenset[str]]] = deque()

    @property
    def keys(self) -> frozenset[str]:
        """What the journal will say anew."""
        while self._steps and self._steps[0][0].done():
            self._steps.popleft()[0].result()
        return frozenset[str]().union(*(keys for _, keys in self._steps))

    async def begin(self, commit: Coroutine[None, None, None], keys: frozenset[str]) -> None:
        """Let one more go, once there is room for it. Raises what one before it raised."""
        self._steps.append((asyncio.create_task(commit), keys))
        while len(self._steps) > self._most:
            await asyncio.wait([self._steps[0][0]])
            self._steps.popleft()[0].result()

    async def end(self) -> None:
        """Wait until all are on the disk. Raises what the first that failed raised."""
        commits = [commit for commit, _ in self._steps]
        if commits:
            await asyncio.wait(commits)
        self._steps.clear()
        for failure in [commit.exception() for commit in commits]:
            if failure is not None:
                raise failure
