"""``connector serve`` as a process that is killed with SIGKILL again and again.

Each process is forked from one that has imported the connector, so that a kill costs no start-up time and the
service is down only for a moment.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from connector.demo.site import Site
from tests.forked import Forked, Nursery

_PATIENCE: Final = 30.0


class Killed:
    """A context manager: starts, kills and finally ends the connector of a site.

    ``acknowledged``: how many messages its partners have heard of so far.
    """

    def __init__(self, site: Site, acknowledged: Callable[[], int]) -> None:
        self._site, self._acknowledged = site, acknowledged
        self._nursery = Nursery("connector.app", "connector.commands.serve")
        self._serving: Forked | None = None
        self.kills = 0

    def __enter__(self) -> Killed:
        self._nursery.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._serving is not None:
            self._end(signal.SIGKILL)
        self._nursery.__exit__(kind, error, trace)

    def serve(self) -> None:
        """Let the next process serve. Returns at once: it is still opening its store."""
        with (self._site.log / "connector.log").open("ab") as log:
            self._serving = self._nursery.start(
                ["connector", "serve", "--config", str(self._site.config)], log
            )

    def kill_after(self, messages: int, seconds: float) -> None:
        """Serve until so many more messages were acknowledged, that much longer, and kill.

        ``messages`` 0: the kill may come while it still starts. A busy machine only makes this slower.
        """
        before = self._acknowledged()
        self.serve()
        patience = time.monotonic() + _PATIENCE
        while self._acknowledged() < before + messages:
            assert time.monotonic() < patience, self.log()
            time.sleep(0.005)
        time.sleep(seconds)
        assert self._end(signal.SIGKILL) == -signal.SIGKILL, self.log()
        self.kills += 1

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        """The end of what the service wrote."""
        return (self._site.log / "connector.log").read_text()[-3000:]

    def _end(self, number: signal.Signals) -> int:
        assert self._serving is not None
        process, self._serving = self._serving, None
        process.send_signal(number)
        return process.wait(_PATIENCE)
