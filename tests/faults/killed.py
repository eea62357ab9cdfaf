"""``connector serve`` as a process that is killed with SIGKILL again and again.

Each process imports ahead and waits for a word before it serves, so that a kill costs no start-up time
and the service is down only for a moment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from connector.demo.site import Site

ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 30.0
_AHEAD: Final = 2  # processes that wait for their turn
_SERVE: Final = """
import sys
from connector import app, cli
from connector.commands import serve
print("imported", flush=True)
sys.stdin.readline()
cli.main(["serve", "--config", sys.argv[1]])
"""


class Killed:
    """A context manager: starts, kills and finally ends the connector of a site.

    ``acknowledged``: how many messages its partners have heard of so far.
    """

    def __init__(self, site: Site, cache: Path, acknowledged: Callable[[], int]) -> None:
        self._site, self._acknowledged = site, acknowledged
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache)}
        self._waiting: deque[subprocess.Popen[bytes]] = deque()
        self._serving: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def __enter__(self) -> Killed:
        self._fill()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._waiting, *([self._serving] if self._serving else [])):
            process.kill()
            _ended(process)

    def serve(self) -> None:
        """Let the next process serve. Returns at once: it is still opening its store."""
        self._fill()
        process = self._waiting.popleft()
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"imported\n", self.log()
        process.stdin.write(b"\n")
        process.stdin.flush()
        self._serving = process
        self._fill()

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

    def _fill(self) -> None:
        while len(self._waiting) < _AHEAD:
            with (self._site.log / "connector.log").open("ab") as log:
                self._waiting.append(
                    subprocess.Popen(
                        [sys.executable, "-c", _SERVE, str(self._site.config)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        cwd=ROOT,
                        env=self._environment,
                    )
                )

    def _end(self, number: signal.Signals) -> int:
        assert self._serving is not None
        process, self._serving = self._serving, None
        process.send_signal(number)
        return _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> int:
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    return process.wait(30)
