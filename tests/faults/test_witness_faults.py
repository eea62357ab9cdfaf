"""A witness's system calls fail, or are the last of the process (with strace): it never cosigns both ways."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from audit import witness_state
from tests.audit.signers import FIRST
from tests.forked import ROOT

from .full import FULL

CALLS: Final = ("openat", "write", "fsync", "rename", "close")
FAULTS: Final = ("error=EIO", "error=ENOSPC", "signal=KILL")
NTH: Final = range(1, 11) if FULL else (3,)
_PATIENCE: Final = 100.0

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the system calls fail")


def test_no_system_call_that_fails_makes_a_witness_cosign_two_ways() -> None:
    some = [(call, what, nth) for nth in NTH for call in CALLS for what in FAULTS]
    if not FULL:
        some = [one for one in some if one[0] in ("fsync", "rename") and one[1] != "error=ENOSPC"]
    with ThreadPoolExecutor(2) as pool:
        outcomes = Counter(pool.map(lambda one: _tried(*one), some))
    print(f"{len(some)} system calls of a witness failed: {dict(outcomes)}")
    assert outcomes["killed"]
    assert outcomes["went on"]
    assert outcomes.total() - outcomes["not hit"] >= (100 if FULL else len(some))


def _tried(call: str, what: str, nth: int) -> str:
    with tempfile.TemporaryDirectory(prefix="witness-fault-") as name:
        folder = Path(name) / "state"
        witness_state.create(folder, [FIRST.key])
        first = _run(folder, f"inject={call}:{what}:when={nth}", call)
        second = _run(folder)
        assert second.returncode == 0, (call, what, nth, second.stderr)
        said = [line.split() for line in (first.stdout + second.stdout).splitlines() if line != "refused"]
        past = {way for way, size in said if int(size) > 5}
        assert past <= {"log"} or past <= {"fork"}, (call, what, nth, said)
        assert ["log", "20"] in said or ["fork", "20"] in said
        killed = first.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        hit = killed or "INJECTED" in (folder.parent / "trace").read_text(errors="replace")
        return "killed" if killed else "went on" if hit else "not hit"


def _run(folder: Path, fault: str = "", call: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.witnessing", str(folder)]
    if fault:
        names = [folder, *(folder / f for f in (_FILE, f".{_FILE}.new"))]
        files = [part for one in names for part in ("-P", str(one))]
        calls = ["-e", f"trace={call}", "-e", fault]
        command = ["strace", "-f", "-qq", "-o", str(folder.parent / "trace"), *files, *calls, *command]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False)


_FILE: Final = "ward.example%2F2026.checkpoint"
