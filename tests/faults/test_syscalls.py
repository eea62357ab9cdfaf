"""Every system call of the commit path fails once, or is the last one of the process (with strace).

Whatever was said to be on the disk is there afterwards and is not done again, the rest is done by the next
run, and the audit log verifies.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from audit import verify
from tests.forked import ROOT, Nursery
from tests.store.site import number, rows

from .cycle import GAVE_UP, MESSAGES
from .full import FULL

CALLS: Final = (
    "pwrite64", "fdatasync", "fsync", "pread64", "ftruncate", "unlink", "openat", "fcntl", "mmap", "fchown"
)  # fmt: skip
FAULTS: Final = ("error=EIO", "error=ENOSPC", "signal=KILL")
SOME: Final = 4 if FULL else 53  # of so many faults a run tries one; coprime to the kinds of faults
_CYCLE: Final = "tests.faults.cycle"
_PATIENCE: Final = 100.0
_NEVER: Final = 65_535  # the highest number that strace knows
_LINE: Final = re.compile(r"^(\d+)\s+(\w+)\(")
_AT_ONCE: Final = min(len(os.sched_getaffinity(0)), 4) if FULL else 2

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")


class Fault(NamedTuple):
    """The ``nth`` such call of each thread on the store's files."""

    call: str
    nth: int
    what: str

    @property
    def option(self) -> str:
        return f"inject={self.call}:{self.what}:when={self.nth}"


class Seen(NamedTuple):
    """What became of one faulty run and of the next one, which is left alone."""

    fault: Fault
    hit: bool
    refused: int
    killed: bool


@pytest.mark.slow
@pytest.mark.timeout(1800 if FULL else 240)
def test_no_system_call_that_fails_loses_what_was_acknowledged(tmp_path: Path) -> None:
    faults = list(_faults(_counted(tmp_path)))[::SOME]
    with Nursery("tests.store.site") as nursery, ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(partial(_tried, nursery), faults))
    hit = [one for one in seen if one.hit]
    by_fault = Counter(f"{one.fault.call} {one.fault.what}" for one in hit)
    refused, killed = (sum(bool(way(one)) for one in hit) for way in (_refused, _killed))
    print(f"{len(hit)} system calls failed: {refused} runs said no, {killed} were killed; {dict(by_fault)}")
    assert len(hit) >= (300 if FULL else 12)
    assert refused
    assert killed


def _refused(one: Seen) -> bool:
    return one.refused > 0


def _killed(one: Seen) -> bool:
    return one.killed


def _tried(nursery: Nursery, fault: Fault) -> Seen:
    with tempfile.TemporaryDirectory(prefix="connector-fault-") as name:
        folder = Path(name)
        first = _faulty(folder, fault)
        assert first.returncode in (0, GAVE_UP, -signal.SIGKILL, 128 + signal.SIGKILL), (fault, first.stderr)
        with (folder / "second").open("w+b") as said:
            code = nursery.start([_CYCLE, str(folder)], said).wait(_PATIENCE)
        second = (folder / "second").read_text()
        assert code == 0, (fault, second)
        _nothing_was_lost(folder, fault, first.stdout, second)
        refused = first.stdout.count("refused")
        killed = first.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return Seen(fault, "INJECTED" in _traced(folder) or killed, refused, killed)


def _nothing_was_lost(folder: Path, fault: Fault, first: str, second: str) -> None:
    said = [line for line in (first + second).splitlines() if not line.startswith(("known", "refused"))]
    assert len(said) == len(set(said)), (fault, said)
    assert [row[0] for row in rows(folder, "PRAGMA integrity_check")] == ["ok"], fault
    report = verify(folder / "store.db")
    assert report.good, (fault, report)
    assert report.entries >= len(said), fault
    assert (number(folder, "inbox"), number(folder, "outbox")) == (MESSAGES, MESSAGES), (fault, said)
    assert {row[0] for row in rows(folder, "SELECT state FROM inbox")} == {"delivered"}, fault


def _faults(counted: dict[str, int]) -> Iterator[Fault]:
    for nth in range(1, max(counted.values()) + 1):
        for call in CALLS:
            if nth <= counted[call]:
                yield from (Fault(call, nth, what) for what in FAULTS)


def _counted(folder: Path) -> dict[str, int]:
    """How often the busiest thread makes each call on the store's files."""
    done = _faulty(folder, Fault(CALLS[0], _NEVER, FAULTS[0]))
    assert done.returncode == 0, done.stderr
    threads: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for thread, call in (found.groups() for found in map(_LINE.match, _traced(folder).splitlines()) if found):
        threads[call][thread] += 1
    return {call: max(threads[call].values(), default=0) for call in CALLS}


def _faulty(folder: Path, fault: Fault) -> subprocess.CompletedProcess[str]:
    files = [part for end in ("", "-wal", "-shm") for part in ("-P", str(folder / f"store.db{end}"))]
    calls = ["-e", f"trace={','.join(CALLS)}", "-e", fault.option]
    fast = [] if fault.what.startswith("signal") else ["--seccomp-bpf"]  # with which no signal is sent
    strace = ["strace", *fast, "-f", "-qq", "-o", str(folder / "trace"), *files, *calls]
    command = [*strace, sys.executable, "-m", _CYCLE, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False)


def _traced(folder: Path) -> str:
    return (folder / "trace").read_text(errors="replace")
