"""Processes that need not import the connector first: each is forked from one process that did.

with Nursery("connector.app") as nursery:
    process = nursery.start(["connector", "serve", "--config", "connector.toml"], log)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL

They are processes of their own like any other: with their own files, signals and exit code, ended by
``SIGKILL`` without a last word. Only what ``import`` makes of unchanged code is there already.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final

ROOT: Final = Path(__file__).parents[1]
_ROOM: Final = 65_536
_WIDTH: Final = 10  # of a number that is told
_PATIENCE: Final = 60.0


class Forked:
    """One process, as ``subprocess.Popen`` would show it."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self.returncode: int | None = None
        self.pid = int(self._told(_PATIENCE))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it ended already."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; ``None`` while it runs."""
        if self.returncode is None and self._is_told(0):
            self._end()
        return self.returncode

    def wait(self, seconds: float) -> int:
        """Wait for its end. Raises ``TimeoutError``."""
        if self.returncode is None:
            self._end(seconds)
        assert self.returncode is not None
        return self.returncode

    def _end(self, seconds: float = _PATIENCE) -> None:
        self.returncode = os.waitstatus_to_exitcode(int(self._told(seconds)))
        os.close(self._answers)

    def _told(self, seconds: float) -> bytes:
        if not self._is_told(seconds):
            raise TimeoutError("the process still runs")
        told = os.read(self._answers, _WIDTH)
        assert told, "the nursery is gone"
        return told

    def _is_told(self, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))


class Nursery:
    """A context manager: the process that has imported these modules, and forks."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Nursery:
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = str(theirs.fileno())
            command = [sys.executable, "-m", __name__, number, *self._modules]
            self._mother = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()
        self._mother.wait(_PATIENCE)

    def start(self, words: Sequence[str], log: IO[bytes]) -> Forked:
        """Run a module of a package, or ``connector`` and its arguments; both outputs go to the log."""
        answers, theirs = os.pipe()
        try:
            message = json.dumps(words).encode()
            socket.send_fds(self._asking, [message], [log.fileno(), theirs])
        finally:
            os.close(theirs)
        return Forked(answers)


# --- the other side ----------------------------------------------------------------------------------


def _serve(asked: socket.socket) -> None:
    """Fork for each request; return in the child, with what it shall run in ``sys.argv``."""
    running: set[int] = set()
    while True:
        message, (*files,), _, _ = socket.recv_fds(asked, _ROOM, 2)
        if not message:
            break
        log, answers = files
        pid = os.fork()
        if pid == 0:
            asked.close()
            return _keep(json.loads(message), log, answers)
        running.add(pid)
        os.close(log)
        os.close(answers)
        running -= {one for one in running if os.waitpid(one, os.WNOHANG)[0]}
    for one in running:
        os.waitpid(one, 0)
    raise SystemExit


def _keep(words: list[str], log: int, answers: int) -> None:
    """Fork once more, and tell the end of that one; return in it."""
    pid = os.fork()
    if pid:
        os.write(answers, b"%*d" % (_WIDTH, pid))
        os.write(answers, b"%*d" % (_WIDTH, os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(answers)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.argv = words


def _run() -> None:
    if sys.argv[0] == "connector":
        from connector.cli import main

        main(prog_name="connector")
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    number, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    gc.freeze()
    _serve(socket.socket(fileno=int(number)))
    _run()
