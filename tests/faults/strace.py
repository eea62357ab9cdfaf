"""Making the system calls of a program fail, one in each run (with strace): a harness for any program.

The program is a module of Python that works in a folder. Counted once, it gives the faults that there are:
each call on its files, as often as the busiest thread makes it, refused by the disk or the last of all.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.forked import ROOT

CALLS: Final = (
    "pwrite64", "fdatasync", "fsync", "pread64", "ftruncate", "unlink", "openat", "fcntl", "mmap", "fchown"
)  # fmt: skip
KINDS: Final = ("error=EIO", "error=ENOSPC", "signal=KILL")
PATIENCE: Final = 100.0
_NEVER: Final = 65_535  # the highest number that strace knows
_LINE: Final = re.compile(r"^(\d+)\s+(\w+)\(")
_TRACE: Final = "trace"


class Fault(NamedTuple):
    """The ``nth`` such call of each thread on the program's files."""

    call: str
    nth: int
    what: str

    @property
    def option(self) -> str:
        return f"inject={self.call}:{self.what}:when={self.nth}"


class Program(NamedTuple):
    """``python -m module FOLDER``. ``paths``: its files, as they lie in the folder, there yet or not."""

    module: str
    paths: Callable[[Path], Sequence[Path]]
    calls: Sequence[str] = CALLS

    def run(self, folder: Path, fault: Fault | None = None) -> subprocess.CompletedProcess[str]:
        """One run, with a fault or left alone."""
        command = [sys.executable, "-m", self.module, str(folder)]
        if fault is not None:
            files = [part for path in self.paths(folder) for part in ("-P", str(path))]
            calls = ["-e", f"trace={','.join(self.calls)}", "-e", fault.option]
            fast = (
                [] if fault.what.startswith("signal") else ["--seccomp-bpf"]
            )  # with which no signal is sent
            command = ["strace", *fast, "-f", "-qq", "-o", str(folder / _TRACE), *files, *calls, *command]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def faults(self, folder: Path, most: int = 10_000) -> Iterator[Fault]:
        """Every call of a run in an empty folder, with each way to fail, the first of all calls first.

        ``most``: of each call; where there are more, those are left out that come often.
        """
        counted = self._counted(folder)
        tried = {call: _spread(count, most) for call, count in counted.items()}
        for nth in range(1, max(counted.values()) + 1):
            for call in self.calls:
                if nth in tried[call]:
                    yield from (Fault(call, nth, what) for what in KINDS)

    def _counted(self, folder: Path) -> dict[str, int]:
        """How often the busiest thread makes each call on the program's files."""
        done = self.run(folder, Fault(self.calls[0], _NEVER, KINDS[0]))
        assert done.returncode == 0, done.stderr
        threads: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for thread, call in (
            found.groups() for found in map(_LINE.match, traced(folder).splitlines()) if found
        ):
            threads[call][thread] += 1
        return {call: max(threads[call].values(), default=0) for call in self.calls}


def a_few(faults: Sequence[Fault], few: Mapping[str, int]) -> Iterator[Fault]:
    """About so many of each call, else one: from its first to its last, of each kind in turn."""
    for call in dict.fromkeys(fault.call for fault in faults):
        mine = [fault for fault in faults if fault.call == call]
        step = max(len(mine) // few.get(call, 1), 1)
        yield from mine[:: step + (step % len(KINDS) == 0)]


def _spread(count: int, most: int) -> set[int]:
    if count <= most:
        return set(range(1, count + 1))
    return {1 + at * (count - 1) // (most - 1) for at in range(most)}


def traced(folder: Path) -> str:
    """What strace saw in the last run that had a fault."""
    return (folder / _TRACE).read_text(errors="replace")
