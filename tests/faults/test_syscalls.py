"""Every system call of the commit path fails once, or is the last one of the process (with strace).

Whatever was said to be on the disk is there afterwards and is not done again, the rest is done by the next
run, and the audit log verifies.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from audit import verify
from tests.forked import Nursery
from tests.store.site import number, rows

from .cycle import GAVE_UP, MESSAGES
from .full import FULL
from .strace import PATIENCE, Fault, Program, a_few, traced

SOME: Final = 4  # of so many faults the long run tries one; coprime to the kinds of faults
FEW: Final = {"pwrite64": 8, "fdatasync": 4, "pread64": 3, "fcntl": 3}  # in the short run; else one
_AT_ONCE: Final = min(len(os.sched_getaffinity(0)), 4) if FULL else 2


def _files(folder: Path) -> list[Path]:
    return [folder / f"store.db{end}" for end in ("", "-wal", "-shm")]


CYCLE: Final = Program("tests.faults.cycle", _files)

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")


class Seen(NamedTuple):
    """What became of one faulty run and of the next one, which is left alone."""

    fault: Fault
    hit: bool
    refused: int
    killed: bool


@pytest.mark.slow
@pytest.mark.timeout(1800 if FULL else 240)
def test_no_system_call_that_fails_loses_what_was_acknowledged(tmp_path: Path) -> None:
    every = list(CYCLE.faults(tmp_path))
    faults = every[::SOME] if FULL else list(a_few(every, FEW))
    with Nursery("tests.store.site") as nursery, ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(partial(_tried, nursery), faults))
    hit = [one for one in seen if one.hit]
    by_fault = Counter(f"{one.fault.call} {one.fault.what}" for one in hit)
    refused, killed = (sum(bool(way(one)) for one in hit) for way in (_refused, _killed))
    print(f"{len(hit)} system calls failed: {refused} runs said no, {killed} were killed; {dict(by_fault)}")
    assert len(hit) >= (300 if FULL else 20)
    assert refused
    assert killed


def _refused(one: Seen) -> bool:
    return one.refused > 0


def _killed(one: Seen) -> bool:
    return one.killed


def _tried(nursery: Nursery, fault: Fault) -> Seen:
    with tempfile.TemporaryDirectory(prefix="connector-fault-") as name:
        folder = Path(name)
        first = CYCLE.run(folder, fault)
        assert first.returncode in (0, GAVE_UP, -signal.SIGKILL, 128 + signal.SIGKILL), (fault, first.stderr)
        with (folder / "second").open("w+b") as said:
            code = nursery.start([CYCLE.module, str(folder)], said).wait(PATIENCE)
        second = (folder / "second").read_text()
        assert code == 0, (fault, second)
        _nothing_was_lost(folder, fault, first.stdout, second)
        refused = first.stdout.count("refused")
        killed = first.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return Seen(fault, "INJECTED" in traced(folder) or killed, refused, killed)


def _nothing_was_lost(folder: Path, fault: Fault, first: str, second: str) -> None:
    said = [line for line in (first + second).splitlines() if not line.startswith(("known", "refused"))]
    assert len(said) == len(set(said)), (fault, said)
    assert [row[0] for row in rows(folder, "PRAGMA integrity_check")] == ["ok"], fault
    report = verify(folder / "store.db")
    assert report.good, (fault, report)
    assert report.entries >= len(said), fault
    assert (number(folder, "inbox"), number(folder, "outbox")) == (MESSAGES, MESSAGES), (fault, said)
    assert {row[0] for row in rows(folder, "SELECT state FROM inbox")} == {"delivered"}, fault
